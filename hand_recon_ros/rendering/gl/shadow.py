"""The lamp's view of a scene: a parallel projection that holds all that casts a shadow."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl.scene import View
from hand_recon_ros.rendering.gl.uniforms import columns

MIN_TEXELS, MAX_TEXELS = 48, 1024
_BORDER_TEXELS = 3
_BIAS_TEXELS = 1.8
_DEPTH_BIAS_M = 2e-4


@dataclass(frozen=True)
class Shadow:
    """Projection of a shadow map.

    Attributes:
        clip_from_world: (4, 4).
        width_m: how much of the world the map's side covers.
        depth_m: how much its depth covers.
        texels: side of the map.
    """

    clip_from_world: NDArray[np.float64]
    width_m: float
    depth_m: float
    texels: int

    def uniforms(self, place: tuple[int, int], size: tuple[int, int]) -> dict[str, Any]:
        """Values for the surface shader; the map lies at ``place`` in a texture of ``size``."""
        width, height = size
        x, y = place[0] / width, place[1] / height
        half = np.array([self.texels / width, self.texels / height, 1.0]) / 2
        corner = np.array([x, y, -_DEPTH_BIAS_M / self.depth_m])
        to_texture = self.clip_from_world.copy()  # its last row is 0, 0, 0, 1
        to_texture[:3] *= half[:, None]
        to_texture[:3, 3] += half + corner
        right, lower = (place[0] + self.texels - 1) / width, (place[1] + self.texels - 1) / height
        return {
            "shadow_from_world": columns(to_texture),
            "shadow_tile": (x + 1 / width, y + 1 / height, right, lower),
            # The four texels that are compared must not belong to the surface itself.
            "shadow_bias": _BIAS_TEXELS * self.width_m / self.texels,
        }


def fit_shadow(
    direction: Sequence[float], casters: Sequence[NDArray[np.floating]], softness_m: float
) -> Shadow:
    """Fit a map round the casters (V, 3); ``direction`` points towards the lamp.

    The map's texels are as large as the shadow's edge is to be soft: the four nearest ones are
    blended. That is cheap where a processor draws.
    """
    axes = _axes(tuple(direction))
    seen = axes @ np.concatenate(casters).T  # (3, V): extremes of rows are found quickest
    low, high = seen.min(axis=1), seen.max(axis=1)
    extent = float((high - low)[:2].max()) + 1e-6
    wanted = extent / max(softness_m, 1e-6) + 2 * _BORDER_TEXELS
    texels = int(np.clip(np.ceil(wanted), MIN_TEXELS, MAX_TEXELS))
    width = extent * texels / (texels - 2 * _BORDER_TEXELS)
    depth = float((high - low)[2]) + 0.02
    centre = (low + high) / 2
    scale = np.array([2 / width, 2 / width, 2 / depth])
    clip = np.eye(4)
    clip[:3, :3] = axes * scale[:, None]
    clip[:3, 3] = -centre * scale
    return Shadow(clip, width, depth, texels)


@functools.lru_cache(maxsize=64)
def _axes(direction: tuple[float, ...]) -> NDArray[np.float64]:
    """Rows: right, down and forward of a lamp that stands in this direction."""
    forward = -np.asarray(direction, np.float64) / np.linalg.norm(direction)
    helper = np.eye(3)[np.argmin(np.abs(forward))]
    right = np.cross(helper, forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def shadow_key(view: View) -> Any:
    """Equal for views that can share a shadow map; None = no shadow."""
    if view.shadow_softness_m is None or not view.lights:
        return None
    scene = tuple(id(i) for i in view.instances if i.casts_shadow)
    return scene, view.lights[0].direction, view.shadow_softness_m
