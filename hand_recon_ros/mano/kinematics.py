"""Joints of a MANO-compatible hand and their Jacobian, in batched numpy, for the fit.

Only the 16 joints and five tip vertices are posed, never the mesh. All five fingers have three
joints, so that every step along the tree is one operation over hands and fingers.

Order of the 21 points here: wrist, 15 joints in MANO order, five tips in MANO's finger order
(index, middle, little, ring, thumb); ``FROM_SKELETON`` takes ``skeleton.JOINT_NAMES`` to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rotations import hat
from hand_recon_ros.skeleton import JOINTS_TO_MANO
from hand_recon_ros.types import Array

TIP_JOINTS = (8, 12, 20, 16, 4)
"""Tips in MANO's finger order as indices into the 21-joint skeleton."""
_MODEL_TIPS = [1, 2, 4, 3, 0]
"""MANO's finger order as indices into ``HandModelData.tips`` (thumb first)."""
FROM_SKELETON = np.array((*JOINTS_TO_MANO, *TIP_JOINTS))
TO_SKELETON = np.argsort(FROM_SKELETON)

POSITION = slice(0, 3)
ORIENTATION = slice(3, 6)
POSE = slice(6, 51)
BETAS = slice(51, 61)
"""Columns of the Jacobian; the first 51 are ``results.STATE_SIZE``'s tangent state."""
NUM_COLUMNS = 61

_MIDDLE_TIP = slice(17 * 3, 18 * 3)
_RIGID = 1e-4
"""Least change of the tips (weight or metres a unit feature) worth skinning them for."""
_BONE_END = np.column_stack((np.arange(1, 16).reshape(5, 3), np.arange(16, 21)))
_BONE_START = np.column_stack((np.zeros(5, dtype=int), np.arange(1, 16).reshape(5, 3)))
# a finger's joint L moves its point M (3 = tip)
_JOINT = np.array((0, 0, 0, 1, 1, 2))
_MOVED = np.array((1, 2, 3, 2, 3, 3))
_LEVER = np.eye(4)[_JOINT] - np.eye(4)[_MOVED]
_EYE = np.eye(3)


@dataclass(frozen=True, slots=True)
class HandSkeleton:
    """Joint-level arrays of B hand models.

    Attributes:
        rest: (B, 63) wrist, joints and tips of the mean shape, m.
        rest_shape: (B, 63, 10) their change with the betas.
        bones: (B, 5, 4, 3) bones wrist-1, 1-2, 2-3 and 3-tip of the mean shape, m.
        bone_shape: (B, 5, 4, 3, 10) their change with the betas.
        tip_weights: (B, 5, 16) skin weights of the tips.
        tip_posedirs: (B, 135, 15) pose correctives of the tips.
        rigid_tips: tips follow the last joint of their finger exactly.
    """

    rest: Array
    rest_shape: Array
    bones: Array
    bone_shape: Array
    tip_weights: Array
    tip_posedirs: Array
    rigid_tips: bool

    @classmethod
    def of(cls, model: HandModelData) -> HandSkeleton:
        """The skeleton of one model (B = 1)."""
        tips = np.asarray(model.tips)[_MODEL_TIPS]
        regress = model.j_regressor
        rest = np.concatenate((regress @ model.v_template, model.v_template[tips]))
        shape = np.concatenate(
            (np.einsum("jv,vxb->jxb", regress, model.shapedirs), model.shapedirs[tips])
        )
        weights = np.asarray(model.weights[tips])
        posedirs = np.asarray(model.posedirs[tips]).reshape(15, 135).T
        distal = weights[np.arange(5), 3 + 3 * np.arange(5)]
        rigid = bool(distal.min() > 1 - _RIGID and np.abs(posedirs).max() < _RIGID)
        return cls(
            rest=rest.reshape(1, 63),
            rest_shape=shape.reshape(1, 63, 10),
            bones=(rest[_BONE_END] - rest[_BONE_START])[None],
            bone_shape=(shape[_BONE_END] - shape[_BONE_START])[None],
            tip_weights=weights[None],
            tip_posedirs=np.ascontiguousarray(posedirs)[None],
            rigid_tips=rigid,
        )

    @classmethod
    def stack(cls, parts: Sequence[HandSkeleton]) -> HandSkeleton:
        """Several skeletons as one batch."""
        if len(parts) == 1:
            return parts[0]
        arrays = {
            f.name: np.concatenate([getattr(part, f.name) for part in parts])
            for f in fields(cls)
            if f.name != "rigid_tips"
        }
        return cls(**arrays, rigid_tips=all(part.rigid_tips for part in parts))

    def take(self, index: NDArray[np.int64]) -> HandSkeleton:
        """The hands of ``index`` (may repeat)."""
        arrays = {
            f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "rigid_tips"
        }
        return HandSkeleton(**arrays, rigid_tips=self.rigid_tips)

    def rest_wrist(self, hand: int, betas: Array) -> Array:
        """(3,) wrist joint of one hand in the rest frame, J0(betas), m."""
        return np.asarray(self.rest[hand, :3] + self.rest_shape[hand, :3] @ betas)

    def flat_length(self, betas: Array) -> tuple[Array, Array]:
        """(B,) length of the flat hand, wrist to middle tip, m, and its derivative (B, 10)."""
        shape = self.rest_shape[:, _MIDDLE_TIP] - self.rest_shape[:, :3]
        flat = self.rest[:, _MIDDLE_TIP] - self.rest[:, :3] + (shape @ betas[..., None])[..., 0]
        length = np.sqrt(np.einsum("bi,bi->b", flat, flat))
        return length, ((flat / length[:, None])[:, None] @ shape)[:, 0]

    def rest_points(self, betas: Array) -> Array:
        """(B, 21, 3) wrist, joints and tips of the flat hand of shape (B, 10), rest frame, m."""
        points = self.rest + (self.rest_shape @ betas[..., None])[..., 0]
        return points.reshape(-1, 21, 3)


@dataclass(frozen=True, slots=True)
class PosedJoints:
    """Result of ``pose_joints``.

    Attributes:
        points: (B, 21, 3) in the camera frame, m, order of this module.
        chain: (B, 5, 4, 3, 3) camera from wrist, joint 1, 2 and 3 of each finger.
        finger: (B, 5, 4, 3) positions of joint 1, 2, 3 and tip of each finger.
    """

    points: Array
    chain: Array
    finger: Array


def pose_joints(
    skeleton: HandSkeleton, position: Array, orientation: Array, pose: Array, betas: Array
) -> PosedJoints:
    """Pose B hands (MANO, Romero et al. 2017, eq. 2-4, for joints and tips alone).

    Args:
        skeleton: the B hands.
        position: (B, 3) wrist joint in the camera frame, m.
        orientation: (B, 3, 3) camera from wrist.
        pose: (B, 15, 3, 3) joint rotations in MANO order, each in its parent's frame.
        betas: (B, 10) shape.
    """
    count = len(position)
    grown = skeleton.bone_shape.reshape(count, 60, 10) @ betas[..., None]
    bones = grown.reshape(count, 5, 4, 3, 1)
    bones += skeleton.bones[..., None]
    fingers = pose.reshape(count, 5, 3, 3, 3)
    chain = np.empty((count, 5, 4, 3, 3))
    chain[:, :, 0] = orientation[:, None]
    for level in range(3):
        np.matmul(chain[:, :, level], fingers[:, :, level], out=chain[:, :, level + 1])
    steps = chain @ bones
    finger = steps[..., 0].cumsum(axis=2)
    finger += position[:, None, None]
    points = np.empty((count, 21, 3))
    points[:, 0] = position
    points[:, 1:16] = finger[:, :, :3].reshape(count, 15, 3)
    if not skeleton.rigid_tips:
        finger[:, :, 3] = _skinned_tips(skeleton, skeleton.rest_points(betas), points, chain, pose)
    points[:, 16:] = finger[:, :, 3]
    return PosedJoints(points, chain, finger)


def joint_jacobian(skeleton: HandSkeleton, posed: PosedJoints, with_betas: bool = True) -> Array:
    """d points / d (position, orientation, pose, betas): (B, 21, 3, 61) or (..., 51).

    Tangents as in ``results.STATE_SIZE``. Tips are taken as rigid with their last joint, which
    leaves out the derivative of their pose correctives (below 3 % of a tip's lever).
    """
    count = len(posed.points)
    columns = NUM_COLUMNS if with_betas else POSE.stop
    J = np.zeros((count, 21, 3, columns))
    J[..., POSITION] = _EYE
    # w x d = hat(-d) w
    J[:, 1:, :, ORIENTATION] = hat(posed.points[:, :1] - posed.points[:, 1:])
    turned = hat(_LEVER @ posed.finger) @ posed.chain.take(1 + _JOINT, axis=2)
    J.reshape(count, -1)[:, _flat_index(columns)] = turned.reshape(count, -1)
    if with_betas:
        moved = posed.chain @ skeleton.bone_shape
        np.cumsum(moved, axis=2, out=moved)
        J[:, 1:16, :, BETAS] = moved[:, :, :3].reshape(count, 15, 3, 10)
        J[:, 16:, :, BETAS] = moved[:, :, 3]
    return J


def _skinned_tips(
    skeleton: HandSkeleton, rest: Array, points: Array, chain: Array, pose: Array
) -> Array:
    """(B, 5, 3) tip vertices by linear blend skinning with pose correctives."""
    count = len(rest)
    rotations = np.empty((count, 16, 3, 3))
    rotations[:, 0] = chain[:, 0, 0]
    rotations[:, 1:] = chain[:, :, 1:].reshape(count, 15, 3, 3)
    offsets = points[:, :16] - (rotations @ rest[:, :16, :, None])[..., 0]
    blended = (skeleton.tip_weights @ rotations.reshape(count, 16, 9)).reshape(count, 5, 3, 3)
    feature = (pose - np.eye(3)).reshape(count, 1, 135)
    vertices = rest[:, 16:] + (feature @ skeleton.tip_posedirs).reshape(count, 5, 3)
    return (blended @ vertices[..., None])[..., 0] + skeleton.tip_weights @ offsets


_FLAT_INDEX: dict[int, NDArray[np.int64]] = {}


def _flat_index(columns: int) -> NDArray[np.int64]:
    """Where (5 fingers, 6 joint-point pairs, 3, 3) entries lie in a flat (21, 3, columns)."""
    if columns not in _FLAT_INDEX:
        f = np.arange(5)[:, None, None, None]
        joint, moved = _JOINT[:, None, None], _MOVED[:, None, None]
        row = np.where(moved == 3, 16 + f, 1 + 3 * f + moved)
        axis, column = np.arange(3)[:, None], np.arange(3)
        flat = (row * 3 + axis) * columns + POSE.start + 9 * f + 3 * joint + column
        _FLAT_INDEX[columns] = flat.reshape(-1)
    return _FLAT_INDEX[columns]
