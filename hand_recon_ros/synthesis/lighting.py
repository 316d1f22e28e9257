"""Lamps and the ambience of a scene."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.rendering.gl.scene import Light
from hand_recon_ros.synthesis.backgrounds import Picture
from hand_recon_ros.types import Array


def draw_lights(
    rotation: Array, background: Picture, rng: np.random.Generator
) -> tuple[list[Light], Array]:
    """One to three lamps, the first with shadow, and the ambience (9, 3).

    The ambience comes from the picture behind: what is bright and coloured there lights the
    hands from that side. Together they light a white surface about fully.

    Args:
        rotation: (3, 3) camera from scene; lights are told in the scene's axes.
        background: (H, W, 3) uint8.
        rng: source of randomness.
    """
    key_share = rng.beta(2.2, 1.6)
    level = np.exp(rng.normal(-0.02, 0.25))
    directions = [_above(rng, 0.8)] + [_above(rng, 0.1) for _ in range(int(rng.integers(0, 3)))]
    strengths = [0.95 * key_share * level]
    strengths += [rng.uniform(0.05, 0.35) * level for _ in directions[1:]]
    lights = []
    for direction, strength in zip(directions, strengths, strict=True):
        colour = strength * _white_of(rng.normal(5200, 1300))
        to_lamp = rotation.T @ direction
        lights.append(Light(tuple(to_lamp.tolist()), tuple(colour.tolist())))
    coefficients = _surroundings(background, rng)
    coefficients *= (1.05 - 0.75 * key_share) * level
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
    """(3,) linear RGB of a lamp, green 1; a fit to the black body between 2500 and 9000 K."""
    k = np.clip(kelvin, 2600, 9000) / 6500
    return np.array([np.clip(k**-0.75, 0.75, 1.7), 1.0, np.clip(k**1.05, 0.38, 1.3)])


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
    return coefficients
