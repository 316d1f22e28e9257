"""The human side of teleoperation as messages. Pure functions.

None means that the joints do not tell it: nothing is to be published, for no NaN may reach what
moves a robot.
"""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, PoseArray, PoseStamped, TwistStamped, Vector3
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from hand_recon_ros.msg import Hand as HandMsg
from hand_recon_ros.msg import HandFeatures as HandFeaturesMsg
from hand_recon_ros.nodes.convert import pose_message
from hand_recon_ros.retarget.features import HandFeatures
from hand_recon_ros.retarget.hand_angles import JOINT_NAMES, HandAngles
from hand_recon_ros.retarget.workspace import Wrist
from hand_recon_ros.retarget.wrist_frame import operator_joints
from hand_recon_ros.rotations import quaternion_to_matrix
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array

_SIDES = {"left": HandMsg.LEFT, "right": HandMsg.RIGHT}
_UPRIGHT = np.eye(3)


def side_of(msg: HandMsg) -> Side:
    """Which hand a message tells of."""
    return "left" if msg.side == HandMsg.LEFT else "right"


def joints_of(msg: HandMsg) -> Array:
    """(21, 3) joints of a hand's message, metres, in its optical frame."""
    return np.array([(point.x, point.y, point.z) for point in msg.joints])


def wrist_of(msg: HandMsg) -> Wrist:
    """The wrist of a hand's message, in its optical frame."""
    p, q, twist = msg.wrist.position, msg.wrist.orientation, msg.wrist_velocity
    return Wrist(
        side=side_of(msg),
        position_m=np.array((p.x, p.y, p.z)),
        rotation=quaternion_to_matrix((q.x, q.y, q.z, q.w)),
        linear=np.array((twist.linear.x, twist.linear.y, twist.linear.z)),
        angular=np.array((twist.angular.x, twist.angular.y, twist.angular.z)),
    )


def joints_message(
    joints_m: Array, side: Side, stamp_header: Header, frame_id: str
) -> PoseArray | None:
    """``~/SIDE/joints``: 21 joints as dex-retargeting's detector gives them.

    Args:
        joints_m: (21, 3) metres, in any right-handed frame.
        side: which hand it is.
        stamp_header: where the stamp comes from.
        frame_id: name of the operator's wrist frame (``retarget.wrist_frame``), in which the
            joints are told; all orientations are those of this frame.
    """
    joints = operator_joints(joints_m, side)
    if not np.isfinite(joints).all():
        return None
    return PoseArray(
        header=Header(stamp=stamp_header.stamp, frame_id=frame_id),
        poses=[pose_message(joint, _UPRIGHT) for joint in joints],
    )


def wrist_messages(wrist: Wrist, header: Header) -> tuple[PoseStamped, TwistStamped] | None:
    """``wrist_pose`` and ``wrist_twist``, both told in ``header.frame_id``."""
    if not wrist.finite:
        return None
    pose = PoseStamped(header=header, pose=pose_message(wrist.position_m, wrist.rotation))
    twist = TwistStamped(header=header)
    twist.twist.linear = _vector(wrist.linear)
    twist.twist.angular = _vector(wrist.angular)
    return pose, twist


def joint_state_message(angles: HandAngles, header: Header) -> JointState | None:
    """``human_joint_states``: the angles that are told, named ``SIDE_`` and ``JOINT_NAMES``, rad.

    Angles that the joints do not tell are left out, as JointState allows.
    """
    told = np.flatnonzero(np.isfinite(angles.values))
    if not told.size:
        return None
    return JointState(
        header=header,
        name=[f"{angles.side}_{JOINT_NAMES[i]}" for i in told],
        position=angles.values[told].tolist(),
    )


def features_message(features: HandFeatures, track_id: int, header: Header) -> HandFeaturesMsg:
    """``features`` of one hand; what is not told stays NaN, for nothing moves by it."""
    x, y, z = features.palm_centre_m.tolist()
    return HandFeaturesMsg(
        header=header,
        side=_SIDES[features.side],
        track_id=track_id,
        flexion=features.flexion,
        flexion_rad=features.flexion_rad,
        spread_rad=features.spread_rad,
        openness=features.openness,
        pinch_m=features.pinch_m,
        palm_centre=Point(x=x, y=y, z=z),
        palm_normal=_vector(features.palm_normal),
        grasp=features.grasp or "",
    )


def _vector(xyz: Array) -> Vector3:
    x, y, z = xyz.tolist()
    return Vector3(x=x, y=y, z=z)
