"""What only shows over time: acceleration, lag, identity switches, losses and returns."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from hand_recon_ros.metrics.temporal import (
    LONGEST_GAP_S,
    acceleration_per_frame,
    acceleration_per_second,
    lag_ms,
)
from hand_recon_ros.types import Array

_MOSTLY_KNOWN = 0.9
"""Joints that are known in fewer frames than this take no part in the lag."""


class Acceleration(NamedTuple):
    """Second differences about the middle one of three consecutive frames.

    Attributes:
        place: what was given with the middle frame.
        per_frame: (..., d) unit/frame^2.
        per_second: (..., d) unit/s^2.
    """

    place: int
    per_frame: Array
    per_second: Array


class Trails:
    """The last three samples of each of several moving things."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._last: dict[Hashable, list[tuple[int, float, Array]]] = {}

    def push(self, key: Hashable, place: int, stamp: float, points: Array) -> Acceleration | None:
        """Add a sample; the acceleration, where this is the third of consecutive frames.

        Args:
            key: which thing.
            place: running number of the frame; a missing number breaks the trail.
            stamp: s; a gap of more than ``LONGEST_GAP_S`` breaks the trail, too.
            points: (..., d).
        """
        trail = self._last.setdefault(key, [])
        if trail and not (
            place == trail[-1][0] + 1 and 0.0 < stamp - trail[-1][1] <= LONGEST_GAP_S
        ):
            trail.clear()
        trail.append((place, stamp, points))
        if len(trail) < 3:
            return None
        places, stamps, samples = zip(*trail, strict=True)
        trail.pop(0)
        stacked = np.stack(samples)
        return Acceleration(
            places[1],
            acceleration_per_frame(stacked)[0],
            acceleration_per_second(stacked, np.array(stamps))[0],
        )


@dataclass(slots=True)
class _Followed:
    """One labelled hand of a recording."""

    track: int | None = None
    missed_since: float | None = None
    last_place: int = -1
    stamps: list[float] = field(default_factory=list)
    found: list[Array] = field(default_factory=list)
    truth: list[Array] = field(default_factory=list)


class Followed:
    """The labelled hands of one recording: who follows them, when they are lost, how late.

    Attributes:
        switches: how often a hand was found under another track than before.
        returns_ms: times from loss to return.
        never: losses that did not end.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.switches = 0
        self.returns_ms: list[float] = []
        self.never = 0
        self._hands: dict[Hashable, _Followed] = {}

    def add(
        self, key: Hashable, place: int, stamp: float, truth: Array, found: Array | None, track: int
    ) -> None:
        """Count a labelled hand in a frame.

        Args:
            key: which physical hand.
            place: running number of the frame.
            stamp: s.
            truth: (21, d) points that tell the lag: m, or px without 3D truth.
            found: (21, d) the same of the hand found on it; None = it was missed.
            track: of the found hand.
        """
        hand = self._hands.setdefault(key, _Followed())
        if place != hand.last_place + 1 and hand.missed_since is not None:
            self._give_up(hand)  # the hand left the picture while it was lost
        hand.last_place = place
        self._remember(hand, stamp, truth, found)
        if found is None:
            if hand.track is not None and hand.missed_since is None:
                hand.missed_since = stamp
            return
        if hand.missed_since is not None:
            self.returns_ms.append(1000.0 * (stamp - hand.missed_since))
            hand.missed_since = None
        self.switches += hand.track is not None and hand.track != track
        hand.track = track

    def finish(self) -> tuple[float, int]:
        """End the recording: lag in ms over its hands, NaN unknown, and the samples behind it."""
        total, weight = 0.0, 0
        for hand in self._hands.values():
            if hand.missed_since is not None:
                self._give_up(hand)
            lag = _lag_of(hand)
            if np.isfinite(lag):
                total, weight = total + lag * len(hand.stamps), weight + len(hand.stamps)
        self._hands.clear()
        return (total / weight if weight else float("nan")), weight

    def _remember(self, hand: _Followed, stamp: float, truth: Array, found: Array | None) -> None:
        """Keep what tells the lag."""
        if found is None:
            found = np.full(truth.shape, np.nan)
        if hand.truth and hand.truth[0].shape != truth.shape:
            return  # a frame with 2D truth only, among others with 3D truth
        hand.stamps.append(stamp)
        hand.truth.append(truth.astype(np.float32))
        hand.found.append(found.astype(np.float32))

    def _give_up(self, hand: _Followed) -> None:
        self.never += 1
        hand.missed_since = None


def _lag_of(hand: _Followed) -> float:
    truth, found = np.stack(hand.truth).astype(float), np.stack(hand.found).astype(float)
    present = np.isfinite(truth).any(axis=(1, 2))
    if not present.any():
        return float("nan")
    known = np.isfinite(truth[present]).all(axis=2).mean(axis=0) >= _MOSTLY_KNOWN
    if not known.any():
        return float("nan")
    return lag_ms(np.array(hand.stamps), found[:, known], truth[:, known])
