"""The 21 joints of given MANO parameters, without the mesh."""

from __future__ import annotations

from hand_recon_ros.mano.kinematics import TO_SKELETON, HandSkeleton, pose_joints
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array, ManoParameters


def hand_joints(skeleton: HandSkeleton, parameters: ManoParameters) -> Array:
    """(21, 3) joints in the camera's optical frame, metres, ``skeleton.JOINT_NAMES``."""
    betas = parameters.betas[None]
    wrist = skeleton.rest_points(betas)[:, 0] + parameters.transl
    orientation = exp_so3(parameters.global_orient[None])
    pose = exp_so3(parameters.hand_pose.reshape(1, 15, 3))
    posed = pose_joints(skeleton, wrist, orientation, pose, betas)
    return posed.points[0, TO_SKELETON]
