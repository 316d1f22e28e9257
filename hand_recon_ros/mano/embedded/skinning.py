"""Skin weights and joint regressor of the embedded hand."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.optimize import nnls

from hand_recon_ros.mano.data import FloatArray
from hand_recon_ros.mano.embedded.anatomy import Anatomy, Chain, chains
from hand_recon_ros.mano.embedded.mesh import adjacency
from hand_recon_ros.mano.embedded.topology import Topology
from hand_recon_ros.skeleton import FINGERS

FIRST_JOINT: Final = {"index": 1, "middle": 4, "little": 7, "ring": 10, "thumb": 13}
_MOST_BONES: Final = 4
_DIFFUSIONS: Final = 5
_NEAREST: Final = 120


def _step(value: FloatArray, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
    """Smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - low) / (np.asarray(high) - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _bends(points: FloatArray, bones: Chain, reach: float) -> FloatArray:
    """(n, 2) how far points went over to the second and the third bone of their digit."""
    over = []
    for joint in (1, 2):
        axis = bones.frames[joint - 1][:, 0] + bones.frames[joint][:, 0]
        axis = axis / np.linalg.norm(axis)
        along = (points - bones.points[joint]) @ axis
        over.append(_step(along, -reach, reach))
    return np.stack(over, axis=1)


def skin_weights(topology: Topology, vertices: FloatArray, anatomy: Anatomy) -> FloatArray:
    """(778, 16) weights: at most 4 bones a vertex, sum 1, smooth across the joints.

    ``vertices`` are the millimetres of ``build_vertices``.
    """
    bones = chains(anatomy)
    owner = np.full(len(vertices), -1)
    for k, rings in enumerate(topology.digits):
        owner[np.concatenate([*rings[1:], topology.caps[k], topology.tips[k : k + 1]])] = k

    # How much of a vertex each digit's first bone carries.
    lateral, carried = [], []
    for name in FINGERS[1:]:
        local = (vertices - bones[name].points[0]) @ bones[name].frames[0]
        low = np.where(local[:, 1] > 0, -6.0, 1.0)
        high = np.where(local[:, 1] > 0, 14.0, 21.0)
        carried.append(_step(local[:, 0], low, high))
        lateral.append(local[:, 2])
    share = np.exp(-np.square(np.stack(lateral, 1)) / (2 * 7.5**2))
    share /= share.sum(axis=1, keepdims=True)
    for k in range(1, 5):
        share[owner == k] = np.eye(4)[k - 1]
    fingers = share * np.stack(carried, axis=1)

    local = (vertices - bones["thumb"].points[0]) @ bones["thumb"].frames[0]
    away = np.linalg.norm(local[:, 1:], axis=1)
    thumb = _step(local[:, 0], -8.0, 26.0) * (1.0 - _step(away, 11.0, 34.0))
    thumb[owner == 0] = 1.0
    thumb[owner > 0] = 0.0

    total = fingers.sum(axis=1)
    first = np.concatenate([thumb[:, None], fingers * (1.0 - thumb)[:, None]], axis=1)
    wrist = (1.0 - thumb) * (1.0 - total)
    coarse = np.concatenate([wrist[:, None], first], axis=1)
    coarse = _diffuse(topology, coarse, owner)
    coarse[np.concatenate(topology.rows[:2])] = np.eye(6)[0]  # a rigid cuff

    weights = np.zeros((len(vertices), 16))
    weights[:, 0] = coarse[:, 0]
    for k, name in enumerate(FINGERS):
        reach = 8.5 if name == "thumb" else 6.5
        over = _bends(vertices, bones[name], reach)
        joint = FIRST_JOINT[name]
        weights[:, joint] = coarse[:, k + 1] * (1.0 - over[:, 0])
        weights[:, joint + 1] = coarse[:, k + 1] * over[:, 0] * (1.0 - over[:, 1])
        weights[:, joint + 2] = coarse[:, k + 1] * over[:, 0] * over[:, 1]
    return _sparse(weights)


def _diffuse(topology: Topology, weights: FloatArray, owner: FloatArray) -> FloatArray:
    """Even out the palm's weights over the mesh; the digits keep theirs."""
    average = adjacency(topology.faces)
    palm = (owner < 0)[:, None]
    for _ in range(_DIFFUSIONS):
        weights = np.where(palm, 0.5 * weights + 0.5 * (average @ weights), weights)
    return weights


def _sparse(weights: FloatArray) -> FloatArray:
    """Keep the four largest weights of each vertex, drop the tiny ones."""
    least = np.sort(weights, axis=1)[:, -_MOST_BONES][:, None]
    kept = np.where((weights >= least) & (weights > 0.004), weights, 0.0)
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))


def joint_regressor(
    vertices: FloatArray,
    joints: FloatArray,
    directions: FloatArray,
    joint_directions: FloatArray,
) -> FloatArray:
    """(16, 778) regressor that gives the right joints for every shape.

    Non-negative least squares over the nearest vertices, rows summing to 1 (facts B5).

    Args:
        vertices: (778, 3), metres.
        joints: (16, 3) true joints.
        directions: (778, 3, 10) shape directions.
        joint_directions: (16, 3, 10) true shape directions of the joints.
    """
    regressor = np.zeros((16, len(vertices)))
    for joint in range(16):
        distance = np.linalg.norm(vertices - joints[joint], axis=1)
        near = np.argsort(distance, kind="stable")[:_NEAREST]
        moves = directions[near].reshape(len(near), -1).T
        # The sum is the heaviest equation; then the mean shape; then each direction.
        matrix = np.concatenate([vertices[near].T * 3.0, moves, np.full((1, len(near)), 10.0)])
        target = np.concatenate([joints[joint] * 3.0, joint_directions[joint].ravel(), [10.0]])
        solution, _ = nnls(matrix, target, maxiter=5000)
        regressor[joint, near] = solution / solution.sum()
    return regressor
