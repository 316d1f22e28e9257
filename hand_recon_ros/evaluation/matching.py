"""Which found hand lies on which labelled one.

By place and side together: a hand of the right side is preferred, and a hand of the wrong side
that lies where no hand of its side does is a side error, not a miss and a ghost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.camera import Camera
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.metrics.positions import distances, mean_known
from hand_recon_ros.types import Array, Hand

GATE = 0.8
"""Mean distance in hand sizes beyond which a found hand is elsewhere."""
WRONG_SIDE_GATE = 0.5
"""A hand of the other side has to lie closer: two interacting hands are near each other."""
WRONG_SIDE_COST = 0.25
"""How much nearer, in hand sizes, a hand of the wrong side must lie to be preferred.

Two real hands laid on each other are more than 0.2 apart (see ``temporal.association``)."""
_LEAST_SIZE_M = 0.1
_LEAST_SIZE_PX = 1.0
_NEVER = 1e6


@dataclass(frozen=True, slots=True)
class Match:
    """A labelled hand and the found one on it.

    Attributes:
        truth: index into the labelled hands.
        found: index into the found hands.
        right_side: the sides agree.
    """

    truth: int
    found: int
    right_side: bool


@dataclass(frozen=True, slots=True)
class Matching:
    """One frame's hands, sorted out.

    Attributes:
        matches: labelled hands that were found.
        missed: indices of labelled hands that were not, though a part of them is in view.
        ghosts: indices of found hands on no labelled one.
        unplaced: a hand is labelled as present only, so that a ghost may be this hand.
    """

    matches: tuple[Match, ...]
    missed: tuple[int, ...]
    ghosts: tuple[int, ...]
    unplaced: bool = False


def true_pixels(hand: TrueHand, camera: Camera) -> Array:
    """(21, 2) px of a labelled hand: its own key points, else its projected joints."""
    return camera.project(hand.joints_m) if hand.joints_px is None else hand.joints_px


def apart(truth: TrueHand, found: Hand, camera: Camera) -> float:
    """Mean distance of corresponding joints in hand sizes; NaN when nothing can be compared.

    In the image where both have key points, else in space. A hand of few labelled joints is as
    big as the found one.
    """
    pixels = true_pixels(truth, camera)
    off = mean_known(distances(found.joints_px, pixels))
    if np.isfinite(off):
        return off / max(_extent(pixels), _extent(found.joints_px), _LEAST_SIZE_PX)
    off = mean_known(distances(found.joints_m, truth.joints_m))
    return off / max(_extent(truth.joints_m), _extent(found.joints_m), _LEAST_SIZE_M)


def is_placed(hand: TrueHand, camera: Camera) -> bool:
    """Whether any joint of a labelled hand has a known place."""
    points = hand.joints_m, true_pixels(hand, camera)
    return any(np.isfinite(x).all(axis=1).any() for x in points)


def _in_view(hand: TrueHand, camera: Camera) -> bool:
    """Whether any joint is in the picture; without pixels, whether any is known."""
    pixels = true_pixels(hand, camera)
    known = pixels[np.isfinite(pixels).all(axis=1)]
    if not len(known):
        return is_placed(hand, camera)
    inside = (known >= -0.5) & (known <= (camera.width - 0.5, camera.height - 0.5))
    return bool(inside.all(axis=1).any())


def _extent(points: Array) -> float:
    """Longest side of the box around the known points."""
    known = points[np.isfinite(points).all(axis=1)]
    return float(np.ptp(known, axis=0).max()) if len(known) else 0.0


def match(truth: TrueFrame, found: Sequence[Hand]) -> Matching:
    """Pair labelled and found hands of one frame, each once, at the least total distance."""
    costs = np.full((len(truth.hands), len(found)), _NEVER)
    for i, hand in enumerate(truth.hands):
        for j, other in enumerate(found):
            off = apart(hand, other, truth.camera)
            if hand.side == other.side and off <= GATE:
                costs[i, j] = off
            elif hand.side != other.side and off <= WRONG_SIDE_GATE:
                costs[i, j] = off + WRONG_SIDE_COST
    pairs = zip(*linear_sum_assignment(costs), strict=True) if costs.size else ()
    matches = tuple(
        Match(int(i), int(j), truth.hands[i].side == found[j].side)
        for i, j in pairs
        if costs[i, j] < _NEVER
    )
    taken = {m.truth for m in matches}, {m.found for m in matches}
    return Matching(
        matches,
        tuple(
            i
            for i, hand in enumerate(truth.hands)
            if i not in taken[0] and _in_view(hand, truth.camera)
        ),
        tuple(j for j in range(len(found)) if j not in taken[1]),
        not all(is_placed(hand, truth.camera) for hand in truth.hands),
    )
