"""Sums that grow frame by frame: means, means by joint, PCK curves."""

from __future__ import annotations

import math

import numpy as np

from hand_recon_ros.metrics.curves import PCK_THRESHOLDS_M, area_under, counts_within, pck_curve
from hand_recon_ros.types import Array


class Means:
    """Running means by name; NaN does not count."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._sums: dict[str, tuple[float, float]] = {}

    def add(self, name: str, value: float, weight: float = 1.0) -> None:
        """Count a value."""
        if math.isfinite(value):
            total, count = self._sums.get(name, (0.0, 0.0))
            self._sums[name] = total + weight * value, count + weight

    def values(self) -> dict[str, float]:
        """The means of what was counted."""
        return {name: total / count for name, (total, count) in self._sums.items() if count > 0}


class JointErrors:
    """Errors of n points over many hands: mean of each point, and mean of these means."""

    def __init__(self, points: int) -> None:
        """Start with nothing."""
        self._sums = np.zeros(points)
        self._counts = np.zeros(points, np.int64)

    def add(self, errors: Array) -> None:
        """Count one hand's errors (n,); NaN does not count."""
        known = np.isfinite(errors)
        self._sums[known] += errors[known]
        self._counts[known] += 1

    def means(self) -> Array:
        """(n,) NaN for points never seen."""
        with np.errstate(invalid="ignore"):
            return np.where(self._counts > 0, self._sums / self._counts, np.nan)

    def mean(self, points: tuple[int, ...] | None = None) -> float:
        """Mean over (some) points of their means; NaN when none was seen."""
        means = self.means() if points is None else self.means()[list(points)]
        seen = means[np.isfinite(means)]
        return float(seen.mean()) if seen.size else math.nan


class PckCount:
    """How many errors of each of n points lie within each threshold."""

    def __init__(self, points: int) -> None:
        """Start with nothing."""
        self._counts = np.zeros((points, len(PCK_THRESHOLDS_M)), np.int64)
        self._totals = np.zeros(points, np.int64)

    def add(self, errors_m: Array) -> None:
        """Count one hand's errors (n,), m; NaN does not count."""
        self._counts += counts_within(errors_m[None])
        self._totals += np.isfinite(errors_m)

    def curve(self) -> Array:
        """(thresholds,) share of correct points; NaN when there are none."""
        return pck_curve(self._counts, self._totals)

    def area(self) -> float:
        """Area under the curve, 0..1."""
        return area_under(self.curve())
