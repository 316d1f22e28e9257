"""Which key points belong to which hand: distances and duplicates in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Array, Keypoints

DUPLICATE = 0.15
"""Key points nearer than this many hand sizes lie on one physical hand, whatever their sides.

Two estimates of one hand differ by a few hundredths; two real hands laid on each other, which
mirror each other's layout, by more than two tenths.
"""
GHOST = 0.8
"""Two hands of one side must be further apart than this many hand sizes to be two people's."""


def hand_size(points_px: Array) -> float:
    """Longer side of the box around (21, 2) key points, px, at least 1."""
    return float(max(np.ptp(points_px, axis=0).max(), 1.0))


def distance(a_px: Array, b_px: Array, weights: Array | None = None) -> float:
    """Mean distance of corresponding key points (21, 2), in hand sizes."""
    apart = np.linalg.norm(a_px - b_px, axis=1)
    return float(np.average(apart, weights=weights)) / (0.5 * (hand_size(a_px) + hand_size(b_px)))


def side_sign(side: Side) -> float:
    """Right is +1, left is -1."""
    return 1.0 if side == "right" else -1.0


def side_vote(keypoints: Keypoints) -> float:
    """What a frame says of the side: -1 (surely left) .. 1 (surely right)."""
    certainty = float(np.clip(2.0 * keypoints.side_score - 1.0, 0.0, 1.0))
    return side_sign(keypoints.side) * certainty


def same_hand(a: Keypoints, b: Keypoints) -> bool:
    """Whether two estimates of one frame lie on one physical hand."""
    limit = GHOST if a.side == b.side else DUPLICATE
    return distance(a.points_px, b.points_px) < limit


def without_duplicates(keypoints: Sequence[Keypoints], costs: Array) -> list[int]:
    """Indices of the key points that remain when each physical hand keeps one estimate.

    Args:
        keypoints: all estimates of a frame.
        costs: (N,) how badly each fits the tracks; of two on one hand the lower one stays, and
            with equal costs the one with the higher score.
    """
    order = sorted(range(len(keypoints)), key=lambda i: (costs[i], -keypoints[i].score))
    kept: list[int] = []
    for i in order:
        if not any(same_hand(keypoints[i], keypoints[k]) for k in kept):
            kept.append(i)
    return sorted(kept)


def grouped(keypoints: Sequence[Keypoints]) -> list[list[int]]:
    """Indices of hands that make a pair, left one first; those of the others by themselves.

    Each left hand is with the nearest right one that is still alone.
    """
    of = {side: [i for i, k in enumerate(keypoints) if k.side == side] for side in SIDES}
    apart = sorted(
        (distance(keypoints[i].points_px, keypoints[j].points_px), i, j)
        for i in of["left"]
        for j in of["right"]
    )
    pairs: list[list[int]] = []
    taken: set[int] = set()
    for _, i, j in apart:
        if not {i, j} & taken:
            pairs.append([i, j])
            taken |= {i, j}
    return pairs + [[i] for i in range(len(keypoints)) if i not in taken]
