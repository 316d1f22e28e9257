"""Lines as flat triangles for the renderer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand_recon_ros.rendering.gl.scene import Drawing

Floats = NDArray[np.floating]
_FRINGE = 0.5
"""Half the width of the smooth border, px."""
_FAR_PX = 1e5


def rgba(colour: ArrayLike, opacity: ArrayLike = 1.0) -> NDArray[np.float64]:
    """(..., 4) premultiplied colour of (..., 3) RGB and (...) opacity."""
    rgb = np.asarray(colour, np.float64)
    alpha = np.broadcast_to(np.asarray(opacity, np.float64), rgb.shape[:-1])[..., None]
    return np.concatenate([rgb * alpha, alpha], axis=-1)


def ribbons(points_px: Floats, widths: ArrayLike, colours: Floats, depths: ArrayLike) -> Drawing:
    """Lines of changing width and colour with smooth borders, without overlaps of their pieces.

    Args:
        points_px: (m, n, 2) m lines of n points, px; pieces at points that are not finite are
            left out.
        widths: (m, n) or broadcastable, px.
        colours: (m, n, 4) or broadcastable, premultiplied.
        depths: (m, n) or broadcastable, m; 0 = on top.
    """
    lines, count = points_px.shape[:2]
    half = np.broadcast_to(np.asarray(widths, np.float64), (lines, count))[..., None] / 2
    tint = np.broadcast_to(colours, (lines, count, 4))
    far = np.broadcast_to(np.asarray(depths, np.float64), (lines, count))[..., None]
    ahead = np.gradient(points_px, axis=1)
    length = np.maximum(np.linalg.norm(ahead, axis=-1, keepdims=True), 1e-6)
    across = np.stack([-ahead[..., 1], ahead[..., 0]], axis=-1) / length
    # Four rails: the inner two in full colour, the outer two clear, a pixel further out.
    offsets = [half + _FRINGE, half - _FRINGE, _FRINGE - half, -half - _FRINGE]
    clear = np.zeros_like(tint)
    # Lines thinner than the fringe fade instead.
    solid = tint * np.clip(half / _FRINGE, 0, 1)
    rails = [
        np.concatenate([points_px + across * offset, colour, far], axis=-1, dtype=np.float32)
        for offset, colour in zip(offsets, (clear, solid, solid, clear), strict=True)
    ]
    strips = [_strip(rails[k], rails[k + 1]) for k in range(3)]
    return _drawing(np.concatenate(strips))


def together(drawings: Sequence[Drawing]) -> Drawing | None:
    """All drawings, the first one undermost."""
    if not drawings:
        return None
    return Drawing(
        np.concatenate([d.points_px for d in drawings]),
        np.concatenate([d.colours for d in drawings]),
        np.concatenate([d.depths_m for d in drawings]),
    )


def _strip(one: Floats, other: Floats) -> Floats:
    """Triangles (k, 3, 7) between two rails (m, n, 7) of place, colour and depth."""
    a, b, c, d = one[:, :-1], other[:, :-1], other[:, 1:], one[:, 1:]
    return np.stack([a, b, c, a, c, d], axis=2).reshape(-1, 3, 7)


def _drawing(corners: Floats) -> Drawing:
    if not np.abs(corners).max(initial=0) < _FAR_PX:  # or not a number
        corners = corners[np.isfinite(corners).all(axis=(1, 2))]
        corners = corners[(np.abs(corners[..., :2]) < _FAR_PX).all(axis=(1, 2))]
    return Drawing(corners[..., :2], corners[..., 2:6], corners[..., 6])
