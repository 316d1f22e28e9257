"""Shape directions of the embedded hand: what each of the ten betas means.

Each direction is the central difference of the generated mesh along one measure, scaled so that
beta = 1 is one standard deviation of adults. Hand length varies by about 10 mm and breadth by
5 mm (facts B5); size takes most of it, the other directions what people of one size differ in:

==  ===============  =====  ========================================================
 0  scale            5.0 %  the whole hand
 1  palm_length      3.0 %  wrist to finger bases
 2  palm_width       4.0 %  knuckle to knuckle; fingers widen by half as much
 3  thickness        6.0 %  back to palm, fingers included
 4  finger_length    3.0 %  the four fingers
 5  thumb_length     4.0 %  metacarpal and both phalanges
 6  thumb_thickness  6.0 %  the thumb's girth; its root moves outwards
 7  index_ring       1.5 %  longer index and shorter ring finger (2D:4D ratio)
 8  little_length    4.5 %  the little finger
 9  taper            6.0 %  thicker finger bases, slimmer tips
==  ===============  =====  ========================================================
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from hand_recon_ros.mano.data import FloatArray
from hand_recon_ros.mano.embedded.anatomy import WRIST_MM, Anatomy, mano_joints
from hand_recon_ros.mano.embedded.mesh import build_vertices
from hand_recon_ros.mano.embedded.topology import Topology

SIGMAS: Final[dict[str, float]] = {
    "scale": 0.05,
    "palm_length": 0.03,
    "palm_width": 0.04,
    "thickness": 0.06,
    "finger_length": 0.03,
    "thumb_length": 0.04,
    "thumb_thickness": 0.06,
    "index_ring": 0.015,
    "little_length": 0.045,
    "taper": 0.06,
}
"""The measures of ``Anatomy`` in the order of the betas: relative change at beta = 1."""


def model_frame(topology: Topology, anatomy: Anatomy) -> tuple[FloatArray, FloatArray]:
    """Vertices (778, 3) and joints (16, 3) of one anatomy, metres, wrist joint at its place."""
    joints = mano_joints(anatomy)
    vertices = build_vertices(topology, anatomy)
    origin = WRIST_MM - joints[0]
    return (vertices + origin) / 1000.0, (joints + origin) / 1000.0


def shape_directions(topology: Topology) -> tuple[FloatArray, FloatArray]:
    """Derivatives (778, 3, 10) of the vertices and (16, 3, 10) of the joints by the betas."""
    of_vertices, of_joints = [], []
    for name, sigma in SIGMAS.items():
        ends = [
            model_frame(topology, replace(Anatomy(), **{name: 1.0 + sign * sigma}))
            for sign in (1, -1)
        ]
        of_vertices.append((ends[0][0] - ends[1][0]) / 2.0)
        of_joints.append((ends[0][1] - ends[1][1]) / 2.0)
    return np.stack(of_vertices, axis=-1), np.stack(of_joints, axis=-1)
