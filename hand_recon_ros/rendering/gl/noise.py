"""Cloudy noise that repeats without a seam."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIDE = 64


def noise_volume(seed: int = 7) -> NDArray[np.uint8]:
    """(64, 64, 64, 2) of two independent noises, mean 128: soft clouds and fine grain."""
    rng = np.random.default_rng(seed)
    axis = np.fft.fftfreq(_SIDE) * _SIDE
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    volume = np.empty((_SIDE, _SIDE, _SIDE, 2), np.uint8)
    for channel, (falloff, lowest) in enumerate(((1.6, 1.0), (0.3, 7.0))):
        spectrum = np.where(radius >= lowest, np.maximum(radius, 1.0) ** -(falloff + 1), 0)
        noise = np.fft.ifftn(np.fft.fftn(rng.normal(size=radius.shape)) * spectrum).real
        volume[..., channel] = np.clip(127.5 + 45 * noise / noise.std() + 0.5, 0, 255)
    return volume
