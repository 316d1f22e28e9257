"""What all front ends share: the check of their input, boxes, when to search the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.detection.ssd_rpn import box_round
from hand_recon_ros.types import Array, Detection, Keypoints

_EAGER_FRAMES = 6
"""Frames in which every one is searched after a hand was lost: it is likely to come back."""


def check_image(image: NDArray[Any], reader: str) -> None:
    """Refuse what is no picture.

    Raises:
        ValueError: the image is not (H, W, 3) uint8; names who needs it.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(
            f"{reader} needs a (H, W, 3) uint8 RGB image, got {image.dtype} {image.shape}"
        )


def hand_box(points_px: Array, width: int, height: int) -> Array:
    """(4,) the part of ``box_round`` of (21, 2) key points that lies inside the image."""
    x, y, wide, high = box_round(points_px)
    low = np.clip((x, y), 0, (width, height))
    return np.concatenate([low, np.clip((x + wide, y + high), 0, (width, height)) - low])


def own_keypoints(detections: Sequence[Detection], owner: str) -> list[Keypoints]:
    """Key points that a detector found with its boxes, unpacked from their hints.

    Raises:
        TypeError: a detection comes from another detector; names the ``owner``.
    """
    hands = [d.hint for d in detections if isinstance(d.hint, Keypoints)]
    if len(hands) < len(detections):
        raise TypeError(f"{owner}.estimate takes only its own detections")
    return hands


class SearchSchedule:
    """When the whole image is searched for hands, which costs as much as following one.

    Args:
        max_hands: nothing is searched while so many are followed.
        interval: frames between searches for a further hand while one is followed.
        always: every image stands alone.
    """

    def __init__(self, max_hands: int, interval: int, *, always: bool) -> None:
        """Start with nothing followed."""
        self._max_hands = max_hands
        self._interval = interval
        self._always = always
        self.reset()

    def reset(self) -> None:
        """Forget earlier frames."""
        self._followed = self._since = self._eager = 0

    def due(self) -> bool:
        """Look for further hands now and then, and at once when one came or went."""
        if self._always or self._followed == 0 or self._eager > 0:
            return True
        if self._followed >= self._max_hands:
            return False
        return self._since >= self._interval - 1

    def plan(self, found: int, *, searched: bool) -> None:
        """Take in how many hands a frame showed, and whether it was searched."""
        if found >= self._max_hands:
            self._eager = 0
        elif found != self._followed:  # hands come and go together
            self._eager = _EAGER_FRAMES
        else:
            self._eager = max(self._eager - 1, 0)
        self._since = 0 if searched else self._since + 1
        self._followed = found
