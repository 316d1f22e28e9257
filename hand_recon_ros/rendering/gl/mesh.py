"""Triangle meshes as the renderer wants them: split along texture seams, packed for upload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.raster import vertex_normals

VERTEX: Final = np.dtype(
    [
        ("position", "<f4", 3),
        ("normal", "<f4", 3),
        ("uv", "<f4", 2),
        ("anchor", "<f4", 3),
        ("colour", "u1", 4),
        ("part", "u1", 4),
    ]
)
"""One vertex on the GPU; ``part`` is the part's number and padding."""
VERTEX_FORMAT: Final = "3f 3f 2f 3f 4f1 4f1"
VERTEX_NAMES: Final = ("position", "normal", "uv", "anchor", "colour", "part")


@dataclass(frozen=True, eq=False)
class Mesh:
    """What stays the same about a mesh while its vertices move.

    Attributes:
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        count: V, number of vertices.
        source: (R,) vertex that each of the R rendered vertices takes its place from; R > V where
            texture seams split vertices.
        indices: (F, 3) ``faces`` in rendered vertices.
        template: (R,) of ``VERTEX``: texture coordinates, colours, parts and anchors.
    """

    faces: NDArray[np.integer]
    count: int
    source: NDArray[np.int64]
    indices: NDArray[np.uint32]
    template: NDArray[np.void]
    _normals: sparse.csr_matrix = field(repr=False)
    _corners: NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(
        cls,
        faces: NDArray[np.integer],
        count: int,
        *,
        uv: ArrayLike | None = None,
        uv_faces: NDArray[np.integer] | None = None,
        colours: ArrayLike | None = None,
        parts: ArrayLike | None = None,
        anchors: ArrayLike | None = None,
    ) -> Mesh:
        """Prepare a mesh.

        Args:
            faces: (F, 3), counter-clockwise seen from outside.
            count: V.
            uv: (m, 2) texture coordinates, (0, 0) = the image's upper left corner.
            uv_faces: (F, 3) indices into ``uv``; None = ``faces`` (m = V).
            colours: (V, 3) RGB 0..1 in linear light, multiplied with the material's; None = white.
            parts: (V,) part numbers 0..255; a triangle shows the part of its last corner.
            anchors: (V, 3) places that noise is fixed to, m: a rest pose.
        """
        faces = np.asarray(faces)
        if uv is None:
            source, corners = np.arange(count), faces.reshape(-1)
            at = np.zeros((count, 2))
        else:
            chosen = faces if uv_faces is None else uv_faces
            pairs = np.stack([faces.reshape(-1), np.asarray(chosen).reshape(-1)], axis=1)
            unique, corners = np.unique(pairs, axis=0, return_inverse=True)
            source, at = unique[:, 0], np.asarray(uv)[unique[:, 1]]
        template = np.zeros(len(source), VERTEX)
        template["uv"] = at
        template["colour"] = 255
        if colours is not None:
            template["colour"][:, :3] = np.clip(np.asarray(colours)[source] * 255 + 0.5, 0, 255)
        if parts is not None:
            template["part"][:, 0] = np.asarray(parts)[source]
        if anchors is not None:
            template["anchor"] = np.asarray(anchors)[source]
        face = np.arange(len(faces)).repeat(3)
        spread = sparse.csr_matrix(
            (np.ones(3 * len(faces), np.float32), (faces.reshape(-1), face)),
            shape=(count, len(faces)),
        )
        indices = corners.reshape(-1, 3).astype(np.uint32)
        columns = faces.T.astype(np.int64).reshape(-1)
        return cls(faces, count, source.astype(np.int64), indices, template, spread, columns)

    def normals(self, vertices: NDArray[np.floating]) -> NDArray[np.float32]:
        """(V, 3) unit normals weighted by area, outwards."""
        # Coordinate by coordinate: that is quicker than rows of three, and than np.cross.
        points = np.asarray(vertices, np.float32).T.copy()
        corners = points.take(self._corners, axis=1).reshape(3, 3, -1)
        a = corners[:, 0]
        u, v = corners[:, 1] - a, corners[:, 2] - a
        of_face = np.empty((len(self.faces), 3), np.float32)
        of_face[:, 0] = u[1] * v[2] - u[2] * v[1]
        of_face[:, 1] = u[2] * v[0] - u[0] * v[2]
        of_face[:, 2] = u[0] * v[1] - u[1] * v[0]
        summed = self._normals @ of_face
        length = np.sqrt(np.einsum("vk,vk->v", summed, summed))[:, None]
        return np.asarray(summed / np.maximum(length, 1e-20), np.float32)

    def place(
        self,
        target: NDArray[np.void],
        vertices: NDArray[np.floating],
        normals: NDArray[np.floating] | None,
    ) -> None:
        """Move the mesh to these (V, 3) places in ``target``, (R,), a copy of the template."""
        target["position"] = vertices.take(self.source, axis=0)
        shading = self.normals(vertices) if normals is None else normals
        target["normal"] = shading.take(self.source, axis=0)


def hand_mesh(model: HandModelData) -> Mesh:
    """The mesh of a hand model: parts are the 16 MANO joints with the largest skin weight."""
    uv, uv_faces = texture_layout(model)
    return Mesh.of(
        model.faces,
        len(model.v_template),
        uv=uv,
        uv_faces=uv_faces,
        parts=model.weights.argmax(axis=1),
        anchors=model.v_template,
    )


def texture_layout(
    model: HandModelData,
) -> tuple[NDArray[np.float64], NDArray[np.integer]]:
    """The model's (m, 2) texture coordinates and (F, 3) faces in them.

    MANO files have none: they get two flat sheets of the rest pose, palm left and back right.
    """
    if model.uv is not None and model.uv_faces is not None:
        return model.uv, model.uv_faces
    flat = model.v_template[:, [2, 0]]  # fingers point up: along -x
    low, high = flat.min(axis=0), flat.max(axis=0)
    sheet = 0.01 + 0.98 * (flat - low) / (high - low)
    sheets = np.concatenate([sheet * (0.5, 1), sheet * (0.5, 1) + (0.5, 0)])
    upwards = vertex_normals(model.v_template, model.faces)[model.faces][..., 1].mean(axis=1) > 0
    return sheets, model.faces + len(flat) * upwards[:, None]


def quad(corners: ArrayLike) -> tuple[Mesh, NDArray[np.float64]]:
    """A textured rectangle and its (4, 3) vertices.

    Args:
        corners: (4, 3) upper left, upper right, lower right, lower left as seen from its front.
    """
    mesh = Mesh.of(
        np.array([[0, 2, 1], [0, 3, 2]]), 4, uv=np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    )
    return mesh, np.asarray(corners, np.float64)
