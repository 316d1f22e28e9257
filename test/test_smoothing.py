"""Savitzky-Golay and One-Euro on joint trajectories."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import savgol_filter

from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal import make_smoother
from hand_recon_ros.temporal.one_euro import OneEuro
from hand_recon_ros.temporal.smoothing import SavitzkyGolay, Unsmoothed

FPS = 30.0


def walk(frames=60, seed=0):
    """Joints (frames, 21, 3) on random smooth paths, metres."""
    rng = np.random.default_rng(seed)
    return 0.002 * rng.standard_normal((frames, 21, 3)).cumsum(axis=0).cumsum(axis=0)


def play(smoother, joints, stamps):
    """Feed frames in turn; stack joints and velocities."""
    outputs = [smoother.update(x, t) for x, t in zip(joints, stamps, strict=True)]
    return np.stack([o.joints_m for o in outputs]), np.stack([o.velocities for o in outputs])


@pytest.mark.parametrize(("window", "order"), [(5, 2), (7, 3), (9, 2), (5, 0)])
def test_live_end_point_equals_scipy(window, order):
    joints, stamps = walk(), 5.0 + np.arange(60) / FPS
    smooth, velocity = play(SavitzkyGolay(window, order), joints, stamps)
    for end in range(window, 61):
        part = joints[end - window : end]
        expected = savgol_filter(part, window, order, axis=0, mode="interp")[-1]
        slope = savgol_filter(part, window, order, 1, 1 / FPS, axis=0, mode="interp")[-1]
        np.testing.assert_allclose(smooth[end - 1], expected, atol=1e-12)
        np.testing.assert_allclose(velocity[end - 1], slope, atol=1e-9)


@pytest.mark.parametrize(("window", "order"), [(5, 2), (7, 3), (11, 4)])
def test_centred_form_equals_scipy(window, order):
    joints, stamps = walk(), np.arange(60) / FPS
    smoothed = SavitzkyGolay(window, order).smooth(joints, stamps)
    expected = savgol_filter(joints, window, order, axis=0, mode="interp")
    slope = savgol_filter(joints, window, order, deriv=1, delta=1 / FPS, axis=0, mode="interp")
    np.testing.assert_allclose(smoothed.joints_m, expected, atol=1e-12)
    np.testing.assert_allclose(smoothed.velocities, slope, atol=1e-9)


def test_irregular_stamps_keep_polynomials_of_the_order():
    rng = np.random.default_rng(1)
    stamps = np.cumsum(rng.uniform(0.005, 0.1, 40))
    a, b, c = rng.standard_normal((3, 21, 3))
    t = stamps[:, None, None]
    joints, speed = a + b * t + c * t**2, b + 2 * c * t
    smoother = SavitzkyGolay(5, 2)
    live, velocity = play(smoother, joints, stamps)
    np.testing.assert_allclose(live, joints, atol=1e-9)
    np.testing.assert_allclose(velocity[2:], speed[2:], atol=1e-7)
    recorded = smoother.smooth(joints, stamps)
    np.testing.assert_allclose(recorded.joints_m, joints, atol=1e-9)
    np.testing.assert_allclose(recorded.velocities, speed, atol=1e-7)


def test_short_history_lowers_the_order():
    joints, stamps = walk(3), np.arange(3) / FPS
    smooth, velocity = play(SavitzkyGolay(5, 2), joints, stamps)
    np.testing.assert_allclose(smooth, joints, atol=1e-12)  # n points define degree n - 1
    np.testing.assert_array_equal(velocity[0], 0)
    np.testing.assert_allclose(velocity[1], (joints[1] - joints[0]) * FPS, atol=1e-9)


@pytest.mark.parametrize("jump", [0.5, -3.0, 0.0])
@pytest.mark.parametrize(
    "make", [lambda: SavitzkyGolay(5, 2), lambda: OneEuro(1.0, 0.0), Unsmoothed]
)
def test_gap_or_jump_back_starts_anew(make, jump):
    smoother = make()
    play(smoother, np.zeros((10, 21, 3)), np.arange(10) / FPS)
    far = np.ones((21, 3))
    output = smoother.update(far, 9 / FPS + jump)
    np.testing.assert_array_equal(output.joints_m, far)
    np.testing.assert_array_equal(output.velocities, 0)


def test_reset_forgets():
    for smoother in (SavitzkyGolay(5, 2), OneEuro(1.0, 0.0)):
        play(smoother, np.zeros((10, 21, 3)), np.arange(10) / FPS)
        smoother.reset()
        output = smoother.update(np.ones((21, 3)), 10 / FPS)
        np.testing.assert_array_equal(output.joints_m, 1.0)


def test_recorded_trajectory_is_split_at_gaps():
    joints, stamps = walk(40), np.arange(40) / FPS
    stamps[20:] += 1.0
    smoother = SavitzkyGolay(5, 2)
    whole = smoother.smooth(joints, stamps).joints_m
    np.testing.assert_array_equal(whole[:20], smoother.smooth(joints[:20], stamps[:20]).joints_m)
    np.testing.assert_array_equal(whole[20:], smoother.smooth(joints[20:], stamps[20:]).joints_m)


def test_missing_joint_spoils_only_itself():
    joints, stamps = walk(30), np.arange(30) / FPS
    holed = joints.copy()
    holed[10, 0] = np.nan
    for make in (lambda: SavitzkyGolay(5, 2), OneEuro):
        full, _ = play(make(), joints, stamps)
        smooth, _ = play(make(), holed, stamps)
        np.testing.assert_array_equal(smooth[:, 1:], full[:, 1:])
        assert np.isnan(smooth[10, 0]).all()
        assert np.isfinite(smooth[16:, 0]).all()


def test_one_euro_follows_the_published_recursion():
    """The recursion of facts A1.7 at 30 fps, written as a plain loop."""
    x = walk(50)[:, 3, 1]
    min_cutoff, beta, te = 4.0, 0.7, 1 / 30

    def alpha(cutoff):
        return 1 / (1 + 1 / (2 * np.pi * cutoff) / te)

    expected, derivative = [x[0]], 0.0
    for previous, now in pairwise(x):
        derivative += alpha(1.0) * ((now - previous) * 30 - derivative)
        a = alpha(min_cutoff + beta * abs(derivative))
        expected.append(a * now + (1 - a) * expected[-1])
    smooth, velocity = play(OneEuro(min_cutoff, beta), x[:, None], np.arange(50) / 30)
    np.testing.assert_allclose(smooth[:, 0], expected, atol=1e-12)
    np.testing.assert_allclose(velocity[1:, 0], np.diff(expected) * 30, atol=1e-9)


@pytest.mark.parametrize(("window", "order"), [(4, 2), (5, 5), (5, -1)])
def test_bad_window_is_named(window, order):
    with pytest.raises(ValueError, match=str(window if window == 4 else order)):
        SavitzkyGolay(window, order)


def test_bad_stamps_are_refused():
    for smoother in (SavitzkyGolay(), OneEuro()):
        with pytest.raises(ValueError, match="finite"):
            smoother.update(np.zeros((21, 3)), float("nan"))
    with pytest.raises(ValueError, match="frame 2"):
        SavitzkyGolay().smooth(np.zeros((3, 21, 3)), np.array([0.0, 1.0, 0.5]))
    with pytest.raises(ValueError, match="shape"):
        SavitzkyGolay().smooth(np.zeros((3, 21, 3)), np.array([0.0, 1.0]))


def test_factory_follows_the_configuration():
    assert isinstance(make_smoother(FilterConfig()), SavitzkyGolay)
    euro = make_smoother(FilterConfig(smoothing="one_euro", one_euro_min_cutoff=2.0))
    assert isinstance(euro, OneEuro)
    assert euro.min_cutoff == 2.0
    joints = walk(5)
    smooth, _ = play(make_smoother(FilterConfig(smoothing="none")), joints, np.arange(5) / FPS)
    np.testing.assert_array_equal(smooth, joints)


def test_one_wrong_sample_is_left_out_of_later_windows():
    joints, stamps = walk(seed=4) * 0.05, np.arange(60) / FPS
    spoiled = joints.copy()
    spoiled[30, 5:9] += 0.06
    clean, _ = play(SavitzkyGolay(5, 2), joints, stamps)
    live, _ = play(SavitzkyGolay(5, 2), spoiled, stamps)
    np.testing.assert_allclose(live[31:], clean[31:], atol=0.006)  # 60 mm, a tenth while oldest
    assert np.abs(live[30, 5:9] - clean[30, 5:9]).max() > 0.03  # the newest might be motion
    centred = SavitzkyGolay(5, 2).smooth(spoiled, stamps).joints_m
    np.testing.assert_allclose(centred, joints, atol=0.006)


def test_sudden_start_is_not_taken_for_a_wrong_sample():
    stamps = np.arange(40) / FPS
    x = np.clip(stamps - 0.6, 0, 0.15) * 1.5  # from rest to 1.5 m/s at once, and back
    joints = np.zeros((40, 21, 3))
    joints[..., 0] = x[:, None]
    smooth = SavitzkyGolay(5, 2).smooth(joints, stamps).joints_m
    expected = savgol_filter(joints, 5, 2, axis=0, mode="interp")
    np.testing.assert_allclose(smooth, expected, atol=1e-9)


@pytest.mark.parametrize("kind", ["savgol", "one_euro", "kalman", "none"])
def test_predictions_are_smoothed_but_forgotten(kind):
    joints, stamps = walk(seed=5) * 0.05, np.arange(60) / FPS
    one, other = (make_smoother(FilterConfig(smoothing=kind)) for _ in range(2))
    for i in range(30):
        if 20 <= i < 23:
            out = one.update(joints[i] + 0.3, stamps[i], measured=False)
            assert np.isfinite(out.joints_m).all()
            continue
        a, b = (smoother.update(joints[i], stamps[i]) for smoother in (one, other))
        np.testing.assert_array_equal(a.joints_m, b.joints_m)
        np.testing.assert_array_equal(a.velocities, b.velocities)
