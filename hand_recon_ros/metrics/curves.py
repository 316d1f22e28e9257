"""Shares of points within a threshold: PCK curves, the area under them, F-scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hand_recon_ros.types import Array

PCK_THRESHOLDS_M: Array = np.linspace(0.0, 0.05, 100)
"""0 to 50 mm: the range of 001 in the steps of FreiHAND's evaluation (facts A5.1)."""
F_THRESHOLDS_M = (0.005, 0.015)


def counts_within(errors: Array, thresholds: Array = PCK_THRESHOLDS_M) -> NDArray[np.int64]:
    """How many errors are at most each threshold: (n, k) -> (k, thresholds); NaN never counts."""
    return (errors[:, :, None] <= thresholds).sum(axis=0)


def pck_curve(counts: NDArray[np.int64], totals: NDArray[np.int64]) -> Array:
    """Share of correct points by threshold: mean over the points' own curves.

    Args:
        counts: (k, thresholds) of ``counts_within``.
        totals: (k,) errors counted of each point; points never seen are left out.

    Source: FreiHAND's evaluation, facts A5.1.
    """
    seen = totals > 0
    if not seen.any():
        return np.full(counts.shape[1], np.nan)
    return np.asarray((counts[seen] / totals[seen, None]).mean(axis=0))


def area_under(curve: Array, thresholds: Array = PCK_THRESHOLDS_M) -> float:
    """Area under a PCK curve by the trapezoid rule, over the range: 0..1."""
    steps = np.diff(thresholds)
    area = (0.5 * (curve[1:] + curve[:-1]) * steps).sum()
    return float(area / (thresholds[-1] - thresholds[0]))


def f_scores(
    found: Array, truth: Array, thresholds_m: tuple[float, ...] = F_THRESHOLDS_M
) -> tuple[float, ...]:
    """Harmonic mean of precision and recall of two point sets, 0..1, for each threshold.

    A point is right when the nearest one of the other set is nearer (not as near) as the
    threshold. The sets may differ in size. Source: FreiHAND's evaluation, facts A5.1.

    Args:
        found: (n, 3) m.
        truth: (m, 3) m.
        thresholds_m: distances.
    """
    if not (np.isfinite(found).all() and np.isfinite(truth).all()):
        return tuple(float("nan") for _ in thresholds_m)
    to_truth = cKDTree(truth).query(found)[0]
    to_found = cKDTree(found).query(truth)[0]
    scores = []
    for threshold in thresholds_m:
        precision = float(np.mean(to_truth < threshold))
        recall = float(np.mean(to_found < threshold))
        both = precision + recall
        scores.append(2 * precision * recall / both if both > 0 else 0.0)
    return tuple(scores)
