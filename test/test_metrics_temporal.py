"""Acceleration and lag on known motions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_recon_ros.metrics.temporal import (
    acceleration_per_frame,
    acceleration_per_second,
    lag_ms,
)

SEEDS = st.integers(0, 2**32 - 1)


def test_acceleration_by_hand() -> None:
    fps, g = 20.0, 9.81
    stamps = np.arange(5) / fps
    fall = np.zeros((5, 1, 3))
    fall[:, 0, 1] = 0.5 * g * stamps**2
    per_frame = acceleration_per_frame(fall)
    assert per_frame.shape == (3, 1, 3)
    np.testing.assert_allclose(per_frame[:, 0, 1], g / fps**2)
    np.testing.assert_allclose(acceleration_per_second(fall, stamps)[:, 0, 1], g)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_per_second_is_exact_on_irregular_stamps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.uniform(0.005, 0.1, 12))
    bend, speed, start = rng.normal(size=(3, 4, 3))
    t = stamps[:, None, None]
    parabola = 0.5 * bend * t**2 + speed * t + start
    second = acceleration_per_second(parabola, stamps)
    np.testing.assert_allclose(second, np.broadcast_to(bend, second.shape), atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.floats(5, 120))
def test_on_even_stamps_both_differ_by_the_squared_rate(seed: int, fps: float) -> None:
    points = np.random.default_rng(seed).normal(size=(8, 21, 3))
    second = acceleration_per_second(points, np.arange(8) / fps)
    np.testing.assert_allclose(second, acceleration_per_frame(points) * fps**2, rtol=1e-6)


def waving(t: np.ndarray) -> np.ndarray:
    """(T, 5, 3) a motion of several frequencies, m."""
    phase = np.arange(15).reshape(5, 3)
    t = t[:, None, None]
    return 0.4 + 0.06 * np.sin(5.0 * t + phase) + 0.03 * np.sin(11.0 * t + 2.0 * phase)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(-0.045, 0.145), st.floats(0.5, 2.0))
def test_lag_is_found_on_irregular_stamps(seed: int, lag: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    stamps = np.cumsum(rng.uniform(0.01, 0.03, 150))
    truth = waving(stamps)
    offset = rng.normal(0, 0.1, (5, 3))  # neither a constant error nor a wrong size is lag
    estimate = offset + scale * waving(stamps - lag) + rng.normal(0, 0.001, truth.shape)
    assert lag_ms(stamps, estimate, truth) == pytest.approx(1000 * lag, abs=2.0)


def test_lag_of_a_first_order_filter() -> None:
    stamps = np.arange(400) / 60
    truth = np.sin(2.0 * stamps)[:, None, None] * np.ones((1, 1, 3))
    estimate, state = np.empty_like(truth), truth[0]
    for i, value in enumerate(truth):
        state = state + 0.2 * (value - state)
        estimate[i] = state
    # phase of 0.2 / (1 - 0.8 z^-1) at 2 rad/s
    w = 2.0 / 60
    delay = np.arctan2(0.8 * np.sin(w), 1 - 0.8 * np.cos(w)) / 2.0
    settled = slice(60, None)
    found = lag_ms(stamps[settled], estimate[settled], truth[settled])
    assert found == pytest.approx(1000 * delay, abs=1.0)


def test_lost_frames_and_gaps_do_not_disturb() -> None:
    stamps = np.arange(300) / 30
    truth, estimate = waving(stamps), waving(stamps - 0.05)
    estimate[40:60] = np.nan
    truth[100:130] = np.nan  # a second without truth, not to be interpolated
    estimate[100:130] = 7.0
    estimate[127:133] = 7.0  # within reach of the gap: must not count either
    assert lag_ms(stamps, estimate, truth) == pytest.approx(50.0, abs=1.5)


def test_lag_beyond_the_range_is_told_as_its_end() -> None:
    stamps = np.arange(200) / 30
    slow = np.sin(2 * stamps)[:, None, None]
    late = np.sin(2 * (stamps - 0.4))[:, None, None]
    assert lag_ms(stamps, late, slow) == pytest.approx(150.0)


@pytest.mark.parametrize("count", [1, 8])
def test_too_short_has_no_lag(count: int) -> None:
    stamps = np.arange(count) / 30
    assert np.isnan(lag_ms(stamps, waving(stamps), waving(stamps)))


def test_what_stands_still_has_no_lag() -> None:
    stamps = np.arange(60) / 30
    still = np.full((60, 5, 3), 0.4)
    assert np.isnan(lag_ms(stamps, still, still))
    assert np.isnan(lag_ms(stamps, still, waving(stamps)))
    assert np.isnan(lag_ms(stamps, np.full_like(still, np.nan), waving(stamps)))
