"""The MANO fit: accuracy against known truth, derivatives, honesty of its covariance, bad input."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros.bench.fit import cold, fit_many, mirrored, ten_degrees_off, warm_times_ms
from hand_recon_ros.bench.samples import (
    CAMERA,
    constants,
    model,
    random_hand,
    turned,
)
from hand_recon_ros.camera import Camera
from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano import collision, priors
from hand_recon_ros.mano.fit import FitError, ManoFitter, fittable
from hand_recon_ros.mano.kinematics import (
    FROM_SKELETON,
    TO_SKELETON,
    PosedJoints,
    pose_joints,
)
from hand_recon_ros.mano.measure import measure
from hand_recon_ros.mano.residuals import FitProblem
from hand_recon_ros.mano.results import FitRequest
from hand_recon_ros.mano.shape import ShapeEstimator
from hand_recon_ros.mano.states import HandConstants, HandStates
from hand_recon_ros.rotations import exp_so3

VIDEO = Path(__file__).parents[2] / "shared/data/video/right_hand_fingers_720p30.mp4"
MODELS = {side: model(side) for side in ("right", "left")}


def fit_one(request, camera=CAMERA, **options):
    return ManoFitter(MODELS, FitConfig(**options)).fit([request], camera)[0]


def finite(result):
    p = result.parameters
    arrays = (p.global_orient, p.hand_pose, p.betas, p.transl, result.joints_m)
    arrays += (result.wrist_rotation, result.covariance, result.betas_information)
    return all(np.isfinite(a).all() for a in arrays) and np.isfinite(result.residual_px)


# -- accuracy -----------------------------------------------------------------------------------


def test_projected_truth_from_ten_degrees_off():
    errors = fit_many(40, ten_degrees_off, sigma_px=1.0)
    assert np.median(errors.joints) <= 0.003
    assert np.median(errors.wrist) <= 0.01
    # honest covariance: normalised squared errors about 1, of all 51 and of the wrist alone
    assert 0.5 < np.median(errors.scores[:, 0]) < 2.0
    assert 0.4 < np.median(errors.scores[:, 1]) < 2.0


def test_projected_truth_with_default_weights():
    errors = fit_many(40, ten_degrees_off, seed=1)
    assert np.median(errors.joints) <= 0.003
    assert np.median(errors.wrist) <= 0.01


def test_fit_leaves_fingers_mirrored_in_depth():
    errors = fit_many(40, mirrored, noise_m=0.008, seed=2)
    assert np.median(errors.joints) <= 0.004
    assert np.median(errors.wrist) <= 0.01


def test_cold_start_with_relative_3d():
    errors = fit_many(30, cold, noise_m=0.008, seed=3)
    assert np.median(errors.joints) <= 0.005
    assert np.median(errors.wrist) <= 0.015


def test_cold_start_from_key_points_alone():
    errors = fit_many(30, cold, seed=4)
    assert np.median(errors.joints) <= 0.008


def test_warm_fit_keeps_the_camera_rate():
    """Least processor time of a warm fit (least: the machine may be busy with other things)."""
    assert np.percentile(warm_times_ms(150)[50:], 10) < 12


# -- derivatives --------------------------------------------------------------------------------


def problem_of(hands, requests, config):
    parts = HandConstants.stack([constants(h.side) for h in hands])
    measured = measure(requests, parts, CAMERA, config)
    return FitProblem(parts, measured, config, same_frame=True)


def states_of(hands):
    names = ("position", "orientation", "pose", "betas")
    arrays = [np.stack([getattr(hand, name) for hand in hands]) for name in names]
    return HandStates(*arrays, scale=np.full(len(hands), 1.1))


OFF = {
    "limits_weight": 0.0,
    "collision_weight": 0.0,
    "temporal_weight": 0.0,
    "pose_weight": 0.0,
    "shape_weight": 0.0,
    "sigma_prior_m": 0.0,
    "sigma_px": 50.0,
}


def moved(hand, by):
    return dataclasses.replace(hand, position=hand.position + by, joints=hand.joints + by)


@pytest.mark.parametrize(
    "options",
    [
        {"sigma_px": 2.0},
        {"sigma_prior_m": 0.01},
        {"limits_weight": 1.0},
        {"pose_weight": 1.0},
        {"collision_weight": 1.0},
        {"temporal_weight": 1.0},
        {"shape_weight": 1.0},
        {"hand_length_m": 0.17},
        {name: getattr(FitConfig(), name) for name in OFF} | {"hand_length_m": 0.17},
    ],
    ids=lambda options: next(iter(options)) if len(options) == 1 else "all",
)
@pytest.mark.parametrize("held", [False, True], ids=["free", "held"])
def test_gradient_is_the_derivative_of_the_cost(options, held):
    rng = np.random.default_rng(6)
    config = FitConfig(**(OFF | options))
    hands = [random_hand(rng, "right"), random_hand(rng, "left")]
    # hands in one another, fingers far outside their limits: every term is at work
    hands[1] = moved(hands[1], hands[0].joints[9] - hands[1].joints[9])
    requests = [
        FitRequest(
            h.side,
            h.keypoints(rng, 5.0, noise_m=0.02),
            h.parameters(orientation=turned(rng, h.orientation, 20), pose=turned(rng, h.pose, 20)),
            h.betas if held else None,
        )
        for h in hands
    ]
    problem = problem_of(hands, requests, config)
    state = states_of(hands)
    wild = dataclasses.replace(state, pose=turned(rng, state.pose, 25))
    evaluation = problem.evaluate(wild)
    kernel = problem.kernel(evaluation)
    gradient = problem.normal_equations(evaluation, kernel).gradient
    if "collision_weight" in options:
        assert evaluation.within is not None
        assert evaluation.between is not None
    h = 1e-6
    for hand in range(2):
        for _ in range(12):  # a wrong column would show in every direction
            direction = np.zeros((2, problem.columns))
            direction[hand] = rng.normal(size=problem.columns)
            costs = [
                problem.cost(
                    problem.evaluate(wild.moved(t * direction, problem.free_betas)), kernel
                )
                for t in (h, -h)
            ]
            numeric = (costs[0] - costs[1])[hand] / (2 * h)
            scale = np.linalg.norm(gradient[hand])
            assert gradient[hand] @ direction[hand] == pytest.approx(
                numeric, abs=1e-5 * scale + 1e-4
            )


def test_normal_matrix_is_that_of_the_residuals():
    """Without robustness and overlaps the matrix is J^T J, and predicts a small step's cost."""
    rng = np.random.default_rng(7)
    hand = random_hand(rng)
    config = FitConfig(collision_weight=0.0)
    request = FitRequest("right", hand.keypoints(rng, 0.0, noise_m=0.0), None)
    problem = problem_of([hand], [request], config)
    state = dataclasses.replace(states_of([hand]), scale=np.ones(1))
    evaluation = problem.evaluate(state)
    kernel = problem.kernel(evaluation)
    equations = problem.normal_equations(evaluation, kernel)
    step = rng.normal(size=(1, problem.columns)) * 1e-5
    costs = [
        problem.cost(problem.evaluate(state.moved(sign * step, True)), kernel) for sign in (1, -1)
    ]
    curvature = sum(costs) - 2 * problem.cost(evaluation, kernel)
    predicted = (step @ equations.matrix[0] @ step.T)[0, 0]
    assert curvature[0] == pytest.approx(predicted, rel=0.02)


# -- both sides, both hands ---------------------------------------------------------------------


def test_left_is_the_mirrored_right():
    rng = np.random.default_rng(8)
    hand = random_hand(rng, "right")
    keypoints = hand.keypoints(rng, noise_m=0.008)
    centred = Camera(1280, 720, np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]))
    mirrored = dataclasses.replace(
        keypoints,
        side="left",
        points_px=keypoints.points_px * (-1, 1) + (1280, 0),
        relative_m=keypoints.relative_m * (-1, 1, 1),
    )
    right = fit_one(FitRequest("right", keypoints), centred)
    left = fit_one(FitRequest("left", mirrored), centred)
    np.testing.assert_allclose(left.joints_m, right.joints_m * (-1, 1, 1), atol=2e-4)
    np.testing.assert_allclose(left.parameters.betas, right.parameters.betas, atol=0.02)
    flipped = right.parameters.hand_pose.reshape(15, 3) * (1, -1, -1)
    np.testing.assert_allclose(left.parameters.hand_pose.reshape(15, 3), flipped, atol=0.02)


def test_two_hands_at_once_are_each_alone_when_far_apart():
    rng = np.random.default_rng(9)
    hands = [random_hand(rng, "right"), random_hand(rng, "left", distance=1.2)]
    requests = [
        FitRequest(h.side, h.keypoints(rng, 0.5, noise_m=0.004), h.parameters(), h.betas)
        for h in hands
    ]
    fitter = ManoFitter(MODELS, FitConfig())
    both = fitter.fit(requests, CAMERA)
    for request, result in zip(requests, both, strict=True):
        alone = fitter.fit([request], CAMERA)[0]
        assert result.parameters.side == request.side
        np.testing.assert_allclose(result.joints_m, alone.joints_m, atol=5e-4)


def test_hands_do_not_pass_through_each_other():
    rng = np.random.default_rng(10)
    right = random_hand(rng, "right", betas=np.zeros(10))
    left = random_hand(rng, "left", betas=np.zeros(10))
    left = moved(left, right.joints[9] - left.joints[9])  # palm within palm
    requests = [
        FitRequest(h.side, h.keypoints(rng, 0.5), h.parameters(), None, 0.5) for h in (right, left)
    ]
    spheres = HandConstants.stack([constants("right"), constants("left")]).spheres

    def deepest(results):
        points = np.stack([r.joints_m for r in results])[:, FROM_SKELETON]
        centres = collision.sphere_centres(PosedJoints(points, points, points))
        contacts = collision.contacts_between(spheres, centres)
        return 0.0 if contacts is None else contacts.depth.max()

    through = ManoFitter(MODELS, FitConfig(collision_weight=0.0)).fit(requests, CAMERA)
    apart = ManoFitter(MODELS, FitConfig(max_iterations_warm=50)).fit(requests, CAMERA)
    assert deepest(through) > 0.01
    assert deepest(apart) < 0.5 * deepest(through)
    assert max(r.residual_px for r in apart) < 6


def test_both_hands_of_a_person_get_like_shapes():
    rng = np.random.default_rng(11)
    shape = np.array([1.5, -1.0, 0, 1.0, 0, 0, 1.0, 0, 0, 0])
    hands = [random_hand(rng, side, betas=shape) for side in ("right", "left")]
    requests = [FitRequest(h.side, h.keypoints(rng, noise_m=0.008)) for h in hands]
    fitter = ManoFitter(MODELS, FitConfig())
    together = [r.parameters.betas for r in fitter.fit(requests, CAMERA)]
    alone = [fitter.fit([r], CAMERA)[0].parameters.betas for r in requests]
    assert np.linalg.norm(np.subtract(*together)) < 0.7 * np.linalg.norm(np.subtract(*alone))


def test_two_hands_of_one_side_belong_to_two_people():
    rng = np.random.default_rng(27)
    small, large = np.full(10, -0.5), np.full(10, 0.5)
    small[0], large[0] = -2.0, 2.0  # the first direction is the size of the hand
    hands = [random_hand(rng, "left", d, betas) for d, betas in ((0.5, small), (0.9, large))]
    requests = [FitRequest("left", h.keypoints(rng, noise_m=0.002), h.parameters()) for h in hands]
    fitter = ManoFitter(MODELS, FitConfig())
    together = [result.parameters.betas for result in fitter.fit(requests, CAMERA)]
    alone = [fitter.fit([request], CAMERA)[0].parameters.betas for request in requests]
    np.testing.assert_allclose(together, alone, atol=0.02)
    assert together[1][0] - together[0][0] > 2


# -- shape and scale ----------------------------------------------------------------------------


def test_held_shape_is_held_and_known_length_is_met():
    rng = np.random.default_rng(12)
    hand = random_hand(rng)
    keypoints = hand.keypoints(rng, noise_m=0.008)
    held = fit_one(FitRequest("right", keypoints, betas=hand.betas))
    np.testing.assert_array_equal(held.parameters.betas, hand.betas)
    assert held.scale_source == "adult_prior"
    assert not held.betas_information.any()
    free = fit_one(FitRequest("right", keypoints), hand_length_m=0.17)
    length = constants("right").skeleton.flat_length(free.parameters.betas[None])[0][0]
    assert length == pytest.approx(0.17, abs=5e-4)
    assert free.scale_source == "hand_length"
    assert np.linalg.eigvalsh(free.betas_information).min() > -1e-6


def test_joints_are_the_forward_kinematics_of_the_parameters():
    rng = np.random.default_rng(13)
    for side in ("right", "left"):
        hand = random_hand(rng, side)
        result = fit_one(FitRequest(side, hand.keypoints(rng, noise_m=0.008)))
        p = result.parameters
        skeleton = constants(side).skeleton
        posed = pose_joints(
            skeleton,
            (p.transl + skeleton.rest_wrist(0, p.betas))[None],
            exp_so3(p.global_orient)[None],
            exp_so3(p.hand_pose.reshape(1, 15, 3)),
            p.betas[None],
        )
        np.testing.assert_allclose(posed.points[0][TO_SKELETON], result.joints_m, atol=1e-9)
        np.testing.assert_allclose(exp_so3(p.global_orient), result.wrist_rotation, atol=1e-9)


def test_shape_is_gathered_then_held():
    rng = np.random.default_rng(14)
    shape = np.array([1.0, 0.8, -0.8, 0, 0.8, 0, 0, 0, 0, 0])
    hand = random_hand(rng, betas=shape)
    config = FitConfig(shape_frames=10, hand_length_m=hand.length)
    fitter, estimator = ManoFitter(MODELS, config), ShapeEstimator(config)
    single = []
    for _ in range(10):
        assert estimator.betas is None
        hand = random_hand(rng, betas=shape)
        result = fitter.fit([FitRequest("right", hand.keypoints(rng, noise_m=0.008))], CAMERA)[0]
        single.append(np.linalg.norm(bone_lengths(result.parameters.betas) - bone_lengths(shape)))
        estimator.add(result)
    settled = estimator.betas
    assert np.linalg.norm(bone_lengths(settled) - bone_lengths(shape)) < np.median(single)
    estimator.add(result)
    np.testing.assert_array_equal(estimator.betas, settled)


def bone_lengths(betas):
    skeleton = constants("right").skeleton
    points = skeleton.rest_points(betas[None])[0][TO_SKELETON]
    return np.linalg.norm(np.diff(points[1:].reshape(5, 4, 3), axis=1), axis=-1).reshape(-1)


def test_shape_estimate_ignores_poor_frames():
    rng = np.random.default_rng(15)
    hand = random_hand(rng)
    config = FitConfig(shape_frames=1)
    result = fit_one(FitRequest("right", hand.keypoints(rng, noise_m=0.008)))
    estimator = ShapeEstimator(config)
    estimator.add(dataclasses.replace(result, residual_px=50.0))
    estimator.add(dataclasses.replace(result, residual_px=float("nan")))
    assert estimator.betas is None
    estimator.add(result)
    assert estimator.betas is not None


# -- bad input ----------------------------------------------------------------------------------


def spoiled(keypoints, **changes):
    points, confidence = keypoints.points_px.copy(), keypoints.confidence.copy()
    for joint, value in changes.get("points", {}).items():
        points[joint] = value
    for joint, value in changes.get("confidence", {}).items():
        confidence[joint] = value
    return dataclasses.replace(keypoints, points_px=points, confidence=confidence)


@pytest.mark.parametrize(
    "changes",
    [
        {"points": {8: (np.nan, 3.0), 12: np.inf}},
        {"points": {8: (1e5, -1e5)}, "confidence": {8: 0.0}},
        {"confidence": {8: np.nan, 12: -1.0}},
    ],
    ids=["not finite", "no confidence", "bad confidence"],
)
def test_useless_key_points_are_left_out(changes):
    rng = np.random.default_rng(16)
    hand = random_hand(rng)
    keypoints = spoiled(hand.keypoints(rng, noise_m=0.004), **changes)
    result = fit_one(FitRequest("right", keypoints, hand.parameters(), hand.betas))
    assert finite(result)
    assert hand.joint_error(result.joints_m) < 0.004


def test_a_wild_key_point_does_not_bend_the_hand():
    rng = np.random.default_rng(17)
    errors = []
    for _ in range(10):
        hand = random_hand(rng)
        good = hand.keypoints(rng, noise_m=0.006)
        wild = spoiled(good, points={7: good.points_px[7] + 120, 16: good.points_px[16] - 80})
        request = FitRequest("right", wild, hand.parameters(), hand.betas)
        errors.append(hand.joint_error(fit_one(request).joints_m))
    assert np.median(errors) < 0.0035


@pytest.mark.parametrize("left_over", [0, 3])
def test_too_few_key_points_are_an_error_that_says_so(left_over):
    rng = np.random.default_rng(18)
    keypoints = random_hand(rng).keypoints(rng)
    bad = spoiled(keypoints, points=dict.fromkeys(range(left_over, 21), np.nan))
    assert not fittable(bad, CAMERA)
    assert fittable(keypoints, CAMERA)
    with pytest.raises(FitError, match=f"right hand has {left_over} usable key points"):
        fit_one(FitRequest("right", bad))


def test_a_side_without_model_is_an_error():
    rng = np.random.default_rng(19)
    keypoints = random_hand(rng, "left").keypoints(rng)
    with pytest.raises(FitError, match="no left hand model"):
        ManoFitter({"right": model("right")}, FitConfig()).fit(
            [FitRequest("left", keypoints)], CAMERA
        )


def test_nothing_to_fit():
    assert ManoFitter(MODELS, FitConfig()).fit([], CAMERA) == []


@pytest.mark.parametrize(
    "points",
    [
        np.linspace((100.0, 100.0), (900.0, 500.0), 21),
        np.full((21, 2), 300.0),
        np.random.default_rng(20).uniform(0, 720, (21, 2)),
        np.random.default_rng(21).normal(size=(21, 2)) * 1e6,
        np.linspace((-900.0, -900.0), (-100.0, -50.0), 21),
    ],
    ids=["on a line", "on a spot", "anywhere", "far away", "outside the image"],
)
@pytest.mark.parametrize("relative", [None, 0.0, 0.05], ids=["2D", "flat 3D", "wild 3D"])
def test_nonsense_gives_a_finite_hand_before_the_camera(points, relative):
    rng = np.random.default_rng(22)
    keypoints = random_hand(rng).keypoints(rng)
    prior = None if relative is None else rng.normal(size=(21, 3)) * relative
    nonsense = dataclasses.replace(keypoints, points_px=points, relative_m=prior)
    result = fit_one(FitRequest("right", nonsense))
    assert finite(result)
    assert (result.joints_m[:, 2] > 0).all()
    assert np.linalg.eigvalsh(result.covariance).min() > 0


def bad_warm_starts(hand):
    good = hand.parameters()
    return {
        "behind the camera": good.replace(transl=good.transl * (1, 1, -1)),
        "not finite": good.replace(hand_pose=np.full(45, np.nan)),
        "other side": good.replace(side="left"),
        "far away": good.replace(transl=good.transl + np.array((2.0, 1.0, 8.0))),
        "turned round": good.replace(global_orient=good.global_orient + np.array((0.0, 3.0, 0.0))),
        "in the lens": good.replace(transl=good.transl * (1, 1, 0.2)),
    }


@pytest.mark.parametrize("name", bad_warm_starts(random_hand(np.random.default_rng(23))))
def test_recovers_from_bad_warm_starts(name):
    rng = np.random.default_rng(23)
    hand = random_hand(rng)
    keypoints = hand.keypoints(rng, noise_m=0.006)
    request = FitRequest("right", keypoints, bad_warm_starts(hand)[name], hand.betas)
    result = fit_one(request)
    assert finite(result)
    assert hand.joint_error(result.joints_m) < 0.006
    assert hand.wrist_error(result.joints_m) < 0.03


@pytest.mark.parametrize("name", ["far away", "turned round"])
def test_covariance_does_not_count_on_a_tie_that_was_cut(name):
    rng = np.random.default_rng(23)
    hand = random_hand(rng)
    keypoints = hand.keypoints(rng, noise_m=0.006)
    start = bad_warm_starts(hand)[name]
    cut = fit_one(FitRequest("right", keypoints, start, hand.betas, dt=1 / 240))
    assert np.linalg.eigvalsh(cut.covariance).min() > 0
    fresh = fit_one(FitRequest("right", keypoints, None, hand.betas))
    # as much doubt as of a hand that has just appeared (it sees nothing of a hand 4 ms before)
    ratio = np.diag(cut.covariance) / np.diag(fresh.covariance)
    assert ratio.min() > 0.5
    assert ratio.max() < 2.0


@pytest.mark.parametrize("dt", [0.0, -1.0, np.nan, np.inf, 1e9])
def test_any_time_step(dt):
    rng = np.random.default_rng(24)
    hand = random_hand(rng)
    request = FitRequest("right", hand.keypoints(rng), hand.parameters(), hand.betas, dt)
    result = fit_one(request)
    assert finite(result)
    assert hand.joint_error(result.joints_m) < 0.005


def test_lens_distortion_is_honoured():
    rng = np.random.default_rng(25)
    lenses = [
        Camera(1280, 720, CAMERA.K, np.array([-0.3, 0.1, 0.001, -0.001, 0.0])),
        Camera(1280, 720, CAMERA.K, np.array([0.05, 0.01, 0.0, 0.0]), "equidistant"),
    ]
    for camera in lenses:
        joints, wrists, residuals = [], [], []
        for _ in range(8):
            hand = random_hand(rng)
            keypoints = hand.keypoints(rng, 0.3, noise_m=0.002, camera=camera)
            request = FitRequest("right", keypoints, hand.parameters(), hand.betas)
            result = fit_one(request, camera)
            joints.append(hand.joint_error(result.joints_m))
            wrists.append(hand.wrist_error(result.joints_m))
            residuals.append(result.residual_px)
        assert np.median(joints) < 0.002
        assert np.median(wrists) < 0.005
        assert max(residuals) < 1.5


def test_a_hand_beyond_the_lens_is_known_not_to_be_fittable():
    """Far off the axis a lens model folds back: no ray leads to these pixels."""
    K = np.array([[600.0, 0, 640], [0, 600, 360], [0, 0, 1]])
    camera = Camera(1280, 720, K, np.array([-0.6, 0.0, 0.0, 0.0]))
    rng = np.random.default_rng(27)
    keypoints = random_hand(rng).keypoints(rng)
    centred = keypoints.points_px - keypoints.points_px.mean(axis=0) + (640, 360)
    inside = dataclasses.replace(keypoints, points_px=centred)
    beyond = dataclasses.replace(keypoints, points_px=centred - (500, 300))
    assert fittable(inside, camera)
    assert finite(fit_one(FitRequest("right", inside), camera))
    assert not fittable(beyond, camera)
    with pytest.raises(FitError, match="0 usable"):
        fit_one(FitRequest("right", beyond), camera)


def test_nonsense_weights_do_not_break_it():
    rng = np.random.default_rng(26)
    hand = random_hand(rng)
    request = FitRequest("right", hand.keypoints(rng, noise_m=0.008))
    for options in (OFF, {"pose_weight": 100.0, "limits_weight": 100.0}, {"max_iterations": 1}):
        assert finite(fit_one(request, **options))


# -- real video ---------------------------------------------------------------------------------


def test_real_video_within_three_pixels_and_the_limits():
    if not VIDEO.exists():
        pytest.skip(f"{VIDEO} is not there")
    mediapipe = pytest.importorskip("mediapipe")
    import cv2

    capture = cv2.VideoCapture(str(VIDEO))
    capture.set(cv2.CAP_PROP_POS_FRAMES, 90)
    camera = Camera.from_fov(1280, 720)
    config = FitConfig()
    fitter, estimator, warm = ManoFitter(MODELS, config), ShapeEstimator(config), None
    residuals, beyond = [], []
    with mediapipe.solutions.hands.Hands(max_num_hands=1) as detector:
        for _ in range(75):
            image = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
            found = detector.process(image)
            if not found.multi_hand_landmarks:
                continue
            points = np.array(
                [(p.x * 1280, p.y * 720) for p in found.multi_hand_landmarks[0].landmark]
            )
            relative = np.array(
                [(p.x, p.y, p.z) for p in found.multi_hand_world_landmarks[0].landmark]
            )
            sample = random_hand(np.random.default_rng(0)).keypoints(np.random.default_rng(0))
            keypoints = dataclasses.replace(
                sample, points_px=points, relative_m=relative - relative[0]
            )
            result = fitter.fit([FitRequest("right", keypoints, warm, estimator.betas)], camera)[0]
            estimator.add(result)
            warm = result.parameters
            residuals.append(result.residual_px)
            pose = exp_so3(warm.hand_pose.reshape(1, 15, 3))
            angles = priors.angles_of(constants("right").anatomy.axes, pose)
            beyond.append(angles - np.clip(angles, priors.LOWER_LIMITS, priors.UPPER_LIMITS))
    assert len(residuals) > 60
    assert np.mean(residuals) <= 3.0
    assert 0.3 < warm.transl[2] < 1.2
    assert np.percentile(np.abs(beyond), 98) < np.deg2rad(5)
