"""Which hands may lead a robot: fresh, sure, plausible, and the same hand all the time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from hand_recon_ros.retarget.config import SafetyConfig
from hand_recon_ros.skeleton import Side, other_side
from hand_recon_ros.types import Array, TrackState

_FUTURE_S: Final = 0.05
"""Stamps so far ahead of the clock are still taken: clocks of two machines never agree."""
_BACK_S: Final = 1e-3
"""Steps back of the clock that count as none."""
_LARGEST_HAND_M: Final = 0.4
"""Joints farther from the wrist belong to no hand."""
_FARTHEST_M: Final = 20.0


class SeenHand(Protocol):
    """What is asked of a hand; ``types.Hand`` has it all."""

    @property
    def side(self) -> Side:
        """Which hand."""

    @property
    def track_id(self) -> int:
        """The same for the same hand."""

    @property
    def state(self) -> TrackState:
        """Measured or predicted."""

    @property
    def score(self) -> float:
        """0..1."""

    @property
    def joints_m(self) -> Array:
        """(21, 3)."""


@dataclass(frozen=True, slots=True)
class HandObservation:
    """One message of hands; seconds of the same clock.

    Attributes:
        stamp: of the image.
        received: when it came.
        hands: all hands in it, of both sides.
        publishers: how many send such messages; only one may.
    """

    stamp: float
    received: float
    hands: Sequence[SeenHand] = ()
    publishers: int = 1


@dataclass(frozen=True, slots=True)
class Lead:
    """A hand that may lead, if what is made of it can be used.

    Attributes:
        hand: the one to follow.
        stamp: of its image.
        received: when it came.
        first: of an unbroken run: forget hands before it.
        trust: number of the time since trust was last lost.
    """

    hand: SeenHand
    stamp: float
    received: float
    first: bool
    trust: int


class InputWatch:
    """Follows one hand of one side through a stream that may be broken in any way.

    Time is told by ``tick``, by the clock of the stamps and by a steady one, so that a clock that
    stands still cannot keep a hand fresh.

    Attributes:
        problem: why no hand leads; meaningful while ``usable`` is false.
    """

    def __init__(self, side: Side, config: SafetyConfig) -> None:
        """Know no hand of this side yet."""
        self._side, self._config = side, config
        self._now: float | None = None
        self._newest = -math.inf  # stamp of the newest message, whatever it held
        self._trust = 0
        self.distrust(f"no {side} hand seen yet")

    def distrust(self, problem: str) -> None:
        """Let no hand lead until one has been seen for a while again."""
        self.problem = problem
        self._trust += 1
        self._track: int | None = None
        self._since: float | None = None  # stamp at which the unbroken run began
        self._good = -math.inf  # stamp of the last hand that was measured
        self._steady_age_s = math.inf  # the same as an age, by the steady clock
        self._wrist: tuple[float, Array] | None = None

    def tick(self, now: float, elapsed_s: float) -> None:
        """Tell the time, once for every command, and what passed of it by a steady clock."""
        self._steady_age_s += elapsed_s
        last, self._now = self._now, now if math.isfinite(now) else None
        if last is None and self._now is not None:
            return
        step = now - last if last is not None else math.nan
        if not -_BACK_S <= step <= elapsed_s + self._config.clock_jump_s:
            self._newest = -math.inf
            self.distrust("the clock jumped")

    @property
    def age_s(self) -> float:
        """Seconds since the last good hand's image, by the clock that tells more."""
        if self._now is None or not math.isfinite(self._good):
            return math.inf
        return max(self._now - self._good, self._steady_age_s)

    @property
    def usable(self) -> bool:
        """Whether a hand may lead now."""
        if self._since is None or self.age_s > self._config.max_age_s:
            return False
        return self._good - self._since >= self._config.settle_s - 1e-9

    @property
    def reason(self) -> str:
        """Why no hand leads, in words."""
        if self.problem:
            return self.problem
        if self.age_s > self._config.max_age_s:
            return "no new hands: the input is stale"
        return "waiting until the hand has been seen for a while"

    def judge(self, observation: HandObservation) -> Lead | None:
        """Choose the hand that may lead; None, and ``problem`` says why, if there is none."""
        if observation.publishers > 1:
            self.distrust(f"{observation.publishers} publishers of hands: leave only one running")
            return None
        stamp = observation.stamp
        if problem := self._wrong_time(observation):
            self.problem = problem
            return None
        self._newest = stamp
        hand = self._choose(observation.hands)
        if hand is None:
            return None
        if problem := self._wrong_hand(stamp, hand):
            self.problem = problem
            return None
        if self._jumped(stamp, hand):
            self.distrust("the hand jumped")
            return None
        broken = self._since is None or stamp - self._good > self._config.max_age_s
        return Lead(hand, stamp, observation.received, broken, self._trust)

    def accept(self, lead: Lead) -> bool:
        """Count a hand as good; False if trust was lost since it was judged."""
        if lead.trust != self._trust:
            return False
        self.problem = ""
        self._track = lead.hand.track_id
        self._wrist = lead.stamp, np.array(lead.hand.joints_m[0])
        if lead.hand.state == "tracked":  # a prediction makes nothing fresh
            if lead.first:
                self._since = lead.stamp
            self._good = lead.stamp
            self._steady_age_s = max(lead.received - lead.stamp, 0.0)
        return True

    def _wrong_time(self, observation: HandObservation) -> str:
        stamp, received = observation.stamp, observation.received
        if not (math.isfinite(stamp) and math.isfinite(received)):
            return "stamps of hands are not numbers"
        if stamp - received > _FUTURE_S:
            return "hands are stamped in the future: synchronise the clocks"
        if received - stamp > self._config.max_age_s:
            return "hands arrive too old: the chain is too slow, or clocks differ"
        return "hands come out of order" if stamp <= self._newest else ""

    def _wrong_hand(self, stamp: float, hand: SeenHand) -> str:
        if not hand.score >= self._config.min_score:
            return "the hand's score is too low"
        if hand.state != "tracked" and not stamp - self._good <= self._config.max_predicted_s:
            return "the hand is only predicted"
        return "" if _plausible(hand.joints_m) else "joints of the hand are not possible"

    def _choose(self, hands: Sequence[SeenHand]) -> SeenHand | None:
        followed = [hand for hand in hands if hand.track_id == self._track]
        if any(hand.side != self._side for hand in followed):
            self.distrust("the hand changed its side")
            return None
        mine = [hand for hand in hands if hand.side == self._side]
        if not mine:
            seen = f", only a {other_side(self._side)} one" if hands else ""
            self.problem = f"no {self._side} hand in view{seen}"
            return None
        if len(followed) > 1:
            self.distrust("two hands with the same track")
            return None
        if followed:
            return followed[0]
        if self._track is not None:
            self.distrust("another hand is in view")  # the next message may begin with it
            return None
        return max(mine, key=lambda hand: hand.score if math.isfinite(hand.score) else -1.0)

    def _jumped(self, stamp: float, hand: SeenHand) -> bool:
        if self._wrist is None:
            return False
        before, wrist = self._wrist
        way = float(np.linalg.norm(hand.joints_m[0] - wrist))
        return way > self._config.max_wrist_speed * (stamp - before)


def _plausible(joints_m: Array) -> bool:
    joints = np.asarray(joints_m)
    if joints.shape != (21, 3) or not np.isfinite(joints).all():
        return False
    if np.abs(joints[0]).max() > _FARTHEST_M:
        return False
    return bool(np.abs(joints - joints[0]).max() <= _LARGEST_HAND_M)
