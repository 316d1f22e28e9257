"""The error of each joint on a drawn hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hand_recon_ros.skeleton import BONES, JOINT_NAMES

_PLACES: Final = (
    (52, 102), (37, 91), (25, 79), (16, 68), (9, 58),
    (38, 60), (34, 43), (32, 31), (30, 20),
    (50, 57), (49, 38), (48, 25), (48, 13),
    (62, 59), (64, 42), (65, 30), (66, 19),
    (73, 65), (80, 53), (84, 44), (88, 35),
)  # fmt: skip
"""A flat right hand, seen from its back, in a frame of 100 by 110."""
_SMALLEST, _LARGEST = 1.2, 3.2


@dataclass(frozen=True, slots=True)
class Spot:
    """One joint: where it is drawn, how large (radius), how strong (0..1), and its number."""

    name: str
    x: float
    y: float
    radius: float
    strength: float
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class HandFigure:
    """Spots, and the bones between them as (x1, y1, x2, y2)."""

    spots: tuple[Spot, ...]
    bones: tuple[tuple[float, float, float, float], ...]


def greatest_mm(per_joint_mm: Sequence[float]) -> float:
    """The greatest of (21,) errors, 0 where none is known."""
    return max((error for error in per_joint_mm if np.isfinite(error)), default=0.0)


def hand_figure(per_joint_mm: Sequence[float], scale_mm: float | None = None) -> HandFigure:
    """Lay out (21,) errors; ``scale_mm`` (default: their greatest) has the largest spot."""
    errors = np.asarray(per_joint_mm, np.float64)
    most = greatest_mm(per_joint_mm) if scale_mm is None else scale_mm
    shares = np.nan_to_num(errors / max(most, 1e-9)).tolist()
    spots = [
        Spot(
            JOINT_NAMES[k],
            *_PLACES[k],
            radius=_SMALLEST + (_LARGEST - _SMALLEST) * shares[k],
            strength=0.2 + 0.8 * shares[k],
            value=float(errors[k]),
            text=f"{errors[k]:.1f}" if np.isfinite(errors[k]) else "–",
        )
        for k in range(len(_PLACES))
    ]
    bones = [(*_PLACES[parent], *_PLACES[joint]) for parent, joint in BONES]
    return HandFigure(tuple(spots), tuple(bones))
