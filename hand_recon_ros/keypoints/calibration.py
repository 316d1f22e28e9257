"""Confidence that means something: what the networks say, turned into an expected error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize

from hand_recon_ros.types import Array

SURE: Final = 0.02
"""Expected error, as a share of the hand's box, at which confidence is 1 (two px of a hand 100 px
large): about what careful people differ by."""
_LEAST_PEAK: Final = 0.02
_SPREAD: Final = 2.0
"""Largest logarithm of an expected error over the mean one that is believed."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """log(expected error / hand's box) = constant + peak log(peak) + sigma log(sigma / box).

    The defaults take the regressor's sigma along an axis as it is: the mean distance of a Gaussian
    error is sqrt(pi / 2) sigma.
    """

    constant: float = 0.2258
    peak: float = 0.0
    sigma: float = 1.0

    def expected_error(self, peaks: Array, log_sigma_px: Array, box_px: float) -> Array:
        """Expected distance from the truth, as a share of the hand's box.

        Args:
            peaks: (...) heights of belief maps.
            log_sigma_px: (...) logarithm of the regressor's sigma, px.
            box_px: longer side of the hand's box, in the same px.
        """
        log_share = np.clip(log_sigma_px - np.log(max(box_px, 1.0)), -8.0, _SPREAD)
        known = (self.constant, self.peak, self.sigma)
        return np.asarray(np.exp(np.tensordot(_terms(peaks, log_share), known, axes=(-1, 0))))

    def confidence(self, peaks: Array, log_sigma_px: Array, box_px: float) -> Array:
        """``SURE`` over the expected error, at most 1: inverse to a standard deviation."""
        return np.minimum(SURE / self.expected_error(peaks, log_sigma_px, box_px), 1.0)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Calibration:
        """The one that was saved with weights as "calibration", or the default."""
        return cls(**facts.get("calibration", {}))

    def to_facts(self) -> dict[str, float]:
        """Plain data for ``save_weights``."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


def fit_calibration(
    peaks: Array, log_sigma_px: Array, box_px: Array, errors_px: Array
) -> Calibration:
    """Fit to a validation set by maximum likelihood of exponentially distributed errors.

    At the optimum the mean of observed over expected errors is 1, whatever their distribution.

    Args:
        peaks, log_sigma_px, errors_px: (N,) of key points with known truth; errors are distances.
        box_px: (N,) longer side of the hand's box of each, in the same px.

    Raises:
        ValueError: fewer than 100 key points.
    """
    if len(errors_px) < 100:
        raise ValueError(f"{len(errors_px)} key points are too few to calibrate on: give 100")
    box = np.maximum(box_px, 1.0)
    terms = _terms(peaks, np.clip(log_sigma_px - np.log(box), -8.0, _SPREAD))
    share = np.maximum(errors_px / box, 1e-6)

    def cost(known: Array) -> tuple[float, Array]:
        expected = terms @ known
        ratio = share * np.exp(-expected)
        return float((expected + ratio).mean()), np.asarray(((1 - ratio)[:, None] * terms).mean(0))

    start = np.array([np.log(share.mean()), 0.0, 0.0])
    known = minimize(cost, start, jac=True, method="BFGS").x
    return Calibration(*(float(k) for k in known))


def calibration_table(
    calibration: Calibration,
    peaks: Array,
    log_sigma_px: Array,
    box_px: Array,
    errors_px: Array,
    bins: int = 5,
) -> list[tuple[float, float]]:
    """(expected, observed) mean error as a share of the box, by rising expected error."""
    expected = np.array(
        [
            calibration.expected_error(p, s, b)
            for p, s, b in zip(peaks, log_sigma_px, box_px, strict=True)
        ]
    )
    observed = errors_px / np.maximum(box_px, 1.0)
    parts = np.array_split(np.argsort(expected), bins)
    return [(float(expected[part].mean()), float(observed[part].mean())) for part in parts]


def _terms(peaks: Array, log_share: Array) -> Array:
    log_peak = np.log(np.maximum(peaks, _LEAST_PEAK))
    return np.stack([np.ones_like(log_peak), log_peak, log_share], axis=-1)
