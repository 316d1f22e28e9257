"""Skin seen from the palm and from the back: creases, knuckles and nails, painted by anatomy.

Both pictures are laid on the rest pose along its y axis, so that any hand model in MANO's layout
can wear them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.skin_strokes import back_features, blurred, palm_features
from hand_recon_ros.skeleton import MANO_TO_JOINTS
from hand_recon_ros.types import Array

_PX_PER_M = 2500.0
_MARGIN_M = 0.02


@dataclass(frozen=True)
class SkinTexture:
    """Two pictures over the rest pose's (x, z) plane.

    Attributes:
        palm, back: (h, w, 3) float32 factors on the skin colour.
        origin: (2,) rest (x, z) of the first pixel, m.
    """

    palm: NDArray[np.float32]
    back: NDArray[np.float32]
    origin: Array

    def pixels(self, rest: Array) -> NDArray[np.float32]:
        """Take (V, 3) rest vertices to (V, 2) texture coordinates (column, row)."""
        return np.asarray((rest[:, [0, 2]] - self.origin) * _PX_PER_M, dtype=np.float32)

    def sample(
        self, pixels: NDArray[np.float32], palmar: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Colour factors (n, 3) at (n, 2) coordinates, ``palmar`` (n,) from 0 to 1."""
        limit = np.array(self.palm.shape[1::-1]) - 1
        column, row = np.clip(pixels + 0.5, 0, limit).astype(np.int64).T
        index = row * self.palm.shape[1] + column
        palm = self.palm.reshape(-1, 3)[index]
        back = self.back.reshape(-1, 3)[index]
        return np.asarray(back + palmar[:, None] * (palm - back), dtype=np.float32)


def paint_skin(model: HandModelData) -> SkinTexture:
    """Paint both pictures for a hand model."""
    corner = model.v_template.min(axis=0)[[0, 2]] - _MARGIN_M
    opposite = model.v_template.max(axis=0)[[0, 2]] + _MARGIN_M
    width, height = np.ceil((opposite - corner) * _PX_PER_M).astype(int).tolist()
    ground = np.concatenate([model.j_regressor @ model.v_template, model.v_template[model.tips]])
    points = (ground[list(MANO_TO_JOINTS)][:, [0, 2]] - corner) * _PX_PER_M
    shape = (height, width)
    return SkinTexture(_palm(points, shape), _back(points, shape), corner)


def _palm(joints: Array, shape: tuple[int, int]) -> NDArray[np.float32]:
    creases, pads = palm_features(joints, shape, _PX_PER_M)
    creases = blurred(creases, 1.2)
    folds = blurred(creases, 5.0)[..., None]
    factor = np.array([1.18, 1.02, 0.98])
    factor = factor + blurred(pads, 12.0)[..., None] * np.array([0.1, -0.03, -0.02])
    factor = factor * (1 - creases[..., None] * np.array([0.26, 0.36, 0.36]))
    factor = factor * (1 - folds * np.array([0.3, 0.4, 0.4]))
    return np.asarray(factor, dtype=np.float32)


def _back(joints: Array, shape: tuple[int, int]) -> NDArray[np.float32]:
    soft = {"wrinkles": 1.2, "flush": 6.0, "tendons": 4.0, "nails": 1.0, "nail_edges": 1.0}
    drawn = back_features(joints, shape, _PX_PER_M)
    layers = {name: blurred(drawn[name], sigma)[..., None] for name, sigma in soft.items()}
    factor = 1 - layers["flush"] * np.array([0.0, 0.13, 0.12]) + layers["tendons"] * 0.1
    factor = factor * (1 - layers["wrinkles"] * np.array([0.3, 0.36, 0.36]))
    factor = factor * (1 - layers["nails"]) + layers["nails"] * np.array([1.35, 1.3, 1.35])
    factor = factor * (1 - 0.35 * layers["nail_edges"])
    return np.asarray(factor, dtype=np.float32)
