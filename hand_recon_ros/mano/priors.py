"""What a hand can do: anatomical axes, joint angles with their limits, and the usual pose.

Each finger joint's rotation is told as three angles in axes taken from the rest skeleton:
back (along the bone, towards the wrist), up (the back of the hand or the thumb's nail side) and
bend = back x up. With R the joint's rotation in these axes, R = Rz(bend) Ry(spread) Rx(twist):

* bend: flexion is positive, hyperextension negative;
* spread: positive towards the thumb; for the thumb itself, away from the palm;
* twist: about the bone.

Both hands have the same angles in the same pose: the left hand's axes are the mirrored ones of
the right, turned round, since a mirror reverses the sense of rotations. The arrangement follows
facts A3(b) and A3 "Suggested project default"; joint order is MANO's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.kinematics import HandSkeleton
from hand_recon_ros.rotations import arctan2, exp_so3
from hand_recon_ros.types import Array

TWIST, SPREAD, BEND = 0, 1, 2
THUMB = 4
"""The thumb is the last finger in MANO's order."""

_KNUCKLE = ((-10, 10), (-20, 20), (-20, 90))
_MIDDLE_KNUCKLE = ((-10, 10), (-15, 15), (-20, 90))
_PIP = ((-5, 5), (-5, 5), (-5, 110))
_DIP = ((-5, 5), (-5, 5), (-10, 90))
_THUMB = (
    ((-45, 45), (-15, 60), (-25, 50)),
    ((-10, 10), (-15, 15), (-10, 60)),
    ((-5, 5), (-5, 5), (-20, 85)),
)
_RANGES = np.deg2rad(
    [
        *(_KNUCKLE, _PIP, _DIP),
        *(_MIDDLE_KNUCKLE, _PIP, _DIP),
        *(_KNUCKLE, _PIP, _DIP),
        *(_KNUCKLE, _PIP, _DIP),
        *_THUMB,
    ]
)
LOWER_LIMITS: Array = _RANGES[..., 0]
"""(15, 3) least twist, spread and bend of each joint, rad."""
UPPER_LIMITS: Array = _RANGES[..., 1]
"""(15, 3) greatest twist, spread and bend of each joint, rad."""

_LONG_FINGER_SIGMA = ((6, 9, 35), (3, 3, 35), (3, 3, 25))
_THUMB_SIGMA = ((15, 20, 20), (6, 8, 25), (3, 3, 30))
POSE_SIGMA: Array = np.deg2rad([*(4 * _LONG_FINGER_SIGMA), *_THUMB_SIGMA])
"""(15, 3) spread of everyday twist, spread and bend about the relaxed pose, rad."""

COUPLING = 2.0 / 3.0
"""DIP bend over PIP bend of the four long fingers (Lin, Wu and Huang 2000)."""
COUPLING_SIGMA = float(np.deg2rad(15.0))
PIP_JOINTS = np.array((1, 4, 7, 10))
DIP_JOINTS = np.array((2, 5, 8, 11))

_MAX_SPREAD = 0.99
"""Sine at which the spread is cut off: beyond it twist and bend cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Axes and usual pose of B hands.

    Attributes:
        axes: (B, 15, 3, 3) columns back, up, bend of each joint in MANO's rest frame.
        mean: (B, 15, 3) twist, spread and bend of the model's relaxed pose, rad.
    """

    axes: Array
    mean: Array

    @classmethod
    def of(cls, model: HandModelData) -> Anatomy:
        """Read the anatomy off a model's rest skeleton (B = 1)."""
        mirror = np.array((1.0 if model.side == "right" else -1.0, 1.0, 1.0))
        points = HandSkeleton.of(model).rest_points(np.zeros((1, 10)))[0] * mirror
        axes = _right_hand_axes(points)
        if model.side == "left":
            axes = -mirror[:, None] * axes
        mean = angles_of(axes, exp_so3(model.hands_mean.reshape(15, 3)))
        return cls(axes[None], mean[None])

    @classmethod
    def stack(cls, parts: Sequence[Anatomy]) -> Anatomy:
        """Several hands as one batch."""
        return cls(np.concatenate([p.axes for p in parts]), np.concatenate([p.mean for p in parts]))

    def take(self, index: NDArray[np.int64]) -> Anatomy:
        """The hands of ``index`` (may repeat)."""
        return Anatomy(self.axes[index], self.mean[index])


def angles_of(axes: Array, rotations: Array) -> Array:
    """Twist, spread and bend (..., 3), rad, of joint rotations (..., 3, 3)."""
    return _angles(axes.swapaxes(-1, -2) @ rotations @ axes)


def angle_jacobian(axes: Array, angles: Array) -> Array:
    """Derivative (..., 3, 3) of the angles (..., 3) to R <- R exp(w), w in MANO's axes."""
    sine, cosine = np.sin(angles[..., :2]), np.cos(angles[..., :2])
    sin_twist, cos_twist = sine[..., TWIST], cosine[..., TWIST]
    secant = 1.0 / cosine[..., SPREAD]
    tangent = sine[..., SPREAD] * secant
    rates = np.zeros((*angles.shape, 3))
    rates[..., 0, 0] = 1.0
    rates[..., 0, 1] = sin_twist * tangent
    rates[..., 0, 2] = cos_twist * tangent
    rates[..., 1, 1] = cos_twist
    rates[..., 1, 2] = -sin_twist
    rates[..., 2, 1] = sin_twist * secant
    rates[..., 2, 2] = cos_twist * secant
    return np.asarray(rates @ axes.swapaxes(-1, -2))


def rotations_of(axes: Array, angles: Array) -> Array:
    """Joint rotations (..., 3, 3) of twist, spread and bend (..., 3), rad."""
    sine, cosine = np.sin(angles), np.cos(angles)
    st, ss, sb = sine[..., 0], sine[..., 1], sine[..., 2]
    ct, cs, cb = cosine[..., 0], cosine[..., 1], cosine[..., 2]
    turned = np.empty((*angles.shape, 3))
    turned[..., 0, 0] = cb * cs
    turned[..., 0, 1] = cb * ss * st - sb * ct
    turned[..., 0, 2] = cb * ss * ct + sb * st
    turned[..., 1, 0] = sb * cs
    turned[..., 1, 1] = sb * ss * st + cb * ct
    turned[..., 1, 2] = sb * ss * ct - cb * st
    turned[..., 2, 0] = -ss
    turned[..., 2, 1] = cs * st
    turned[..., 2, 2] = cs * ct
    return np.asarray(axes @ turned @ np.swapaxes(axes, -1, -2))


def _angles(turned: Array) -> Array:
    """Twist, spread and bend of rotations already told in anatomical axes."""
    angles = np.empty(turned.shape[:-1])
    angles[..., TWIST] = arctan2(turned[..., 2, 1], turned[..., 2, 2])
    sine = np.minimum(np.maximum(turned[..., 2, 0], -_MAX_SPREAD), _MAX_SPREAD)
    np.negative(np.arcsin(sine, out=sine), out=angles[..., SPREAD])
    angles[..., BEND] = arctan2(turned[..., 1, 0], turned[..., 0, 0])
    return angles


def _right_hand_axes(points: Array) -> Array:
    """(15, 3, 3) anatomical axes of a right hand's rest points (order of ``kinematics``)."""
    index, little = points[1] - points[0], points[7] - points[0]
    dorsal = np.cross(little, index)
    dorsal /= np.linalg.norm(dorsal)
    start = points[1:16].reshape(5, 3, 3)
    end = np.concatenate((start[:, 1:], points[16:, None]), axis=1)
    back = _unit(start - end)
    up = np.broadcast_to(dorsal, back.shape).copy()
    # the thumb's nail looks backwards, dorsally and to the radial side (facts A3(b))
    up[THUMB] = _unit(np.ones(3))
    bend = _unit(np.cross(back, up))
    axes = np.stack((back, np.cross(bend, back), bend), axis=-1)
    return axes.reshape(15, 3, 3)


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
