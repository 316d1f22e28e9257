"""Limits at every sample, the smooth reference, and smooth output from slow input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from teleop_helpers import DT, FRAME_S, LIMITS, Bench, hand_at

from hand_recon_ros.retarget.limits import JointLimits, MotionLimiter
from hand_recon_ros.retarget.reference import Reference

NUMBERS = st.sampled_from((0.0, 0.3, -1.0, 2.0, 1e-9, 1e9, -1e300, np.nan, np.inf, -np.inf))
POSITIVE = st.floats(1e-3, 1e3)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(1, 30), st.booleans()), max_size=8),
    st.floats(-3, 3),
    st.floats(-2, 0),
    st.sampled_from((0.0, 1e-6, 0.1, 3.0)),
    POSITIVE,
    POSITIVE,
    st.sampled_from((0.002, 0.01, 0.1)),
)
def test_limits_hold_at_every_sample_whatever_the_goal(
    pieces, start, low, width, velocity, acceleration, dt
) -> None:
    high = low + width
    limits = JointLimits(*(np.array([x]) for x in (low, high, velocity, acceleration)))
    limiter = MotionLimiter(limits, dt, 0.02)
    limiter.reset([start])
    path = [limiter.position]
    for goal, speed, ticks, brakes in pieces:
        for _ in range(ticks):
            if brakes:
                limiter.brake()
            else:
                limiter.follow(np.array([goal]), np.array([speed]))
            path.append(limiter.position)
    positions = np.array(path)[:, 0]
    speeds = np.diff(positions, prepend=positions[0]) / dt
    accelerations = np.diff(speeds) / dt
    assert np.isfinite(positions).all()
    assert ((positions >= low) & (positions <= high)).all()
    noise = 1e-15 * 3 / dt
    assert (np.abs(speeds) <= velocity * (1 + 1e-9) + noise).all()
    assert (np.abs(accelerations) <= acceleration * (1 + 1e-6) + 4 * noise / dt).all()


def test_it_reaches_a_goal_quickly_without_overshoot() -> None:
    limiter = MotionLimiter(LIMITS, DT, 0.02)
    limiter.reset([0.0, 0.0])
    goal = np.array([1.2, -0.9])
    path = []
    for _ in range(80):
        limiter.follow(goal, np.zeros(2))
        path.append(limiter.position)
    np.testing.assert_allclose(path[-1], goal, atol=1e-6)
    assert (np.array(path)[:, 0] <= 1.2 + 1e-9).all()
    assert (np.array(path)[:, 1] >= -0.9 - 1e-9).all()
    fastest_s = 1.2 / 6.0 + 6.0 / 60.0  # at full acceleration, speed and braking
    assert np.argmax(np.array(path)[:, 0] > 0.98 * 1.2) * DT < fastest_s + 0.05


def test_it_follows_steady_motion_without_lag() -> None:
    limiter = MotionLimiter(LIMITS, DT, 0.02)
    limiter.reset([0.0, 0.0])
    for k in range(1, 60):
        limiter.follow(np.array([2.0, 1.0]) * k * DT, np.array([2.0, 1.0]))
    np.testing.assert_allclose(limiter.position, np.array([2.0, 1.0]) * 59 * DT, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"low": np.array([np.nan, 0])}, "finite"),
        ({"high": np.array([1.0])}, "every joint"),
        ({"low": np.array([9.0, 0])}, "above the highest"),
        ({"velocity": np.array([0.0, 1])}, "more than 0"),
    ],
)
def test_limits_that_cannot_be_are_refused(change: dict, words: str) -> None:
    good = {k: getattr(LIMITS, k) for k in ("low", "high", "velocity", "acceleration")}
    with pytest.raises(ValueError, match=words):
        JointLimits(**good | change)


def test_the_reference_has_no_step_in_position_or_velocity() -> None:
    reference = Reference(np.zeros(2))
    rng = np.random.default_rng(4)
    path, speeds = [], []
    for _ in range(30):
        reference.aim(rng.normal(size=2), rng.normal(size=2) * 3, 0.2)
        for _ in range(rng.integers(5, 150)):
            reference.advance(1e-3)
            path.append(reference.position)
            speeds.append(reference.velocity)
    steps = np.diff(path, axis=0)
    np.testing.assert_allclose(steps / 1e-3, (np.array(speeds)[1:] + speeds[:-1]) / 2, atol=0.05)
    assert np.abs(np.diff(speeds, axis=0)).max() < 1.5  # a bow of 0.2 s; a step would be 10


def test_the_reference_rests_at_its_goal() -> None:
    reference = Reference(np.zeros(1))
    reference.aim(np.array([1.0]), np.array([50.0]), 0.04)
    path = []
    for _ in range(10):
        reference.advance(0.01)
        path.append(float(reference.position[0]))
    assert max(path) <= 1.0 + 1e-12
    assert path[-1] == 1.0
    assert reference.velocity[0] == 0.0


def third_differences(path: np.ndarray) -> float:
    """Root mean square of the jerk, per second cubed."""
    return float(np.sqrt(np.mean(np.diff(path, 3) ** 2)) / DT**3)


@pytest.mark.parametrize("bends_a_second", [0.5, 1.0, 1.4])
def test_100_hz_from_30_hz_is_smooth(bends_a_second: float) -> None:
    bench = Bench(start=(0.6, -0.6)).engaged()
    rng = np.random.default_rng(0)
    held, sent = [], []
    for k in range(300):
        bend = 0.6 + 0.5 * np.sin(2 * np.pi * bends_a_second * k * DT)
        bench.hand = hand_at(bend + rng.normal(scale=0.005))
        bench.step()
        held.append(bench.core._goal[1][0])
        sent.append(bench.commands[-1].positions[0])
    assert third_differences(np.array(held)) > 5 * third_differences(np.array(sent))
    # and it does follow: at most two camera frames behind
    lag = min(range(20), key=lambda n: np.abs(np.array(sent)[n:] - held[: len(held) - n]).mean())
    assert lag * DT <= 2 * FRAME_S
