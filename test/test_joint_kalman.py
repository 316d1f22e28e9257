"""The Kalman filter of joints alone."""

import numpy as np

from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal.joints import JointKalman

FPS = 30.0


def test_joint_filter_takes_a_missing_wrist_and_skips_one_outlier():
    rng = np.random.default_rng(9)
    rest = rng.normal(0, 0.05, (21, 3))
    kalman = JointKalman(FilterConfig())
    for i in range(60):
        joints = rest + rng.normal(0, 0.003, (21, 3))
        if i < 20 or 30 < i < 35:
            joints[0] = np.nan
        if i == 50:
            joints += 0.5
        out = kalman.update(joints, i / FPS)
        assert np.isnan(out.joints_m[0]).all() == (i < 20)
        if i > 25:
            assert np.linalg.norm(out.joints_m - rest, axis=1).max() < 0.012
    for i in (60, 61):
        out = kalman.update(rest + 0.5, i / FPS)
    np.testing.assert_allclose(out.joints_m, rest + 0.5, atol=0.01)


def test_doubtful_measurement_leaves_nothing_behind():
    """A little jump is followed at once, and taken back when the next frame denies it."""
    rng = np.random.default_rng(10)
    rest = rng.normal(0, 0.05, (21, 3))
    kalman, twin = JointKalman(FilterConfig()), JointKalman(FilterConfig())
    for i in range(60):
        joints = rest + rng.normal(0, 0.003, (21, 3))
        out, clean = kalman.update(joints + (0.012 if i == 50 else 0.0), i / FPS), None
        if i != 50:
            clean = twin.update(joints, i / FPS)
        if i == 50:
            assert np.linalg.norm(out.joints_m - rest, axis=1).mean() > 0.01
        elif i > 50:
            np.testing.assert_allclose(out.joints_m, clean.joints_m, atol=0.003)
            assert np.abs(out.velocities).max() < 0.2
