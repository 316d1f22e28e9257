"""Where the joints and the palm's centre of each hand have been."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from hand_recon_ros.skeleton import NUM_JOINTS, PALM_JOINTS
from hand_recon_ros.types import Array, HandFrame

PALM_CENTRE = NUM_JOINTS
"""Its index behind the 21 joints."""
_PAUSE_S = 0.5
"""A longer pause cuts the trail: no line is drawn across what was not seen."""


@dataclass
class _Trail:
    side: str
    source: str
    stamp: float
    points: deque[Array] = field(default_factory=deque)


class Trails:
    """Remembers the last places of every tracked hand.

    Args:
        length: how many frames.
    """

    def __init__(self, length: int) -> None:
        """Remember nothing yet."""
        self._length = length
        self._trails: dict[int, _Trail] = {}

    def update(self, frame: HandFrame) -> dict[int, Array]:
        """Add a frame.

        The same frame again adds nothing; another source (the next photograph) starts afresh.

        Returns:
            By track id (n, 22, 3), oldest first: the 21 joints and the palm's centre, metres,
            camera's optical frame. A hand that is not in the frame is forgotten.
        """
        kept = {}
        for hand in frame.hands:
            trail = self._trails.get(hand.track_id)
            if (
                trail is None
                or (trail.side, trail.source) != (hand.side, frame.source)
                or not 0 <= frame.stamp - trail.stamp <= _PAUSE_S
            ):
                trail = _Trail(hand.side, frame.source, frame.stamp, deque(maxlen=self._length))
            if not trail.points or frame.stamp > trail.stamp:
                palm = hand.joints_m[list(PALM_JOINTS)].mean(axis=0, keepdims=True)
                trail.points.append(np.concatenate([hand.joints_m, palm]))
            trail.stamp = frame.stamp
            kept[hand.track_id] = trail
        self._trails = kept
        return {track: np.stack(trail.points) for track, trail in kept.items()}
