"""A hand that looks like one: smooth skin with nails and creases, and an arm in a sleeve."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.raster import Float, Fragments, Patch, render, vertex_normals
from hand_recon_ros.rendering.skin_texture import paint_skin
from hand_recon_ros.rendering.subdivision import loop_subdivision
from hand_recon_ros.types import Array

_ARM_RINGS = ((0.02, 1.0), (0.05, 1.05), (0.085, 1.12), (0.088, 1.4), (0.13, 1.5), (0.4, 1.9))
"""Rings beyond the wrist: distance along the arm, m, and width against the wrist."""
_SLEEVE_FROM = 3
"""The first ring that is cloth."""


def _unit(*direction: float) -> Float:
    vector = np.array(direction, dtype=np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


_KEY_LIGHT = _unit(-0.5, -0.75, -0.45)
_FILL_LIGHT = _unit(0.7, 0.1, -0.7)
_HALFWAY = _unit(*(_KEY_LIGHT + _unit(0, 0, -1)))
_WRAP = np.array([0.45, 0.25, 0.2], dtype=np.float32)
"""Light bleeds through skin past the shadow's edge, red farthest."""
_GAMMA = (255 * np.linspace(0, 1, 4096) ** (1 / 2.2)).astype(np.float32)
"""Display values of linear light, as a table."""
_CREASE = 260.0
"""How much a hollow (m of Laplacian) darkens."""


class SkinnedHand:
    """Renders one side's hand model as skin.

    Args:
        model: the hand model.
        tone: (3,) skin colour, RGB 0..1, linear light.
        sleeve: (3,) colour of the cloth.
    """

    def __init__(self, model: HandModelData, tone: Array, sleeve: Array) -> None:
        """Prepare the finer mesh and its colours."""
        self._loop = model.wrist_loop
        self._tone, self._sleeve = tone.astype(np.float32), sleeve.astype(np.float32)
        to_elbow = np.array([1.0 if model.side == "right" else -1.0, 0.0, 0.0])
        rest = self._with_arm(model.v_template, to_elbow)
        faces = np.concatenate([model.faces, self._arm_faces(model)])
        self._refine, self._faces = loop_subdivision(faces, len(rest))
        self._to_neighbours = _neighbour_means(self._faces, self._refine.shape[0])
        rest = self._refine @ rest
        self._texture = paint_skin(model)
        palm_side = vertex_normals(rest, self._faces)[:, 1:2]
        palmar = 1.0 / (1.0 + np.exp(8.0 * (palm_side + 0.15)))
        arm = np.arange(self._refine.shape[1]) >= len(model.v_template) + _SLEEVE_FROM * 16 - 16
        cloth = np.asarray(self._refine @ arm.astype(np.float64))[:, None] > 0.5
        self._looks = np.concatenate([self._texture.pixels(rest), palmar, cloth], axis=1)

    def render(
        self, vertices_m: Array, to_elbow: Array, camera: Camera, supersample: float
    ) -> Patch | None:
        """Render the hand.

        Args:
            vertices_m: (778, 3) metres, camera's optical frame.
            to_elbow: (3,) unit vector along the forearm.
            camera: intrinsics.
            supersample: samples a pixel in each direction.
        """
        vertices = self._refine @ self._with_arm(vertices_m, to_elbow)
        # The mesh is finer than the picture, so that light may be told at its vertices.
        surface = np.concatenate([self._looks, self._light(vertices)], axis=1)
        return render(
            vertices, self._faces, camera, lambda seen: self._shade(seen, surface), supersample
        )

    def _light(self, vertices: Array) -> Float:
        """Warm key light, cool fill and sky (V, 3), and a little gloss (V, 1)."""
        normals = vertex_normals(vertices, self._faces)
        hollow = ((self._to_neighbours @ vertices - vertices) * normals).sum(axis=1)
        crease = np.clip(1.0 - _CREASE * np.clip(hollow, 0, None), 0.55, 1.0)[:, None]
        key = (normals @ _KEY_LIGHT)[:, None]
        fill = np.clip(normals @ _FILL_LIGHT, 0, 1)[:, None]
        light = np.clip((key + _WRAP) / (1 + _WRAP), 0, 1) * np.array([0.9, 0.85, 0.79])
        light += fill * np.array([0.17, 0.19, 0.22])
        light += 0.2 - 0.06 * normals[:, 1:2]
        rim = 0.5 + 0.5 * np.sqrt(np.clip(-normals[:, 2:3], 0, 1))
        glance = np.clip(normals @ _HALFWAY, 0, 1)[:, None] ** 24
        gloss = np.where(self._looks[:, 3:] > 0.5, 0.0, 0.09)
        return np.concatenate([light * rim * crease, gloss * glance], axis=1)

    def _shade(self, seen: Fragments, surface: Float) -> Float:
        """RGB, 0..255."""
        values = seen.interpolate(surface)
        albedo = self._tone * self._texture.sample(values[:, :2], values[:, 2])
        albedo[values[:, 3] > 0.5] = self._sleeve
        linear = np.clip(albedo * values[:, 4:7] + values[:, 7:8], 0, 1)
        return np.asarray(_GAMMA[(linear * (len(_GAMMA) - 1)).astype(np.int32)])

    def _with_arm(self, vertices: Array, to_elbow: Array) -> Array:
        loop = vertices[self._loop]
        centre = loop.mean(axis=0)
        rings = [centre + width * (loop - centre) + far * to_elbow for far, width in _ARM_RINGS]
        return np.concatenate([vertices, *rings])

    def _arm_faces(self, model: HandModelData) -> NDArray[np.int64]:
        count = len(self._loop)
        first = len(model.v_template)
        rings = [first + count * k + np.arange(count) for k in range(len(_ARM_RINGS))]
        faces = []
        for near, far in pairwise([self._loop, *rings]):
            a, b, c, d = near, np.roll(near, -1), np.roll(far, -1), far
            faces += [np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]
        # The hand's faces run along a wrist edge in one direction, the arm's in the other.
        edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in model.faces for k in range(3)}
        turned = (int(self._loop[0]), int(self._loop[1])) in edges
        return np.concatenate(faces)[:, [0, 2, 1] if turned else [0, 1, 2]]


def _neighbour_means(faces: NDArray[np.integer], count: int) -> sparse.csr_matrix:
    """(V, V): the mean of each vertex's neighbours."""
    start, end = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    joined = sparse.csr_matrix((np.ones(len(start)), (start, end)), shape=(count, count))
    joined = ((joined + joined.T) > 0).astype(np.float64)
    return sparse.diags(1.0 / np.asarray(joined.sum(axis=1)).reshape(-1)) @ joined
