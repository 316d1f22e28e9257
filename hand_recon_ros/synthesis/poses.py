"""Draws hand poses: gestures with variation, finger synergies, real motion, free combinations."""

from __future__ import annotations

from typing import Final

import numpy as np

from hand_recon_ros.mano.priors import BEND, LOWER_LIMITS, SPREAD, THUMB, TWIST, UPPER_LIMITS
from hand_recon_ros.synthesis.gestures import GESTURES, gesture
from hand_recon_ros.types import Array

POSE_KINDS: Final[dict[str, float]] = {
    "synergy": 0.16,
    "free": 0.06,
    "combination": 0.12,
    "motion": 0.14,
    "relaxed": 0.04,
    "flat": 0.03,
    "spread": 0.05,
    "fist": 0.06,
    "thumb_in_fist": 0.02,
    "thumbs_up": 0.05,
    "thumb_beside_fist": 0.03,
    "point": 0.03,
    "gun": 0.015,
    "victory": 0.025,
    "three": 0.015,
    "three_thumb": 0.015,
    "four": 0.02,
    "little": 0.01,
    "shaka": 0.015,
    "horns": 0.01,
    "pinch": 0.03,
    "ok": 0.02,
    "pinch_middle": 0.01,
    "o_shape": 0.02,
    "key": 0.01,
    "crossed": 0.02,
    "grasp": 0.03,
    "grasp_small": 0.02,
    "claw": 0.02,
    "hook": 0.01,
    "table": 0.01,
}
"""Share of each kind; hard ones (fists, thumbs-up, pinches, crossed fingers) beyond their use."""

GRASPS: Final = ("grasp", "grasp_small", "o_shape")
_TOUCHING = ("pinch", "ok", "pinch_middle", "o_shape", "key")
_TOUCHING_SHARE = 0.6
_PRESSED = np.deg2rad(3.0)
"""Bent a little too far, so that the tips meet once contact has been resolved."""
_OPEN = ("spread", "flat", "relaxed")
_CURLED = ("fist", "hook", "grasp_small")


def draw_pose(kind: str, rng: np.random.Generator, recorded: Array | None = None) -> Array:
    """(15, 3) twist, spread and bend, rad, within the joint limits; fingers may still collide.

    Args:
        kind: one of ``POSE_KINDS``.
        rng: source of randomness.
        recorded: (n, 15, 3) angles of real motion; without them "motion" falls back to
            synergies.
    """
    if kind == "motion" and recorded is not None and len(recorded):
        angles = _between_recorded(recorded, rng)
    elif kind in ("synergy", "motion"):
        angles = _synergy(rng)
    elif kind == "free":
        share = rng.beta(0.8, 0.8, (15, 3))
        angles = LOWER_LIMITS + share * (UPPER_LIMITS - LOWER_LIMITS)
        angles[:12, TWIST] *= 0.5
        # One tendon bends both end joints of a finger: nobody holds them wholly apart.
        angles[2:12:3, BEND] = 0.4 * angles[2:12:3, BEND] + 0.6 * (2 / 3) * angles[1:12:3, BEND]
    elif kind == "combination":
        angles = _combination(rng)
    elif kind in GESTURES:
        angles = _varied(gesture(kind), rng)
        if kind in _TOUCHING and rng.random() < _TOUCHING_SHARE:
            angles = gesture(kind) + 0.4 * (angles - gesture(kind))
            angles[[0, 1, 12, 13], BEND] += _PRESSED
    else:
        raise ValueError(f"unknown pose kind {kind!r}: use one of {', '.join(POSE_KINDS)}")
    return np.clip(angles, LOWER_LIMITS, UPPER_LIMITS)


def opened(angles: Array) -> Array:
    """The pose (15, 3) towards which colliding digits are drawn back."""
    target = 0.8 * gesture("spread") + 0.2 * angles
    target[12:] = gesture("spread")[12:]
    return np.asarray(target)


def _varied(base: Array, rng: np.random.Generator) -> Array:
    """Every finger a little on its own, all fingers together, and the thumb."""
    angles = base.copy()
    strength = rng.uniform(0.3, 1.2)
    together = rng.normal(0, 4.0) + rng.normal(0, 3.0, 5)
    per_joint = np.deg2rad(together.repeat(3) + rng.normal(0, 4.0, 15))
    angles[:, BEND] += strength * per_joint
    fan = np.deg2rad(rng.normal(0, 3.0)) * np.array((1.0, 0.1, -1.1, -0.5))
    angles[[0, 3, 6, 9], SPREAD] += strength * (fan + np.deg2rad(rng.normal(0, 2.5, 4)))
    angles[12] += strength * np.deg2rad(rng.normal(0, (5, 5, 5)))
    angles += strength * np.deg2rad(rng.normal(0, 0.8, (15, 3)))
    return angles


def _synergy(rng: np.random.Generator) -> Array:
    """Fingers curl as one, less each on its own; neighbours follow (Santello et al. 1998)."""
    angles = np.zeros((5, 3, 3))
    curl = rng.beta(1.0, 1.3)
    own = curl + rng.normal(0, 0.2, 4)
    own[2] += 0.5 * (own[3] - own[2])  # the little finger follows the ring finger
    own = np.clip(own, -0.12, 1.05)
    balance = rng.normal(0, 0.25)  # claw-like or table-like: PIP against MCP
    angles[:4, 0, BEND] = np.deg2rad(85) * own * (1 - balance) + rng.normal(0, 0.1, 4)
    angles[:4, 1, BEND] = np.deg2rad(98) * own * (1 + balance) + rng.normal(0, 0.1, 4)
    angles[:4, 2, BEND] = (2 / 3) * angles[:4, 1, BEND] + rng.normal(0, 0.12, 4)
    fan = np.array((1.0, 0.15, -1.1, -0.5))
    spread = rng.normal(0.04, 0.1) * fan + rng.normal(0, 0.05, 4)
    angles[:4, 0, SPREAD] = spread * (1 - 0.7 * np.clip(own, 0, 1))
    rest = gesture("relaxed").reshape(5, 3, 3)[THUMB]
    angles[THUMB] = rest + rng.normal(0, 0.6, (3, 3)) * np.array(
        [[0.25, 0.35, 0.3], [0.05, 0.08, 0.35], [0.02, 0.02, 0.45]]
    )
    angles[THUMB, :, BEND] += 0.25 * curl
    flat = angles.reshape(15, 3)
    flat[:12, TWIST] += np.deg2rad(rng.normal(0, 1.5, 12))
    return flat


def _combination(rng: np.random.Generator) -> Array:
    """Each digit open or curled by itself: all counting and signing shapes."""
    angles = np.zeros((5, 3, 3))
    for digit in range(5):
        closed = rng.random() < (0.5 if digit != THUMB else 0.45)
        source = rng.choice(_CURLED if closed else _OPEN)
        angles[digit] = gesture(str(source)).reshape(5, 3, 3)[digit]
    return _varied(angles.reshape(15, 3), rng)


def _between_recorded(recorded: Array, rng: np.random.Generator) -> Array:
    """A blend of two recorded moments, so that few recordings give many poses."""
    first, second = recorded[rng.integers(len(recorded), size=2)]
    share = rng.beta(0.4, 0.4)
    angles = first + share * (second - first)
    return np.asarray(angles + np.deg2rad(rng.normal(0, 2.0, (15, 3))))
