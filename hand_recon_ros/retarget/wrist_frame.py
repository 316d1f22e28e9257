"""The wrist frame in which dex-retargeting takes its 21 joints.

That of the detector in dexsuite/dex-retargeting 3f56141 (example/vector_retargeting; MIT licence):
a frame at the wrist laid through wrist, index and middle knuckle, turned to the operator's
convention by a fixed matrix of each side. In the result, of either hand held upright before its
owner with the palm away from the body, x leads out of the palm, y to the left and z to the fingers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.retarget.hand_angles import checked_joints
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array

OPERATOR2MANO: Final[dict[Side, Array]] = {
    "right": np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    "left": np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
}
"""Turns coordinates in the estimated frame to the operator's (row vectors times this)."""

_WRIST, _INDEX, _MIDDLE = 0, 5, 9
_LEAST_SINE: Final = 1e-6
"""Of the angle between the two knuckles, seen from the wrist, below which there is no plane."""


def wrist_frame(joints_m: ArrayLike) -> Array:
    """(3, 3) rotation, frame of the joints from wrist.

    Columns: x from the middle knuckle to the wrist, y the normal of the plane through wrist, index
    and middle knuckle, z in this plane to the index finger's side. NaN where the three lie on one
    line or are not finite.

    Args:
        joints_m: (21, 3) in any right-handed frame.

    Raises:
        ValueError: the joints have another shape.
    """
    joints = checked_joints(joints_m)
    back = joints[_WRIST] - joints[_MIDDLE]
    across = joints[_INDEX] - joints[_MIDDLE]
    # The original fits the plane by an SVD and picks the normal's sign so that z looks to the
    # index finger. Through three points there is only one plane, and z is what is left of that way.
    length, width = np.linalg.norm(back), np.linalg.norm(across)
    normal = np.cross(across, back)
    area = np.linalg.norm(normal)
    if not area > _LEAST_SINE * length * width:
        return np.full((3, 3), np.nan)
    x, y = back / length, normal / area
    return np.column_stack((x, y, np.cross(x, y)))


def operator_rotation(joints_m: ArrayLike, side: Side) -> Array:
    """(3, 3) rotation of the frame that ``operator_joints`` tells, frame of the joints from it.

    Raises:
        ValueError: the joints have another shape.
    """
    return wrist_frame(joints_m) @ OPERATOR2MANO[side]


def operator_joints(joints_m: ArrayLike, side: Side) -> Array:
    """(21, 3) joints about the wrist in the operator's convention, as dex-retargeting takes them.

    NaN where there is no frame (see ``wrist_frame``).

    Args:
        joints_m: (21, 3) in any right-handed frame, metres.
        side: which hand it is.

    Raises:
        ValueError: the joints have another shape.
    """
    joints = checked_joints(joints_m)
    return (joints - joints[_WRIST]) @ operator_rotation(joints, side)
