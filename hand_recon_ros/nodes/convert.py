"""Messages to plain data and back: stamps, hands, transforms. Pure functions."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, TransformStamped
from std_msgs.msg import Header

from hand_recon_ros.msg import Hand as HandMsg
from hand_recon_ros.msg import HandArray
from hand_recon_ros.msg import ManoParameters as ManoParametersMsg
from hand_recon_ros.rotations import exp_so3, matrix_to_quaternion
from hand_recon_ros.skeleton import JOINT_NAMES, JOINT_PARENTS, MANO_TO_JOINTS
from hand_recon_ros.types import Array, Hand, HandFrame, ManoParameters

_SIDES = {"left": HandMsg.LEFT, "right": HandMsg.RIGHT}
_STATES = {"tracked": HandMsg.TRACKED, "predicted": HandMsg.PREDICTED}


def stamp_to_seconds(stamp: Time) -> float:
    """Return a stamp as seconds."""
    return float(stamp.sec + stamp.nanosec * 1e-9)


def hand_array_message(
    frame: HandFrame,
    header: Header,
    *,
    hand_model: str = "embedded",
    scale_source: str = "adult_prior",
) -> HandArray:
    """Return the hands of a frame as a message.

    Args:
        frame: what the chain says.
        header: the image's own.
        hand_model: the model's name for a frame without hands.
        scale_source: the source of the scale for a frame without hands.
    """
    hands = frame.hands
    if hands:
        hand_model = ", ".join(sorted({hand.mano.model for hand in hands}))
        metric = all(hand.scale_source == "hand_length" for hand in hands)
        scale_source = "hand_length" if metric else "adult_prior"
    return HandArray(
        header=header,
        camera=frame.source,
        intrinsics="assumed" if frame.camera.assumed else "camera_info",
        hand_model=hand_model,
        scale_source=scale_source,
        width=frame.camera.width,
        height=frame.camera.height,
        hands=[hand_message(hand) for hand in hands],
    )


def hand_message(hand: Hand) -> HandMsg:
    """Return one hand as a message."""
    # Messages make their default parts anyway: filling those halves the cost of handing in others.
    msg = HandMsg(
        side=_SIDES[hand.side],
        track_id=int(hand.track_id),
        state=_STATES[hand.state],
        score=float(hand.score),
        box_px=np.asarray(hand.box_px, dtype=np.float32),
        joint_confidence=np.asarray(hand.joint_confidence, dtype=np.float32),
        mano=mano_message(hand.mano),
        wrist_covariance=np.asarray(hand.wrist_covariance, dtype=np.float64).reshape(36),
    )
    _fill_pose(msg.wrist, hand.joints_m[0], hand.wrist_rotation)
    for point, xyz in zip(msg.joints, hand.joints_m.tolist(), strict=True):
        point.x, point.y, point.z = xyz
    for pixel, uv in zip(msg.keypoints_px, hand.joints_px.tolist(), strict=True):
        pixel.x, pixel.y = uv
    for vector, xyz in zip(msg.joint_velocities, hand.joint_velocities.tolist(), strict=True):
        vector.x, vector.y, vector.z = xyz
    twist, (*linear, wx, wy, wz) = msg.wrist_velocity, hand.wrist_velocity.tolist()
    twist.linear.x, twist.linear.y, twist.linear.z = linear
    twist.angular.x, twist.angular.y, twist.angular.z = wx, wy, wz
    return msg


def mano_message(mano: ManoParameters) -> ManoParametersMsg:
    """Return MANO parameters as a message."""
    return ManoParametersMsg(
        model=mano.model,
        global_orient=np.asarray(mano.global_orient, dtype=np.float64),
        hand_pose=np.asarray(mano.hand_pose, dtype=np.float64),
        betas=np.asarray(mano.betas, dtype=np.float64),
        transl=np.asarray(mano.transl, dtype=np.float64),
    )


def pose_message(position_m: Array, rotation: Array) -> Pose:
    """Return a position (3,) and a rotation matrix (3, 3) as a pose."""
    pose = Pose()
    _fill_pose(pose, position_m, rotation)
    return pose


def transforms(frame: HandFrame, header: Header, prefix: str = "") -> list[TransformStamped]:
    """Return the frames of all hands, each wrist under ``header.frame_id``.

    Names are ``{prefix}{side}_{joint}`` with the joints of ``skeleton.JOINT_NAMES``, for example
    ``left_wrist``, ``right_index1`` and ``right_index4`` (the tip); each joint hangs on the one
    before it. A second hand of the same side is called ``right2`` and so on, in the order of the
    track ids. Rotations are MANO's (all zero: the flat hand's axes are the wrist's); the
    translations lead to exactly ``joints_m``. A tip turns with its last joint.
    """
    result: list[TransformStamped] = []
    counts = {"left": 0, "right": 0}
    for hand in sorted(frame.hands, key=lambda hand: hand.track_id):
        counts[hand.side] += 1
        number = counts[hand.side]
        name = f"{prefix}{hand.side}{number if number > 1 else ''}_"
        positions, quaternions = _relative_joints(hand)
        names = [name + joint for joint in JOINT_NAMES]
        for joint, parent in enumerate(JOINT_PARENTS):
            msg = TransformStamped()
            msg.header.stamp = header.stamp
            msg.header.frame_id = header.frame_id if parent < 0 else names[parent]
            msg.child_frame_id = names[joint]
            t, q = msg.transform.translation, msg.transform.rotation
            t.x, t.y, t.z = positions[joint]
            q.x, q.y, q.z, q.w = quaternions[joint]
            result.append(msg)
    return result


def _relative_joints(hand: Hand) -> tuple[list[list[float]], list[list[float]]]:
    """Positions and quaternions of the 21 joints, each in its parent's frame."""
    local = np.empty((21, 3, 3))
    local[:] = np.eye(3)
    local[0] = hand.wrist_rotation
    local[_JOINTS_OF_POSE] = exp_so3(hand.mano.hand_pose.reshape(15, 3))
    turned = local.copy()  # camera from joint; fingers are worked out together, level by level
    for level in _LEVELS:
        turned[level] = turned[_PARENTS[level]] @ local[level]
    steps = hand.joints_m[1:] - hand.joints_m[_PARENTS[1:]]
    positions = np.empty((21, 3))
    positions[0] = hand.joints_m[0]
    positions[1:] = np.einsum("nji,nj->ni", turned[_PARENTS[1:]], steps)
    return positions.tolist(), matrix_to_quaternion(local).tolist()


_PARENTS = np.array(JOINT_PARENTS)
_JOINTS_OF_POSE = np.array([MANO_TO_JOINTS.index(j) for j in range(1, 16)])
"""Where each of MANO's 15 posed joints stands among the 21."""
_LEVELS = [np.arange(level, 21, 4) for level in (1, 2, 3, 4)]


def _fill_pose(pose: Pose, position_m: Array, rotation: Array) -> None:
    p, q = pose.position, pose.orientation
    p.x, p.y, p.z = position_m.tolist()
    q.x, q.y, q.z, q.w = matrix_to_quaternion(rotation).tolist()
