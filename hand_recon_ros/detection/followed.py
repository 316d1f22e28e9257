"""A hand that is followed from frame to frame by its key points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hand_recon_ros.skeleton import Side, other_side
from hand_recon_ros.types import Array

SETTLED: Final = 3.0
"""Votes after which a side is final: a hand does not change into the other one."""
_DOUBT: Final = 1.0
"""Votes that the other side must lead by before the side is corrected."""
_ASKED: Final = 10
"""Frames in which an undecided side is asked for again: more would only cost time."""
_VELOCITY_BLEND: Final = 0.6
_LONGEST_S: Final = 0.2
"""Time between frames beyond which a velocity tells nothing."""


@dataclass(slots=True, eq=False)
class FollowedHand:
    """Where a hand was, how it moves, and how sure its side is.

    Attributes:
        side: in the unmirrored image.
        points_px: (21, 2) when last seen, raw image px.
        stamp: when, seconds.
        score: that it is a hand, 0..1.
        evidence: votes for its side; each frame gives one at most.
        age: frames since it was found.
        velocity_px: (2,) of the whole hand, px/s.
        partner_searches: how often the other hand was looked for beside it.
    """

    side: Side
    points_px: Array
    stamp: float
    score: float
    evidence: float
    age: int = 0
    velocity_px: Array = field(default_factory=lambda: np.zeros(2))
    partner_searches: int = 0

    @property
    def undecided(self) -> bool:
        """Whether the other side should be looked at too."""
        return self.evidence < SETTLED and self.age < _ASKED

    @property
    def side_score(self) -> float:
        """0.5 (a guess) .. 1 (final)."""
        return float(np.clip(0.5 + 0.5 * self.evidence / SETTLED, 0.5, 1.0))

    def expected_px(self, stamp: float) -> Array:
        """Key points (21, 2) at ``stamp``, by constant velocity."""
        dt = stamp - self.stamp
        return self.points_px + self.velocity_px * dt if 0 < dt <= _LONGEST_S else self.points_px

    def see(self, points_px: Array, stamp: float, score: float) -> None:
        """Take in the key points of a frame."""
        dt = stamp - self.stamp
        if 0 < dt <= _LONGEST_S:
            moved = (points_px - self.points_px).mean(axis=0) / dt
            self.velocity_px = self.velocity_px + _VELOCITY_BLEND * (moved - self.velocity_px)
        else:
            self.velocity_px = np.zeros(2)
        self.points_px, self.stamp, self.score = points_px, stamp, score
        self.age += 1

    def corrected(self, points_px: Array) -> None:
        """Better key points of the frame that was seen last."""
        self.points_px = points_px

    def vote(self, lead: float) -> bool:
        """Take in how far its side led over the other (logits); True if that corrects the side."""
        self.evidence = min(self.evidence + float(np.clip(lead, -1.0, 1.0)), SETTLED)
        if self.evidence > -_DOUBT:
            return False
        self.side, self.evidence = other_side(self.side), -self.evidence
        return True
