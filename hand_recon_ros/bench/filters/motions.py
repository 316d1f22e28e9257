"""Motions whose truth is known at every moment: written by formula, or recorded and splined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.bench.samples import constants
from hand_recon_ros.mano.kinematics import TO_SKELETON, pose_joints
from hand_recon_ros.mano.priors import rotations_of
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.synthesis.gestures import gesture
from hand_recon_ros.types import Array

SECONDS = 8.0
"""Length of a motion that is written by formula."""
_MIDDLE = np.array([0.0, 0.0, 0.5])
UPRIGHT = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""Camera from a right hand: fingers up, palm to the camera."""


@dataclass(frozen=True)
class Motion:
    """Where the 21 joints of a right hand are at any time.

    Attributes:
        name: what moves how.
        begin, end: seconds between which ``joints`` may be asked.
        joints: times (T,) -> (T, 21, 3) m, camera frame; the wrist is NaN where it is not known.
        gaps: pauses of a recording (begin, end), seconds; nothing is known within.
        still: whether the hand does not move at all.
    """

    name: str
    begin: float
    end: float
    joints: Callable[[Array], Array]
    gaps: Sequence[tuple[float, float]] = ()
    still: bool = False


def tuning_motions() -> list[Motion]:
    """Motions by formula on which settings are chosen."""
    return [
        *(_swing(hertz, 0.3 * hertz) for hertz in (0.5, 1.5)),
        _reaches(seed=1),
        _steps(seed=2),
        _turning(0.8),
        _still("relaxed"),
    ]


def judged_motions() -> list[Motion]:
    """Motions by formula on which the chosen settings are judged; none was tuned on."""
    return [
        *(_swing(hertz, 1.0 + 0.7 * hertz) for hertz in (0.7, 1.1, 2.2)),
        _reaches(seed=11),
        _steps(seed=12),
        _turning(1.2),
        _still("grasp"),
    ]


def reach(share: Array) -> Array:
    """Minimum-jerk way from 0 to 1 (Flash and Hogan 1985); clipped outside."""
    s = np.clip(share, 0.0, 1.0)
    return np.asarray(s**3 * (10 - 15 * s + 6 * s**2))


def _swing(hertz: float, phase: float) -> Motion:
    """The hand swings to and fro while the fingers close and open at another frequency."""
    width = min(0.12, 0.16 / hertz)

    def joints(t: Array) -> Array:
        angle = 2 * np.pi * hertz * t + phase
        way = np.column_stack((np.sin(angle), 0.4 * np.sin(2 * angle), 0.5 * np.cos(angle)))
        closing = 0.5 - 0.5 * np.cos(0.6 * angle)
        tilt = 0.3 * np.sin(angle)[:, None] * np.array([0.3, 0.2, 1.0])
        return _posed(width * way, tilt, _between("flat", "grasp", closing))

    return Motion(f"swing {hertz:g} Hz", 0.0, SECONDS, joints)


def _stops(seed: int, moving_s: tuple[float, float], resting_s: tuple[float, float]) -> list[Array]:
    """Start (K,), length (K,) and place (K + 1, 6: position m, turn rad) of moves with stops."""
    rng = np.random.default_rng(seed)
    starts, lengths, places, t = [], [], [np.zeros(6)], 0.5
    while t < SECONDS:
        length = rng.uniform(*moving_s)
        starts.append(t)
        lengths.append(length)
        spread = np.repeat((0.12, 0.08, 0.1, 0.5), (1, 1, 1, 3))
        places.append(rng.uniform(-1, 1, 6) * spread)
        t += length + rng.uniform(*resting_s)
    return [np.array(starts), np.array(lengths), np.array(places)]


def _moves(name: str, stops: Sequence[Array], poses: tuple[str, str]) -> Motion:
    starts, lengths, places = stops

    def joints(t: Array) -> Array:
        done = reach((t[:, None] - starts) / lengths)
        at = places[0] + done @ np.diff(places, axis=0)
        closing = (done * (-1.0) ** np.arange(len(starts))).sum(axis=1)
        return _posed(at[:, :3], at[:, 3:], _between(*poses, closing))

    return Motion(name, 0.0, SECONDS, joints)


def _reaches(seed: int) -> Motion:
    return _moves("reaches", _stops(seed, (0.4, 0.8), (0.1, 0.5)), ("flat", "pinch"))


def _steps(seed: int) -> Motion:
    """As sudden as a hand can: 0.12 to 0.2 s a move, then it stands."""
    return _moves("steps with stops", _stops(seed, (0.12, 0.2), (0.5, 1.0)), ("point", "spread"))


def _turning(hertz: float) -> Motion:
    def joints(t: Array) -> Array:
        angle = 2 * np.pi * hertz * t
        turn = 1.2 * np.sin(angle)[:, None] * np.array([0.2, 1.0, 0.3])
        drift = 0.03 * np.column_stack((np.sin(0.5 * t), np.cos(0.4 * t), np.sin(0.3 * t)))
        return _posed(drift, turn, _between("flat", "relaxed", 0.5 + 0.5 * np.sin(0.3 * angle)))

    return Motion(f"turning wrist {hertz:g} Hz", 0.0, SECONDS, joints)


def _still(pose: str) -> Motion:
    """No motion at all: what is left of the noise is jitter."""
    held = _posed(np.zeros((1, 3)), np.zeros((1, 3)), gesture(pose)[None])

    def joints(t: Array) -> Array:
        return np.repeat(held, len(t), axis=0)

    return Motion(f"still hand ({pose})", 0.0, SECONDS, joints, still=True)


def _between(first: str, second: str, share: Array) -> Array:
    """Anatomical angles (T, 15, 3) on the way from one gesture to another."""
    a, b = gesture(first), gesture(second)
    return np.asarray(a + share[:, None, None] * (b - a))


def _posed(position: Array, turn: Array, angles: Array) -> Array:
    """Joints (T, 21, 3) of the mean right hand.

    Args:
        position: (T, 3) of the wrist from the middle of the view, m.
        turn: (T, 3) axis-angle from the upright hand, camera axes.
        angles: (T, 15, 3) anatomical, rad.
    """
    count = len(position)
    hand = constants("right")
    posed = pose_joints(
        hand.skeleton.take(np.zeros(count, dtype=np.int64)),
        position + _MIDDLE + np.array([0.0, 0.08, 0.0]),
        exp_so3(turn) @ UPRIGHT,
        rotations_of(hand.anatomy.axes[0], angles),
        np.zeros((count, 10)),
    )
    return np.asarray(posed.points[:, TO_SKELETON])
