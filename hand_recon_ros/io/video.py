"""Writing H.264 MP4 files that play in browsers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.io.closing import Closing

_QUALITY = "20"


class VideoWriter(Closing):
    """Writes RGB images as H.264 (yuv420p) at a fixed rate.

    The first image sets the size; odd sizes grow by one repeated pixel, since 4:2:0 needs even
    ones; later images of another size are fitted into it.

    Args:
        path: the ``.mp4`` to write.
        fps: exact frame rate.
    """

    def __init__(self, path: str | Path, fps: Fraction) -> None:
        """Open the file."""
        import av

        options = {"movflags": "+faststart"}
        self._container: Any = av.open(str(path), "w", format="mp4", options=options)
        self._fps = fps
        self._stream: Any = None
        self._size = (0, 0)
        self._last = -1
        self._first_stamp: float | None = None

    def write(self, image: NDArray[np.uint8], stamp: float | None = None) -> None:
        """Append an (H, W, 3) uint8 RGB image.

        With stamps (seconds), frames keep their place in time where the source dropped some.
        """
        import av

        if self._stream is None:
            self._open_stream(image.shape[1], image.shape[0])
        picture = av.VideoFrame.from_ndarray(self._fitted(image), format="rgb24")
        picture.pts = self._slot(stamp)
        picture.time_base = 1 / self._fps
        self._container.mux(self._stream.encode(picture))

    def _open_stream(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._stream = self._container.add_stream("libx264", rate=self._fps)
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = 1 / self._fps
        self._stream.options = {"crf": _QUALITY, "preset": "veryfast"}

    def _slot(self, stamp: float | None) -> int:
        self._last += 1
        if stamp is not None and np.isfinite(stamp):
            if self._first_stamp is None:
                self._first_stamp = stamp
            self._last = max(self._last, round((stamp - self._first_stamp) * float(self._fps)))
        return self._last

    def _fitted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        width, height = self._size
        if image.shape[:2] != (height, width):
            image = fit_into(image, width, height)
        if width % 2 or height % 2:
            border = (0, height % 2, 0, width % 2)
            image = np.asarray(cv2.copyMakeBorder(image, *border, cv2.BORDER_REPLICATE))
        return np.ascontiguousarray(image)

    def close(self) -> None:
        """Finish the file."""
        if self._container is None:
            return
        container, self._container = self._container, None
        if self._stream is not None:
            container.mux(self._stream.encode(None))
        container.close()


def fit_into(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Scale an image into a frame of another size, its aspect kept, black round it."""
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        image, inner, interpolation=method
    )
    return canvas
