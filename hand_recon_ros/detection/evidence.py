"""How sure it is that a window shows a hand that was not known yet."""

from __future__ import annotations

from typing import Final

import numpy as np

from hand_recon_ros.temporal.association import hand_size
from hand_recon_ros.types import Array

_BOX: Final = 0.97
_PRESENCE: Final = 0.63
_HEIGHTS: Final = 5.5
_DOUBT: Final = -5.45
"""Logistic regressions over 2200 boxes that were looked at in 450 rendered scenes and 700 pictures
of people, whole ones with faces and clutter, and over these and 600 boxes in 300 portraits, rooms
and desks without hands: the mean of both. The second alone, which believes boxes and presence more
than peaks, loses hands that hang down (4 of 1000 photographs) and avoids one ghost in 130."""
_FIRST: Final = 0.23
_SECOND: Final = 0.57
_PEAKS: Final = 7.3
_BESIDE: Final = 31.4
_BIAS: Final = -11.6
"""Logistic regression over 9974 windows beside the one hand that was found in 900 rendered scenes
and 1050 photographs; 150 of them show the other hand."""
_LEAST_BESIDE: Final = 0.11
"""Mean distance from the found hand's points, in hand sizes, below which a reading is that hand's
own, however sure: all 9 such readings of 1000 photographs were, and none of 41 other hands that
were found like this in pictures of two."""
_PRESENCES: Final = (-6.0, 8.0)
_HIGH: Final = 0.8
_FAR: Final = 0.2
"""Limits beyond which presence, peaks and place tell no more of a hand beside another: the surest
reading on the found hand's own points is none."""

_MUCH_SMALLER: Final = 0.3
_SURELY_THERE: Final = 6.0
"""Share of another hand's size below which a hand is no pair's, and the presence (logit) that shows
it even so: of 1200 rendered scenes, five had a smaller one, always a fingertip or a fold with less
presence; the seven of 0.3 to 0.45 that were real had more."""
_FAR_SMALLER: Final = 0.2
"""Share below which presence shows no hand either: it would be five times as far away as the
other, and of 300 rendered scenes and 592 photographs one had such a hand, a fingertip."""


def unlikely_small(size: float, other: float, presence: float) -> bool:
    """Whether what was taken for a hand is far too small beside another, and not sure.

    Args:
        size: of the hand in question, px.
        other: of the other hand.
        presence: logit of the hand in question.
    """
    least = _MUCH_SMALLER if presence < _SURELY_THERE else _FAR_SMALLER
    return size < least * other


def new_hand_belief(score: float, presence: float, peaks: Array) -> float:
    """Probability of a new hand, by what the detector and the key point network say together.

    They err on different things.

    Args:
        score: of the detector, 0..1.
        presence: logit of the key point network.
        peaks: (21,) heights of its belief maps.
    """
    sure = float(np.clip(score, 1e-3, 1 - 1e-3))
    seen = float(np.clip(presence, *_PRESENCES))
    evidence = _BOX * np.log(sure / (1 - sure)) + _PRESENCE * seen
    evidence += _HEIGHTS * float(np.mean(peaks)) + _DOUBT
    return float(1.0 / (1.0 + np.exp(-evidence)))


def partner_evidence(
    presences: tuple[float, float], peaks: Array, points_px: Array, found_px: Array
) -> float:
    """Log odds that a window beside a found hand shows the other hand of the pair.

    Of hands that touch, the detector often sees one. The key point network has learned to doubt
    windows that hold parts of two hands, so its presence alone tells a second hand from a wrong
    reading of the first no better than a coin. Where the points lie does: a wrong reading lies on
    the found hand, of the other hand parts lie beside it.

    Args:
        presences: logits of the first look, and of the second, which was cut round its points.
        peaks: (21,) heights of the belief maps at the second look.
        points_px: (21, 2) key points of the second look, raw image px.
        found_px: (21, 2) those of the found hand.
    """
    first, second = np.clip(presences, *_PRESENCES)
    to_found = np.linalg.norm(points_px[:, None] - found_px[None], axis=2).min(axis=1)
    beside = min(float(to_found.mean()) / hand_size(points_px), _FAR)
    if beside < _LEAST_BESIDE:
        return -np.inf
    seen = _FIRST * first + _SECOND * second + _PEAKS * min(float(np.mean(peaks)), _HIGH)
    return float(seen + _BESIDE * beside + _BIAS)
