"""Camera info, hand messages and transforms against what they stand for."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("hand_recon_ros.msg", reason="needs the built messages (make setup)")

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from hand_recon_ros.camera import Camera, CameraError
from hand_recon_ros.msg import Hand as HandMsg
from hand_recon_ros.msg import HandArray
from hand_recon_ros.nodes.convert import (
    hand_array_message,
    pose_message,
    stamp_to_seconds,
    transforms,
)
from hand_recon_ros.skeleton import JOINT_NAMES, JOINT_PARENTS, MANO_JOINT_NAMES, MANO_PARENTS
from hand_recon_ros.stream.camera_info import camera_for_image, camera_from_info
from hand_recon_ros.types import Hand, HandFrame, ManoParameters

K = [900.0, 0.0, 640.0, 0.0, 905.0, 360.0, 0.0, 0.0, 1.0]
HEADER = Header(stamp=Time(sec=12, nanosec=345678900), frame_id="camera")


def make_hand(seed=0, side="right", track_id=1, state="tracked"):
    rng = np.random.default_rng(seed)
    mano = ManoParameters(
        side,
        rng.normal(size=3),
        rng.normal(size=45) * 0.5,
        rng.normal(size=10),
        rng.normal(size=3),
    )
    return Hand(
        side=side,
        track_id=track_id,
        state=state,
        score=0.75,
        box_px=rng.uniform(0, 500, 4),
        joints_px=rng.uniform(0, 700, (21, 2)),
        joint_confidence=rng.uniform(0, 1, 21),
        joints_m=rng.normal(size=(21, 3)) * 0.08 + (0, 0, 0.5),
        mano=mano,
        wrist_rotation=Rotation.from_rotvec(mano.global_orient).as_matrix(),
        joint_velocities=rng.normal(size=(21, 3)),
        wrist_velocity=rng.normal(size=6),
        wrist_covariance=rng.normal(size=(6, 6)),
        scale_source="hand_length",
    )


def make_frame(*hands, camera=None):
    return HandFrame(3, "topic", 12.3456789, camera or Camera.from_fov(1280, 720), hands)


def info(**changes):
    fields = {
        "width": 1280,
        "height": 720,
        "k": K,
        "distortion_model": "plumb_bob",
        "header": HEADER,
    }
    return CameraInfo(**(fields | changes))


def test_stamp_to_seconds():
    assert stamp_to_seconds(Time(sec=5, nanosec=250_000_000)) == 5.25


@pytest.mark.parametrize(
    ("model", "D"),
    [
        ("plumb_bob", [-0.2, 0.05, 0.001, -0.002, 0.01]),
        ("rational_polynomial", [0.1, -0.05, 0.001, 0.002, 0.01, 0.2, -0.03, 0.004]),
        ("equidistant", [0.02, -0.01, 0.003, -0.001]),
    ],
)
def test_camera_info_keeps_the_lens(model, D):
    camera = camera_from_info(info(distortion_model=model, d=D))
    points = np.array([[0.1, -0.05, 0.5], [-0.2, 0.1, 0.8]])
    zero, matrix = np.zeros(3), np.reshape(K, (3, 3))
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    expected, _ = project(points[:, None], zero, zero, matrix, np.array(D))
    np.testing.assert_allclose(camera.project(points), expected.reshape(-1, 2), atol=1e-9)
    assert (camera.width, camera.height, camera.assumed) == (1280, 720, False)


@pytest.mark.parametrize("model", ["", "none", "plumb_bob"])
@pytest.mark.parametrize("D", [[], [0.0] * 4, [0.0] * 5, [0.0] * 8])
def test_no_distortion_in_all_its_spellings(model, D):
    assert camera_from_info(info(distortion_model=model, d=D)).D.size == 0


@pytest.mark.parametrize("bins", [1, 2, 4])
def test_region_and_binning_show_the_same_point(bins):
    """A point seen at full size lies at (uv - offset) / binning of the delivered image."""
    roi = RegionOfInterest(x_offset=200, y_offset=120, width=800, height=480)
    cut = camera_from_info(info(roi=roi, binning_x=bins, binning_y=bins, d=[-0.2, 0.05, 0, 0, 0.0]))
    full = camera_from_info(info(d=[-0.2, 0.05, 0, 0, 0.0]))
    assert (cut.width, cut.height) == (800 // bins, 480 // bins)
    point = np.array([0.03, -0.02, 0.6])
    np.testing.assert_allclose(cut.project(point), (full.project(point) - (200, 120)) / bins)


def test_empty_region_is_the_full_image():
    assert camera_from_info(info(roi=RegionOfInterest(do_rectify=True))).cx == 640.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"k": [0.0] * 9}, "K all zeros.*calibrate it.*camera.hfov_deg"),
        ({"k": [np.nan, *K[1:]]}, "NaN or infinity"),
        ({"k": [-900.0, *K[1:]]}, "positive focal lengths"),
        ({"width": 0}, "size 0x720: set width and height"),
        ({"d": [0.1, 0.0, 0.0]}, "coefficients, got 3"),
        ({"d": [np.nan] * 5}, "NaN or infinity"),
        (
            {"distortion_model": "thin_prism", "d": [0.1]},
            "'thin_prism' is unknown; known: plumb_bob",
        ),
        ({"distortion_model": "", "d": [0.1] * 5}, "no distortion_model: set plumb_bob"),
    ],
)
def test_bad_camera_info_is_named_with_its_remedy(changes, words):
    with pytest.raises(CameraError, match=f"camera_info of 'camera'.*{words}"):
        camera_from_info(info(**changes))


def test_camera_is_scaled_with_the_image_but_never_squeezed():
    camera = camera_from_info(info())
    assert camera_for_image(camera, 1280, 720) is camera
    half = camera_for_image(camera, 640, 360)
    assert (half.width, half.height, half.fx, half.cy) == (640, 360, 450.0, 180.0)
    with pytest.raises(CameraError, match=r"1280x720, but the image is 640x480"):
        camera_for_image(camera, 640, 480)


def test_hand_message_survives_the_wire():
    hands = (make_hand(1), make_hand(2, "left", 7, "predicted"))
    sent = hand_array_message(make_frame(*hands, camera=Camera(1280, 720, np.eye(3))), HEADER)
    msg = deserialize_message(serialize_message(sent), HandArray)
    assert (msg.header, msg.width, msg.height) == (HEADER, 1280, 720)
    assert (msg.intrinsics, msg.hand_model, msg.scale_source) == (
        "camera_info",
        "embedded",
        "hand_length",
    )
    assert [hand.side for hand in msg.hands] == [HandMsg.RIGHT, HandMsg.LEFT]
    assert [hand.state for hand in msg.hands] == [HandMsg.TRACKED, HandMsg.PREDICTED]
    assert [hand.track_id for hand in msg.hands] == [1, 7]
    for got, hand in zip(msg.hands, hands, strict=True):
        assert got.score == 0.75
        np.testing.assert_array_equal([(p.x, p.y, p.z) for p in got.joints], hand.joints_m)
        np.testing.assert_array_equal(
            [(v.x, v.y, v.z) for v in got.joint_velocities], hand.joint_velocities
        )
        np.testing.assert_allclose(
            [(p.x, p.y) for p in got.keypoints_px], hand.joints_px, rtol=1e-6
        )
        np.testing.assert_allclose(got.joint_confidence, hand.joint_confidence, rtol=1e-6)
        np.testing.assert_allclose(got.box_px, hand.box_px, rtol=1e-6)
        for name in ("global_orient", "hand_pose", "betas", "transl"):
            np.testing.assert_array_equal(getattr(got.mano, name), getattr(hand.mano, name))
        twist = got.wrist_velocity
        np.testing.assert_array_equal(
            [twist.linear.x, twist.linear.y, twist.linear.z], hand.wrist_velocity[:3]
        )
        np.testing.assert_array_equal(
            [twist.angular.x, twist.angular.y, twist.angular.z], hand.wrist_velocity[3:]
        )
        np.testing.assert_array_equal(
            np.reshape(got.wrist_covariance, (6, 6)), hand.wrist_covariance
        )
        q = got.wrist.orientation
        np.testing.assert_allclose(
            Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), hand.wrist_rotation, atol=1e-12
        )
        assert (got.wrist.position.x, got.wrist.position.z) == (
            hand.joints_m[0, 0],
            hand.joints_m[0, 2],
        )


def test_frame_without_hands_names_model_and_scale():
    msg = hand_array_message(
        make_frame(), HEADER, hand_model="MANO_LEFT.pkl", scale_source="hand_length"
    )
    assert list(msg.hands) == []
    assert (msg.intrinsics, msg.hand_model, msg.scale_source) == (
        "assumed",
        "MANO_LEFT.pkl",
        "hand_length",
    )


def test_one_hand_of_guessed_size_makes_the_scale_a_guess():
    guessed = replace(make_hand(2, "left", 2), scale_source="adult_prior")
    msg = hand_array_message(make_frame(make_hand(1), guessed), HEADER)
    assert msg.scale_source == "adult_prior"


def test_hand_message_is_quick():
    """About 0.2 ms a hand; three times that on this project's machine in its slow moments."""
    frame = make_frame(make_hand(1))
    best = min(_seconds(lambda: hand_array_message(frame, HEADER)) for _ in range(200))
    assert best < 1e-3


def _seconds(call):
    start = time.thread_time()
    call()
    return time.thread_time() - start


def pose_of(transform):
    t, q = transform.translation, transform.rotation
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    matrix[:3, 3] = t.x, t.y, t.z
    return matrix


def composed(messages, root):
    """Poses of all frames in ``root``, by walking the tree as tf2 does."""
    poses = {root: np.eye(4)}
    for msg in messages:
        poses[msg.child_frame_id] = poses[msg.header.frame_id] @ pose_of(msg.transform)
    return poses


@pytest.mark.parametrize("side", ["left", "right"])
def test_transforms_lead_to_the_joints(side):
    hand = make_hand(5, side)
    messages = transforms(make_frame(hand), HEADER, "op_")
    assert [m.child_frame_id for m in messages] == [f"op_{side}_{name}" for name in JOINT_NAMES]
    parents = ["camera" if p < 0 else f"op_{side}_{JOINT_NAMES[p]}" for p in JOINT_PARENTS]
    assert [m.header.frame_id for m in messages] == parents
    assert all(m.header.stamp == HEADER.stamp for m in messages)
    poses = composed(messages, "camera")
    for name, joint in zip(JOINT_NAMES, hand.joints_m, strict=True):
        np.testing.assert_allclose(poses[f"op_{side}_{name}"][:3, 3], joint, atol=1e-12)


def test_transforms_turn_as_mano_does():
    """Orientations equal MANO's chain of joint rotations; tips turn with the last joint."""
    hand = make_hand(6)
    poses = composed(transforms(make_frame(hand), HEADER), "camera")
    chain = [Rotation.from_matrix(hand.wrist_rotation)]
    for joint in range(1, 16):
        local = Rotation.from_rotvec(hand.mano.hand_pose[3 * joint - 3 : 3 * joint])
        chain.append(chain[MANO_PARENTS[joint]] * local)
    for name, rotation in zip(MANO_JOINT_NAMES, chain, strict=True):
        np.testing.assert_allclose(poses[f"right_{name}"][:3, :3], rotation.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(poses["right_ring4"][:3, :3], poses["right_ring3"][:3, :3])


def test_transforms_hold_unit_quaternions_also_for_worn_rotations():
    """Rotation matrices that have drifted (filter, float32) still give unit quaternions."""
    hand = make_hand(7)
    worn = hand.wrist_rotation.astype(np.float32) * np.float32(1.0001)
    for msg in transforms(make_frame(replace(hand, wrist_rotation=worn)), HEADER):
        q = msg.transform.rotation
        assert abs(np.linalg.norm([q.x, q.y, q.z, q.w]) - 1) < 1e-12


def test_second_hand_of_a_side_gets_a_number_by_track_id():
    frame = make_frame(make_hand(1, track_id=9), make_hand(2, track_id=4), make_hand(3, "left", 5))
    messages = transforms(frame, HEADER)
    wrists = {m.child_frame_id: m for m in messages if m.child_frame_id.endswith("wrist")}
    assert set(wrists) == {"right_wrist", "right2_wrist", "left_wrist"}
    assert wrists["right2_wrist"].transform.translation.x == frame.hands[0].joints_m[0, 0]
    assert len({m.child_frame_id for m in messages}) == 63


def test_no_hands_no_transforms():
    assert transforms(make_frame(), HEADER) == []


def test_pose_message():
    pose = pose_message(np.array([1.0, 2.0, 3.0]), Rotation.from_euler("z", 90, True).as_matrix())
    assert (pose.position.x, pose.position.y, pose.position.z) == (1.0, 2.0, 3.0)
    assert pose.orientation.z == pytest.approx(np.sqrt(0.5))
