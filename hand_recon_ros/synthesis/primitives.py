"""Simple meshes: tubes, rings, ellipsoids and boxes, with texture coordinates."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl.mesh import Mesh
from hand_recon_ros.types import Array

AROUND = 16


@cache
def tube_mesh(rings: int, around: int = AROUND, closed: bool = False) -> Mesh:
    """Rings of vertices joined into a tube; ``closed`` joins the last to the first (a torus).

    Seen along the tube from its first ring, vertices run clockwise for an outside that shows.
    """
    ring = np.arange(rings if closed else rings - 1)[:, None]
    step = np.arange(around)[None]
    after, beside = (ring + 1) % rings, (step + 1) % around
    a, b = ring * around + step, ring * around + beside
    c, d = after * around + beside, after * around + step
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    v = np.repeat(np.arange(rings) / max(rings - 1, 1), around)
    # Mirrored repeats hide the seam: u runs 0..1..0 twice around.
    u = np.abs(((np.tile(np.arange(around), rings) / around * 4) % 2) - 1)
    return Mesh.of(faces, rings * around, uv=np.stack([u, 2 * v], axis=1))


def circle(centre: Array, x: Array, y: Array, around: int = AROUND) -> Array:
    """(around, 3) points centre + cos x + sin y."""
    turn = 2 * np.pi * np.arange(around) / around
    return np.asarray(centre + np.cos(turn)[:, None] * x + np.sin(turn)[:, None] * y)


def cylinder(start: Array, end: Array, radius: float) -> tuple[Mesh, Array]:
    """A closed cylinder, slightly rounded at its ends."""
    axis = (end - start) / np.linalg.norm(end - start)
    x, y = across(axis)
    rings = [
        circle(start + along * axis, r * x, r * y)
        for along, r in ((0.0, 1e-4), (0.0, 0.92 * radius), (0.08 * radius, radius))
    ]
    rings += [
        circle(end - along * axis, r * x, r * y)
        for along, r in ((0.08 * radius, radius), (0.0, 0.92 * radius), (0.0, 1e-4))
    ]
    return tube_mesh(len(rings)), np.concatenate(rings)


def ellipsoid(centre: Array, axes: Array) -> tuple[Mesh, Array]:
    """An ellipsoid with half axes as the rows of ``axes`` (3, 3)."""
    levels = np.linspace(-np.pi / 2 + 0.02, np.pi / 2 - 0.02, 11)
    turned = axes if np.linalg.det(axes) > 0 else axes * np.array([[1], [1], [-1]])
    rings = [
        circle(centre + np.sin(at) * turned[2], np.cos(at) * turned[0], np.cos(at) * turned[1])
        for at in levels
    ]
    return tube_mesh(len(rings)), np.concatenate(rings)


def box(centre: Array, axes: Array) -> tuple[Mesh, Array]:
    """A box with half axes as the rows of ``axes`` (3, 3); edges are sharp."""
    turned = axes if np.linalg.det(axes) > 0 else axes * np.array([[1], [1], [-1]])
    corners: list[Array] = []
    for k in range(3):
        u, v = turned[(k + 1) % 3], turned[(k + 2) % 3]
        for sign in (1.0, -1.0):
            corners += [centre + sign * turned[k] + p * u + q * sign * v for p, q in _SQUARE]
    return _box_mesh(), np.stack(corners)


_SQUARE = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


@cache
def _box_mesh() -> Mesh:
    base = 4 * np.arange(6)[:, None]
    faces = np.concatenate([base + np.array(corners) for corners in ((0, 1, 2), (0, 2, 3))])
    uv = np.tile([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], (6, 1))
    return Mesh.of(faces, 24, uv=uv)


def torus(centre: Array, axis: Array, radius: float, thickness: float) -> tuple[Mesh, Array]:
    """A ring about an axis."""
    x, y = across(axis)
    rings = []
    for turn in 2 * np.pi * np.arange(20) / 20:
        out = np.cos(turn) * x + np.sin(turn) * y
        rings.append(circle(centre + radius * out, thickness * axis, thickness * out, 8))
    return tube_mesh(20, 8, closed=True), np.concatenate(rings)


def across(axis: Array) -> tuple[Array, Array]:
    """Two unit vectors that make a right-handed frame (x, y, axis)."""
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x)
    return x, np.cross(axis, x)


def volume(vertices: Array, faces: NDArray[np.integer]) -> float:
    """Signed volume: positive where faces look outwards."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)
