"""Legal poses of the embedded hand: axes of its joints, named poses, the relaxed pose, PCA.

Limits are the defaults of facts A3 (clinical ranges of motion).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from hand_recon_ros.mano.data import FloatArray
from hand_recon_ros.mano.embedded.anatomy import MANO_DIGITS, Anatomy, chains

Angles = tuple[tuple[float, float, float], ...]
"""Bend, spread (towards the thumb), twist of a digit's three joints, degrees."""

_FINGER_LIMITS: Final = (
    ((-20, 90), (-20, 20), (-10, 10)),
    ((-5, 110), (-5, 5), (-5, 5)),
    ((-10, 90), (0, 0), (0, 0)),
)
_THUMB_LIMITS: Final = (
    ((-25, 50), (-15, 60), (-45, 45)),
    ((-10, 60), (-15, 15), (0, 0)),
    ((-20, 85), (0, 0), (0, 0)),
)
_STRAIGHT: Final[Angles] = ((0, 0, 0), (0, 0, 0), (0, 0, 0))


def _finger(bend: float, middle: float, end: float, spread: float = 0.0) -> Angles:
    return ((bend, spread, 0), (middle, 0, 0), (end, 0, 0))


_CURLED: Final = {
    "index": _finger(80, 92, 50, -2),
    "middle": _finger(84, 92, 55, 0),
    "ring": _finger(84, 95, 60, 2),
    "little": _finger(82, 88, 42, 6),
}
NAMED_POSES: Final[dict[str, dict[str, Angles]]] = {
    "flat": {},
    "spread": {
        "index": _finger(0, 0, 0, 12),
        "middle": _finger(0, 0, 0, 2),
        "ring": _finger(0, 0, 0, -8),
        "little": _finger(0, 0, 0, -16),
        "thumb": ((-8, 4, 0), (-4, 0, 0), (-4, 0, 0)),
    },
    "relaxed": {
        "index": _finger(18, 24, 12),
        "middle": _finger(23, 29, 15),
        "ring": _finger(26, 31, 16),
        "little": _finger(28, 30, 16, 1),
        "thumb": ((8, 4, 0), (10, 0, 0), (14, 0, 0)),
    },
    "pinch": {
        "index": _finger(60, 34, -2, -20),
        "middle": _finger(34, 38, 20),
        "ring": _finger(26, 32, 16),
        "little": _finger(20, 28, 14),
        "thumb": ((46, 20, -29), (3, 0, 0), (-4, 0, 0)),
    },
    "fist": {**_CURLED, "thumb": ((33, 22, -22), (26, 0, 0), (45, 0, 0))},
    "thumbs_up": {**_CURLED, "thumb": ((-18, -8, 0), (-5, 0, 0), (-12, 0, 0))},
}


def joint_axes(anatomy: Anatomy) -> FloatArray:
    """(15, 3, 3) axes of MANO's joints 1..15 as columns: distal, dorsal, radial."""
    bones = chains(anatomy)
    return np.concatenate([bones[name].frames for name in MANO_DIGITS])


def axis_angles(axes: FloatArray, angles: FloatArray) -> FloatArray:
    """Axis-angles (..., 15, 3) of bend, spread and twist (..., 15, 3) in rad."""
    turns = [
        Rotation.from_rotvec((angles[..., k, None] * axes[..., :, column]).reshape(-1, 3))
        for k, column in ((1, 1), (0, 2), (2, 0))
    ]
    return np.asarray((turns[0] * turns[1] * turns[2]).as_rotvec().reshape(angles.shape))


def named_pose(name: str) -> FloatArray:
    """(45,) hand pose of one of ``NAMED_POSES``, right hand, zero = flat."""
    digits = NAMED_POSES[name]
    degrees = np.array([digits.get(digit, _STRAIGHT) for digit in MANO_DIGITS], dtype=float)
    return axis_angles(joint_axes(Anatomy()), np.radians(degrees.reshape(15, 3))).reshape(45)


def limits() -> FloatArray:
    """(15, 3, 2) lowest and highest bend, spread and twist of joints 1..15, rad."""
    table = [*([_FINGER_LIMITS] * 4), _THUMB_LIMITS]
    return np.radians(np.array(table, dtype=float).reshape(15, 3, 2))


def sample(count: int, seed: int, synergy: bool) -> FloatArray:
    """(count, 15, 3) legal bends, spreads and twists, rad.

    With ``synergy`` the joints move together as people's do: fingers curl as one, less each on
    its own, the last joint by about two thirds of the one before (facts A3 d). Without it every
    joint is free in its limits.
    """
    rng = np.random.default_rng(seed)
    low, high = np.moveaxis(limits(), -1, 0)
    if not synergy:
        return np.asarray(rng.uniform(low, high, (count, 15, 3)))
    angles = np.zeros((count, 5, 3, 3))
    curl = rng.beta(1.2, 1.6, (count, 1))
    own = np.clip(curl + rng.normal(0, 0.18, (count, 4)), -0.1, 1.0)
    angles[:, :4, 0, 0] = np.radians(85) * own + rng.normal(0, 0.15, (count, 4))
    angles[:, :4, 1, 0] = np.radians(95) * own + rng.normal(0, 0.15, (count, 4))
    angles[:, :4, 2, 0] = 0.66 * angles[:, :4, 1, 0] + rng.normal(0, 0.08, (count, 4))
    fan = np.array([1.0, 0.2, -1.1, -0.6])  # index, middle, little, ring
    opened = rng.normal(0, 0.1, (count, 1)) * fan + rng.normal(0, 0.04, (count, 4))
    angles[:, :4, 0, 1] = opened * (1.0 - 0.7 * np.clip(own, 0, 1))
    angles[:, 4, 0] = rng.normal((0.15, 0.15, 0.05), (0.25, 0.28, 0.12), (count, 3))
    angles[:, 4, 1:, 0] = 0.3 * curl + rng.normal((0.1, 0.15), (0.2, 0.3), (count, 2))
    angles += rng.normal(0, 0.015, angles.shape)
    return np.asarray(np.clip(angles.reshape(count, 15, 3), low, high))


def principal_components(axes: FloatArray, count: int = 4000, seed: int = 1) -> FloatArray:
    """(45, 45) orthonormal rows: principal components of sampled poses, largest first."""
    poses = axis_angles(axes, sample(count, seed, synergy=True)).reshape(count, 45)
    _, vectors = np.linalg.eigh(np.cov(poses.T))
    rows = vectors.T[::-1]
    # An eigenvector's sign is arbitrary; fix it so that the file does not depend on LAPACK.
    largest = rows[np.arange(45), np.abs(rows).argmax(axis=1)]
    return np.asarray(rows * np.sign(largest)[:, None])
