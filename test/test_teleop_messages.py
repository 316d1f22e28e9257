"""Messages of the human side of teleoperation against what they stand for."""

from dataclasses import replace

import numpy as np
import pytest
from posed_hands import gesture_joints
from scipy.spatial.transform import Rotation

pytest.importorskip("hand_recon_ros.msg", reason="needs the built messages (make setup)")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from hand_recon_ros.nodes.convert import hand_message
from hand_recon_ros.nodes.teleop_messages import (
    features_message,
    joint_state_message,
    joints_message,
    joints_of,
    side_of,
    wrist_messages,
    wrist_of,
)
from hand_recon_ros.retarget.features import hand_features
from hand_recon_ros.retarget.hand_angles import JOINT_NAMES, hand_angles
from hand_recon_ros.retarget.workspace import Wrist
from hand_recon_ros.retarget.wrist_frame import operator_joints
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.types import Hand, ManoParameters

HEADER = Header(stamp=Time(sec=12, nanosec=345678900), frame_id="camera")
TURN = Rotation.from_euler("xyz", (100, 20, 30), degrees=True).as_matrix()


def a_hand(side):
    rng = np.random.default_rng(3)
    joints = gesture_joints("grasp", side)
    return Hand(
        side=side,
        track_id=7,
        state="tracked",
        score=0.8,
        box_px=np.zeros(4),
        joints_px=np.zeros((21, 2)),
        joint_confidence=np.ones(21),
        joints_m=joints,
        mano=ManoParameters(side, np.zeros(3), np.zeros(45), np.zeros(10), np.zeros(3)),
        wrist_rotation=TURN,
        joint_velocities=np.zeros((21, 3)),
        wrist_velocity=rng.normal(size=6),
        wrist_covariance=np.zeros((6, 6)),
    )


def over_the_wire(msg):
    return deserialize_message(serialize_message(msg), type(msg))


@pytest.mark.parametrize("side", SIDES)
def test_a_hands_message_is_read_back(side):
    hand = a_hand(side)
    msg = over_the_wire(hand_message(hand))
    assert side_of(msg) == side
    np.testing.assert_array_equal(joints_of(msg), hand.joints_m)
    read, meant = wrist_of(msg), Wrist.of(hand)
    assert read.side == side
    for name in ("position_m", "rotation", "linear", "angular"):
        np.testing.assert_allclose(getattr(read, name), getattr(meant, name), atol=1e-12)


@pytest.mark.parametrize("side", SIDES)
def test_joints_are_those_of_the_operators_frame(side):
    joints = gesture_joints("ok", side)
    msg = over_the_wire(joints_message(joints, side, HEADER, f"{side}_operator"))
    assert (msg.header.stamp, msg.header.frame_id) == (HEADER.stamp, f"{side}_operator")
    told = [(p.position.x, p.position.y, p.position.z) for p in msg.poses]
    np.testing.assert_allclose(told, operator_joints(joints, side), atol=1e-12)
    assert {(p.orientation.x, p.orientation.w) for p in msg.poses} == {(0.0, 1.0)}
    assert HEADER.frame_id == "camera"


def test_wrist_pose_and_twist():
    wrist = Wrist("left", np.array((1.0, 2, 3)), TURN, np.array((4.0, 5, 6)), np.array((7.0, 8, 9)))
    pose, twist = map(over_the_wire, wrist_messages(wrist, HEADER))
    assert pose.header == twist.header == HEADER
    p, q = pose.pose.position, pose.pose.orientation
    assert (p.x, p.y, p.z) == (1, 2, 3)
    np.testing.assert_allclose(Rotation.from_quat((q.x, q.y, q.z, q.w)).as_matrix(), TURN)
    linear, angular = twist.twist.linear, twist.twist.angular
    assert (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z) == (4, 5, 6, 7, 8, 9)


@pytest.mark.parametrize("side", SIDES)
def test_joint_states_are_named_by_side_and_angle(side):
    angles = hand_angles(gesture_joints("fist", side), side)
    msg = over_the_wire(joint_state_message(angles, HEADER))
    assert list(msg.name) == [f"{side}_{name}" for name in JOINT_NAMES]
    np.testing.assert_array_equal(msg.position, angles.values)
    assert not msg.velocity
    assert not msg.effort


def test_angles_that_are_not_told_are_left_out():
    joints = gesture_joints("fist")
    joints[8] = np.nan
    msg = joint_state_message(hand_angles(joints, "right"), HEADER)
    assert len(msg.name) == len(msg.position) == 19
    assert "right_index_dip_flexion" not in msg.name
    assert np.isfinite(msg.position).all()


@pytest.mark.parametrize("side", SIDES)
def test_features(side):
    features = hand_features(gesture_joints("pinch", side), side)
    msg = over_the_wire(features_message(features, 7, HEADER))
    assert msg.header == HEADER
    assert (msg.side, msg.track_id) == ({"left": msg.LEFT, "right": msg.RIGHT}[side], 7)
    for name in ("flexion", "flexion_rad", "spread_rad", "openness", "pinch_m", "grasp"):
        np.testing.assert_array_equal(getattr(msg, name), getattr(features, name))
    for point, meant in (
        (msg.palm_centre, features.palm_centre_m),
        (msg.palm_normal, features.palm_normal),
    ):
        np.testing.assert_array_equal((point.x, point.y, point.z), meant)
    assert features_message(replace(features, grasp=None), 7, HEADER).grasp == ""


def test_nothing_that_moves_a_robot_is_made_of_nan():
    lost = np.full((21, 3), np.nan)
    assert joints_message(lost, "left", HEADER, "operator") is None
    assert joint_state_message(hand_angles(lost, "left"), HEADER) is None
    wrist = Wrist("left", np.zeros(3), np.eye(3), np.array((0, np.inf, 0)))
    assert wrist_messages(wrist, HEADER) is None
    finger = gesture_joints("fist")
    finger[20] = np.nan
    assert joints_message(finger, "right", HEADER, "operator") is None
