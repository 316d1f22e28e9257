"""Vertices of the embedded hand: rings about the digits, a relaxed grid on the palm's surface."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse

from hand_recon_ros.mano.data import NUM_VERTICES, FloatArray, IntArray
from hand_recon_ros.mano.embedded.anatomy import Anatomy, chains
from hand_recon_ros.mano.embedded.digits import (
    CAP_STATION,
    STATIONS,
    ring,
)
from hand_recon_ros.mano.embedded.palm import PalmSurface
from hand_recon_ros.mano.embedded.topology import CAP, RING, Topology, loop_parameter
from hand_recon_ros.skeleton import FINGERS

# First guess of the palm's rows: radial and ulnar edge (x, z), height above and below, mm.
_ROWS: Final = (
    (18, 28, 18, -28, 18, 18),
    (8, 28, 8, -28, 18, 18),
    (-2, 29, -3, -29, 18, 18),
    (-11, 31, -15, -31, 16, 18),
    (-20, 38, -26, -36, 15, 22),
    (-29, 46, -37, -39, 14, 23),
    (-38, 54, -47, -42, 13, 24),
    (-48, 60, -58, -43, 12, 22),
    (-72, 35, -67, -44, 12, 15),
    (-82, 35, -75, -44.5, 12, 16),
    (-93, 35, -83, -45, 11, 16),
)
_WEB: Final = ((-64.0, 2.0, 33.0), (-64.0, -10.0, 33.0))
_SWEEPS: Final = 100
_MELTS: Final = (0.5, 1.0)
"""Bone coordinate of fingers and thumb up to which rings follow the palm's surface."""

_THUMB_LEAN: Final = ((0.8, 0.95, 1.1, 1.3), (6.0, 5.0, 3.0, 0.0))
"""Bone coordinate, mm: the thumb's rings lean, as the web reaches further than its back."""


def _row(size: int, row: tuple[float, ...]) -> FloatArray:
    x0, z0, x1, z1, above, below = row
    turn = 2 * np.pi * loop_parameter(size)
    across, up = np.cos(turn), np.sin(turn)
    x = (x0 + x1) / 2 + (x0 - x1) / 2 * across
    z = (z0 + z1) / 2 + (z0 - z1) / 2 * across
    return np.stack([x, np.where(up > 0, above, below) * up, z], axis=1)


def adjacency(faces: IntArray) -> sparse.csr_matrix:
    """Row-normalised matrix that averages a vertex's neighbours."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    matrix = sparse.csr_matrix(
        (np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(NUM_VERTICES, NUM_VERTICES)
    )
    matrix.data[:] = 1.0
    return sparse.diags(1.0 / np.asarray(matrix.sum(1)).ravel()) @ matrix


def build_vertices(topology: Topology, anatomy: Anatomy) -> FloatArray:
    """(778, 3) vertices of one anatomy, millimetres from the wrist joint."""
    bones = chains(anatomy)
    surface = PalmSurface(anatomy, bones)
    vertices = np.zeros((NUM_VERTICES, 3))
    free = np.ones(NUM_VERTICES, dtype=bool)

    for k, index in enumerate((*topology.rows, *topology.distal_rows)):
        vertices[index] = _row(len(index), _ROWS[k]) * anatomy.palm_factors
    vertices[topology.thumb_web] = np.array(_WEB) * anatomy.palm_factors

    turn = 2 * np.pi * loop_parameter(RING)
    cap_turn = 2 * np.pi * loop_parameter(CAP, 0.25)
    for k, name in enumerate(FINGERS):
        stations = STATIONS[name]
        for station, index in zip(stations, topology.digits[k], strict=True):
            melts = station <= _MELTS[name == "thumb"]
            if name != "thumb" or station > stations[0]:
                vertices[index] = ring(anatomy, name, bones[name], station, turn)
            if name == "thumb":
                lean = np.interp(station, *_THUMB_LEAN) * anatomy.length_factor(name)
                distal = bones[name].frames[0][:, 0]
                vertices[index] += np.outer(lean * (1.0 - np.sin(turn)) / 2.0, distal)
            free[index] = melts
        cap, tip = topology.caps[k], topology.tips[k]
        vertices[cap] = ring(anatomy, name, bones[name], CAP_STATION, cap_turn)
        vertices[tip] = bones[name].points[3]
        free[cap] = free[tip] = False

    wrist = topology.rows[0]
    wrist_x = vertices[wrist[0], 0]
    average = adjacency(topology.faces)
    for _ in range(_SWEEPS):
        smooth = 0.5 * vertices + 0.5 * (average @ vertices)
        loop = vertices[wrist]
        smooth[wrist] = 0.5 * loop + 0.25 * (np.roll(loop, 1, 0) + np.roll(loop, -1, 0))
        vertices[free] = surface.project(smooth[free], steps=1)
        vertices[wrist, 0] = wrist_x
    vertices[free] = surface.project(vertices[free], steps=3)
    vertices[wrist, 0] = wrist_x
    return vertices
