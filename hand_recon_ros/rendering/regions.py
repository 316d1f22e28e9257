"""Rectangles of an image that need drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera


class Box(NamedTuple):
    """Columns left..right-1 and rows top..bottom-1."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def touches(self, other: Box) -> bool:
        """Whether the two share a pixel."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of an image, as a view of it."""
        return image[self.top : self.bottom, self.left : self.right]

    def scaled(self, scale: float) -> tuple[int, int]:
        """Width and height of a picture of this part that is ``scale`` times as fine."""
        width, height = self.right - self.left, self.bottom - self.top
        return max(round(width * scale), 1), max(round(height * scale), 1)

    def places(self, points_px: NDArray[np.floating], scale: float) -> NDArray[np.floating]:
        """Take pixels (..., 2) of the image to pixels of that picture (both count centres)."""
        size = np.array(self.scaled(scale))
        factor = size / (self.right - self.left, self.bottom - self.top)
        return np.asarray((points_px + 0.5 - (self.left, self.top)) * factor - 0.5)

    def crop(self, camera: Camera, scale: float) -> Camera:
        """The camera of that picture."""
        width, height = self.scaled(scale)
        K = camera.K.copy()
        K[:2, 2] = self.places(K[:2, 2], scale)
        K[0, :2] *= width / (self.right - self.left)
        K[1, 1] *= height / (self.bottom - self.top)
        return Camera(width, height, K, camera.D, camera.model, camera.assumed)


def bounds(points_px: NDArray[np.floating], margin: float, size: tuple[int, int]) -> Box | None:
    """The box round all finite points (..., 2), inside an image of (width, height)."""
    points = points_px.reshape(-1, 2).T.copy()  # extremes of rows are found quickest
    finite = np.isfinite(points)
    if not finite.all():
        points = points[:, finite.all(axis=0)]
    if not points.size:
        return None
    low = (points.min(axis=1) - margin).tolist()
    high = (points.max(axis=1) + margin).tolist()
    left, top = (min(max(math.floor(x), 0), end) for x, end in zip(low, size, strict=True))
    right, bottom = (min(max(math.ceil(x) + 1, 0), end) for x, end in zip(high, size, strict=True))
    return Box(left, top, right, bottom) if left < right and top < bottom else None


def merged(boxes: Iterable[Box]) -> list[Box]:
    """Boxes that cover the same, without overlaps."""
    result: list[Box] = []
    for new in boxes:
        box, changed = new, True
        while changed:
            changed = False
            for other in result:
                if box.touches(other):
                    result.remove(other)
                    box, changed = _union(box, other), True
                    break
        result.append(box)
    return result


def _union(a: Box, b: Box) -> Box:
    return Box(
        min(a.left, b.left), min(a.top, b.top), max(a.right, b.right), max(a.bottom, b.bottom)
    )
