"""Loop subdivision: a smooth surface from a coarse triangle mesh.

Source: C. Loop, "Smooth Subdivision Surfaces Based on Triangles", 1987, with Warren's simpler
vertex weights (3/(8n), 3/16 at n = 3) and cubic B-spline borders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


def loop_subdivision(
    faces: NDArray[np.integer], num_vertices: int
) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """One step of subdivision.

    Args:
        faces: (F, 3), every edge in one or two faces.
        num_vertices: V.

    Returns:
        The (V + E, V) matrix that makes the new vertices from the old (old ones first, then one
        for each of the E edges), and the (4F, 3) new faces in the same orientation.
    """
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    opposite = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
    edges, of_side, uses = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    of_side = of_side.reshape(-1)
    inner = uses == 2

    edge = np.arange(len(edges))
    ends = sparse.csr_matrix(
        (np.where(inner, 3 / 8, 1 / 2).repeat(2), (edge.repeat(2), edges.reshape(-1))),
        shape=(len(edges), num_vertices),
    )
    wings = sparse.csr_matrix(
        (np.where(inner[of_side], 1 / 8, 0.0), (of_side, opposite)),
        shape=(len(edges), num_vertices),
    )

    smooth = _vertex_rule(edges, inner, num_vertices)
    ab, bc, ca = (num_vertices + of_side.reshape(3, -1)).astype(np.int64)
    a, b, c = faces.T
    pieces = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    new_faces = np.concatenate([np.stack(piece, axis=1) for piece in pieces])
    return sparse.vstack([smooth, ends + wings]).tocsr(), new_faces


def _vertex_rule(
    edges: NDArray[np.integer], inner: NDArray[np.bool_], num_vertices: int
) -> sparse.csr_matrix:
    """(V, V): every old vertex drawn towards its neighbours; border ones along the border."""
    valence = np.bincount(edges.reshape(-1), minlength=num_vertices)
    on_border = np.zeros(num_vertices, bool)
    on_border[edges[~inner].reshape(-1)] = True
    share = np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1)))

    start = np.concatenate([edges[:, 0], edges[:, 1]])
    end = np.concatenate([edges[:, 1], edges[:, 0]])
    border_edge = np.tile(~inner, 2)
    weight = np.where(on_border[start], np.where(border_edge, 1 / 8, 0.0), share[start])
    around = sparse.csr_matrix((weight, (start, end)), shape=(num_vertices, num_vertices))
    own = 1.0 - np.asarray(around.sum(axis=1)).reshape(-1)
    return around + sparse.diags(own)
