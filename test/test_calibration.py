"""Confidence that means something: expected against observed errors."""

from __future__ import annotations

import numpy as np
import pytest

from hand_recon_ros.keypoints.calibration import (
    SURE,
    Calibration,
    calibration_table,
    fit_calibration,
)


def _set(seed: int, count: int = 20000) -> tuple[np.ndarray, ...]:
    """Gaussian errors whose size only partly follows what the networks say."""
    random = np.random.default_rng(seed)
    box = random.uniform(60, 90, count)
    peaks = random.beta(5, 2, count)
    log_sigma = random.normal(0.5, 0.5, count)
    sigma = 0.5 * np.exp(0.7 * log_sigma) * peaks**-0.8 * (box / 75) ** 0.3
    errors = np.linalg.norm(random.normal(size=(count, 2)), axis=1) * sigma
    return peaks, log_sigma, box, errors


def test_fitted_expectations_hold_on_other_data() -> None:
    calibration = fit_calibration(*_set(1))
    for expected, observed in calibration_table(calibration, *_set(2)):
        assert observed == pytest.approx(expected, rel=0.1)


def test_the_default_takes_sigma_at_its_word() -> None:
    random = np.random.default_rng(3)
    log_sigma = random.normal(0.5, 0.5, 20000)
    errors = np.linalg.norm(random.normal(size=(20000, 2)), axis=1) * np.exp(log_sigma)
    box = np.full(20000, 75.0)
    table = calibration_table(Calibration(), np.full(20000, 0.5), log_sigma, box, errors)
    for expected, observed in table:
        assert observed == pytest.approx(expected, rel=0.03)


def test_confidence_is_inverse_to_the_expected_error() -> None:
    calibration = Calibration()
    log_sigma = np.log(np.array([0.1, 2.0, 4.0, 1e9]))
    peaks = np.array([0.9, 0.9, 0.9, 0.0])
    expected = calibration.expected_error(peaks, log_sigma, 75.0)
    confidence = calibration.confidence(peaks, log_sigma, 75.0)
    assert confidence[0] == 1.0
    assert confidence[1] == pytest.approx(SURE / expected[1])
    assert confidence[1] / confidence[2] == pytest.approx(2.0)
    assert 0 < confidence[3] < 0.01


def test_it_travels_with_the_weights() -> None:
    calibration = fit_calibration(*_set(1, 1000))
    again = Calibration.from_facts({"calibration": calibration.to_facts()})
    args = np.array([0.7]), np.array([0.4]), 70.0
    np.testing.assert_allclose(
        again.expected_error(*args), calibration.expected_error(*args), rtol=1e-3
    )
    assert Calibration.from_facts({}) == Calibration()


def test_too_few_key_points_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit_calibration(*_set(1, 50))
