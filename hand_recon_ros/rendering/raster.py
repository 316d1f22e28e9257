"""A small software rasteriser: shaded triangle meshes through a ``Camera``, in numpy.

Triangles are drawn far to near (painter's algorithm), which is right for meshes of small
triangles; edges are smoothed by supersampling the mesh's own region of the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera

Float = NDArray[np.float32]
Int = NDArray[np.integer]


class Fragments(NamedTuple):
    """The visible samples of a mesh, n of them.

    Attributes:
        pixel: (n,) flat index into the (height, width) raster.
        corners: (n, 3) vertices of the triangle that is seen there.
        weights: (n, 3) barycentric coordinates; they sum to 1.
    """

    pixel: Int
    corners: Int
    weights: Float

    def interpolate(self, values: NDArray[np.floating]) -> Float:
        """Take (V, c) values at the vertices to (n, c) at the samples."""
        at_vertices = values.astype(np.float32)
        result = at_vertices[self.corners[:, 0]] * self.weights[:, :1]
        for k in (1, 2):
            result += at_vertices[self.corners[:, k]] * self.weights[:, k : k + 1]
        return np.asarray(result, dtype=np.float32)


Shader = Callable[[Fragments], Float]
"""Gives (n, 3) RGB, 0..255, for the visible samples."""


@dataclass(frozen=True)
class Patch:
    """A rendered piece of an image, to be blended at (x, y).

    Attributes:
        rgb: (h, w, 3) uint8; outside the mesh, the mesh's mean colour, so that edges stay clean.
        alpha: (h, w) float32 coverage, 0..1.
    """

    x: int
    y: int
    rgb: NDArray[np.uint8]
    alpha: Float

    def blend(self, image: NDArray[np.uint8], opacity: float = 1.0) -> None:
        """Blend into an (H, W, 3) image, in place."""
        height, width = self.alpha.shape
        target = image[self.y : self.y + height, self.x : self.x + width]
        share = opacity * self.alpha
        target[:] = cv2.blendLinear(np.ascontiguousarray(target), self.rgb, 1.0 - share, share)


def vertex_normals(vertices: NDArray[np.floating], faces: Int) -> Float:
    """Unit normals (V, 3), weighted by area; they point outwards (counter-clockwise faces)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    of_face = np.cross(b - a, c - a)
    corners = faces.T.reshape(-1)
    spread = [
        np.bincount(corners, np.tile(of_face[:, k], 3), minlength=len(vertices)) for k in range(3)
    ]
    normals = np.stack(spread, axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12), dtype=np.float32)


def render(
    vertices_m: NDArray[np.floating],
    faces: Int,
    camera: Camera,
    shader: Shader,
    supersample: float = 2.0,
    max_samples: int | None = None,
) -> Patch | None:
    """Render a mesh; None when nothing of it lies in the image.

    Args:
        vertices_m: (V, 3) metres, camera's optical frame.
        faces: (F, 3) counter-clockwise seen from outside; back faces are not drawn.
        camera: intrinsics with distortion.
        shader: colours the visible samples.
        supersample: samples a pixel in each direction; below 1 = coarse, enlarged afterwards.
        max_samples: lowers ``supersample`` for big hands, to bound the time.
    """
    points = camera.project(vertices_m)
    seen = np.isfinite(points).all(axis=1)
    if not seen.any():
        return None
    low = np.maximum(np.floor(points[seen].min(axis=0)) - 1, 0).astype(int)
    bounds = (camera.width, camera.height)
    high = np.minimum(np.ceil(points[seen].max(axis=0)) + 2, bounds).astype(int)
    width, height = (high - low).tolist()
    if width <= 0 or height <= 0:
        return None
    if max_samples is not None:
        supersample = min(supersample, (max_samples / (width * height)) ** 0.5)
    shape = (max(1, round(height * supersample)), max(1, round(width * supersample)))
    # Whole numbers are pixel centres, so the image's edge lies half a pixel outside.
    samples = (points - low + 0.5) * (shape[1] / width, shape[0] / height) - 0.5
    fragments = rasterize(samples, vertices_m[:, 2], faces[seen[faces].all(axis=1)], shape)
    if fragments.pixel.size == 0:
        return None
    colours = np.clip(shader(fragments), 0, 255).astype(np.uint8)
    rgb = np.empty((shape[0] * shape[1], 3), np.uint8)
    rgb[:] = colours.mean(axis=0)
    rgb[fragments.pixel] = colours
    alpha = np.zeros(shape[0] * shape[1], np.float32)
    alpha[fragments.pixel] = 1.0
    rgb, alpha = rgb.reshape(*shape, 3), alpha.reshape(shape)
    if shape != (height, width):
        method = cv2.INTER_AREA if supersample > 1 else cv2.INTER_LINEAR
        rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=method), np.uint8)
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=method), np.float32)
    return Patch(int(low[0]), int(low[1]), rgb, alpha)


def rasterize(
    points_px: NDArray[np.floating],
    depths: NDArray[np.floating],
    faces: Int,
    shape: tuple[int, int],
) -> Fragments:
    """Find which front-facing triangle each sample of a (height, width) raster shows.

    Args:
        points_px: (V, 2) positions, whole numbers = sample centres.
        depths: (V,) distance, larger is farther.
        faces: (F, 3).
        shape: height and width of the raster.
    """
    height, width = shape
    a, b, c = (points_px[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    front = np.flatnonzero(area < 0)  # counter-clockwise from outside is clockwise with y down
    order = front[np.argsort(-depths[faces[front]].mean(axis=1), kind="stable")]
    faces, area = faces[order], area[order]
    corners = points_px[faces].astype(np.float32)  # (T, 3, 2), far to near
    area = area.astype(np.float32)

    triangle, row = _rows(corners, height)
    left, right = _spans(corners[triangle], row)
    first = np.maximum(np.ceil(left), 0).astype(np.int64)
    count = np.maximum(np.minimum(np.floor(right), width - 1).astype(np.int64) - first + 1, 0)
    before = np.cumsum(count) - count
    # 32-bit indices halve the memory traffic, which is most of the time.
    offset = (row * width + first - before).astype(np.int32)
    pixel = np.arange(count.sum(), dtype=np.int32) + np.repeat(offset, count)
    winner = np.full(height * width, -1, np.int32)
    winner[pixel] = np.repeat(
        triangle.astype(np.int32), count
    )  # the nearest triangle comes last and stays
    pixel = np.flatnonzero(winner >= 0)
    triangle = winner[pixel]
    y, x = np.divmod(pixel, width)
    weights = _barycentric(
        corners[triangle], area[triangle], x.astype(np.float32), y.astype(np.float32)
    )
    return Fragments(pixel, faces[triangle], weights)


def _rows(corners: NDArray[np.floating], height: int) -> tuple[Int, Int]:
    """Every sample row that a triangle crosses, as (triangle, row) pairs in triangle order."""
    top = np.maximum(np.ceil(corners[..., 1].min(axis=1)), 0).astype(np.int64)
    bottom = np.minimum(np.floor(corners[..., 1].max(axis=1)), height - 1).astype(np.int64)
    count = np.maximum(bottom - top + 1, 0)
    triangle = np.repeat(np.arange(len(corners)), count)
    row = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count) + top[triangle]
    return triangle, row


def _spans(
    corners: NDArray[np.floating], row: Int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Where a row enters and leaves its triangle, x of both."""
    left = np.full(len(row), np.inf, np.float32)
    right = np.full(len(row), -np.inf, np.float32)
    for k in range(3):
        start, end = corners[:, k], corners[:, (k + 1) % 3]
        rise = end[:, 1] - start[:, 1]
        crosses = (np.minimum(start[:, 1], end[:, 1]) <= row) & (
            row <= np.maximum(start[:, 1], end[:, 1])
        )
        t = (row - start[:, 1]) / np.where(rise == 0, 1.0, rise)
        x = start[:, 0] + t * (end[:, 0] - start[:, 0])
        left = np.where(crosses & (x < left), x, left)
        right = np.where(crosses & (x > right), x, right)
    nothing = left > right
    left[nothing], right[nothing] = 0.0, -1.0
    return left, right


def _barycentric(
    corners: NDArray[np.floating], area: NDArray[np.floating], x: Float, y: Float
) -> Float:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    to_x, to_y = x - a[:, 0], y - a[:, 1]
    weights = np.empty((len(x), 3), np.float32)
    weights[:, 1] = (to_x * (c[:, 1] - a[:, 1]) - to_y * (c[:, 0] - a[:, 0])) / area
    weights[:, 2] = (to_y * (b[:, 0] - a[:, 0]) - to_x * (b[:, 1] - a[:, 1])) / area
    weights[:, 0] = 1.0 - weights[:, 1] - weights[:, 2]
    return weights
