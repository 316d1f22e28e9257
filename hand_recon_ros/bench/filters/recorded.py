"""Recorded hand motion as splines, as it is and as a right MANO hand in front of a camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from hand_recon_ros.bench.filters.motions import UPRIGHT, Motion
from hand_recon_ros.bench.samples import CAMERA, constants, model
from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano.fit import ManoFitter
from hand_recon_ros.mano.kinematics import TO_SKELETON
from hand_recon_ros.mano.results import FitRequest
from hand_recon_ros.synthesis.motion import laid_over
from hand_recon_ros.temporal import SavitzkyGolay
from hand_recon_ros.types import Array, Keypoints

TUNING = (("confidence-74fps", 0), ("three-claps", 0))
JUDGED = (("grab", 1), ("pinch-57fps", 1), ("three-claps", 1), ("wave", 1))
"""Recording and hand (0 = left)."""
_GAP_S = 0.1
"""Between samples further apart nothing is known."""
_PALM = (1, 5, 9, 13, 17)
_DISTANCE_M = 0.5
_SETTLE = SavitzkyGolay(11, 3)
"""Takes the fits' own unrest off what is to be the truth."""


def recorded_motions(folder: Path, names: Sequence[tuple[str, int]]) -> list[Motion]:
    """Recordings ``*.npz`` of a folder (``t``, ``joints_mm`` (T, 2, 21, 3)), right-handed.

    Raises:
        FileNotFoundError: one of them is not there.
    """
    motions = []
    for name, hand in names:
        with np.load(folder / f"{name}.npz") as data:
            stamps, joints = data["t"], data["joints_mm"][:, hand] / 1000.0
        seen = np.isfinite(joints[:, 1:]).all(axis=(1, 2))
        stamps, joints = stamps[seen], joints[seen] * (1.0 if hand else -1.0, 1.0, 1.0)
        if not np.isfinite(joints[:, 0]).all():
            joints[:, 0] = np.nan
        motions.append(splined(f"{name} ({'left' if hand == 0 else 'right'})", stamps, joints))
    return motions


def splined(name: str, stamps: Array, joints: Array) -> Motion:
    """A cubic spline through joints (T, 21, 3) at stamps (T,); a wrist of NaN stays NaN."""
    spline = CubicSpline(stamps, np.nan_to_num(joints))
    unknown = np.isnan(joints[0])

    def at(t: Array) -> Array:
        return np.where(unknown, np.nan, spline(t))

    before = np.flatnonzero(np.diff(stamps) > _GAP_S)
    gaps = [(float(stamps[i]), float(stamps[i + 1])) for i in before]
    return Motion(name, float(stamps[0]), float(stamps[-1]), at, gaps)


def as_mano(motion: Motion) -> Motion:
    """The same motion made by a MANO hand half a metre before ``CAMERA``.

    Bones that no MANO hand has would be an error of the fit, which is not what is judged.
    """
    stamps = np.arange(motion.begin, motion.end, 1 / 60)
    joints = motion.joints(stamps)
    rest = constants("right").skeleton.rest_points(np.zeros((1, 10)))[0][TO_SKELETON]
    turn, centre, scale = laid_over(rest[list(_PALM)], joints[0, _PALM])
    middle = joints[:, 1:].mean(axis=(0, 1))
    fitter, warm, found = ManoFitter({"right": model("right")}, FitConfig()), None, []
    for shown in joints:
        if np.isnan(shown[0]).any():
            own_turn, centre, _ = laid_over(rest[list(_PALM)], shown[list(_PALM)])
            shown[0] = centre + scale * own_turn @ (rest[0] - rest[list(_PALM)].mean(axis=0))
        seen = (shown - middle) @ turn @ UPRIGHT.T / scale + (0.0, 0.0, _DISTANCE_M)
        pixels = CAMERA.project(seen)
        keypoints = Keypoints(
            "right",
            1.0,
            pixels,
            np.ones(21),
            np.concatenate((pixels.min(axis=0), np.ptp(pixels, axis=0))),
            relative_m=seen - seen[0],
        )
        request = FitRequest("right", keypoints, warm, np.zeros(10), 1 / 60)
        result = fitter.fit([request], CAMERA)[0]
        warm = result.parameters
        found.append(result.joints_m)
    smooth = _SETTLE.smooth(np.stack(found), stamps).joints_m
    return splined(motion.name, stamps, smooth)
