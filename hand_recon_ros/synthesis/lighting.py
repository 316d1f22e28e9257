"""Lamps and the ambience of a scene."""

from __future__ import annotations

from typing import Final

import numpy as np

from hand_recon_ros.rendering.gl.scene import Light
from hand_recon_ros.synthesis.backgrounds import Picture
from hand_recon_ros.types import Array

_MIDDLE_SKIN: Final = 0.24
"""Linear reflectance that is exposed as it is."""
_MIDDLE_ROOM: Final = 0.2
"""Linear brightness of a usual background."""
_EXPOSURE: Final = 0.85


def draw_lights(
    rotation: Array, background: Picture, skin: float, rng: np.random.Generator
) -> tuple[list[Light], Array]:
    """One to three lamps, the first with shadow, and the ambience (9, 3).

    The ambience comes from the picture behind: what is bright and coloured there lights the
    hands from that side.

    Args:
        rotation: (3, 3) camera from scene; lights are told in the scene's axes.
        background: (H, W, 3) uint8.
        skin: mean reflectance of the hands, linear, 0..1.
        rng: source of randomness.
    """
    key_share = rng.beta(3.0, 1.3)
    directions = [_above(rng, 0.8)] + [_above(rng, 0.1) for _ in range(int(rng.integers(0, 3)))]
    strengths = np.array([key_share, *rng.uniform(0.05, 0.3, len(directions) - 1)])
    surroundings = _surroundings(background, rng) * (1.0 - 0.85 * key_share)
    # A camera exposes for what it sees: half of the skin's darkness is made up for, and hands
    # are as light or dark as the room, more or less.
    total = float(surroundings[0].mean()) + 0.6 * strengths[0] + 0.4 * strengths[1:].sum()
    room = float(np.clip(((background[::8, ::8] / 255.0) ** 2.2).mean(), 0.06, 0.5))
    level = _EXPOSURE * np.exp(rng.normal(0, 0.24)) * (room / _MIDDLE_ROOM) ** 0.25
    level *= np.sqrt(_MIDDLE_SKIN / max(skin, 0.02)) / total
    lights = []
    for direction, strength in zip(directions, strengths.tolist(), strict=True):
        colour = level * strength * _white_of(rng.normal(6100, 1200))
        to_lamp = rotation.T @ direction
        lights.append(Light(tuple(to_lamp.tolist()), tuple(colour.tolist())))
    coefficients = level * surroundings
    ambient = np.zeros((9, 3))
    ambient[0] = coefficients[0]
    ambient[1:4] = rotation.T @ coefficients[1:4]
    return lights, ambient


def _above(rng: np.random.Generator, least_share: float) -> Array:
    """A unit vector towards a lamp, camera axes: mostly above, rarely far behind the hand."""
    while True:
        direction = rng.normal(0, 1, 3)
        direction /= np.linalg.norm(direction)
        if direction[1] > 0.3 and rng.random() < least_share:
            continue
        if direction[2] > 0.35 and rng.random() < 0.75:
            continue
        return np.asarray(direction)


def _white_of(kelvin: float) -> Array:
    """(3,) linear RGB of a lamp, green 1; after a camera's white balance."""
    k = np.clip(kelvin, 2600, 9000) / 6500
    return np.array([k**-0.55, 1.0, k**0.8])


def _surroundings(background: Picture, rng: np.random.Generator) -> Array:
    """(4, 3) constant and linear part of the ambience, camera axes, mean about 1."""
    coarse = background[:: background.shape[0] // 8, :: background.shape[1] // 8]
    linear = (coarse.astype(np.float64) / 255) ** 2.2
    linear = linear / max(float(linear.mean()), 0.02)
    linear = 0.55 + 0.45 * np.clip(linear, 0, 3)
    height, width = linear.shape[:2]
    coefficients = np.zeros((4, 3))
    coefficients[0] = linear.mean(axis=(0, 1))
    across = np.linspace(-1, 1, width)[None, :, None]
    down = np.linspace(-1, 1, height)[:, None, None]
    coefficients[1] = (linear * across).mean(axis=(0, 1))
    coefficients[2] = (linear * down).mean(axis=(0, 1)) - rng.uniform(0.0, 0.35)
    coefficients[3] = rng.normal(-0.1, 0.15)
    # A window or a bright wall that the picture does not show: light that falls off round the
    # hand softly, without a shadow's edge.
    towards = rng.normal(0, (1.0, 0.8, 0.5))
    soft = rng.uniform(0.0, 0.6) * towards / np.linalg.norm(towards)
    coefficients[1:] += soft[:, None] * coefficients[0]
    return coefficients
