"""Skin seen from the palm and from the back: creases, knuckles and nails, painted by anatomy.

Both pictures are laid on the rest pose along its y axis, so that any hand model in MANO's layout
can wear them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.skeleton import MANO_TO_JOINTS
from hand_recon_ros.types import Array

_PX_PER_M = 2500.0
_MARGIN_M = 0.02
_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with."""
_FINGER_HALF_WIDTH_M = (0.0095, 0.0085, 0.0088, 0.0083, 0.0072)


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
    wrist, index, middle, ring, little = joints[[0, 5, 9, 13, 17]]
    radial = (index - little) / np.linalg.norm(index - little)
    breadth = float(np.linalg.norm(index - little))

    def at(knuckle: Array, towards_wrist: float, outwards: float = 0.0) -> Array:
        return knuckle + towards_wrist * (wrist - knuckle) + outwards * breadth * radial

    lines = [
        [at(little, 0.22, -0.3), at(ring, 0.2), at(middle, 0.14), at(middle, 0.0, 0.17)],
        [at(index, 0.2, 0.3), at(index, 0.26), at(middle, 0.38), at(ring, 0.5), at(little, 0.6)],
        [
            at(index, 0.22, 0.3),
            at(index, 0.33, 0.0),
            at(middle, 0.55, 0.05),
            at(middle, 0.95, 0.05),
        ],
        [at(wrist, 0.0, -0.2), at(wrist, -0.02), at(wrist, 0.0, 0.2)],
    ]
    creases = np.zeros(shape, np.float32)
    for line in lines:
        _draw(creases, _curve(line), 3)
    pads = np.zeros(shape, np.float32)
    for finger, half_width in enumerate(_FINGER_HALF_WIDTH_M):
        chain = joints[1 + 4 * finger : 5 + 4 * finger]
        half = half_width * _PX_PER_M
        for k in (1, 2):
            _across(creases, chain[k], chain[k] - chain[k - 1], half, 3)
        if finger:
            for share in (0.42, 0.5):
                base = chain[0] + share * (chain[1] - chain[0])
                _across(creases, base, chain[1] - chain[0], half, 2)
        _draw(pads, np.stack([chain[2] + 0.5 * (chain[3] - chain[2]), chain[3]]), round(half))
    for knuckle in (index, middle, ring, little):
        _draw(pads, np.stack([at(knuckle, 0.06), at(knuckle, 0.1)]), round(0.2 * breadth))
    thumb = joints[1:3]
    _draw(pads, np.stack([at(thumb[0], 0.0), thumb[1]]), round(0.34 * breadth))
    _draw(pads, np.stack([at(little, 0.45), at(little, 0.8)]), round(0.26 * breadth))
    creases = _blurred(creases, 1.2)
    folds = _blurred(creases[..., 0], 5.0)
    pads = _blurred(pads, 12.0)
    factor = np.array([1.18, 1.02, 0.98]) + pads * np.array([0.1, -0.03, -0.02])
    factor = factor * (1 - creases * np.array([0.26, 0.36, 0.36]))
    factor = factor * (1 - folds * np.array([0.3, 0.4, 0.4]))
    return np.asarray(factor, dtype=np.float32)


def _back(joints: Array, shape: tuple[int, int]) -> NDArray[np.float32]:
    wrinkles, flush = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    tendons, nails = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    edges = np.zeros(shape, np.float32)
    for finger, half_width in enumerate(_FINGER_HALF_WIDTH_M):
        chain = joints[1 + 4 * finger : 5 + 4 * finger]
        half = half_width * _PX_PER_M
        for k, spacing in ((1, 0.35), (2, 0.22)):
            along = chain[k] - chain[k - 1]
            step = spacing * half * along / np.linalg.norm(along)
            for shift in (-1, 0, 1):
                _across(wrinkles, chain[k] + shift * step, along, 0.7 * half, 2)
            _draw(flush, np.stack([chain[k], chain[k]]), round(1.5 * half))
        if finger:
            _draw(flush, np.stack([chain[0], chain[0]]), round(2.2 * half))
            _draw(tendons, np.stack([chain[0], joints[0] + 0.35 * (chain[0] - joints[0])]), 6)
        _paint_nail(nails, edges, chain[2], chain[3], half)
    wrinkles = _blurred(wrinkles, 1.2)
    flush = _blurred(flush, 6.0)
    tendons = _blurred(tendons, 4.0)
    nails = _blurred(nails, 1.0)
    edges = _blurred(edges, 1.0)
    factor = 1 - flush * np.array([0.0, 0.13, 0.12]) + tendons * 0.1
    factor = factor * (1 - wrinkles * np.array([0.3, 0.36, 0.36]))
    factor = factor * (1 - nails) + nails * np.array([1.35, 1.3, 1.35])
    factor = factor * (1 - 0.35 * edges)
    return np.asarray(factor, dtype=np.float32)


def _paint_nail(
    nails: NDArray[np.float32], edges: NDArray[np.float32], joint: Array, tip: Array, half: float
) -> None:
    bone = tip - joint
    centre = joint + 0.68 * bone
    axes = (0.3 * float(np.linalg.norm(bone)), 0.62 * half)
    angle = float(np.degrees(np.arctan2(bone[1], bone[0])))
    fixed: list[int] = np.round(centre * 2**_SHIFT).astype(int).tolist()
    size = [round(a * 2**_SHIFT) for a in axes]
    cv2.ellipse(nails, fixed, size, angle, 0, 360, (1.0,), -1, cv2.LINE_8, _SHIFT)
    cv2.ellipse(edges, fixed, size, angle, 0, 360, (1.0,), 2, cv2.LINE_8, _SHIFT)


def _across(image: NDArray[np.float32], at: Array, along: Array, half: float, width: int) -> None:
    side = np.array([-along[1], along[0]]) / np.linalg.norm(along) * half
    _draw(image, np.stack([at - side, at + side]), width)


def _curve(points: list[Array]) -> Array:
    """A smooth line near the points (Chaikin's corner cutting)."""
    line = np.stack(points)
    for _ in range(3):
        cut = np.stack([0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]], 1)
        line = np.concatenate([line[:1], cut.reshape(-1, 2), line[-1:]])
    return line


def _blurred(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)[..., None]


def _draw(image: NDArray[np.float32], line: Array, width: int) -> None:
    fixed = np.round(line * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(image, [fixed], False, (1.0,), max(width, 1), cv2.LINE_8, _SHIFT)
