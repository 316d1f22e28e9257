"""What the learned regressor tells besides points: where the fit starts and what it is drawn to."""

import dataclasses

import numpy as np
import pytest

from hand_recon_ros.bench.samples import CAMERA, mirrored_in_depth, model, random_hand, turned
from hand_recon_ros.camera import Camera
from hand_recon_ros.config import FitConfig
from hand_recon_ros.keypoints.crops import crop_round
from hand_recon_ros.mano.fit import ManoFitter
from hand_recon_ros.mano.kinematics import TO_SKELETON, pose_joints
from hand_recon_ros.mano.measure import measure
from hand_recon_ros.mano.residuals import FitProblem
from hand_recon_ros.mano.results import FitRequest
from hand_recon_ros.mano.states import HandConstants, HandStates
from hand_recon_ros.rotations import exp_so3, matrix_from_columns
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.types import PoseGuess

MODELS = {side: model(side) for side in SIDES}
ONLY_START = {"sigma_guess_rad": 0.0}
"""The guess starts the fit and has no say in where it ends."""


def told(hand, keypoints, *, orientation=None, pose=None):
    guess = PoseGuess(
        hand.orientation if orientation is None else orientation,
        hand.pose if pose is None else pose,
        hand.betas,
    )
    return dataclasses.replace(keypoints, guess=guess)


def guess_off(rng, hand, keypoints, degrees):
    orientation, pose = turned(rng, hand.orientation, degrees), turned(rng, hand.pose, degrees)
    return told(hand, keypoints, orientation=orientation, pose=pose)


def fit(requests, camera=CAMERA, **options):
    return ManoFitter(MODELS, FitConfig(**options)).fit(requests, camera)


def cold_errors(seed, number, guess=None, **options):
    """(number,) joint errors of cold fits of hands of both sides and given shape, m."""
    rng = np.random.default_rng(seed)
    errors = []
    for k in range(number):
        hand = random_hand(rng, SIDES[k % 2])
        keypoints = hand.keypoints(rng, 3.0, noise_m=0.012)
        if guess is not None:
            keypoints = guess(np.random.default_rng(k), hand, keypoints)
        result = fit([FitRequest(hand.side, keypoints, betas=hand.betas)], **options)[0]
        errors.append(hand.joint_error(result.joints_m))
    return np.array(errors)


@pytest.fixture
def linearised(monkeypatch):
    """Counts how many hands were linearised: the fit's work."""
    counts = []
    original = FitProblem.normal_equations

    def counting(self, evaluation, kernel):
        counts.append(len(evaluation.xy))
        return original(self, evaluation, kernel)

    monkeypatch.setattr(FitProblem, "normal_equations", counting)
    return counts


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("noise_m", [None, 0.006], ids=["2D", "3D"])
def test_an_exact_guess_leads_to_the_same_optimum_in_fewer_steps(side, noise_m, linearised):
    rng = np.random.default_rng(30)
    for _ in range(4):
        hand = random_hand(rng, side)
        plain = hand.keypoints(rng, noise_m=noise_m)
        linearised.clear()
        searched = fit([FitRequest(side, plain, betas=hand.betas)], **ONLY_START)[0]
        work = sum(linearised)
        linearised.clear()
        begun = fit([FitRequest(side, told(hand, plain), betas=hand.betas)], **ONLY_START)[0]
        assert sum(linearised) < 0.4 * work
        if noise_m is not None:  # else there are two optima, and only the guess knows which
            np.testing.assert_allclose(begun.joints_m, searched.joints_m, atol=0.005)
        assert hand.joint_error(begun.joints_m) < 0.005


@pytest.mark.parametrize("degrees", [10, 20])
def test_a_noisy_guess_does_not_hurt(degrees):
    without = cold_errors(31, 24)
    with_guess = cold_errors(31, 24, lambda *args: guess_off(*args, degrees))
    assert with_guess.mean() < 1.02 * without.mean()


def test_a_good_guess_helps_where_key_points_are_poor():
    without = cold_errors(31, 24)
    with_guess = cold_errors(31, 24, lambda *args: guess_off(*args, 10))
    only_start = cold_errors(31, 24, lambda *args: guess_off(*args, 10), **ONLY_START)
    assert with_guess.mean() < 0.95 * without.mean()
    assert with_guess.mean() < 0.95 * only_start.mean()


def test_a_wrong_guess_does_not_trap_the_fit():
    """Fingers mirrored in depth, or the whole hand seen from behind: the search still finds it."""
    half_turn = exp_so3((0.0, np.pi, 0.0))

    def mirrored(_, hand, keypoints):
        return told(hand, keypoints, pose=mirrored_in_depth(hand))

    def behind(_, hand, keypoints):
        return told(hand, keypoints, orientation=half_turn @ hand.orientation)

    without = cold_errors(32, 16)
    for wrong in (mirrored, behind):
        errors = cold_errors(32, 16, wrong, **ONLY_START)
        assert np.median(np.abs(errors - without)) < 5e-4
        assert errors.mean() < 1.1 * without.mean()
        # with its say it bends the hand, but not to where it points itself
        assert cold_errors(32, 16, wrong).mean() < 2.0 * without.mean()


def test_a_guess_that_breaks_the_limits_is_not_believed_without_3d():
    rng = np.random.default_rng(33)
    better = 0
    for _ in range(10):
        hand = random_hand(rng)
        keypoints = hand.keypoints(rng)
        wrong = told(hand, keypoints, pose=mirrored_in_depth(hand))
        searched, begun = (
            fit([FitRequest("right", k, betas=hand.betas)], **ONLY_START)[0]
            for k in (keypoints, wrong)
        )
        better += hand.joint_error(begun.joints_m) < hand.joint_error(searched.joints_m) + 0.003
    assert better >= 8


@pytest.mark.parametrize("spoil", ["not finite", "other side"])
def test_useless_guesses_are_left_out(spoil):
    rng = np.random.default_rng(34)
    hand = random_hand(rng)
    plain = hand.keypoints(rng, noise_m=0.006)
    if spoil == "other side":  # the track knows better than this frame
        plain = dataclasses.replace(plain, side="left")
        bad = told(hand, plain)
    else:
        bad = told(hand, plain, pose=np.full((15, 3, 3), np.nan))
        bad = dataclasses.replace(bad, other_wrist_m=np.full(3, np.inf))
    a, b = (fit([FitRequest("right", k)])[0] for k in (plain, bad))
    np.testing.assert_allclose(a.joints_m, b.joints_m, atol=1e-9)


def test_a_left_guess_is_the_mirrored_right_one():
    rng = np.random.default_rng(35)
    hand = random_hand(rng, "right")
    keypoints = guess_off(rng, hand, hand.keypoints(rng, noise_m=0.008), 15)
    mirror = np.array((-1.0, 1.0, 1.0))
    flip = mirror[:, None] * mirror
    guess = keypoints.guess
    mirrored = dataclasses.replace(
        keypoints,
        side="left",
        points_px=keypoints.points_px * (-1, 1) + (1280, 0),
        relative_m=keypoints.relative_m * mirror,
        guess=PoseGuess(guess.wrist_rotation * flip, guess.joint_rotations * flip, guess.betas),
    )
    centred = Camera(1280, 720, np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]))
    right = fit([FitRequest("right", keypoints)], centred)[0]
    left = fit([FitRequest("left", mirrored)], centred)[0]
    np.testing.assert_allclose(left.joints_m, right.joints_m * mirror, atol=3e-4)


@pytest.mark.parametrize("side", SIDES)
def test_rotations_of_a_window_come_back_to_the_camera(side):
    """A hand posed in its window's mirrored axes by the right model is the same hand."""
    rng = np.random.default_rng(36)
    hand = random_hand(rng, side, betas=np.zeros(10))
    keypoints = hand.keypoints(rng, 0.0, noise_m=0.0)
    crop = crop_round(CAMERA, keypoints.points_px, mirrored=side == "left")
    mirror = np.array((-1.0, 1.0, 1.0)) if side == "left" else np.ones(3)
    flip = mirror[:, None] * mirror
    seen = np.concatenate([(crop.rotation @ hand.orientation)[None], hand.pose]) * flip
    back = crop.rotations_to_camera(seen)
    np.testing.assert_allclose(back[0], hand.orientation, atol=1e-12)
    np.testing.assert_allclose(back[1:], hand.pose, atol=1e-12)
    skeleton = HandConstants.of(MODELS["right"]).skeleton
    posed = pose_joints(skeleton, np.zeros((1, 3)), seen[:1], seen[None, 1:], np.zeros((1, 10)))
    in_camera = crop.to_camera(posed.points[0][TO_SKELETON])
    np.testing.assert_allclose(in_camera, keypoints.relative_m, atol=1e-4)


def test_six_numbers_make_a_rotation():
    rng = np.random.default_rng(37)
    R = exp_so3(rng.normal(size=(5, 4, 3)))
    columns = np.swapaxes(R[..., :2], -1, -2).reshape(5, 4, 6)
    np.testing.assert_allclose(matrix_from_columns(columns), R, atol=1e-12)
    sheared = columns * 3.0
    sheared[..., 3:] += sheared[..., :3]
    np.testing.assert_allclose(matrix_from_columns(sheared), R, atol=1e-12)


def test_the_shape_is_drawn_weakly_to_the_guess():
    rng = np.random.default_rng(38)
    hand = random_hand(rng)
    keypoints = hand.keypoints(rng, noise_m=0.008)
    small, large = (
        told(dataclasses.replace(hand, betas=np.full(10, value)), keypoints) for value in (-2, 2)
    )
    shapes = [fit([FitRequest("right", k)])[0].parameters.betas for k in (small, large)]
    apart = np.mean(shapes[1] - shapes[0])
    assert 0.2 < apart < 2.0


# -- both hands -----------------------------------------------------------------------------------


def pair(rng, error):
    hands = [random_hand(rng, "right"), random_hand(rng, "left")]
    hands[1] = dataclasses.replace(
        hands[1],
        position=hands[1].position + np.array((0.25, 0, 0)),
        joints=hands[1].joints + np.array((0.25, 0, 0)),
    )
    way = hands[1].position - hands[0].position
    keypoints = [
        dataclasses.replace(h.keypoints(rng, 4.0), other_wrist_m=sign * way + error)
        for h, sign in zip(hands, (1, -1), strict=True)
    ]
    return hands, way, keypoints


def between(results):
    return results[1].joints_m[0] - results[0].joints_m[0]


def test_the_way_from_wrist_to_wrist_places_the_hands():
    rng = np.random.default_rng(39)
    errors = {"with": [], "without": []}
    for _ in range(8):
        error = rng.normal(size=3) * 0.01  # both directions carry it, so it cancels
        hands, way, keypoints = pair(rng, error)
        requests = [
            FitRequest(h.side, k, h.parameters(pose=turned(rng, h.pose, 5)), h.betas, dt=1.0)
            for h, k in zip(hands, keypoints, strict=True)
        ]
        for name, sigma in (("with", 0.01), ("without", 0.0)):
            found = fit(requests, sigma_wrists_m=sigma, max_iterations_warm=20)
            errors[name].append(np.linalg.norm(between(found) - way))
    assert np.mean(errors["with"]) < 0.7 * np.mean(errors["without"])


def test_a_wild_way_from_wrist_to_wrist_is_not_believed():
    rng = np.random.default_rng(40)
    hands, _, keypoints = pair(rng, 0.0)
    wild = [
        dataclasses.replace(k, other_wrist_m=k.other_wrist_m + sign * np.array((0.0, 0.3, 0.3)))
        for k, sign in zip(keypoints, (1, -1), strict=True)
    ]
    results = {
        name: fit([FitRequest(h.side, k, betas=h.betas) for h, k in zip(hands, seen, strict=True)])
        for name, seen in (("good", keypoints), ("wild", wild))
    }
    assert np.linalg.norm(between(results["wild"]) - between(results["good"])) < 0.06


def test_gradient_of_the_terms_that_the_regressor_adds():
    rng = np.random.default_rng(41)
    hands, _, keypoints = pair(rng, 0.02)
    requests = [
        FitRequest(h.side, guess_off(rng, h, k, 30)) for h, k in zip(hands, keypoints, strict=True)
    ]
    constants = HandConstants.stack([HandConstants.of(MODELS[h.side]) for h in hands])
    config = FitConfig(sigma_px=50.0, sigma_prior_m=0.0, collision_weight=0.0)
    problem = FitProblem(constants, measure(requests, constants, CAMERA, config), config, True)
    names = ("position", "orientation", "pose", "betas")
    arrays = [np.stack([getattr(hand, name) for hand in hands]) for name in names]
    state = HandStates(*arrays, scale=np.ones(2))
    e = problem.evaluate(state)
    kernel = problem.kernel(e)
    equations = problem.normal_equations(e, kernel)
    h = 1e-6
    for hand in range(2):
        direction = np.zeros((2, problem.columns))
        direction[hand] = rng.normal(size=problem.columns)
        up, down = (
            problem.cost(problem.evaluate(state.moved(t * direction, True)), kernel)
            for t in (h, -h)
        )
        numeric = (up - down)[hand] / (2 * h)
        scale = np.linalg.norm(equations.gradient[hand])
        assert equations.gradient[hand] @ direction[hand] == pytest.approx(
            numeric, abs=1e-5 * scale + 1e-4
        )
    # the other hand's wrist is not known either: the covariance does not count on it
    without = problem.information(equations)[:, :3, :3]
    held = equations.matrix[:, :3, :3] - without
    np.testing.assert_allclose(held, np.tile(2 * np.eye(3) / config.sigma_wrists_m**2, (2, 1, 1)))
