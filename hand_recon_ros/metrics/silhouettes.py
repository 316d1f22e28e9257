"""Outlines of meshes in the image and how well they cover each other. Needs no OpenGL."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.raster import rasterize
from hand_recon_ros.types import Array

_SAMPLES = 256
"""Samples along the longer side of the two outlines' box: a per cent of a hand's outline."""


def outline(
    points_px: Array, faces: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """(height, width) mask of a projected mesh, every triangle filled from either side.

    An open wrist makes no hole: whoever looks into it sees the inside of the skin.

    Args:
        points_px: (V, 2) whole numbers = sample centres; triangles with NaN are left out.
        faces: (F, 3).
        shape: height and width.
    """
    seen = faces[np.isfinite(points_px).all(axis=1)[faces].all(axis=1)]
    both = np.concatenate([seen, seen[:, ::-1]])
    mask = np.zeros(shape[0] * shape[1], bool)
    if len(both):
        mask[rasterize(points_px, np.zeros(len(points_px)), both, shape).pixel] = True
    return mask.reshape(shape)


def silhouette_iou(
    points_px: Array,
    faces: NDArray[np.int64],
    true_points_px: Array,
    true_faces: NDArray[np.int64],
    size: tuple[int, int],
) -> float:
    """Intersection over union, 0..1, of two projected meshes' outlines within the image.

    Args:
        points_px: (V, 2) px.
        faces: (F, 3).
        true_points_px: (W, 2) px.
        true_faces: (G, 3).
        size: width and height of the image; what lies outside does not count.

    Returns:
        NaN when neither mesh is in the image.
    """
    every = np.concatenate([points_px, true_points_px])
    every = every[np.isfinite(every).all(axis=1)]
    if not len(every):
        return float("nan")
    # Whole numbers are pixel centres, so that the image ends half a pixel further.
    low = np.maximum(every.min(axis=0), -0.5)
    high = np.minimum(every.max(axis=0), np.array(size) - 0.5)
    extent = high - low
    if not (extent > 0).all():
        return float("nan")
    scale = _SAMPLES / extent.max()
    width, height = np.maximum(np.round(extent * scale), 1).astype(int).tolist()
    masks = [
        outline((points - low) * scale - 0.5, triangles, (height, width))
        for points, triangles in ((points_px, faces), (true_points_px, true_faces))
    ]
    union = np.count_nonzero(masks[0] | masks[1])
    return float(np.count_nonzero(masks[0] & masks[1]) / union) if union else float("nan")
