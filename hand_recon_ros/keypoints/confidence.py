"""How far to trust each key point where the front end does not say so itself."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.skeleton import BONES, KNUCKLES, NUM_JOINTS
from hand_recon_ros.types import Array

OUTSIDE = 0.2
"""Factor for a point outside the image: the network extrapolates there."""
HIDDEN = 0.5
"""Factor for a point behind another finger or the palm. Such points of MediaPipe disagree 1.4 times
as much between a photograph and its mirror image, which bounds their error from below."""
_FLESH_M = 0.009
"""Half a finger's thickness: a joint this near to another bone's line is covered by it."""
_DEPTH_M = 0.012
"""A bone covers a joint only when it is nearer to the camera by more than this."""
_PALM = (0, *KNUCKLES[1:])

_BONE_ENDS = np.array(BONES)
_OWN = np.array([[joint in bone for bone in BONES] for joint in range(NUM_JOINTS)])


def joint_confidence(
    points_px: Array, relative_m: Array, size: tuple[int, int], score: float
) -> Array:
    """Confidence of 21 key points, 0..1.

    Args:
        points_px: (21, 2) px.
        relative_m: (21, 3) metres, camera axes.
        size: image width and height, px.
        score: of the whole hand, 0..1: the best that a key point can get.
    """
    outside = ((points_px < 0) | (points_px > np.array(size) - 1)).any(axis=1)
    confidence = np.full(NUM_JOINTS, float(np.clip(score, 0.0, 1.0)))
    confidence[outside] *= OUTSIDE
    confidence[hidden_joints(relative_m)] *= HIDDEN
    return confidence


def hidden_joints(relative_m: Array) -> np.ndarray:
    """Which of 21 joints lie behind a bone or the palm, seen along z (orthographic): (21,) bool."""
    return _behind_bones(relative_m) | _behind_palm(relative_m)


def _behind_bones(joints: Array) -> np.ndarray:
    start, end = joints[_BONE_ENDS[:, 0]], joints[_BONE_ENDS[:, 1]]
    along = end - start
    to_joint = joints[:, None] - start  # (21, 20, 3)
    length2 = np.maximum((along[:, :2] ** 2).sum(-1), 1e-12)
    t = np.clip((to_joint[..., :2] * along[:, :2]).sum(-1) / length2, 0.0, 1.0)
    gap = to_joint - t[..., None] * along
    near = np.hypot(gap[..., 0], gap[..., 1]) < _FLESH_M
    return np.asarray((near & (gap[..., 2] > _DEPTH_M) & ~_OWN).any(axis=1))


def _behind_palm(joints: Array) -> np.ndarray:
    corners = joints[list(_PALM)]
    centre = corners.mean(axis=0)
    normal = np.linalg.svd(corners - centre)[2][2]
    if abs(normal[2]) < 0.3:  # seen edge-on, the palm covers next to nothing
        return np.zeros(NUM_JOINTS, bool)
    offset = joints - centre
    plane_z = -(offset[:, :2] @ normal[:2]) / normal[2]
    deep = offset[:, 2] > plane_z + _DEPTH_M
    edges = np.roll(corners, -1, axis=0)[:, :2] - corners[:, :2]
    to_joint = joints[:, None, :2] - corners[:, :2]
    turn = edges[:, 0] * to_joint[..., 1] - edges[:, 1] * to_joint[..., 0]
    inside = (turn > 0).all(axis=1) | (turn < 0).all(axis=1)
    inside[list(_PALM)] = False
    return np.asarray(deep & inside)
