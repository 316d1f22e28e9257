"""A wrist into a robot's workspace: numbers by hand, mirror against mirrored motion, velocities."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from posed_hands import gesture_joints
from scipy.spatial.transform import Rotation

from hand_recon_ros.retarget.workspace import Workspace, Wrist
from hand_recon_ros.rotations import exp_so3, log_so3

vectors = arrays(np.float64, 3, elements=st.floats(-3, 3))
scales = st.floats(0.2, 5)
TURN = Rotation.from_euler("xyz", (10, 20, 30), degrees=True).as_matrix()


def wrist_at(t, position, linear, orient, angular, side="left"):
    """A wrist in uniform motion."""
    return Wrist(
        side=side,
        position_m=position + t * linear,
        rotation=exp_so3(t * angular) @ exp_so3(orient),
        linear=linear,
        angular=angular,
    )


def assert_moves_as_it_says(motion):
    dt = 1e-4
    before, now, after = motion(-dt), motion(0.0), motion(dt)
    speed = (after.position_m - before.position_m) / (2 * dt)
    turning = log_so3(after.rotation @ before.rotation.T) / (2 * dt)
    np.testing.assert_allclose(now.linear, speed, atol=1e-6)
    np.testing.assert_allclose(now.angular, turning, atol=1e-5)
    assert np.linalg.det(now.rotation) == pytest.approx(1)


def test_scaled_about_an_origin():
    workspace = Workspace(scale=2.0, origin_m=np.array((0.5, 0, 0)), target_m=np.array((0, 0, 1)))
    moved = workspace.apply(Wrist("right", np.array((0.6, 0.1, -0.2)), TURN, np.array((1, 0, 3))))
    np.testing.assert_allclose(moved.position_m, (0.2, 0.2, 0.6))
    np.testing.assert_allclose(moved.linear, (2, 0, 6))
    np.testing.assert_array_equal(moved.rotation, TURN)
    assert moved.side == "right"


def test_a_tool_is_turned_against_the_wrist():
    moved = Workspace(tool_rotation=TURN).apply(Wrist("left", np.zeros(3), TURN))
    np.testing.assert_allclose(moved.rotation, TURN @ TURN)


@settings(max_examples=50, deadline=None)
@given(vectors, vectors, vectors, vectors, vectors, scales, st.booleans())
def test_velocities_are_those_of_the_poses(position, linear, orient, angular, t, scale, mirrored):
    workspace = Workspace(scale, position + 0.1, t, mirrored, tool_rotation=TURN)
    assert_moves_as_it_says(
        lambda dt: workspace.apply(
            wrist_at(dt, position, linear, orient, angular).in_frame(TURN, t)
        )
    )


@settings(max_examples=50, deadline=None)
@given(vectors, vectors, vectors.filter(lambda v: np.linalg.norm(v) > 0.1))
def test_mirrored_twice_is_where_it_was(position, orient, normal):
    workspace = Workspace(mirrored=True, mirror_normal=normal)
    wrist = wrist_at(0, position, orient, orient, position)
    once = workspace.apply(wrist)
    twice = workspace.apply(once)
    assert (once.side, twice.side) == ("right", "left")
    for one, other in zip(
        (twice.position_m, twice.rotation, twice.linear, twice.angular),
        (wrist.position_m, wrist.rotation, wrist.linear, wrist.angular),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(vectors)
def test_a_mirrored_left_wrist_carries_the_mirror_image_of_the_hand(orient):
    left = gesture_joints("point", "left", orient)
    flat_right = gesture_joints("point", "right")
    mirrored = Workspace(mirrored=True).apply(Wrist("left", left[0], exp_so3(orient)))
    right = (flat_right - flat_right[0]) @ mirrored.rotation.T + mirrored.position_m
    np.testing.assert_allclose(right, left * (1, -1, 1), atol=1e-9)


def test_into_another_frame_and_back():
    wrist = wrist_at(0, np.array((1.0, 2, 3)), np.ones(3), np.array((0.1, 0.2, 0.3)), np.ones(3))
    t = np.array((0.3, -0.2, 5))
    there = wrist.in_frame(TURN, t)
    np.testing.assert_allclose(there.position_m, TURN @ (1, 2, 3) + t)
    back = there.in_frame(TURN.T, -TURN.T @ t)
    np.testing.assert_allclose(back.position_m, wrist.position_m)
    np.testing.assert_allclose(back.angular, wrist.angular)


@pytest.mark.parametrize("name", ["position_m", "rotation", "linear", "angular"])
def test_a_wrist_knows_whether_it_can_be_sent(name):
    wrist = Wrist("left", np.zeros(3), np.eye(3))
    assert wrist.finite
    spoilt = getattr(wrist, name).copy()
    spoilt.flat[1] = np.nan
    assert not replace(wrist, **{name: spoilt}).finite


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale is 0.0: give a number above 0"),
        ({"scale": np.nan}, "scale is not finite"),
        ({"origin_m": np.zeros(2)}, "origin_m must be three numbers"),
        ({"mirror_normal": np.zeros(3)}, "mirror_normal is zero"),
        ({"tool_rotation": 2 * np.eye(3)}, "tool_rotation is no rotation matrix"),
        ({"tool_rotation": np.diag((1, 1, -1))}, "tool_rotation is no rotation matrix"),
        ({"tool_rotation": np.zeros(9)}, "tool_rotation is no rotation matrix"),
    ],
)
def test_numbers_that_cannot_be_used_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Workspace(**options)
