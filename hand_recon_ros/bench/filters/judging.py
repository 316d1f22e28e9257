"""Error, lag and jitter of estimates of known motions.

The lag is that of all motions together: a slow one alone says little of it. The truth is known at
every time, so nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.bench.filters.cases import FPS, LAGS_S, Case
from hand_recon_ros.metrics.temporal import acceleration_per_second
from hand_recon_ros.types import Array

_SETTLED = 10
"""Frames at the start of a motion that do not count."""


@dataclass(frozen=True, slots=True)
class Score:
    """How good a filter is on many motions, all frames counting alike.

    Attributes:
        error_mm: mean joint error against the truth of the frame's own stamp.
        lag_ms: delay of the moving hands' truth that their estimates resemble most, plus the time
            for which the frame is held back; negative = the estimates run ahead.
        aligned_mm: mean joint error against the truth delayed by that lag: what no delay explains.
        acceleration_mm: mean error of the second difference, mm/frame^2.
        jitter_mm: RMS second difference of hands that stand still, mm/frame^2.
    """

    error_mm: float
    lag_ms: float
    aligned_mm: float
    acceleration_mm: float
    jitter_mm: float


def judge(cases: Sequence[Case], estimates: Sequence[Array], held_frames: int = 0) -> Score:
    """Score estimates (T, 21, 3) of each case, NaN where there is none.

    Args:
        cases: what was to be estimated.
        estimates: of the same frames. The wrist does not count: most recordings lack it.
        held_frames: how many frames later an estimate comes out.
    """
    moving: list[Array] = []
    standing: list[Array] = []
    shakes, jitters = [], []
    for case, estimate in zip(cases, estimates, strict=True):
        counted = case.seen.copy()
        counted[:_SETTLED] = False
        # an estimate that is held back does not exist for the last frames
        counted &= np.isfinite(estimate[:, 1:]).all(axis=(1, 2))
        off = np.linalg.norm(estimate[:, 1:] - case.delayed[:, :, 1:], axis=-1).mean(axis=-1)
        (standing if case.still else moving).append(off[:, counted])
        shake = _acceleration(case.stamps, estimate) - _acceleration(case.stamps, case.truth)
        inner = counted[1:-1] & counted[:-2] & counted[2:]
        shakes.append(np.linalg.norm(shake[inner], axis=-1).mean(axis=-1))
        if case.still:
            jitters.append(np.square(shake[inner]).sum(axis=-1).mean(axis=-1))
    by_lag = np.concatenate(moving, axis=1).mean(axis=1)
    lag = _lowest(by_lag)
    everything = np.concatenate([*moving, *standing], axis=1).mean(axis=1)
    return Score(
        error_mm=1000 * float(np.interp(0.0, LAGS_S, everything)),
        lag_ms=1000 * (lag + held_frames / FPS),
        aligned_mm=1000 * float(np.interp(lag, LAGS_S, everything)),
        acceleration_mm=float(np.concatenate(shakes).mean()),
        jitter_mm=float(np.sqrt(np.concatenate(jitters).mean())) if jitters else 0.0,
    )


def _lowest(by_lag: Array) -> float:
    """Lag (s) of the lowest error, between the samples by a parabola."""
    k = int(np.clip(np.argmin(by_lag), 1, len(by_lag) - 2))
    before, here, after = by_lag[k - 1 : k + 2]
    bend = before - 2 * here + after
    shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(LAGS_S[k] + np.clip(shift, -1, 1) * (LAGS_S[1] - LAGS_S[0]))


def _acceleration(stamps: Array, joints: Array) -> Array:
    """Second differences (T - 2, 20, 3) on the real stamps, mm per median frame^2."""
    per_second = acceleration_per_second(joints[:, 1:], stamps)
    return np.asarray(1000 * per_second * np.median(np.diff(stamps)) ** 2)
