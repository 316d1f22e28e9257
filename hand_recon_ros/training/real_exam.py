"""What hands that were found in real pictures are worth: found, side, ghosts, points, fingers.

Pure functions of what was seen and what is known, for training and for the benches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.skeleton import Side
from hand_recon_ros.training.fingers import DIGIT_FINGERS, extended_fingers
from hand_recon_ros.types import Array

MATCH: Final = 0.35
"""Key points farther from the labels than this, in hand boxes on average, are another thing."""


@dataclass(frozen=True, eq=False)
class SeenHand:
    """A hand that was found.

    Attributes:
        points_px: (21, 2).
        joints_m: (21, 3) axes of the camera, any origin.
    """

    side: Side
    points_px: Array
    joints_m: Array


@dataclass(frozen=True, eq=False)
class KnownHand:
    """What is known of a hand in a picture; None where it is not.

    Attributes:
        side: which hand it is.
        points_px: (21, 2).
        digit: that it shows, 0 to 9.
    """

    side: Side | None = None
    points_px: Array | None = None
    digit: int | None = None


@dataclass(frozen=True, eq=False)
class Verdict:
    """What was said of one known hand.

    Attributes:
        known: the hand.
        seen: what was found of it; None = it was missed.
        error: mean distance of the key points over the longer side of the known ones' box; NaN
            where it was missed or its points are not known.
    """

    known: KnownHand
    seen: SeenHand | None
    error: float

    @property
    def right_side(self) -> bool | None:
        """Whether its side is right; None where that cannot be told."""
        if self.seen is None or self.known.side is None:
            return None
        return self.seen.side == self.known.side

    @property
    def fingers(self) -> NDArray[np.bool_] | None:
        """(5,) extended ones; None for a missed hand."""
        return None if self.seen is None else extended_fingers(self.seen.joints_m)

    @property
    def right_count(self) -> bool:
        """Whether as many fingers are extended as in its digit."""
        fingers = self.fingers
        return fingers is not None and int(fingers.sum()) == sum(self._digit_fingers)

    @property
    def right_fingers(self) -> bool:
        """Whether they are the digit's fingers, too."""
        fingers = self.fingers
        return fingers is not None and tuple(fingers.tolist()) == self._digit_fingers

    @property
    def _digit_fingers(self) -> tuple[bool, ...]:
        if self.known.digit is None:
            raise ValueError("this hand shows no known digit: ask only for those of 'digits'")
        return DIGIT_FINGERS[self.known.digit]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was said of one picture.

    Attributes:
        name: of the picture.
        verdicts: of each known hand.
        ghosts: found hands that are none of the known ones; None where hands that are not known
            are in the picture, too.
    """

    name: str
    verdicts: tuple[Verdict, ...]
    ghosts: int | None

    @property
    def badness(self) -> float:
        """How wrong the worst of it is: a miss, then a ghost, a side, a digit, then distance."""
        worst = 4.0 * bool(self.ghosts)
        for verdict in self.verdicts:
            if verdict.seen is None:
                return 5.0
            wrong = 3.0 * (verdict.right_side is False)
            if verdict.known.digit is not None:
                wrong = max(wrong, 2.0 * (not verdict.right_count))
            worst = max(worst, wrong, float(np.nan_to_num(verdict.error)))
        return worst


def box_share(points_px: Array, known_px: Array) -> float:
    """Mean distance of points (21, 2) to known ones over the longer side of the latter's box."""
    size = float(np.ptp(known_px, axis=0).max())
    return float(np.linalg.norm(points_px - known_px, axis=1).mean()) / max(size, 1e-9)


def judge(
    name: str, seen: Sequence[SeenHand], known: Sequence[KnownHand], *, others: bool = False
) -> Judgement:
    """Match what was seen with what is known: nearest first, each once, never beyond ``MATCH``.

    A known hand without key points takes the first hand that is left. A hand in the right place
    whose key points are beyond ``MATCH`` is no ghost, but the known hand counts as missed.

    Args:
        name: of the picture.
        seen: hands that were found, surest first.
        known: hands that are there.
        others: hands that are not known are in the picture, too.
    """
    pairs = [
        (box_share(hand.points_px, label.points_px), k, i)
        for k, label in enumerate(known)
        for i, hand in enumerate(seen)
        if label.points_px is not None
    ]
    taken: dict[int, tuple[int, float]] = {}
    free = set(range(len(seen)))
    for error, k, i in sorted(pairs):
        if error < MATCH and k not in taken and i in free:
            taken[k] = i, error
            free.remove(i)
    for k, label in enumerate(known):
        if k in taken:
            continue
        if label.points_px is None and free:
            taken[k] = min(free), float("nan")
            free.remove(taken[k][0])
        elif label.points_px is not None:
            misread = [i for i in free if _lies_on(seen[i].points_px, label.points_px)]
            free -= set(misread[:1])
    verdicts = tuple(
        Verdict(label, seen[taken[k][0]], taken[k][1])
        if k in taken
        else Verdict(label, None, float("nan"))
        for k, label in enumerate(known)
    )
    return Judgement(name, verdicts, None if others else len(free))


def _lies_on(points_px: Array, known_px: Array) -> bool:
    """Whether the middle of points is in the known ones' box."""
    middle = points_px.mean(axis=0)
    return bool(((middle >= known_px.min(axis=0)) & (middle <= known_px.max(axis=0))).all())


def real_scores(judgements: Sequence[Judgement]) -> dict[str, float]:
    """Scores of many pictures; one is left out where nothing tells it.

    Returns:
        ``found`` (share of known hands), ``side`` (share of right ones of those found), ``ghosts``
        (hands that are none, a picture), ``error`` and ``error_median`` (key points, shares of the
        hand's box), ``count`` and ``fingers`` (shares of digits of which as many fingers, and the
        very same, are extended; a missed hand is wrong).
    """
    verdicts = [v for j in judgements for v in j.verdicts]
    sides = [v.right_side for v in verdicts if v.right_side is not None]
    ghosts = [j.ghosts for j in judgements if j.ghosts is not None]
    errors = [v.error for v in verdicts if np.isfinite(v.error)]
    digits = [v for v in verdicts if v.known.digit is not None]
    scores: dict[str, Sequence[float]] = {
        "found": [v.seen is not None for v in verdicts],
        "side": sides,
        "ghosts": ghosts,
        "error": errors,
        "count": [v.right_count for v in digits],
        "fingers": [v.right_fingers for v in digits],
    }
    told = {name: float(np.mean(values)) for name, values in scores.items() if values}
    return {**told, "error_median": float(np.median(errors))} if errors else told
