"""Places that showed no hand at a closer look, remembered for a moment."""

from __future__ import annotations

from typing import Final

import numpy as np

from hand_recon_ros.detection.suppression import Floats, corners_of, overlap
from hand_recon_ros.types import Array

MEMORY_S: Final = 1.0
"""How long a place is remembered: a dozen windows for the same ghost at every search would make
live frames late."""
_SAME_IOU: Final = 0.5
"""Intersection over union from which on two boxes are one place. Not over the smaller one: a hand
inside a large ghost is a place of its own."""


class RefusedPlaces:
    """Boxes with the stamps of their refusals."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._places: list[tuple[float, Floats]] = []  # stamp, x0, y0, x1, y1

    def add(self, box_px: Array, stamp: float) -> None:
        """Remember a box (x, y, width, height) that showed no hand at ``stamp``, seconds."""
        self._forget(stamp)
        self._places.append((stamp, corners_of(box_px)))

    def __contains__(self, place: tuple[Array, float]) -> bool:
        """Whether a (box, stamp) lies where one was refused within ``MEMORY_S`` before."""
        box_px, stamp = place
        self._forget(stamp)
        if not self._places:
            return False
        boxes = np.stack([box for _, box in self._places])
        return bool((overlap(corners_of(box_px), boxes) >= _SAME_IOU).any())

    def clear(self) -> None:
        """Forget all."""
        self._places = []

    def _forget(self, stamp: float) -> None:
        self._places = [(t, box) for t, box in self._places if 0 <= stamp - t < MEMORY_S]
