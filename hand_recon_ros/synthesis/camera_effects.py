"""What a camera does to a picture: blur, exposure, white balance, noise, compression, grey."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

Picture = NDArray[np.uint8]
_TILE: Final = 512
_LINEAR: Final = (np.arange(256) / 255.0) ** 2.2
_NOISE_UNIT: Final = 30.0


class CameraEffects:
    """Draws and applies camera effects; shapes and labels stay as they are.

    Args:
        seed: of the noise pattern.
        grey_share: share of pictures without colour.
    """

    def __init__(self, seed: int, grey_share: float) -> None:
        """Make the noise once: random windows of it differ from picture to picture."""
        rng = np.random.default_rng((seed, 202))
        fine = rng.normal(0, 1, (_TILE, _TILE, 3))
        soft = cv2.GaussianBlur(rng.normal(0, 1, (_TILE, _TILE, 3)), (0, 0), 0.9)
        self._noise = [_stored(fine), _stored(soft / soft.std())]
        self._grey_share = grey_share

    def apply(self, image: Picture, rng: np.random.Generator) -> tuple[Picture, bool]:
        """A camera's picture (H, W, 3) uint8 of a clean one, and whether it is grey."""
        image = _blurred(image, rng)
        image = self._noisy(_exposed(image, rng), rng)
        grey = bool(rng.random() < self._grey_share)
        if grey:
            one = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            image = np.asarray(cv2.cvtColor(one, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
        if rng.random() < 0.4:
            quality = int(rng.uniform(30, 95))
            _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.uint8)
        return image, grey

    def _noisy(self, image: Picture, rng: np.random.Generator) -> Picture:
        strength = float(rng.gamma(1.5, 1.0))
        if strength < 0.3 or rng.random() < 0.15:
            return image
        height, width = image.shape[:2]
        tile = self._noise[int(rng.random() < 0.6)]
        if height > _TILE or width > _TILE:
            tile = np.tile(tile, (-(-height // _TILE) + 1, -(-width // _TILE) + 1, 1))
        y = int(rng.integers(tile.shape[0] - height + 1))
        x = int(rng.integers(tile.shape[1] - width + 1))
        window = tile[y : y + height, x : x + width]
        if rng.random() < 0.55:  # luminance only
            one = cv2.cvtColor(cv2.extractChannel(window, 0), cv2.COLOR_GRAY2RGB)
            window = np.asarray(one, dtype=np.uint8)
        share = min(strength, 9.0) / _NOISE_UNIT
        return np.asarray(cv2.addWeighted(image, 1.0, window, share, -128 * share), dtype=np.uint8)


def _stored(noise: Array) -> Picture:
    """Noise of deviation 1 as bytes about 128: adding bytes is quick."""
    return np.clip(128.5 + _NOISE_UNIT * noise, 0, 255).astype(np.uint8)


def _blurred(image: Picture, rng: np.random.Generator) -> Picture:
    draw = rng.random()
    size = image.shape[0]
    if draw < 0.1:
        length = rng.gamma(2.0, 0.009) * size
        return np.asarray(cv2.filter2D(image, -1, motion_kernel(length, rng.uniform(0, np.pi))))
    if draw < 0.24:
        sigma = rng.uniform(0.4, 0.008 * size)
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma))
    if draw < 0.5:
        # a hand that was small in a coarse picture
        small = max(32, int(size * rng.uniform(0.3, 0.9)))
        height = max(1, small * image.shape[0] // image.shape[1])
        coarse = cv2.resize(image, (small, height), interpolation=cv2.INTER_AREA)
        how = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(coarse, image.shape[1::-1], interpolation=how))
    if draw < 0.58:
        # the halo of a phone's sharpening
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        return np.asarray(cv2.addWeighted(image, 1.7, soft, -0.7, 0))
    return image


def motion_kernel(length: float, direction: float) -> NDArray[np.float32]:
    """A line of ``length`` px that sums to 1."""
    half = max(1, int(np.ceil(length / 2)))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    along = 0.5 * length * np.array([np.cos(direction), np.sin(direction)])
    for share in np.linspace(-1, 1, 4 * half + 1):
        x, y = half + share * along
        i, j = int(np.floor(y)), int(np.floor(x))
        for di, dj in ((0, 0), (0, 1), (1, 0), (1, 1)):
            if i + di <= 2 * half and j + dj <= 2 * half:
                kernel[i + di, j + dj] += (1 - abs(y - i - di)) * (1 - abs(x - j - dj))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _exposed(image: Picture, rng: np.random.Generator) -> Picture:
    """Exposure, white balance, contrast and tone curve as one table a channel."""
    gain = np.exp(rng.normal(-0.03, 0.16)) * np.exp(rng.normal(0, 0.05, 3))
    gamma = np.exp(rng.normal(0, 0.12))
    contrast = np.exp(rng.normal(0, 0.12))
    lift = rng.normal(0, 0.02)
    table = _curve(gain, gamma, contrast, lift)
    out = cv2.LUT(image, (np.clip(table, 0, 1) * 255 + 0.5).astype(np.uint8)[None])
    if rng.random() < 0.4:
        share = rng.uniform(-0.35, 0.25)
        grey = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        out = cv2.addWeighted(out, 1 + share, grey, -share, 0)
    return np.asarray(out, dtype=np.uint8)


def _curve(gain: Array, gamma: float, contrast: float, lift: float) -> Array:
    """(256, 3) new values of the levels; highlights roll off instead of clipping hard."""
    linear = _LINEAR[:, None] * gain
    rolled = np.where(linear > 0.7, 0.7 + 0.3 * np.tanh((linear - 0.7) / 0.3), linear)
    display = rolled ** (gamma / 2.2)
    return np.asarray(0.5 + contrast * (display - 0.5) + lift)
