"""The filters that are compared, each run over a case as the pipeline would run it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.bench.filters.cases import Case
from hand_recon_ros.bench.samples import constants
from hand_recon_ros.config import FilterConfig
from hand_recon_ros.mano.joints import hand_joints
from hand_recon_ros.temporal import SavitzkyGolay, Smoother, make_filter
from hand_recon_ros.types import Array

Estimate = Callable[[Case], Array]
"""Joints (T, 21, 3) m of a case, NaN where there are none."""


def raw(case: Case) -> Array:
    """What was measured."""
    return case.measured


def smoothed(make: Callable[[], Smoother], before: Estimate = raw) -> Estimate:
    """A smoother behind another estimate, frame by frame."""

    def estimate(case: Case) -> Array:
        smoother, joints = make(), before(case)
        out = np.full_like(joints, np.nan)
        for frame in np.flatnonzero(_there(joints)):
            stamp, seen = float(case.stamps[frame]), bool(case.seen[frame])
            out[frame] = smoother.update(joints[frame], stamp, measured=seen).joints_m
        return out

    return estimate


def centred(window: int, order: int, before: Estimate = raw) -> Estimate:
    """Savitzky-Golay in the middle of its window, so ``window // 2`` frames held back."""

    def estimate(case: Case) -> Array:
        joints = before(case)
        out = np.full_like(joints, np.nan)
        kept = case.seen & _there(joints)
        smoother = SavitzkyGolay(window, order)
        out[kept] = smoother.smooth(joints[kept], case.stamps[kept]).joints_m
        out[len(out) - window // 2 :] = np.nan
        return out

    return estimate


def _there(joints: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(joints[:, 1:]).all(axis=(1, 2)))


def hand_filter(config: FilterConfig) -> Estimate:
    """The filter of MANO parameters on the fits of a case; while not seen the hand is predicted."""
    skeleton = constants("right").skeleton

    def estimate(case: Case) -> Array:
        kalman, out = make_filter(config), np.full_like(case.measured, np.nan)
        started = False
        for frame, (fit, stamp) in enumerate(zip(case.fits, case.stamps, strict=True)):
            if fit is None and not started:
                continue
            started = True
            state = kalman.predict(stamp) if fit is None else kalman.update(fit, stamp)
            out[frame] = hand_joints(skeleton, state.parameters)
        return out

    return estimate


def remembered(estimate: Estimate) -> Estimate:
    """The same, run once for each of the last cases: several smoothers come behind it."""
    known: dict[int, tuple[Case, Array]] = {}

    def recall(case: Case) -> Array:
        if id(case) not in known:
            known[id(case)] = case, estimate(case)
        return known[id(case)][1]

    return recall
