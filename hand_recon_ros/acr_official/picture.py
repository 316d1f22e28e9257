"""The square picture that the network sees of an image, and the way back to the image's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand_recon_ros.acr_official.network import INPUT_SIZE
from hand_recon_ros.types import Array

_WHITE: Final = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Padding:
    """How an image lies in its square.

    Attributes:
        side: of the square, image px.
        left, top, right, bottom: white borders, px.
    """

    side: int
    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, width: int, height: int) -> Padding:
        """The square round an image; the smaller half of an odd border is left or on top."""
        side = max(width, height)
        left, top = (side - width) // 2, (side - height) // 2
        return cls(side, left, top, side - width - left, side - height - top)

    def to_image(self, points: ArrayLike) -> Array:
        """(..., 2) image px of places in the square, -1..1."""
        p = np.asarray(points, dtype=np.float64)
        return np.asarray((p + 1.0) * (self.side / 2) - (self.left, self.top))


def squared(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Padding]:
    """An image padded to a square, (512, 512, 3), and where it lies in it."""
    height, width = image.shape[:2]
    p = Padding.of(width, height)
    padded = cv2.copyMakeBorder(
        image, p.top, p.bottom, p.left, p.right, cv2.BORDER_CONSTANT, value=_WHITE
    )
    size = (INPUT_SIZE, INPUT_SIZE)
    picture = cv2.resize(padded, size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture, np.uint8), p
