"""How deep a posed mesh enters itself or another hand, and the way back to a legal pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.priors import LOWER_LIMITS, SPREAD, UPPER_LIMITS
from hand_recon_ros.rendering.gl.mesh import Mesh
from hand_recon_ros.types import Array

MAX_DEPTH_M = 0.002
"""What soft skin may give way; deeper is illegal."""
_SAFE_DEPTH_M = 0.0013
"""Limit of the measure at vertices, which lie a few millimetres apart."""
_NEIGHBOURS_M = 0.028
"""Vertices nearer than this along the skin belong to one fold and cannot enter each other."""
_REACH_M = 0.02
_PALM = 5
_STEPS = 14
_BACK = 0.08
_APART = np.deg2rad(1.5)
_SIDE_BY_SIDE = {(0, 1): (0, 1), (1, 3): (1, 3), (2, 3): (3, 2)}
"""Digit pairs (MANO's order) that lie beside each other, as (radial, ulnar)."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """The deepest entry of one digit into another part of the same hand.

    Attributes:
        depth: m; 0 = none.
        digits: (n, 2) digits (MANO's order, 5 = palm) that overlap too deeply.
    """

    depth: float
    digits: NDArray[np.int64]


class SelfContact:
    """Measures one hand model's posed meshes."""

    def __init__(self, model: HandModelData) -> None:
        """Find which pairs of vertices may meet."""
        self._mesh = Mesh.of(model.faces, len(model.v_template))
        part = model.weights.argmax(axis=1)
        digit = np.where(part == 0, _PALM, (part - 1) // 3)
        bone = np.where(part == 0, -1, (part - 1) % 3)
        self._digit = digit
        near = _along_skin(model.v_template, model.faces) < _NEIGHBOURS_M
        fingers = (digit[:, None] != digit) & (digit[:, None] != _PALM) & (digit != _PALM)
        free = (bone >= 1) & (digit != _PALM)
        palm = free[:, None] & (digit == _PALM)
        self._rows = np.nonzero(bone >= 0)[0]
        self._penalty = np.where((fingers | palm)[self._rows], 0.0, 1.0).astype(np.float32)
        self._one_fold = near[self._rows]

    def measure(self, vertices_m: Array) -> Overlap:
        """Overlap of one posed mesh (778, 3)."""
        normals = self._mesh.normals(vertices_m)
        centred = (vertices_m - vertices_m[0]).astype(np.float32)
        depth, other = entry_depth(centred[self._rows], centred, normals, self._penalty)
        # In the webs the nearest skin of the next finger is the fold's other side.
        depth = np.where(self._one_fold[np.arange(len(other)), other], 0.0, depth)
        deep = depth > _SAFE_DEPTH_M
        pairs = np.stack([self._digit[self._rows[deep]], self._digit[other[deep]]], axis=1)
        unique = np.unique(np.sort(pairs, axis=1), axis=0)
        return Overlap(max(float(depth.max()), 0.0), unique.reshape(-1, 2))


def entry_depth(
    points: NDArray[np.float32],
    surface: NDArray[np.float32],
    normals: NDArray[np.float32],
    penalty: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Depth (n,) of points below the tangent plane of the nearest surface vertex, and which.

    On the convex outside of a finger a tangent plane lies above the surface, so that the depth
    is rather too large than too small. Points with no vertex near are outside (negative depth).

    Args:
        points: (n, 3) m.
        surface: (V, 3) vertices, m.
        normals: (V, 3) outward.
        penalty: (n, V) m^2 added to the squared distance of pairs that do not count.
    """
    # one product gives |p|^2 - 2 p q + |q|^2
    ones = np.ones((len(points), 1), np.float32)
    left = np.concatenate([-2.0 * points, ones, (points**2).sum(1, keepdims=True)], axis=1)
    right = np.concatenate(
        [surface, (surface**2).sum(1, keepdims=True), np.ones((len(surface), 1), np.float32)],
        axis=1,
    )
    square = left @ right.T
    if penalty is not None:
        square += penalty
    nearest = square.argmin(axis=1)
    least = np.take_along_axis(square, nearest[:, None], axis=1)[:, 0]
    depth = ((surface[nearest] - points) * normals[nearest]).sum(axis=1)
    return np.where(least < _REACH_M**2, depth, -1.0), nearest


def drawn_back(angles: Array, towards: Array, digits: NDArray[np.int64], step: int) -> Array:
    """One step back of the digits that overlap.

    Fingers side by side first move apart; others move towards an open pose, the thumb first.
    """
    changed = angles.reshape(5, 3, 3).copy()
    goal = towards.reshape(5, 3, 3)
    for a, b in digits.tolist():
        beside = _SIDE_BY_SIDE.get((a, b))
        if beside is not None and step < _STEPS // 2:
            radial, ulnar = beside
            changed[radial, 0, SPREAD] += _APART
            changed[ulnar, 0, SPREAD] -= _APART
            continue
        movers = [digit for digit in (a, b) if digit != _PALM]
        if 4 in movers and step % 3:
            movers = [4]
        for digit in movers:
            changed[digit] += _BACK * (goal[digit] - changed[digit])
    return np.clip(changed.reshape(15, 3), LOWER_LIMITS, UPPER_LIMITS)


def is_legal(overlap: Overlap) -> bool:
    """Whether no digit enters another part by more than skin gives way."""
    return overlap.depth <= _SAFE_DEPTH_M


def limits_hold(angles: Array) -> bool:
    """Whether (15, 3) angles lie within the joint limits."""
    slack = 1e-6
    return bool(((angles >= LOWER_LIMITS - slack) & (angles <= UPPER_LIMITS + slack)).all())


def _along_skin(vertices: Array, faces: NDArray[np.int64]) -> Array:
    """(V, V) distances along the mesh's edges, m, up to the limit of interest."""
    start, end = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    length = np.linalg.norm(vertices[start] - vertices[end], axis=1)
    graph = sparse.csr_matrix((length, (start, end)), shape=(len(vertices), len(vertices)))
    return np.asarray(dijkstra(graph.maximum(graph.T), limit=2 * _NEIGHBOURS_M))
