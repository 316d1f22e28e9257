"""Where frames come from: a video file, a webcam, images."""

from __future__ import annotations

import logging
import re
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.io.cameras import CameraBook
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.types import Frame

_log = logging.getLogger(__name__)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
_DEFAULT_FPS = Fraction(30)
_QUARTER_TURNS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


class SourceError(ValueError):
    """Frames cannot be read; the message names the source and the remedy."""


class FrameSource(Closing):
    """Iterable once; closes itself at the end of a ``with`` block.

    Attributes:
        name: what it reads.
        fps: nominal frame rate; None for unrelated images.
        length: number of frames, None where unknown (a webcam).
        skipped: what could not be read, one message each.
        live: frames come as they happen; nobody knows the next one.
        restarts: indices of frames before which all earlier frames are to be forgotten.
    """

    live = False

    def __init__(self, name: str, fps: Fraction | None, length: int | None) -> None:
        """Set the attributes."""
        self.name = name
        self.fps = fps
        self.length = length
        self.skipped: list[str] = []
        self.restarts: set[int] = set()

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames in order.

        Raises:
            SourceError: not a single frame could be read.
        """

    def skip(self, message: str) -> None:
        """Note and tell what is left out."""
        self.skipped.append(message)
        _log.warning("skipped %s", message)


def open_video(source: str, cameras: CameraBook) -> FrameSource:
    """Open a video file, or the webcam of that index ("0").

    Raises:
        SourceError: it is missing, is no video, or the webcam does not answer.
    """
    if source.isdecimal() and not Path(source).exists():
        return Webcam(int(source), cameras)
    return VideoFile(source, cameras)


class VideoFile(FrameSource):
    """A recorded video, upright (rotation metadata applied), with square pixels.

    Stamps are the file's own presentation times, seconds from its start.

    Raises:
        SourceError: the file is missing or holds no video.
    """

    def __init__(self, path: str | Path, cameras: CameraBook) -> None:
        """Open the file and read its header."""
        import av

        if not Path(path).is_file():
            raise SourceError(f"video '{path}' does not exist")
        try:
            self._container = av.open(str(path))
        except (av.error.FFmpegError, OSError) as error:
            raise SourceError(f"'{path}' cannot be read as a video ({_reason(error)})") from None
        if not self._container.streams.video:
            self._container.close()
            raise SourceError(f"'{path}' holds no video stream")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._cameras = cameras
        fps = self._stream.average_rate or self._stream.guessed_rate or _DEFAULT_FPS
        length = self._stream.frames or None
        if length is None and self._container.duration:
            length = round(self._container.duration / av.time_base * fps)
        super().__init__(str(path), Fraction(fps), length)

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; damaged packets are skipped and told."""
        index = 0
        start: float | None = None
        for picture in self._pictures():
            image = self._upright(picture)
            time_s = picture.time if picture.time is not None else index / float(self.fps or 30)
            start = time_s if start is None else start
            camera = self._cameras.camera(self.name, image.shape[1], image.shape[0])
            yield Frame(image, time_s - start, camera, index, self.name)
            index += 1
        if index == 0:
            raise SourceError(f"'{self.name}' holds no frame that can be decoded")

    def _pictures(self) -> Iterator[Any]:
        import av

        damaged = 0
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
                yield from packet.decode()
            except (StopIteration, av.error.EOFError):
                break
            except av.error.FFmpegError as error:
                damaged += 1
                reason = _reason(error)
                if damaged > 1000:  # an unreadable rest, not a scratch
                    break
        if damaged:
            self.skip(f"{damaged} damaged packet(s) of '{self.name}' ({reason})")

    def _upright(self, picture: Any) -> NDArray[np.uint8]:
        aspect = picture.sample_aspect_ratio if hasattr(picture, "sample_aspect_ratio") else None
        aspect = aspect or self._stream.sample_aspect_ratio or Fraction(1)
        width = round(picture.width * aspect)
        size = {"width": width, "height": picture.height} if width != picture.width else {}
        image = picture.to_ndarray(format="rgb24", **size)
        turn = _QUARTER_TURNS.get(round(picture.rotation) % 360)
        return image if turn is None else np.asarray(cv2.rotate(image, turn))

    def close(self) -> None:
        """Close the file."""
        self._container.close()


class Webcam(FrameSource):
    """A camera of this computer, until it stops or the user does. Stamps are Unix time.

    Raises:
        SourceError: no camera answers.
    """

    live = True

    def __init__(self, index: int, cameras: CameraBook) -> None:
        """Open the device."""
        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise SourceError(
                f"webcam {index} does not answer: is it plugged in, is another program using it, "
                f"may you read /dev/video{index}?"
            )
        self._cameras = cameras
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        fps = Fraction(rate).limit_denominator(1001) if 1 <= rate <= 1000 else _DEFAULT_FPS
        super().__init__(f"webcam:{index}", fps, None)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until the camera stops."""
        index = 0
        while True:
            ok, bgr = self._capture.read()
            stamp = time.time()
            if not ok:
                break
            image = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            camera = self._cameras.camera(self.name, image.shape[1], image.shape[0])
            yield Frame(image, stamp, camera, index, self.name)
            index += 1
        if index == 0:
            raise SourceError(f"{self.name} opened but gave no frame")
        self.skip(f"the rest: {self.name} stopped after {index} frames")

    def close(self) -> None:
        """Free the device."""
        self._capture.release()


class Images(FrameSource):
    """Unrelated images, upright (EXIF); unreadable ones are skipped and told. Stamps are 0.

    Args:
        paths: files and folders; a folder gives its images in natural order.

    Raises:
        SourceError: a path is missing or a folder holds no image.
        CameraError: the camera file lacks one of the images.
    """

    def __init__(self, paths: Sequence[str | Path], cameras: CameraBook) -> None:
        """List the files."""
        self._files = [file for path in paths for file in _image_files(Path(path))]
        self._cameras = cameras
        for file in self._files:
            if cameras.by_name:
                cameras.calibration(str(file))
        super().__init__(", ".join(str(path) for path in paths), None, len(self._files))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the images that can be read."""
        index = 0
        for file in self._files:
            image = read_image(file)
            if image is None:
                self.skip(f"'{file}': not an image, or a damaged one")
                continue
            camera = self._cameras.camera(str(file), image.shape[1], image.shape[0])
            yield Frame(image, 0.0, camera, index, str(file))
            index += 1
        if index == 0:
            raise SourceError("none of the images could be read")

    def close(self) -> None:
        """Nothing stays open between images."""


def _image_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceError(f"'{path}' does not exist")
    files = [f for f in path.iterdir() if f.is_file() and f.suffix.lower() in IMAGE_SUFFIXES]
    if not files:
        raise SourceError(f"folder '{path}' holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return sorted(files, key=lambda file: natural_key(file.name))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key by which "frame9" comes before "frame10"."""
    parts = re.findall(r"\d+|\D+", name.lower())
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts]


def read_image(file: Path) -> NDArray[np.uint8] | None:
    """(H, W, 3) RGB, upright; None where it cannot be read."""
    try:
        data = np.fromfile(file, dtype=np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
