"""Places that showed no hand at a closer look, remembered for a moment."""

from __future__ import annotations

from typing import Final

import numpy as np

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
        self._places: list[tuple[float, Array]] = []

    def add(self, box_px: Array, stamp: float) -> None:
        """Remember a box (x, y, width, height) that showed no hand at ``stamp``, seconds."""
        self._forget(stamp)
        self._places.append((stamp, box_px))

    def __contains__(self, place: tuple[Array, float]) -> bool:
        """Whether a (box, stamp) lies where one was refused within ``MEMORY_S`` before."""
        box_px, stamp = place
        self._forget(stamp)
        return any(_iou(box_px, box) >= _SAME_IOU for _, box in self._places)

    def clear(self) -> None:
        """Forget all."""
        self._places = []

    def _forget(self, stamp: float) -> None:
        self._places = [(t, box) for t, box in self._places if 0 <= stamp - t < MEMORY_S]


def _iou(a: Array, b: Array) -> float:
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    common = float(np.prod(np.clip(high - low, 0.0, None)))
    return common / max(float(np.prod(a[2:]) + np.prod(b[2:])) - common, 1e-9)
