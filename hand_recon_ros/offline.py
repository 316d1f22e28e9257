"""Frames from a file or webcam through the chain into a results folder."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from hand_recon_ros.config import Config
from hand_recon_ros.io.background import InBackground
from hand_recon_ros.io.frames import FrameSource
from hand_recon_ros.io.records import RecordWriter
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.pipeline import HandReconstructor, unmirrored
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.temporal.hand_state import StampError
from hand_recon_ros.temporal.recording import smooth_recording
from hand_recon_ros.types import Frame, HandFrame

_log = logging.getLogger(__name__)
RECORDS_FILE = "hands.jsonl"
VIDEO_FILE = "overlay.mp4"
IMAGES_FOLDER = "overlay"
_SLIDE_SHOW_FPS = Fraction(2)
"""Rate of a video that is made of unrelated images."""


@dataclass
class Summary:
    """What a run did; prints as a few lines."""

    output: Path
    frames: int = 0
    frames_with_hands: int = 0
    hands: int = 0
    seconds: float = 0.0
    skipped: int = 0
    interrupted: bool = False
    files: tuple[str, ...] = ()
    latencies_ms: list[float] = field(default_factory=list)
    """Time that the chain took for each frame."""

    def __str__(self) -> str:
        """The lines that the command prints at its end."""
        rate = self.frames / self.seconds if self.seconds > 0 else 0.0
        state = "interrupted, kept" if self.interrupted else "done"
        lines = [
            f"{state}: {self.frames} frames, {self.frames_with_hands} with hands, "
            f"{self.hands} hands, {rate:.1f} frames/s"
        ]
        if self.skipped:
            lines.append(f"skipped: {self.skipped} (see above)")
        lines += [f"results: {self.output / name}" for name in self.files]
        return "\n".join(lines)


class Sink(Protocol):
    """Takes results besides ``hands.jsonl``, in a thread of its own, in order.

    Attributes:
        files: names of what it writes into the results folder.
    """

    files: tuple[str, ...]

    def write(self, frame: Frame, result: HandFrame) -> None:
        """Take the next result."""

    def close(self) -> None:
        """Finish; no result follows."""


MakeSink: TypeAlias = Callable[[HandReconstructor], Sink]


def reconstruct(
    source: FrameSource,
    config: Config,
    output: Path,
    *,
    static: bool = False,
    centred: bool | None = None,
    timings: bool = True,
    save_video: bool = False,
    save_images: bool = False,
    sinks: Sequence[MakeSink] = (),
) -> Summary:
    """Run every frame of the source through the chain.

    Ctrl-C ends the run early and in order: all files are complete up to that frame.

    Args:
        source: where the frames come from.
        config: options of the chain.
        output: folder for the results; made if missing.
        static: every frame stands alone.
        centred: smooth with the centred Savitzky-Golay filter, which also looks at later frames,
            where the configuration asks for the causal one; None = for recordings.
        timings: write how long each frame took; without, equal frames give equal bytes.
        save_video: also write the overlay as MP4.
        save_images: also write the overlay of each frame as JPEG.
        sinks: further outputs, made once the models are loaded and the folder exists.

    Raises:
        SourceError: the source gives no frame.
        OSError: the folder cannot be written.
    """
    if centred is None:
        centred = not source.live
    centred &= not static and config.filter.smoothing == "savgol"
    if centred:
        config = replace(config, filter=replace(config.filter, smoothing="none"))
    summary = Summary(output)
    with ExitStack() as stack:
        reconstructor = stack.enter_context(closing(HandReconstructor(config, static=static)))
        for warning in reconstructor.warnings:
            _log.warning(warning)
        run = _Run(source, reconstructor, stack.enter_context(stop_on_interrupt()))
        _make_folder(output)
        makers = [*sinks]
        if save_video or save_images:
            makers.insert(0, _pictures(stack, source, output, save_video, save_images))
        outputs = [make(reconstructor) for make in makers]
        beside = stack.enter_context(InBackground())
        for sink in outputs:
            stack.callback(beside.submit, sink.close)
        records: RecordWriter | None = None
        summary.files = (RECORDS_FILE, *(name for sink in outputs for name in sink.files))
        stack.enter_context(logging_redirect_tqdm())
        progress = stack.enter_context(tqdm(total=source.length, unit="frame"))
        started = time.perf_counter()
        results: Iterator[HandFrame] = iter(run)
        if centred:
            window, order = config.filter.savgol_window, config.filter.savgol_order
            results = smooth_recording(results, window, order)
        for result in results:
            if records is None:  # not before: earlier results outlive a source that gives nothing
                records = stack.enter_context(RecordWriter(output / RECORDS_FILE))
            records.write(result if timings else replace(result, timings_ms={}))
            frame = run.pending.popleft()
            for sink in outputs:
                beside.submit(sink.write, frame, result)
            summary.latencies_ms.append(result.timings_ms["total"])
            summary.frames += 1
            summary.frames_with_hands += bool(result.hands)
            summary.hands += len(result.hands)
            progress.update()
        summary.seconds = time.perf_counter() - started
        summary.interrupted = run.stop.is_set()
    summary.skipped = len(source.skipped)
    return summary


class _Run:
    """Iterates over the results of a source, until its end or a request to stop.

    ``pending`` holds the frames whose results are still on their way through a smoother.
    """

    def __init__(
        self, source: FrameSource, reconstructor: HandReconstructor, stop: threading.Event
    ) -> None:
        self.stop = stop
        self.pending: deque[Frame] = deque()
        self._source = source
        self._reconstructor = reconstructor

    def __iter__(self) -> Iterator[HandFrame]:
        for frame in self._source:
            if self.stop.is_set():
                return
            if frame.index in self._source.restarts:
                self._reconstructor.reset()
            try:
                result = self._reconstructor.process(frame)
            except StampError as error:
                self._source.skip(f"frame {frame.index}: {error}")
                continue
            self.pending.append(frame)
            yield result


def _pictures(
    stack: ExitStack, source: FrameSource, output: Path, video: bool, images: bool
) -> MakeSink:
    return lambda chain: _Pictures(stack, source, chain, output, video, images)


class _Pictures:
    """Writes overlays: a video, single images, both or none. Draw and close in one thread."""

    def __init__(
        self,
        stack: ExitStack,
        source: FrameSource,
        reconstructor: HandReconstructor,
        output: Path,
        video: bool,
        images: bool,
    ) -> None:
        self.files: tuple[str, ...] = ()
        self._reconstructor = reconstructor
        self._overlay = Overlay(reconstructor.models, reconstructor.config.render)
        self._still = source.fps is None
        self._video: VideoWriter | None = None
        self._folder: Path | None = None
        if video:
            fps = source.fps or _SLIDE_SHOW_FPS
            self._video = stack.enter_context(VideoWriter(output / VIDEO_FILE, fps))
            self.files += (VIDEO_FILE,)
        if images:
            self._folder = output / IMAGES_FOLDER
            self._folder.mkdir(exist_ok=True)
            self.files += (IMAGES_FOLDER,)

    def write(self, frame: Frame, result: HandFrame) -> None:
        if self._reconstructor.config.detector.mirrored:
            frame = unmirrored(frame)
        meshes = {hand.track_id: self._reconstructor.vertices(hand) for hand in result.hands}
        overlay = self._overlay.draw(frame.image, result, meshes)
        if self._video is not None:
            self._video.write(overlay, None if self._still else frame.stamp)
        if self._folder is not None:
            # The number keeps photographs of the same name apart.
            name = f"{frame.index:06d}" + (f"_{Path(frame.source).stem}" if self._still else "")
            _write_jpeg(self._folder / f"{name}.jpg", overlay)

    def close(self) -> None:
        self._overlay.close()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise OSError(f"'{path}' cannot be a folder: a file is in the way") from None


def _write_jpeg(path: Path, image: NDArray[np.uint8]) -> None:
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(f"{path} cannot be encoded")
    path.write_bytes(data.tobytes())


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into a request; the second one acts as usual."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # signals reach the main thread only
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    usual = {number: signal.getsignal(number) for number in numbers}

    def request(number: int, stack: object) -> None:
        stop.set()
        for n in numbers:
            signal.signal(n, usual[n])

    for number in numbers:
        signal.signal(number, request)
    try:
        yield stop
    finally:
        for number in numbers:
            signal.signal(number, usual[number])
