"""The Kalman filter of a hand on its manifold."""

from itertools import pairwise

import numpy as np
import pytest

from hand_recon_ros.config import FilterConfig
from hand_recon_ros.mano.results import FitResult
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.temporal import make_filter
from hand_recon_ros.temporal.hand_state import StampError
from hand_recon_ros.temporal.kalman import HandKalman
from hand_recon_ros.temporal.unfiltered import Unfiltered
from hand_recon_ros.types import ManoParameters

FPS = 30.0
SIGMA = np.repeat((0.001, 0.001, 0.007, 0.04, 0.08), (1, 1, 1, 3, 45))
ACTUAL = 0.5
"""Frame to frame noise of a fit over what its covariance says, as on the real video."""
WRIST_AT_REST = np.array([0.09, 0.006, 0.006])


def fit(position, orientation=(0, 0, 0), pose=0.0, betas=0.0, sigma=SIGMA):
    """A fit of a hand with its wrist at ``position``; orientation is an axis-angle."""
    joints = np.zeros((21, 3))
    joints[0] = position
    orientation = np.asarray(orientation, float)
    betas = np.full(10, float(betas))
    offset = WRIST_AT_REST * (1 + 0.05 * betas[0])  # linear in betas, as J0 is
    parameters = ManoParameters(
        "right", orientation, np.broadcast_to(pose, 45).astype(float), betas, position - offset
    )
    return FitResult(
        parameters,
        joints,
        exp_so3(orientation),
        np.diag(sigma**2),
        np.eye(10),
        1.0,
        4,
        "adult_prior",
    )


def noisy(rng, position, orientation=(0, 0, 0), pose=0.0):
    e = ACTUAL * SIGMA * rng.standard_normal(51)
    turned = log_so3(exp_so3(e[3:6]) @ exp_so3(orientation))
    bent = log_so3(
        exp_so3(np.broadcast_to(pose, 45).reshape(15, 3)) @ exp_so3(e[6:].reshape(15, 3))
    )
    return fit(np.asarray(position) + e[:3], turned, bent.ravel())


def angle_to(R, orientation):
    return np.linalg.norm(log_so3(R @ exp_so3(orientation).T))


def test_still_hand_is_stilled():
    rng = np.random.default_rng(0)
    kalman, raw, out = HandKalman(FilterConfig()), [], []
    for i in range(150):
        result = noisy(rng, (0.0, 0.0, 0.5), (0.1, 2.0, 0.3), 0.4)
        state = kalman.update(result, i / FPS)
        raw.append([*result.joints_m[0], *result.parameters.hand_pose])
        out.append([*state.wrist_position, *state.parameters.hand_pose])
    jitter = [np.std(np.diff(x[60:], 2, axis=0), axis=0) for x in (np.array(raw), np.array(out))]
    assert (jitter[0] > 7 * jitter[1]).all()
    assert angle_to(state.wrist_rotation, (0.1, 2.0, 0.3)) < 0.02
    np.testing.assert_allclose(state.wrist_velocity[:3], 0, atol=0.02)


def test_constant_velocity_is_followed_without_bias():
    """A hand that moves, turns and bends steadily, at stamps that jitter."""
    rng = np.random.default_rng(1)
    kalman = HandKalman(FilterConfig(velocity_decay_s=10.0))
    v, w, u = np.array([0.3, -0.2, 0.1]), np.array([0.0, 1.5, 0.0]), 0.5
    stamps = 1e9 + np.cumsum(rng.uniform(0.02, 0.06, 90))
    errors = []
    for stamp in stamps:
        t = stamp - stamps[0]
        state = kalman.update(noisy(rng, v * t + (0, 0, 0.5), w * t, u * t), stamp)
        errors.append(state.wrist_position - (v * t + (0, 0, 0.5)))
    assert np.abs(np.mean(errors[30:], axis=0)).max() < 0.002
    np.testing.assert_allclose(state.wrist_velocity[:3], v, atol=0.06)
    np.testing.assert_allclose(state.wrist_velocity[3:], w, atol=0.3)
    np.testing.assert_allclose(state.joint_velocities, u, atol=0.6)


def test_sudden_motion_is_followed_at_once():
    """From rest to 1 m/s across the view: the error stays below two frames of motion."""
    rng = np.random.default_rng(2)
    kalman, errors = HandKalman(FilterConfig()), []
    for i in range(90):
        x = max(0, i - 60) / FPS
        state = kalman.update(noisy(rng, (x, 0.0, 0.5)), i / FPS)
        errors.append(abs(state.wrist_position[0] - x))
    assert max(errors) < 2 / FPS
    assert np.mean(errors[70:]) < 0.005


def test_full_turns_neither_wrap_nor_jump():
    rng = np.random.default_rng(3)
    kalman, last, worst = HandKalman(FilterConfig()), None, 0.0
    for i in range(300):
        w = np.array([0.2, 0.0, 2.0]) * (np.pi * np.sin(i / 60.0))  # through and beyond half a turn
        state = kalman.update(noisy(rng, (0, 0, 0.5), w), i / FPS)
        assert angle_to(state.wrist_rotation, w) < 0.15
        vector = state.parameters.global_orient
        np.testing.assert_allclose(exp_so3(vector), state.wrist_rotation, atol=1e-9)
        if last is not None and np.linalg.norm(vector) < 5.0 and np.linalg.norm(last) < 5.0:
            worst = max(worst, np.linalg.norm(vector - last))
        last = vector
    assert worst < 0.6


@pytest.mark.parametrize(
    "bad",
    [
        {"position": (0.3, 0.1, 0.6)},
        {"orientation": (0.0, 0.0, 2.5)},
        {"pose": 1.2},
    ],
)
def test_single_outlier_is_skipped(bad):
    rng = np.random.default_rng(4)
    kalman = HandKalman(FilterConfig())
    good = {"position": np.array([0, 0, 0.5]), "orientation": np.zeros(3), "pose": 0.1}
    for i in range(40):
        before = kalman.update(noisy(rng, *good.values()), i / FPS)
    hit = {**good, **{k: np.asarray(v, float) for k, v in bad.items()}}
    state = kalman.update(noisy(rng, *hit.values()), 40 / FPS)
    assert state.outlier
    assert not before.outlier
    assert np.linalg.norm(state.wrist_position - before.wrist_position) < 0.01
    assert angle_to(state.wrist_rotation, log_so3(before.wrist_rotation)) < 0.1
    assert np.abs(state.parameters.hand_pose - before.parameters.hand_pose).max() < 0.15
    assert not kalman.update(noisy(rng, *good.values()), 41 / FPS).outlier


@pytest.mark.parametrize("steady", [True, False])
def test_true_jump_is_believed_within_three_frames(steady):
    """A hand that stays elsewhere, or one so fast that it is elsewhere every frame."""
    rng = np.random.default_rng(5)
    kalman = HandKalman(FilterConfig())
    for i in range(40):
        kalman.update(noisy(rng, (0, 0, 0.5)), i / FPS)
    for i in range(3):
        there = np.array([0.4, 0.2, 0.7]) + (0 if steady else 0.4) * i
        state = kalman.update(noisy(rng, there, (0, 0, 2.5), 0.9), (40 + i) / FPS)
        if steady and i == 1:
            break
    np.testing.assert_allclose(state.wrist_position, there, atol=0.03)
    assert angle_to(state.wrist_rotation, (0, 0, 2.5)) < 0.3


def test_prediction_goes_on_grows_uncertain_and_changes_nothing():
    rng = np.random.default_rng(6)
    kalman, twin = HandKalman(FilterConfig()), HandKalman(FilterConfig())
    for i in range(40):
        result = noisy(rng, (0.02 * i, 0, 0.5))
        last = kalman.update(result, i / FPS)
        twin.update(result, i / FPS)
    predicted = [kalman.predict(39 / FPS + dt) for dt in (0.0, 0.05, 0.1, 0.2)]
    np.testing.assert_allclose(predicted[0].wrist_position, last.wrist_position, atol=1e-12)
    x = [state.wrist_position[0] for state in predicted]
    assert x == sorted(x)
    assert 0.02 < x[2] - x[0] <= 0.06
    for state, later in pairwise(predicted):
        assert (np.linalg.eigvalsh(later.wrist_covariance - state.wrist_covariance) > 0).all()
    result = noisy(rng, (0.8, 0, 0.5))
    after, expected = (k.update(result, 40 / FPS) for k in (kalman, twin))
    np.testing.assert_array_equal(after.wrist_covariance, expected.wrist_covariance)


def test_covariance_stays_positive_definite_from_tiny_to_huge_noise():
    rng = np.random.default_rng(7)
    kalman, stamp = HandKalman(FilterConfig()), 0.0
    for _ in range(1500):
        stamp += 10 ** rng.uniform(-4, -0.5)
        position = rng.normal(0, 0.3, 3)
        sigma = SIGMA * 10 ** rng.uniform(-3, 2)
        state = kalman.update(fit(position, rng.normal(0, 1, 3), 0.3, sigma=sigma), stamp)
        assert np.linalg.eigvalsh(kalman._state.covariance).min() > 0
    np.testing.assert_array_equal(state.wrist_covariance, state.wrist_covariance.T)
    assert np.isfinite(state.wrist_position).all()


def test_correlated_noise_is_used():
    """Depth noise along a slanted viewing ray must not shake the hand across it."""
    rng = np.random.default_rng(8)
    ray = np.array([0.6, 0.0, 0.8])
    result = fit(np.array([0.3, 0, 0.4]))
    covariance = result.covariance.copy()
    covariance[:3, :3] = 0.02**2 * np.outer(ray, ray) + 0.0005**2 * np.eye(3)
    kalman, off = HandKalman(FilterConfig()), []
    for i in range(100):
        shaken = fit(np.array([0.3, 0, 0.4]) + 0.02 * rng.standard_normal() * ray)
        state = kalman.update(
            FitResult(
                shaken.parameters,
                shaken.joints_m,
                shaken.wrist_rotation,
                covariance,
                np.eye(10),
                1.0,
                4,
                "adult_prior",
            ),
            i / FPS,
        )
        off.append(np.linalg.norm(np.cross(state.wrist_position - (0.3, 0, 0.4), ray)))
    assert max(off) < 1e-3


def test_translation_stays_consistent_with_the_wrist_while_betas_change():
    kalman = HandKalman(FilterConfig())
    for i in range(30):
        betas = 0.0 if i < 10 else 1.0
        state = kalman.update(fit(np.array([0.1, 0, 0.5]), betas=betas), i / FPS)
        offset = WRIST_AT_REST * (1 + 0.05 * state.parameters.betas[0])
        np.testing.assert_allclose(
            state.parameters.transl + offset, state.wrist_position, atol=1e-9
        )
        if i == 10:
            assert 0.1 < state.parameters.betas[0] < 0.6
    assert state.parameters.betas[0] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("make", [lambda: HandKalman(FilterConfig()), Unfiltered])
def test_bad_input_is_refused_and_changes_nothing(make):
    kalman = make()
    with pytest.raises(RuntimeError, match="update first"):
        kalman.predict(0.0)
    state = kalman.update(fit(np.array([0, 0, 0.5])), 1.0)
    for stamp in (1.0, 0.5, float("nan"), float("inf")):
        with pytest.raises(StampError):
            kalman.update(fit(np.array([0, 0, 0.5])), stamp)
    broken = fit(np.array([0, 0, np.nan]))
    with pytest.raises(ValueError, match="joints_m is not finite"):
        kalman.update(broken, 2.0)
    again = kalman.predict(1.0)
    np.testing.assert_allclose(again.wrist_position, state.wrist_position)
    kalman.reset()
    assert kalman.update(fit(np.array([1, 0, 0.5])), 0.5).wrist_position[0] == 1.0


def test_long_gap_starts_anew():
    kalman = HandKalman(FilterConfig())
    for i in range(10):
        kalman.update(fit(np.array([0.05 * i, 0, 0.5])), i / FPS)
    state = kalman.update(fit(np.array([1.0, 0, 0.5])), 5.0)
    np.testing.assert_array_equal(state.wrist_position, (1.0, 0, 0.5))
    np.testing.assert_array_equal(state.wrist_velocity, 0)
    assert not state.outlier


def test_switched_off_passes_the_fit_on():
    raw = make_filter(FilterConfig(kalman=False))
    raw.update(fit(np.array([0, 0, 0.5])), 0.0)
    result = fit(np.array([0.02, 0, 0.5]), (0, 0, 0.1))
    state = raw.update(result, 0.1)
    assert state.parameters is result.parameters
    np.testing.assert_allclose(state.wrist_velocity, (0.2, 0, 0, 0, 0, 1.0), atol=1e-9)
    np.testing.assert_array_equal(raw.predict(0.2).wrist_position, state.wrist_position)


@pytest.mark.parametrize("doubtful", [{"position": (0.02, 0.0, 0.5)}, {"pose": 0.45}])
def test_measurement_that_may_be_motion_is_taken_back_when_the_next_one_denies_it(doubtful):
    """Too small for the gate: it is followed at once, but leaves nothing behind."""
    rng = np.random.default_rng(11)
    kalman = HandKalman(FilterConfig())
    good = {"position": np.array([0, 0, 0.5]), "orientation": np.zeros(3), "pose": 0.1}
    for i in range(40):
        before = kalman.update(noisy(rng, *good.values()), i / FPS)
    odd = {**good, **{k: np.asarray(v, float) for k, v in doubtful.items()}}
    followed = kalman.update(noisy(rng, *odd.values()), 40 / FPS)
    assert not followed.outlier
    name = next(iter(doubtful))
    expected = doubtful[name]
    got = followed.wrist_position if name == "position" else followed.parameters.hand_pose.mean()
    was = before.wrist_position if name == "position" else before.parameters.hand_pose.mean()
    assert np.abs(got - was).max() > 0.5 * np.abs(np.asarray(expected) - good[name]).max()
    state = kalman.update(noisy(rng, *good.values()), 41 / FPS)
    np.testing.assert_allclose(state.wrist_position, before.wrist_position, atol=0.004)
    np.testing.assert_allclose(state.wrist_velocity[:3], 0, atol=0.1)
    assert np.abs(state.parameters.hand_pose - before.parameters.hand_pose).max() < 0.1


def test_slow_steady_motion_within_the_noise_is_not_left_behind():
    """Each frame's step is a tenth of the noise, but the innovations agree in direction."""
    rng = np.random.default_rng(12)
    kalman, off = HandKalman(FilterConfig()), []
    for i in range(240):
        x = 0.05 * np.sin(2 * np.pi * 0.25 * max(0, i - 60) / FPS)
        state = kalman.update(noisy(rng, (0, 0, 0.5 + x)), i / FPS)
        off.append(state.wrist_position[2] - 0.5 - x)
    assert np.std(off[90:]) < ACTUAL * SIGMA[2]
