"""Skin of the palm and wrist: an implicit surface, a smooth union of muscles, pads and bones.

Every part is a capsule of two radii about a bone or muscle; parts melt into each other by a
log-sum-exp of their distances (the exponential smooth minimum of Quilez, 2013).
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np

from hand_recon_ros.mano.data import FloatArray
from hand_recon_ros.mano.embedded.anatomy import Anatomy, Chain
from hand_recon_ros.mano.embedded.digits import bone_coordinate, sections

_BLEND_MM: Final = 3.2
"""Reach of the blend between parts."""

# Start, end (mm from the wrist joint), radius at both, squeeze of the depth (y).
_PARTS: Final = (
    # forearm and carpus: a flat oval of radial and ulnar halves
    ((40, 1, 11), (-14, 0, 12), 17.0, 17.0),
    ((40, 1, -11), (-14, -1, -12), 16.5, 16.5),
    ((30, 2, 0), (-20, 1, 0), 18.0, 17.0),
    # metacarpals
    ((-18, 1, 11), (-84, -1, 24), 12.5, 9.5),
    ((-18, 2, 3), (-86, 1, 2), 13.0, 9.8),
    ((-18, 1, -6), (-80, -1, -18), 13.0, 9.3),
    ((-18, -1, -14), (-71, -4.5, -35), 13.0, 8.6),
    # hypothenar and thenar eminences
    ((-14, -8, -20), (-56, -10, -34), 13.0, 10.5),
    ((-18, -12, 20), (-46, -17, 41), 14.5, 11.0),
    ((-22, -12, 14), (-44, -13, 26), 13.0, 12.0),
    # first web, between thumb and index metacarpals
    ((-40, -8, 36), (-64, -4, 30), 10.5, 7.0),
    ((-50, -13, 45), (-66, -7, 31), 6.5, 6.5),
    # hollow of the palm, and the heads of the metacarpals
    ((-46, -8, 0), (-74, -8, 4), 10.0, 10.0),
    ((-87, 1.5, 24), (-84, 1.5, 24), 9.6, 9.6),
    ((-89, 3.5, 2), (-85, 3.5, 2), 9.8, 9.8),
    ((-83, 2.0, -18), (-79, 2.0, -18), 9.2, 9.2),
    ((-75, -2.0, -35.5), (-71, -2.0, -35.5), 8.6, 8.6),
    # pads under the finger bases
    ((-88, -7.5, 23), (-90, -7, 3), 8.0, 8.0),
    ((-90, -7, 3), (-83, -8, -17), 8.0, 8.0),
    ((-83, -8, -17), (-75, -9, -34), 8.0, 7.0),
)
_WEB_REACH: Final = 0.37
"""Bone coordinate of the bottom of the webs between the fingers."""
_WEB_RADIUS: Final = 5.5


def _web(first: Chain, second: Chain, radius: float) -> tuple[FloatArray, FloatArray]:
    """Ends of the web's axis: on both bones, square to them, nearer to the shorter finger."""
    distal = first.frames[0][:, 0] + second.frames[0][:, 0]
    distal = distal / np.linalg.norm(distal)
    pair = (first, second)
    reach = [
        (c.points[0] + _WEB_REACH * (c.points[1] - c.points[0])) @ distal - radius for c in pair
    ]
    depth = min(reach)
    start, end = (
        c.points[0]
        + c.frames[0][:, 0] * (depth - c.points[0] @ distal) / (c.frames[0][:, 0] @ distal)
        - 0.3 * radius * c.frames[0][:, 1]
        for c in pair
    )
    return start, end


class PalmSurface:
    """Signed distance-like field of one hand, mm, negative inside."""

    def __init__(self, anatomy: Anatomy, chains: dict[str, Chain]) -> None:
        """Place the parts for one anatomy."""
        stretch = anatomy.palm_factors
        parts = [(np.array(a) * stretch, np.array(b) * stretch, r, s) for a, b, r, s in _PARTS]
        girth = anatomy.scale * np.sqrt(anatomy.thickness * anatomy.palm_width)
        parts = [(a, b, r * girth, s * girth) for a, b, r, s in parts]
        names = ("index", "middle", "ring", "little")
        for first, second in itertools.pairwise(names):
            radius = _WEB_RADIUS * girth
            parts.append((*_web(chains[first], chains[second], radius), radius, radius))
        self._start = np.array([p[0] for p in parts])
        self._axis = np.array([p[1] for p in parts]) - self._start
        self._radii = np.array([(p[2], p[3]) for p in parts])
        self._anatomy = anatomy
        self._chains = chains
        self._blend = _BLEND_MM * anatomy.scale

    def __call__(self, points: FloatArray) -> FloatArray:
        """Field (n,) at points (n, 3)."""
        relative = points[:, None] - self._start
        length = np.einsum("pc,pc->p", self._axis, self._axis)
        along = np.clip(np.einsum("npc,pc->np", relative, self._axis) / length, 0.0, 1.0)
        away = np.linalg.norm(relative - along[..., None] * self._axis, axis=-1)
        radius = self._radii[:, 0] + along * (self._radii[:, 1] - self._radii[:, 0])
        palm = np.exp(-(away - radius) / self._blend).sum(axis=1)
        # Digits melt into the palm and the webs, but never into each other.
        digits = np.min([self._digit(name, points) for name in self._chains], axis=0)
        return np.asarray(-self._blend * np.log(palm + np.exp(-digits / self._blend)))

    def _digit(self, name: str, points: FloatArray) -> FloatArray:
        """Field of the first bone of a digit; its far end is open (rings take over there)."""
        chain = self._chains[name]
        local = (points - chain.points[0]) @ chain.frames[0]
        low = -0.25 if name != "thumb" else 0.0
        bone = bone_coordinate(chain, local[:, 0])
        clipped = np.clip(bone, low, 1.5)
        half, dorsal, palmar = sections(self._anatomy, name, clipped).T
        depth = np.where(local[:, 1] > 0, dorsal, palmar)
        rho = np.sqrt((local[:, 2] / half) ** 2 + (local[:, 1] / depth) ** 2)
        beyond = (bone - clipped) * chain.stations[1]
        return np.asarray(
            np.hypot((rho - 1.0) * np.minimum(half, depth), beyond)
            * np.where((rho < 1.0) & (beyond == 0), -1.0, 1.0)
        )

    def project(self, points: FloatArray, steps: int = 2) -> FloatArray:
        """Move points along the gradient onto the surface (Newton, steps of at most 4 mm)."""
        h = 0.05
        offsets = np.concatenate([np.eye(3), -np.eye(3)]) * h
        for _ in range(steps):
            samples = self((points[:, None] + offsets).reshape(-1, 3)).reshape(-1, 6)
            gradient = (samples[:, :3] - samples[:, 3:]) / (2 * h)
            squared = np.maximum((gradient**2).sum(1), 0.05)
            step = self(points)[:, None] * gradient / squared[:, None]
            size = np.linalg.norm(step, axis=1, keepdims=True)
            points = points - step * np.minimum(1.0, 4.0 / np.maximum(size, 1e-9))
        return points
