"""Labels of N hands in pictures, before crops are cut."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.training.batch import SYNTHETIC
from hand_recon_ros.training.view_set import MOST_HANDS, Labels
from hand_recon_ros.types import Array

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class HandLabels:
    """N hands; camera's optical frame of their pictures.

    Attributes:
        number: (N,) of the picture in its store.
        K: (N, 3, 3).
        left: (N,).
        points_px: (N, 21, 2) px of the picture.
        joints_m: (N, 21, 3); where ``has_3d`` is false only a guess, or zeros.
        known: (N, 21) the point is labelled.
        visible: (N, 21).
        has_3d: (N,).
        rotations: (N, 16, 3, 3) MANO's.
        betas: (N, 10).
        has_mano: (N,).
        partner: (N,) place of the picture's other hand, or -1.
        alone: (N,) no other hand is in the picture.
        covering: (N,) the picture covers what lies behind it: it is a photograph.
        weight: (N,).
        source: (N,).
    """

    number: Numbers
    K: Array
    left: Flags
    points_px: Array
    joints_m: Array
    known: Flags
    visible: Flags
    has_3d: Flags
    rotations: Array
    betas: Array
    has_mano: Flags
    partner: Numbers
    alone: Flags
    covering: Flags
    weight: Array
    source: Numbers

    def __len__(self) -> int:
        """Number of hands."""
        return len(self.number)

    def parted(self, apart: Flags) -> HandLabels:
        """The hands with no partner where ``apart`` (N,) is true for it or its partner."""
        other = np.maximum(self.partner, 0)
        gone = (self.partner < 0) | apart | apart[other]
        return replace(self, partner=np.where(gone, -1, self.partner))


def hands_of(labels: Labels, slots: Numbers, count: int | None = None) -> HandLabels:
    """The hands that views show, in order, both of a view behind one another.

    Args:
        labels: (n,) of ``view_set.LABEL``.
        slots: which views, in which order.
        count: stop at so many hands; a last one whose partner is cut off stays alone.
    """
    chosen = labels[slots]
    view, hand = np.nonzero(chosen["shown"])
    view, hand = view[:count], hand[:count]
    n = len(view)
    picked = chosen[view]
    row = np.arange(n)
    joints = picked["joints_m"][row, hand].astype(np.float64)
    K = picked["K"].astype(np.float64)
    seen = joints @ K.transpose(0, 2, 1)
    place = np.full((len(slots), MOST_HANDS), -1)
    place[view, hand] = row
    return HandLabels(
        number=slots[view],
        K=K,
        left=picked["left"][row, hand],
        points_px=seen[..., :2] / seen[..., 2:],
        joints_m=joints,
        known=np.ones((n, 21), bool),
        visible=picked["visible"][row, hand],
        has_3d=np.ones(n, bool),
        rotations=picked["rotations"][row, hand].astype(np.float64),
        betas=picked["betas"][row, hand].astype(np.float64),
        has_mano=picked["has_mano"][row, hand],
        partner=place[view, MOST_HANDS - 1 - hand],
        alone=picked["hands"] == 1,
        covering=np.zeros(n, bool),
        weight=np.ones(n),
        source=np.full(n, SYNTHETIC),
    )
