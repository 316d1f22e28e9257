"""The 21 joints of given MANO parameters, without the mesh."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.mano.kinematics import TO_SKELETON, HandSkeleton, pose_joints
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array, ManoParameters


def hand_joints(skeleton: HandSkeleton, parameters: ManoParameters) -> Array:
    """(21, 3) joints in the camera's optical frame, metres, ``skeleton.JOINT_NAMES``."""
    betas = parameters.betas[None]
    wrist = (skeleton.rest_wrist(0, parameters.betas) + parameters.transl)[None]
    turns = exp_so3(np.append(parameters.global_orient, parameters.hand_pose).reshape(1, 16, 3))
    posed = pose_joints(skeleton, wrist, turns[:, 0], turns[:, 1:], betas)
    return posed.points[0, TO_SKELETON]
