"""Joints and their Jacobian against the full hand model and finite differences."""

import dataclasses

import numpy as np
import pytest

from hand_recon_ros.bench.samples import constants, model, random_hand
from hand_recon_ros.mano.kinematics import (
    FROM_SKELETON,
    TO_SKELETON,
    HandSkeleton,
    joint_jacobian,
    pose_joints,
)
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import MANO_PARENTS, MANO_TO_JOINTS


def skinned_joints(data, orientation, pose, betas, transl):
    """The 21 joints by posing the whole mesh, written after MANO's equations, one by one."""
    shaped = data.v_template + data.shapedirs @ betas
    rest = data.j_regressor @ shaped
    posed = shaped + data.posedirs @ (pose - np.eye(3)).reshape(135)
    turns = [orientation]
    places = [rest[0]]
    for joint in range(1, 16):
        parent = MANO_PARENTS[joint]
        turns.append(turns[parent] @ pose[joint - 1])
        places.append(places[parent] + turns[parent] @ (rest[joint] - rest[parent]))
    vertices = np.zeros_like(posed)
    for joint in range(16):
        moved = (posed - rest[joint]) @ turns[joint].T + places[joint]
        vertices += data.weights[:, joint, None] * moved
    return np.concatenate((places, vertices[data.tips]))[list(MANO_TO_JOINTS)] + transl


def soft_tips(data):
    """The same model with tips that hang on two joints and have pose correctives."""
    rng = np.random.default_rng(5)
    weights, posedirs = data.weights.copy(), data.posedirs.copy()
    for tip in data.tips:
        joint = int(weights[tip].argmax())
        weights[tip] = 0.0
        weights[tip, [joint, joint - 1]] = 0.8, 0.2
        posedirs[tip] += rng.normal(size=(3, 135)) * 1e-3
    return dataclasses.replace(data, weights=weights, posedirs=posedirs)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("change", [lambda data: data, soft_tips], ids=["own", "soft tips"])
def test_joints_are_those_of_the_skinned_mesh(side, change):
    data = change(model(side))
    skeleton = HandSkeleton.of(data)
    rng = np.random.default_rng(0)
    for _ in range(5):
        orientation, pose = exp_so3(rng.normal(size=3)), exp_so3(rng.normal(size=(15, 3)) * 0.5)
        betas, position = rng.normal(size=10), rng.normal(size=3)
        expected = skinned_joints(
            data, orientation, pose, betas, position - skeleton.rest_wrist(0, betas)
        )
        posed = pose_joints(skeleton, position[None], orientation[None], pose[None], betas[None])
        np.testing.assert_allclose(posed.points[0][TO_SKELETON], expected, atol=1e-12)


def test_orders_are_inverse():
    assert (FROM_SKELETON[TO_SKELETON] == np.arange(21)).all()


def test_batch_is_each_hand_alone():
    rng = np.random.default_rng(1)
    hands = [random_hand(rng, side) for side in ("right", "left")]
    both = HandSkeleton.stack([constants(hand.side).skeleton for hand in hands])
    arrays = [
        np.stack([getattr(hand, name) for hand in hands])
        for name in ("position", "orientation", "pose", "betas")
    ]
    posed = pose_joints(both, *arrays)
    for b, hand in enumerate(hands):
        np.testing.assert_allclose(posed.points[b][TO_SKELETON], hand.joints, atol=1e-12)
    again = both.take(np.array([1, 0, 1]))
    points = again.rest_points(arrays[3][[1, 0, 1]])
    np.testing.assert_allclose(points[0], both.rest_points(arrays[3])[1])


@pytest.mark.parametrize("side", ["right", "left"])
def test_jacobian_is_the_derivative(side):
    skeleton = constants(side).skeleton
    rng = np.random.default_rng(2)
    hand = random_hand(rng, side)

    def moved(step):
        turns = exp_so3(step[3:51].reshape(16, 3))
        return pose_joints(
            skeleton,
            (hand.position + step[:3])[None],
            (turns[0] @ hand.orientation)[None],
            (hand.pose @ turns[1:])[None],
            (hand.betas + step[51:])[None],
        )

    J = joint_jacobian(skeleton, moved(np.zeros(61)))
    h = 1e-6
    numeric = np.stack(
        [(moved(h * e).points - moved(-h * e).points) / (2 * h) for e in np.eye(61)], axis=-1
    )
    np.testing.assert_allclose(J, numeric, atol=1e-8)
    held = joint_jacobian(skeleton, moved(np.zeros(61)), with_betas=False)
    np.testing.assert_array_equal(held, J[..., :51])


def test_flat_length_and_its_derivative():
    skeleton = constants("right").skeleton
    betas = np.random.default_rng(3).normal(size=(1, 10))
    length, slope = skeleton.flat_length(betas)
    points = skeleton.rest_points(betas)[0][TO_SKELETON]
    assert length[0] == pytest.approx(np.linalg.norm(points[12] - points[0]))
    for k, step in enumerate(np.eye(10) * 1e-6):
        change = skeleton.flat_length(betas + step)[0] - skeleton.flat_length(betas - step)[0]
        assert slope[0, k] == pytest.approx(change[0] / 2e-6, abs=1e-8)
