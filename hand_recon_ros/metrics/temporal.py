"""Shaking and lag of a moving hand, on the real stamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

LAGS_S: Array = np.round(np.arange(-0.05, 0.1501, 0.002), 6)
"""Lags that are tried: a centred smoother may lead, a filter lags by a few frames at most."""
LONGEST_GAP_S = 0.25
"""Truth is not interpolated, and no acceleration taken, across longer gaps."""
_LEAST_SAMPLES = 10
_LEAST_MOTION = 1e-9
"""Sum of squares below which nothing moved, relative to that of the values themselves."""


def acceleration_per_frame(points: Array) -> Array:
    """Second difference x[t-1] - 2 x[t] + x[t+1] of (T, ..., d) -> (T-2, ..., d), per frame^2.

    Source: HMMR and VIBE (facts A5.4), whose papers print it as mm/s^2 though no frame rate enters.
    """
    return np.asarray(points[:-2] - 2.0 * points[1:-1] + points[2:])


def acceleration_per_second(points: Array, stamps: Array) -> Array:
    """Second divided difference of (T, ..., d) at stamps (T,) s -> (T-2, ..., d), per s^2.

    On even stamps it is ``acceleration_per_frame`` times the squared frame rate.
    """
    h = np.diff(stamps).reshape(-1, *(1,) * (points.ndim - 1))
    velocity = np.diff(points, axis=0) / h
    return np.asarray(2.0 * np.diff(velocity, axis=0) / (h[1:] + h[:-1]))


def lag_ms(
    stamps: Array,
    estimate: Array,
    truth: Array,
    *,
    lags_s: Array = LAGS_S,
    longest_gap_s: float = LONGEST_GAP_S,
) -> float:
    """Delay of the truth that the estimate resembles most, ms; negative = the estimate leads.

    The peak of the normalised cross-correlation of estimate(t) and truth(t - lag). The means of
    every coordinate are taken off, so that neither a constant error nor a wrong scale matters.
    Stamps may be irregular: the truth is interpolated. Only samples count for which the truth is
    known at all lags, so that all lags are judged on the same samples.

    Args:
        stamps: (T,) s, rising.
        estimate: (T, ...); a sample with any NaN does not count.
        truth: (T, ...) same shape; a sample with any NaN is unknown.
        lags_s: evenly spaced lags to try.
        longest_gap_s: between two known truths that may be interpolated.

    Returns:
        NaN where fewer than ten samples count or nothing moves. A result at either end of
        ``lags_s`` means: at least that much.
    """
    flat = truth.reshape(len(stamps), -1)
    found = estimate.reshape(len(stamps), -1)
    known = np.isfinite(flat).all(axis=1)
    times, flat = stamps[known], flat[known]
    usable = np.isfinite(found).all(axis=1)
    if len(times) < 2 or not usable.any():
        return float("nan")
    at, found = stamps[usable], found[usable]
    inner = np.all([_covered(times, at - lag, longest_gap_s) for lag in lags_s], axis=0)
    if np.count_nonzero(inner) < _LEAST_SAMPLES:
        return float("nan")
    at, found = at[inner], found[inner]
    moved = found - found.mean(axis=0)
    likeness = np.array([_likeness(moved, _interpolated(times, flat, at - lag)) for lag in lags_s])
    if np.isnan(likeness).any():
        return float("nan")
    return 1000.0 * _peak(lags_s, likeness)


def _covered(times: Array, at: Array, longest_gap_s: float) -> NDArray[np.bool_]:
    after = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    inside = (at >= times[0]) & (at <= times[-1])
    return inside & (times[after] - times[after - 1] <= longest_gap_s)


def _interpolated(times: Array, values: Array, at: Array) -> Array:
    after = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    share = ((at - times[after - 1]) / (times[after] - times[after - 1]))[:, None]
    return values[after - 1] * (1.0 - share) + values[after] * share


def _likeness(moved: Array, truth: Array) -> float:
    """Correlation coefficient over all coordinates; NaN when one of both stands still."""
    centred = truth - truth.mean(axis=0)
    powers = float(np.square(moved).sum()), float(np.square(centred).sum())
    if min(powers) <= _LEAST_MOTION * float(np.square(truth).sum()):
        return float("nan")
    return float((moved * centred).sum() / np.sqrt(powers[0] * powers[1]))


def _peak(lags_s: Array, likeness: Array) -> float:
    """The best lag, between the tried ones by a parabola."""
    best = int(likeness.argmax())
    if best in (0, len(lags_s) - 1):
        return float(lags_s[best])
    before, here, after = likeness[best - 1 : best + 2]
    bend = before - 2.0 * here + after
    shift = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(lags_s[best] + shift * (lags_s[1] - lags_s[0]))
