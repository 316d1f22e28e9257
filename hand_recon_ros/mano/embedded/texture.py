"""Texture map of the embedded hand: five strips for the digits, two disks for the palm.

Strips are unrolled along their rings; the disks are Tutte embeddings ("How to draw a graph",
1963), which never overlap.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hand_recon_ros.mano.data import FloatArray, IntArray
from hand_recon_ros.mano.embedded.topology import (
    DORSAL_CHART,
    FINGER_RINGS,
    PALMAR_CHART,
    THUMB_RINGS,
    Topology,
)

_MARGIN: Final = 0.01
_DIGIT_FLOOR: Final = 0.5
"""The strips lie above this height of the texture, the disks below."""


def texture_map(topology: Topology, vertices: FloatArray) -> tuple[FloatArray, IntArray]:
    """Texture coordinates (m, 2) in 0..1 and the faces' (1538, 3) indices into them."""
    index: dict[tuple[int, int, float], int] = {}
    places: list[FloatArray] = []
    uv_faces = np.zeros_like(topology.faces)
    disks = {
        chart: _disk(topology.faces[topology.charts == chart], vertices)
        for chart in (DORSAL_CHART, PALMAR_CHART)
    }
    for face, (chart, corners) in enumerate(
        zip(topology.charts.tolist(), topology.corners, strict=True)
    ):
        for k in range(3):
            vertex = int(topology.faces[face, k])
            u, level = corners[k]
            key = (chart, vertex, round(float(u), 6) if chart < DORSAL_CHART else 0.0)
            if key not in index:
                index[key] = len(places)
                if chart < DORSAL_CHART:
                    places.append(_on_strip(chart, u, level))
                else:
                    left = 0.5 * (chart - DORSAL_CHART)
                    places.append(0.5 * disks[chart][vertex] + np.array([left, 0.0]))
            uv_faces[face, k] = index[key]
    return np.array(places), uv_faces


def _on_strip(digit: int, u: float, level: float) -> FloatArray:
    # The last fan of the cap reaches beyond u = 1 by a quarter of its step.
    across = _MARGIN + (1.0 - 2 * _MARGIN) * float(u) / 1.25
    up = float(level) / (1.0 + (FINGER_RINGS if digit else THUMB_RINGS))
    height = 1.0 - _DIGIT_FLOOR - 2 * _MARGIN
    return np.array([(digit + across) / 5.0, _DIGIT_FLOOR + _MARGIN + height * up])


def _disk(faces: IntArray, vertices: FloatArray) -> dict[int, FloatArray]:
    """Tutte embedding of a disk of faces in the unit square, border on a circle."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    directed = {tuple(edge) for edge in edges}
    following = {a: b for a, b in directed if (b, a) not in directed}
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    lengths = np.linalg.norm(vertices[loop] - vertices[np.roll(loop, -1)], axis=1)
    turn = 2 * np.pi * np.concatenate([[0.0], np.cumsum(lengths)[:-1]]) / lengths.sum()
    border = 0.5 + (0.5 - 2 * _MARGIN) * np.stack([np.cos(turn), np.sin(turn)], axis=1)

    members = sorted({int(v) for v in faces.ravel()})
    row = {vertex: k for k, vertex in enumerate(members)}
    matrix = np.zeros((len(members), len(members)))
    for a, b in directed:
        matrix[row[a], row[b]] = matrix[row[b], row[a]] = -1.0
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    target = np.zeros((len(members), 2))
    for vertex, place in zip(loop, border, strict=True):
        matrix[row[vertex]] = 0.0
        matrix[row[vertex], row[vertex]] = 1.0
        target[row[vertex]] = place
    solved = np.linalg.solve(matrix, target)
    return {vertex: solved[row[vertex]] for vertex in members}
