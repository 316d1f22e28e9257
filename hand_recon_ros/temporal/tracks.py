"""Tracks: one persistent identity and side for each physical hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import DetectorConfig, FilterConfig
from hand_recon_ros.skeleton import Side
from hand_recon_ros.temporal.association import (
    DUPLICATE,
    GHOST,
    distance,
    side_sign,
    side_vote,
    without_duplicates,
)
from hand_recon_ros.temporal.hand_state import StampError
from hand_recon_ros.types import Array, Keypoints

LifeState = Literal["tentative", "tracked", "predicted"]

_GATE = 1.0
"""Farthest key points of one hand in consecutive frames, hand sizes from where expected."""
_GATE_GROWTH = 5.0
"""The same, gained per second of absence: a hand moves about a metre a second."""
_SIDE_COST = 0.25
"""What a contradicted side counts in hand sizes: less than the layouts of two hands differ."""
_SIDE_CAP = 15.0
_SIDE_HYSTERESIS = 1.5
"""Frames of evidence: the most that is kept, and what the other side must lead by."""
_VELOCITY_BLEND = 0.5
_VELOCITY_DECAY_S = 0.2
_SHORTEST_DT = 1 / 240
"""Frames that come closer together tell a place, but noise over so short a time is no speed."""
_SCORE_BLEND = 0.2
_OUT_OF_ORDER_S = 0.5
_RESET_GAP_S = 2.0


@dataclass(slots=True, eq=False)
class Track:
    """One physical hand over time.

    Attributes:
        id: positive, never used again.
        side: by the accumulated evidence.
        state: tentative (not yet seen ``min_hits`` times in a row: do not publish), tracked,
            predicted (not seen in this frame).
        first_stamp, last_stamp: when it was first and last seen, seconds.
        points_px: (21, 2) key points when last seen.
        velocity_px: (2,) px/s of the whole hand.
        score: low-passed score of its key points.
        side_evidence: votes for right (positive) or left, in fully certain frames.
        age, hits, misses: frames since birth, seen in all, missed in a row.
        filter, smoother, shape, last: the pipeline's own objects for this hand. All four are
            None at birth and again after the side was corrected, as they were another side's.
    """

    id: int
    side: Side
    state: LifeState
    first_stamp: float
    last_stamp: float
    points_px: Array
    velocity_px: Array
    score: float
    side_evidence: float
    age: int = 1
    hits: int = 1
    misses: int = 0
    filter: Any = None
    smoother: Any = None
    shape: Any = None
    last: Any = None

    @property
    def confirmed(self) -> bool:
        """Whether the hand may be published."""
        return self.state != "tentative"

    def expected_px(self, stamp: float) -> Array:
        """Key points (21, 2) expected at ``stamp``; the motion dies out while not seen."""
        dt = max(stamp - self.last_stamp, 0.0)
        reach = _VELOCITY_DECAY_S * -np.expm1(-dt / _VELOCITY_DECAY_S)
        return self.points_px + self.velocity_px * reach

    def cost(self, keypoints: Keypoints, stamp: float) -> float:
        """Hand sizes that the key points are off, plus ``_SIDE_COST`` for the wrong side."""
        weights = np.clip(keypoints.confidence, 0.05, 1.0)
        off = distance(self.expected_px(stamp), keypoints.points_px, weights)
        belief = float(np.clip(self.side_evidence / 3.0, -1.0, 1.0))
        return off + _SIDE_COST * max(0.0, -belief * side_vote(keypoints))

    def gate(self, stamp: float) -> float:
        """Largest cost of key points that can be this hand."""
        return _GATE + _GATE_GROWTH * max(stamp - self.last_stamp - 1 / 30, 0.0)

    def see(self, keypoints: Keypoints, stamp: float, min_hits: int) -> None:
        """Take in the key points of a frame."""
        dt = max(stamp - self.last_stamp, _SHORTEST_DT)
        moved = (keypoints.points_px - self.points_px).mean(axis=0) / dt
        self.velocity_px = self.velocity_px + _VELOCITY_BLEND * (moved - self.velocity_px)
        self.points_px, self.last_stamp = keypoints.points_px, stamp
        self.score += _SCORE_BLEND * (keypoints.score - self.score)
        self.hits += 1
        self.misses = 0
        self._vote(side_vote(keypoints))
        if self.state != "tentative" or self.hits >= min_hits:
            self.state = "tracked"

    def miss(self) -> None:
        """Pass a frame without key points."""
        self.misses += 1
        if self.state == "tracked":
            self.state = "predicted"

    def _vote(self, vote: float) -> None:
        self.side_evidence = float(np.clip(self.side_evidence + vote, -_SIDE_CAP, _SIDE_CAP))
        if self.side_evidence * side_sign(self.side) < -_SIDE_HYSTERESIS:
            self.side = "right" if self.side_evidence > 0 else "left"
            self.filter = self.smoother = self.shape = self.last = None


@dataclass(frozen=True, slots=True)
class Match:
    """A track in this frame, and its key points, or None where it was not seen."""

    track: Track
    keypoints: Keypoints | None


class Tracker:
    """Gives the key points of each frame to tracks, and runs the tracks' lives.

    Born from key points that no track explains; confirmed when seen ``min_hits`` times in a row;
    predicted while not seen, for up to ``max_predict_s`` or until expected outside the image;
    then gone. Found again before that, it keeps its id.

    Args:
        detector: ``max_hands`` is used.
        config: ``min_hits`` and ``max_predict_s`` are used.
        static: frames stand alone: a hand counts at once.
    """

    def __init__(
        self, detector: DetectorConfig, config: FilterConfig, *, static: bool = False
    ) -> None:
        """Start without tracks."""
        self.max_hands = detector.max_hands
        self.min_hits = 1 if static else config.min_hits
        self.max_predict_s = config.max_predict_s
        self.tracks: list[Track] = []
        self._next_id = 1
        self._stamp: float | None = None
        self._image_size: tuple[int, int] | None = None

    def reset(self) -> None:
        """Drop all tracks. Their ids are not used again."""
        self.tracks = []
        self._stamp = None

    def associate(
        self, keypoints: Sequence[Keypoints], stamp: float, camera: Camera
    ) -> list[Match]:
        """Return every living track, oldest first, with its key points of this frame if any.

        A jump back in time of more than half a second (a bag that loops, simulated time that
        restarts), a pause of more than two seconds or another image size drops all tracks first.

        Args:
            keypoints: of all hands that the front end found; those that lie on a hand already
                taken, or beyond ``max_hands``, are left out.
            stamp: of the frame, seconds.
            camera: of the frame; its image size is used.

        Raises:
            StampError: the stamp is not finite, or this frame comes late (or twice): skip it.
        """
        self._move_to(stamp, (camera.width, camera.height))
        usable = [k for k in keypoints if np.isfinite(k.points_px).all()]
        costs = np.array([[t.cost(k, stamp) for t in self.tracks] for k in usable])
        costs = costs.reshape(len(usable), len(self.tracks))
        gates = np.array([t.gate(stamp) for t in self.tracks])
        possible = np.where(costs <= gates, costs, np.inf)
        best = possible.min(axis=1, initial=np.inf)
        kept = without_duplicates(usable, best)

        seen = self._assign(possible[kept])
        found = {track: usable[kept[row]] for row, track in seen.items()}
        for index, track in enumerate(self.tracks):
            track.age += 1
            if index in found:
                track.see(found[index], stamp, self.min_hits)
            else:
                track.miss()
        matches = [Match(t, found.get(i)) for i, t in enumerate(self.tracks) if self._lives(t)]
        strangers = [usable[i] for row, i in enumerate(kept) if row not in seen]
        for stranger in sorted(strangers, key=lambda k: -k.score):
            self._admit(stranger, matches)
        self.tracks = [match.track for match in matches]
        return matches

    def _move_to(self, stamp: float, image_size: tuple[int, int]) -> None:
        if not np.isfinite(stamp):
            raise StampError(f"stamp {stamp!r} is not a finite number of seconds")
        if self._stamp is not None:
            dt = stamp - self._stamp
            if -_OUT_OF_ORDER_S <= dt <= 0:
                raise StampError(
                    f"the frame at {stamp!r} comes after that at {self._stamp!r}: skip it"
                )
            if dt < 0 or dt > _RESET_GAP_S or image_size != self._image_size:
                self.reset()
        self._stamp, self._image_size = stamp, image_size

    @staticmethod
    def _assign(possible: Array) -> dict[int, int]:
        """Pair rows (key points) and columns (tracks) at the least total cost."""
        finite = np.isfinite(possible)
        rows, columns = linear_sum_assignment(np.where(finite, possible, 1e6))
        return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if finite[r, c]}

    def _lives(self, track: Track) -> bool:
        assert self._stamp is not None
        assert self._image_size is not None
        if track.misses == 0:
            return True
        if track.state == "tentative" or self._stamp - track.last_stamp > self.max_predict_s:
            return False
        centre = track.expected_px(self._stamp).mean(axis=0)
        return bool(((centre >= 0) & (centre <= self._image_size)).all())

    def _admit(self, keypoints: Keypoints, matches: list[Match]) -> None:
        """Start a track, unless the key points are a second hand on one that is there."""
        assert self._stamp is not None
        for match in matches:
            limit = GHOST if match.track.side == keypoints.side else DUPLICATE
            if distance(match.track.expected_px(self._stamp), keypoints.points_px) < limit:
                return
        if len(matches) >= self.max_hands:
            lost = [match for match in matches if match.keypoints is None]
            if not lost:
                return
            matches.remove(min(lost, key=lambda match: match.track.last_stamp))
        track = Track(
            id=self._next_id,
            side=keypoints.side,
            state="tracked" if self.min_hits <= 1 else "tentative",
            first_stamp=self._stamp,
            last_stamp=self._stamp,
            points_px=keypoints.points_px,
            velocity_px=np.zeros(2),
            score=keypoints.score,
            side_evidence=side_vote(keypoints),
        )
        self._next_id += 1
        matches.append(Match(track, keypoints))
