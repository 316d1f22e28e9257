"""The lamp's view of a scene: a parallel projection that holds all that casts a shadow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl.lens import columns

_BORDER_TEXELS = 3
_BIAS_TEXELS = 1.2
_DEPTH_BIAS = 0.0008


@dataclass
class Shadow:
    """Projection of one view's shadow map.

    Attributes:
        clip_from_world: (4, 4).
        width_m: how much of the world the map's side covers.
        texels: side of the map.
    """

    clip_from_world: NDArray[np.float64]
    width_m: float
    texels: int
    _uniforms: dict[str, Any] = field(default_factory=dict)
    _scale: tuple[float, float] = (1.0, 1.0)

    def locate(self, x: int, y: int, size: tuple[int, int]) -> None:
        """Tell where in the texture of ``size`` the map's tile begins, texels."""
        side = np.array([self.texels / size[0], self.texels / size[1], 1.0])
        low = np.array([x / size[0], y / size[1], 0.0])
        to_texture = np.diag([*(side / 2), 1.0])
        to_texture[:3, 3] = low + side / 2 - (0, 0, _DEPTH_BIAS)
        edge = 1.5 / np.array(size)
        self._scale = (float(side[0]), float(side[1]))
        self._uniforms = {
            "shadow_from_world": columns(to_texture @ self.clip_from_world),
            "shadow_tile": (*(low[:2] + edge), *(low[:2] + side[:2] - edge)),
        }

    def uniforms(self, softness_m: float) -> dict[str, Any]:
        """Values for the surface shader; at least a texel soft, to hide the map's grid."""
        share = max(softness_m / self.width_m, 1.0 / self.texels)
        step = (share * self._scale[0], share * self._scale[1])
        # The soft edge's samples must stay clear of the surface that they start from.
        bias = self.width_m * (share + _BIAS_TEXELS / self.texels)
        return self._uniforms | {"shadow_step": step, "shadow_bias": bias}


def fit_shadow(
    direction: Sequence[float], casters: Sequence[NDArray[np.floating]], texels: int
) -> Shadow:
    """Fit the map round the casters (V, 3); ``direction`` points towards the lamp."""
    forward = -np.asarray(direction, np.float64) / np.linalg.norm(direction)
    helper = np.eye(3)[np.argmin(np.abs(forward))]
    right = np.cross(helper, forward)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward])
    seen = [points @ axes.T for points in casters]
    low = np.min([points.min(axis=0) for points in seen], axis=0)
    high = np.max([points.max(axis=0) for points in seen], axis=0)
    width = float((high - low)[:2].max()) / (1 - 2 * _BORDER_TEXELS / texels) + 1e-6
    depth = float((high - low)[2]) + 0.02
    centre = (low + high) / 2
    clip = np.eye(4)
    clip[:3, :3] = axes * np.array([2 / width, 2 / width, 2 / depth])[:, None]
    clip[:3, 3] = -centre * (2 / width, 2 / width, 2 / depth)
    return Shadow(clip, width, texels)
