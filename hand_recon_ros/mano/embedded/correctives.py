"""Pose correctives: what keeps bent fingers from collapsing under linear blend skinning.

Linear blending of two rotations shrinks what lies between them (a finger bent by 90 degrees loses
30 % of its depth at the joint). Dual quaternion skinning (Kavan et al., "Skinning with dual
quaternions", I3D 2007) keeps distances; the correctives are its difference from linear blending,
in the rest pose, regressed on MANO's 135 pose features.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from hand_recon_ros.mano.data import FloatArray, IntArray
from hand_recon_ros.mano.embedded.poses import axis_angles, sample
from hand_recon_ros.skeleton import MANO_PARENTS

_SAMPLES: Final = 700
_RIDGE: Final = 1e-3


def _pose_transforms(rotations: FloatArray, joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Global rotations (n, 16, 3, 3) and shifts (n, 16, 3) of the bones: v -> R v + t."""
    turned = np.empty((len(rotations), 16, 3, 3))
    placed = np.empty((len(rotations), 16, 3))
    turned[:, 0], placed[:, 0] = np.eye(3), joints[0]
    for joint in range(1, 16):
        parent = MANO_PARENTS[joint]
        turned[:, joint] = turned[:, parent] @ rotations[:, joint - 1]
        arm = turned[:, parent] @ (joints[joint] - joints[parent])
        placed[:, joint] = placed[:, parent] + arm
    return turned, placed - np.einsum("njab,jb->nja", turned, joints)


def dual_quaternion_skinning(
    vertices: FloatArray, weights: FloatArray, turned: FloatArray, shift: FloatArray
) -> FloatArray:
    """Skin vertices (m, 3) with rotations (n, 16, 3, 3) and shifts (n, 16, 3) to (n, m, 3)."""
    count = len(turned)
    real = Rotation.from_matrix(turned.reshape(-1, 3, 3)).as_quat().reshape(count, 16, 4)
    # q and -q are one rotation: take the sign nearer to the parent's, or the blend cancels.
    for joint in range(1, 16):
        cosine = (real[:, joint] * real[:, MANO_PARENTS[joint]]).sum(axis=-1, keepdims=True)
        real[:, joint] *= np.where(cosine < 0, -1.0, 1.0)
    vector, scalar = real[..., :3], real[..., 3:]
    dual = 0.5 * np.concatenate(
        [
            scalar * shift + np.cross(shift, vector),
            -(shift * vector).sum(-1, keepdims=True),
        ],
        axis=-1,
    )
    blend_real, blend_dual = weights @ real, weights @ dual
    norm = np.linalg.norm(blend_real, axis=-1, keepdims=True)
    blend_real, blend_dual = blend_real / norm, blend_dual / norm
    v, s = blend_real[..., :3], blend_real[..., 3:]
    moved = vertices + 2.0 * np.cross(v, np.cross(v, vertices) + s * vertices)
    dv, ds = blend_dual[..., :3], blend_dual[..., 3:]
    return np.asarray(moved + 2.0 * (s * dv - ds * v + np.cross(v, dv)))


def pose_correctives(
    vertices: FloatArray,
    joints: FloatArray,
    weights: FloatArray,
    axes: FloatArray,
    tips: IntArray,
) -> FloatArray:
    """(778, 3, 135) correctives by ridge regression over sampled legal poses.

    A vertex listens only to the joints whose bones carry it; vertices of one bone, among them the
    tips, have none.
    """
    half = sample(_SAMPLES // 2, 2, synergy=True)
    angles = np.concatenate([half, sample(_SAMPLES - len(half), 3, synergy=False)])
    vectors = axis_angles(axes, angles)
    rotations = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(-1, 15, 3, 3)
    turned, shift = _pose_transforms(rotations, joints)
    blended = np.einsum("vj,njab->nvab", weights, turned)
    linear = np.einsum("nvab,vb->nva", blended, vertices) + weights @ shift
    kept = dual_quaternion_skinning(vertices, weights, turned, shift)
    residual = np.linalg.solve(blended, (kept - linear)[..., None])[..., 0]

    features = (rotations - np.eye(3)).reshape(len(rotations), 15, 9)
    correctives = np.zeros((len(vertices), 3, 15, 9))
    groups: dict[tuple[int, ...], list[int]] = {}
    for vertex, row in enumerate(weights):
        bones = tuple(int(j) for j in np.flatnonzero(row))
        if len(bones) > 1 and vertex not in tips:
            groups.setdefault(tuple(j for j in bones if j > 0), []).append(vertex)
    for bones, members in groups.items():
        columns = np.array(bones) - 1
        matrix = features[:, columns].reshape(len(features), -1)
        normal = matrix.T @ matrix + _RIDGE * len(matrix) * np.eye(matrix.shape[1])
        target = residual[:, members].reshape(len(matrix), -1)
        solved = np.linalg.solve(normal, matrix.T @ target)
        solved = solved.reshape(len(columns), 9, len(members), 3).transpose(2, 3, 0, 1)
        correctives[np.ix_(np.array(members), np.arange(3), columns)] = solved
    return correctives.reshape(len(vertices), 3, 135)
