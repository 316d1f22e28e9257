"""Non-maximum suppression: one box for each physical hand."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

Floats = NDArray[np.float32]
SAME_SIDE_IOU: Final = 0.45
"""Boxes of one side that overlap more are the same hand (facts A4.2)."""
ANY_SIDE_IOU: Final = 0.6
"""Boxes that overlap more are the same hand whatever their sides: one hand is never both. It is
larger, since a left and a right hand may well be clasped or lie upon each other."""


def corners_of(box_px: Array) -> Floats:
    """(4,) x0, y0, x1, y1 of a box x, y, width, height."""
    return np.concatenate([box_px[:2], box_px[:2] + box_px[2:]]).astype(np.float32)


def overlap(box: Floats, boxes: Floats) -> Floats:
    """(n,) IoU of a box (4,) x0, y0, x1, y1 with others (n, 4)."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    area = np.clip(box[2:] - box[:2], 0, None).prod()
    return np.asarray(shared / np.maximum(area + areas - shared, 1e-9), dtype=np.float32)


def suppressed(
    boxes: Floats,
    sides: NDArray[np.int64],
    scores: Floats,
    *,
    same_side: float = SAME_SIDE_IOU,
    any_side: float = ANY_SIDE_IOU,
) -> NDArray[np.int64]:
    """Indices of the boxes that stay, best first.

    Args:
        boxes: (n, 4) x0, y0, x1, y1.
        sides: (n,) equal numbers are equal sides.
        scores: (n,).
        same_side: a box that overlaps a better one of its side by more goes.
        any_side: a box that overlaps any better one by more goes.
    """
    rest = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        kept.append(int(best))
        limit = np.where(sides[rest] == sides[best], min(same_side, any_side), any_side)
        rest = rest[overlap(boxes[best], boxes[rest]) <= limit]
    return np.asarray(kept, dtype=np.int64)
