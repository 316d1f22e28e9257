"""A hand with its forearm as one smooth mesh, ready for the renderer."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.gl.mesh import Mesh, texture_layout
from hand_recon_ros.rendering.subdivision import loop_subdivision
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array

ARM_PART: Final = 16
"""Part number of the forearm in the rendered mesh; 0..15 are MANO's joints."""
ARM_RINGS: Final = (
    (0.012, 1.0),
    (0.03, 1.02),
    (0.055, 1.07),
    (0.09, 1.16),
    (0.14, 1.3),
    (0.2, 1.42),
    (0.28, 1.5),
)
"""Rings of the forearm beyond the wrist's edge: distance along it, m, and width."""
_BEND_OVER_M = 0.035
"""Length in which the arm takes up the bend of the wrist."""
_STEPS = 8
_LEAST_APART_M = 0.004
_SKIN_SHADE = np.array([0.8, 0.97, 1.0], dtype=np.float32)
"""What full cover takes of the light: least of the red, which skin passes on."""
_ARM_TEXEL = 6.0 / 512.0


class SmoothHand:
    """The render mesh of one side's hand model.

    Args:
        model: the hand model.
        smooth: subdivide it once (Loop); otherwise the model's own triangles, half the time to
            render.
    """

    def __init__(self, model: HandModelData, *, smooth: bool = True) -> None:
        """Join hand and arm."""
        self.side = model.side
        self._loop = model.wrist_loop
        self.around = len(model.wrist_loop)
        self._axis = np.array([1.0 if model.side == "right" else -1.0, 0.0, 0.0])
        faces = np.concatenate([model.faces, self._arm_faces(model)])
        rest = self.with_arm(model.v_template, np.eye(3), self._axis)
        self._own = Mesh.of(model.faces, len(model.v_template))
        if smooth:
            self._refine, fine_faces = loop_subdivision(faces, len(rest))
        else:
            self._refine, fine_faces = sparse.eye(len(rest), format="csr"), faces
        part = np.full(len(rest), ARM_PART)
        part[: len(model.v_template)] = model.weights.argmax(axis=1)
        share = np.asarray(self._refine @ np.eye(ARM_PART + 1)[part])
        uv, uv_faces = texture_layout(model)
        arm_faces = np.full((len(faces) - len(model.faces), 3), len(uv))
        uv = np.concatenate([uv, [[_ARM_TEXEL, _ARM_TEXEL]]])
        fine_uv, fine_uv_faces = uv, np.concatenate([uv_faces, arm_faces])
        if smooth:
            fine_uv, fine_uv_faces = _refined_uv(fine_uv, fine_uv_faces)
        self.mesh = Mesh.of(
            fine_faces,
            self._refine.shape[0],
            uv=fine_uv,
            uv_faces=fine_uv_faces,
            parts=share.argmax(axis=1),
            anchors=self._refine @ rest,
        )

    def vertices(self, hand: Array, orientation: Array, to_elbow: Array) -> Array:
        """Smooth vertices (V, 3) of a posed hand (778, 3) and its arm.

        Args:
            hand: vertices in some frame, m.
            orientation: (3, 3) that frame from the wrist.
            to_elbow: (3,) unit vector along the forearm in that frame.
        """
        return np.asarray(self._refine @ self.with_arm(hand, orientation, to_elbow))

    def shaded_mesh(self, hand: Array) -> Mesh:
        """The mesh, darker where the posed hand (778, 3) hides its own skin from the sky."""
        hidden = np.zeros((self._refine.shape[1], 1), np.float32)
        hidden[: len(hand), 0] = _hidden_share(hand, self._own)
        colour = 1.0 - (self._refine @ hidden) * _SKIN_SHADE
        template = self.mesh.template.copy()
        template["colour"][:, :3] = np.clip(255 * colour[self.mesh.source] + 0.5, 0, 255)
        return replace(self.mesh, template=template)

    def with_arm(self, hand: Array, orientation: Array, to_elbow: Array) -> Array:
        """The hand's vertices followed by the rings of the arm."""
        rings = self.rings(hand, orientation, to_elbow, ARM_RINGS)
        return np.concatenate([hand, *rings])

    def rings(
        self,
        hand: Array,
        orientation: Array,
        to_elbow: Array,
        places: tuple[tuple[float, float], ...],
    ) -> list[Array]:
        """Rings (n, 3) round the forearm, each with the vertices of the wrist's edge.

        Args:
            hand, orientation, to_elbow: see ``vertices``.
            places: (distance beyond the wrist's edge in m, width against it) of each ring.
        """
        loop = hand[self._loop]
        centre = loop.mean(axis=0)
        start = orientation @ self._axis
        turn = _between(start, to_elbow)
        rings = []
        for distance, width in places:
            # the middle line, by the midpoint rule
            steps = (np.arange(_STEPS) + 0.5) * distance / _STEPS
            line = exp_so3(turn * _share(steps)[:, None]) @ start
            at = centre + line.mean(axis=0) * distance
            bent = exp_so3(turn * _share(np.array(distance)))
            rings.append(at + width * (loop - centre) @ bent.T)
        return rings

    def _arm_faces(self, model: HandModelData) -> NDArray[np.int64]:
        count, first = len(self._loop), len(model.v_template)
        rings = [first + count * k + np.arange(count) for k in range(len(ARM_RINGS))]
        faces = []
        for near, far in pairwise([self._loop, *rings]):
            a, b, c, d = near, np.roll(near, -1), np.roll(far, -1), far
            faces += [np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]
        # The hand's faces run along a wrist edge in one direction, the arm's in the other.
        edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in model.faces for k in range(3)}
        self.outwards = (int(self._loop[0]), int(self._loop[1])) not in edges
        # Last comes a corner of the far ring, whose part the triangle shows: all are the arm's.
        return np.concatenate(faces)[:, [0, 1, 2] if self.outwards else [1, 0, 2]]


def _hidden_share(vertices: Array, mesh: Mesh) -> NDArray[np.float32]:
    """(V,) share of the sky over each vertex that the hand itself covers, roughly.

    Every vertex is a disk of its share of the surface; the form factors of M. Bunnell, "Dynamic
    Ambient Occlusion and Indirect Lighting", 2005, without its second pass.
    """
    points = (vertices - vertices.mean(axis=0)).astype(np.float32)
    normals = mesh.normals(vertices)
    a, b, c = (points[mesh.faces[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    area = np.bincount(mesh.faces.reshape(-1), areas.repeat(3), len(points)).astype(np.float32)
    # Every other vertex stands for two: the light is soft.
    other, other_normals, other_area = points[::2], normals[::2], 2 * area[::2]
    square = (points**2).sum(axis=1)
    apart = square[:, None] + square[::2] - 2 * (points @ other.T)
    np.maximum(apart, _LEAST_APART_M**2, out=apart)
    level = (normals * points).sum(axis=1)
    factor = np.maximum(normals @ other.T - level[:, None], 0)  # n_i (p_j - p_i)
    factor *= np.maximum(points @ other_normals.T - level[::2], 0)  # n_j (p_i - p_j)
    factor /= apart * (np.pi * apart + other_area)
    hidden = factor @ other_area
    return np.clip(hidden, 0, 1).astype(np.float32)


def _share(distance: Array) -> Array:
    x = np.clip(distance / _BEND_OVER_M, 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))


def _between(a: Array, b: Array) -> Array:
    """Axis-angle that turns unit vector a into b."""
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.zeros(3)
    return np.asarray(axis / sine * np.arctan2(sine, a @ b))


def _refined_uv(uv: Array, uv_faces: NDArray[np.integer]) -> tuple[Array, NDArray[np.int64]]:
    """Texture coordinates of ``loop_subdivision``'s faces: edges are halved, nothing is moved."""
    corners = uv[uv_faces]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
    pieces = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    flat = np.concatenate([np.stack(piece, axis=1) for piece in pieces]).reshape(-1, 2)
    unique, inverse = np.unique(flat.round(7), axis=0, return_inverse=True)
    return unique, inverse.reshape(-1, 3)
