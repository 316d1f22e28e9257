"""Each method with many settings: the good ones are found on one part and judged on another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.filters.cases import Case
from hand_recon_ros.bench.filters.judging import Score, judge
from hand_recon_ros.bench.filters.methods import (
    Estimate,
    centred,
    hand_filter,
    raw,
    remembered,
    smoothed,
)
from hand_recon_ros.bench.filters.reference import fixed_lag, true_noise
from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal import JointKalman, OneEuro, SavitzkyGolay
from hand_recon_ros.types import Array

RAW, KALMAN, BOTH = "raw", "Kalman", "Kalman + Savitzky-Golay"
SAVGOL, EURO, BEST = "Savitzky-Golay", "One-Euro", "best fixed-lag smoother"
OURS = (KALMAN, BOTH)
_SMOOTHING = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
"""Noise of the measurements that the Kalman filter is told, over the shipped one."""
_CUTOFFS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_BETAS = (0.0, 5.0, 15.0, 40.0, 100.0, 300.0)
_DERIVATIVES = (1.0, 6.0)
_END_POINTS = ((3, 1), (5, 0), (5, 1), (5, 2), (7, 1), (7, 2), (7, 3), (9, 2), (11, 2), (11, 3))
_CENTRED = ((3, 0), (3, 1), (5, 1), (5, 2), (5, 3), (7, 2), (7, 3))
_AFTER_KALMAN = ((3, 1), (5, 2), (7, 2))
_LAG_STEP_MS = 2.5
_PROCESS_NOISES = (0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 2.0)


@dataclass(frozen=True)
class Setting:
    """A method with its parameters.

    Attributes:
        method: one of the names above.
        label: the parameters, for people.
        estimate: runs it.
        held_frames: how many frames later its results come out.
        shipped: whether the package does this by default (live, or for recordings).
    """

    method: str
    label: str
    estimate: Estimate
    held_frames: int = 0
    shipped: bool = False


@dataclass(frozen=True)
class Judged:
    """A setting and what it scored on the part that it was not chosen on."""

    setting: Setting
    score: Score


def settings(*, fitted: bool) -> Iterator[Setting]:
    """Every method with every setting that is tried.

    Args:
        fitted: filter the fits of a case as the pipeline does, else its joints.
    """
    yield Setting(RAW, "", raw)
    for cutoff, beta, derivative in product(_CUTOFFS, _BETAS, _DERIVATIVES):
        label = f"{cutoff:g} Hz, {beta:g}, {derivative:g} Hz"
        yield Setting(EURO, label, smoothed(partial(OneEuro, cutoff, beta, derivative)))
    yield from _savgol(SAVGOL, "", raw, _END_POINTS, _CENTRED)
    for factor in _SMOOTHING:
        first, label = remembered(kalman(factor, fitted=fitted)), f"noise x {factor:g}"
        yield Setting(KALMAN, label, first)
        after = _savgol(BOTH, f"{label}, ", first, _AFTER_KALMAN, _AFTER_KALMAN)
        config = FilterConfig()
        ours = f"{label}, {config.savgol_window}/{config.savgol_order}"
        for setting in after:
            yield replace(setting, shipped=factor == 1.0 and setting.label.startswith(ours))


def kalman(factor: float, *, fitted: bool) -> Estimate:
    """The shipped Kalman filter, told ``factor`` times the shipped noise of the measurements."""
    config = FilterConfig()
    if fitted:
        return hand_filter(replace(config, measurement_scale=factor * config.measurement_scale))
    noisy = replace(config, joint_noise_m=factor * config.joint_noise_m)
    return smoothed(lambda: JointKalman(noisy))


def _savgol(
    method: str,
    prefix: str,
    before: Estimate,
    end_points: Sequence[tuple[int, int]],
    middles: Sequence[tuple[int, int]],
) -> Iterator[Setting]:
    for window, order in end_points:
        make = partial(SavitzkyGolay, window, order)
        yield Setting(method, f"{prefix}{window}/{order}", smoothed(make, before))
    for window, order in middles:
        label = f"{prefix}{window}/{order} centred"
        yield Setting(method, label, centred(window, order, before), window // 2)


def chosen(tuning: Sequence[Case], judged: Sequence[Case], *, fitted: bool) -> list[Judged]:
    """Judge the best setting of each method at every lag.

    They are chosen on ``tuning``: of all that lag alike, the one with the least error against the
    truth of the moment, and that with the least against the truth as old as the lag. What ships is
    judged in any case.
    """
    best: dict[tuple[str, int, int], Judged] = {}
    kept: list[Setting] = []
    for setting in tqdm(list(settings(fitted=fitted)), unit="setting", desc="tune", leave=False):
        one = Judged(setting, scored(setting, tuning))
        if setting.shipped:
            kept.append(setting)
        for index, measure in enumerate(_MEASURES):
            key = (setting.method, round(one.score.lag_ms / _LAG_STEP_MS), index)
            if key not in best or measure(one.score) < measure(best[key].score):
                best[key] = one
    kept += [one.setting for one in best.values()]
    unique = {id(setting): setting for setting in kept}.values()
    return [
        Judged(s, scored(s, judged))
        for s in tqdm(unique, unit="setting", desc="judge", leave=False)
    ]


def scored(setting: Setting, cases: Sequence[Case]) -> Score:
    """Run and score one setting."""
    return judge(cases, [setting.estimate(case) for case in cases], setting.held_frames)


_MEASURES: tuple[Callable[[Score], float], ...] = (lambda s: s.aligned_mm, lambda s: s.error_mm)


def references(cases: Sequence[Case], held: Sequence[int] = (0, 1, 2, 3)) -> list[Judged]:
    """The smoother that knows best, with the process noise that suits these very cases best."""
    sigma: Array = true_noise(cases)
    best = []
    for frames in held:
        tried = [
            Setting(BEST, f"process noise x {q:g}", fixed_lag(q, sigma, frames), frames)
            for q in _PROCESS_NOISES
        ]
        scores = [scored(s, cases) for s in tried]
        k = int(np.argmin([s.aligned_mm for s in scores]))
        best.append(Judged(tried[k], scores[k]))
    return best
