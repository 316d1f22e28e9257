"""How far two closed meshes enter each other: depth and volume.

Both by rays along z, as paper 001 (eq. 8) casts them: what lies between the place where a ray
enters a mesh and where it leaves it is inside. Entries and exits are counted with their signs, so
that meshes that overlap themselves do no harm.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

IntArray = NDArray[np.int64]

COLUMN_M = 0.001
"""Spacing of the columns that the volume is summed over."""
_OFFSET = 0.3819660113
"""Columns start at no round place, so that none runs exactly along an edge."""


class Penetration(NamedTuple):
    """How far two hands are in each other.

    Attributes:
        depth_m: greatest distance to the second mesh's surface of the first one's vertices inside
            it; 0 = no vertex is inside.
        volume_m3: volume inside both.
    """

    depth_m: float
    volume_m3: float


class _Crossings(NamedTuple):
    """Where vertical lines go through a mesh.

    Attributes:
        line: (n,) which line.
        z: (n,) where.
        step: (n,) +1 = upwards into the mesh, -1 = out of it.
    """

    line: IntArray
    z: Array
    step: IntArray


def penetration(
    vertices: Array, faces: IntArray, other_vertices: Array, other_faces: IntArray
) -> Penetration:
    """Depth and volume of the overlap of two closed meshes.

    Depth is paper 001's (section 4.1) when the first mesh is the right hand's and the second the
    left one's; the paper's MMPD is its mean over frames.

    Args:
        vertices: (V, 3) m.
        faces: (F, 3) closed (see ``closing.sealed``), counter-clockwise seen from outside.
        other_vertices: (W, 3) m.
        other_faces: (G, 3) likewise.
    """
    low = np.maximum(vertices.min(axis=0), other_vertices.min(axis=0))
    high = np.minimum(vertices.max(axis=0), other_vertices.max(axis=0))
    if not (low < high).all():
        return Penetration(0.0, 0.0)
    near = ((vertices >= low) & (vertices <= high)).all(axis=1)
    inner = vertices[near]
    inner = inner[inside(inner, other_vertices, other_faces)]
    depth = float(surface_distances(inner, other_vertices, other_faces).max(initial=0.0))
    volume = _common_volume(vertices, faces, other_vertices, other_faces, low[:2], high[:2])
    return Penetration(depth, volume)


def inside(points: Array, vertices: Array, faces: IntArray) -> NDArray[np.bool_]:
    """(n,) which of the points (n, 3) are inside a closed mesh."""
    if not len(points):
        return np.zeros(0, bool)
    corners = vertices[faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    # Most triangles are under no point: rays go up.
    near = (low[:, :2] <= points[:, :2].max(axis=0)).all(axis=1)
    near &= (high >= points.min(axis=0)).all(axis=1)
    faces, low, high = faces[near], low[near, :2], high[near, :2]
    flat = points[:, None, :2]
    line, triangle = np.nonzero(((flat >= low) & (flat <= high)).all(axis=2))
    crossings = _crossings(vertices, faces[triangle], line, points[line, :2])
    above = crossings.z > points[crossings.line, 2]
    exits = np.bincount(crossings.line, np.where(above, -crossings.step, 0), len(points))
    return np.asarray(exits != 0)


def surface_distances(points: Array, vertices: Array, faces: IntArray) -> Array:
    """(n,) distance of points (n, 3) to the nearest place of a mesh."""
    corners = vertices[faces]
    centres = corners.mean(axis=1)
    radii = np.linalg.norm(corners - centres[:, None], axis=2).max(axis=1)
    to_centre = np.linalg.norm(points[:, None] - centres, axis=2)
    # A centre is on the surface, so the nearest place is at most that far.
    worth = to_centre - radii <= to_centre.min(axis=1, keepdims=True)
    point, triangle = np.nonzero(worth)
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, point, _to_triangles(points[point], corners[triangle]))
    return nearest


def _common_volume(
    vertices: Array,
    faces: IntArray,
    other_vertices: Array,
    other_faces: IntArray,
    low: Array,
    high: Array,
) -> float:
    """Sum of columns of the lengths that are inside both."""
    shape = np.maximum(np.ceil((high - low) / COLUMN_M).astype(np.int64), 1)
    start = low + _OFFSET * COLUMN_M
    mine = _grid_crossings(vertices, faces, start, shape)
    theirs = _grid_crossings(other_vertices, other_faces, start, shape)
    line = np.concatenate([mine.line, theirs.line])
    z = np.concatenate([mine.z, theirs.z])
    order = np.lexsort((z, line))
    into_mine = np.concatenate([mine.step, np.zeros_like(theirs.step)])[order]
    into_theirs = np.concatenate([np.zeros_like(mine.step), theirs.step])[order]
    # Closed meshes are left as often as entered: both sums are 0 at the end of every column.
    both = (np.cumsum(into_mine) != 0) & (np.cumsum(into_theirs) != 0)
    lengths = np.diff(z[order], append=0.0)
    return float(lengths[both].sum()) * COLUMN_M**2


def _grid_crossings(vertices: Array, faces: IntArray, start: Array, shape: IntArray) -> _Crossings:
    """Crossings of a grid of vertical lines, ``shape`` of them from ``start``."""
    corners = vertices[faces][:, :, :2]
    first = np.ceil((corners.min(axis=1) - start) / COLUMN_M).astype(np.int64)
    last = np.floor((corners.max(axis=1) - start) / COLUMN_M).astype(np.int64)
    first, last = np.maximum(first, 0), np.minimum(last, shape - 1)
    size = np.maximum(last - first + 1, 0)
    count = size.prod(axis=1)
    triangle = np.repeat(np.arange(len(faces)), count)
    running = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    x = first[triangle, 0] + running % size[triangle, 0]
    y = first[triangle, 1] + running // size[triangle, 0]
    xy = start + COLUMN_M * np.stack([x, y], axis=1)
    return _crossings(vertices, faces[triangle], y * shape[0] + x, xy)


def _crossings(vertices: Array, faces: IntArray, line: IntArray, xy: Array) -> _Crossings:
    """Which of m pairs of a triangle (m, 3) and a vertical line at (m, 2) meet, and where."""
    left = np.empty(faces.shape, bool)
    weights = np.empty(faces.shape)
    for k in range(3):
        a, b = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        # Two triangles share an edge. Reckoned from the same end by both, no line slips through.
        turned = a > b
        p = vertices[np.where(turned, b, a), :2]
        q = vertices[np.where(turned, a, b), :2]
        edge, away = q - p, xy - p
        area: Array = edge[:, 0] * away[:, 1] - edge[:, 1] * away[:, 0]
        left[:, k] = (area >= 0) != turned
        weights[:, k] = np.where(turned, -area, area)
    up = left.all(axis=1)
    hit = np.flatnonzero(up | ~left.any(axis=1))
    total = weights[hit].sum(axis=1)
    flat = total == 0.0
    share = weights[hit] / np.where(flat, 1.0, total)[:, None]
    share[flat] = 1.0 / 3.0
    z = (share * vertices[faces[hit], 2]).sum(axis=1)
    return _Crossings(line[hit], z, np.where(up[hit], -1, 1))


def _to_triangles(points: Array, corners: Array) -> Array:
    """(m,) distances of points (m, 3) to triangles (m, 3, 3)."""
    sides = np.roll(corners, -1, axis=1) - corners
    away = points[:, None] - corners
    along = (away * sides).sum(axis=2) / np.maximum(np.square(sides).sum(axis=2), 1e-300)
    to_side = away - np.clip(along, 0.0, 1.0)[..., None] * sides
    distance = np.linalg.norm(to_side, axis=2).min(axis=1)
    normal = np.cross(sides[:, 0], sides[:, 1])
    length = np.linalg.norm(normal, axis=1)
    over = (np.cross(sides, away) * normal[:, None]).sum(axis=2) >= 0
    over_face = over.all(axis=1) & (length > 0)
    height = np.abs((away[:, 0] * normal).sum(axis=1)) / np.where(length > 0, length, 1.0)
    return np.where(over_face, height, distance)
