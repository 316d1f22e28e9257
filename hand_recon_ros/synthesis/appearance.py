"""Skin of many people: tone, palms, veins, freckles, hair, nails; as textures for the renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.skin_strokes import blurred, smooth_curve, stroke
from hand_recon_ros.synthesis.skin_maps import Map, SkinLayout, SkinMaps
from hand_recon_ros.types import Array

TONES: Final = ("I", "II", "III", "IV", "V", "VI")
"""Fitzpatrick's scale from light to dark."""
_ANCHORS = (
    np.array(
        [
            (240, 200, 180),
            (226, 178, 150),
            (206, 158, 132),
            (170, 122, 96),
            (136, 96, 76),
            (96, 69, 57),
        ]
    )
    / 255.0
)
"""sRGB of the back of the hand of each tone."""
_PALM_TARGET = np.array([0.86, 0.62, 0.52])
"""sRGB towards which palms of all tones tend."""
_CORNER = 12
"""Texels in the corner of the texture that no face uses: the arm takes its colour there."""
_POLISH_SHARE = 0.07


@dataclass(frozen=True)
class SkinLook:
    """One person's skin.

    Attributes:
        tone: one of ``TONES``.
        texture: (S, S, 3) uint8 sRGB.
        wrap: how far light bleeds past the shadow's edge, per channel.
        mottle: blotchiness per channel.
        brightness: mean reflectance of the back, linear, 0..1.
    """

    tone: str
    texture: NDArray[np.uint8]
    wrap: tuple[float, float, float]
    mottle: tuple[float, float, float]
    brightness: float


def draw_skin(
    layout: SkinLayout, maps: SkinMaps, rng: np.random.Generator, tone: str | None = None
) -> SkinLook:
    """Paint one person's skin (of a given tone)."""
    last = len(TONES) - 1
    drawn = float(np.clip(rng.uniform(-0.5, last + 0.5), 0, last))
    place = drawn if tone is None else float(TONES.index(tone))
    tone = TONES[round(place)]
    base = np.array([np.interp(place, range(len(TONES)), channel) for channel in _ANCHORS.T])
    base = np.clip(base + rng.normal(0, 0.012) + rng.normal(0, 0.012, 3), 0.05, 0.97)
    redness, sallow = rng.normal(0, 0.02, 2)
    tint = np.array([redness, -0.3 * redness, -0.3 * redness - sallow])
    base = np.clip(base + tint, 0.04, 0.97)
    darkness = place / last

    palm = base + (0.15 + 0.5 * darkness) * rng.uniform(0.6, 1.1) * (_PALM_TARGET - base)
    colour = base + maps.palmar[..., None] * (palm - base)
    colour = colour + maps.pads[..., None] * rng.uniform(0.2, 1.8) * np.array(
        [0.02, -0.055, -0.045]
    )
    flush = rng.uniform(0.2, 1.6) * np.array([-0.01 - 0.05 * darkness, -0.05, -0.04])
    colour += maps.flush[..., None] * flush
    shade = np.ones(maps.palmar.shape, np.float32)
    shade -= rng.uniform(0.14, 0.5) ** 2 * maps.lines
    shade -= rng.uniform(0.08, 0.38) * maps.folds
    shade -= rng.uniform(0.05, 0.28) * maps.wrinkles
    shade += rng.uniform(0.0, 0.09) * maps.tendons
    shade -= rng.uniform(0.0, 0.22) * maps.valleys
    colour *= 1 + (shade[..., None] - 1) * np.array([0.8, 1.0, 1.0])
    colour = _spots(colour, layout, maps, rng, darkness)
    colour = _nails(colour, maps, rng, palm)
    colour[:_CORNER, :_CORNER] = base
    strength = rng.uniform(0.06, 0.22)
    return SkinLook(
        tone=tone,
        texture=(np.clip(colour, 0, 1) * 255 + 0.5).astype(np.uint8),
        wrap=tuple((rng.uniform(0.7, 1.2) * np.array([0.36, 0.19, 0.14])).tolist()),
        mottle=(0.45 * strength, strength, 0.9 * strength),
        brightness=float((base**2.2).mean()),
    )


def _spots(
    colour: Array, layout: SkinLayout, maps: SkinMaps, rng: np.random.Generator, darkness: float
) -> Array:
    """Veins, freckles and hair on the back."""
    back = (1.0 - maps.palmar)[..., None]
    veins = layout.take(_veins(layout, rng)) * rng.choice([0.0, 0.4, 1.0]) * (1 - 0.6 * darkness)
    colour = colour + back * veins[..., None] * np.array([-0.09, -0.04, -0.01])
    picture = np.zeros(layout.shape, np.float32)
    height, width = layout.shape
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(3, 60))):
            place = rng.uniform((0, 0), (width, height))
            stroke(picture, np.stack([place, place]), int(rng.integers(1, 6)))
    if rng.random() < 0.3:
        towards = layout.joints[17] - layout.joints[0]
        towards /= np.linalg.norm(towards)
        for _ in range(int(rng.integers(100, 500))):
            place = rng.uniform((0, 0), (width, height))
            turn = towards + rng.normal(0, 0.4, 2)
            stroke(picture, np.stack([place, place + rng.uniform(6, 16) * turn]), 1)
    return np.asarray(colour - back * 0.16 * layout.take(picture)[..., None] * colour)


def _veins(layout: SkinLayout, rng: np.random.Generator) -> Map:
    """Branching lines from the wrist to the gaps between the knuckles."""
    picture = np.zeros(layout.shape, np.float32)
    joints = layout.joints
    knuckles = joints[[5, 9, 13, 17]]
    for a, b in ((0, 1), (1, 2), (2, 3), (3, 3)):
        goal = knuckles[a] + rng.uniform(0.3, 0.7) * (knuckles[b] - knuckles[a])
        start = joints[0] + rng.normal(0, 25, 2)
        middle = [
            start + share * (goal - start) + rng.normal(0, 14, 2) for share in (0.25, 0.5, 0.75)
        ]
        stroke(picture, smooth_curve([start, *middle, goal]), int(rng.integers(4, 8)))
        if rng.random() < 0.6:
            branch = middle[1] + rng.normal(0, 60, 2)
            stroke(picture, np.stack([middle[1], branch]), 4)
    return blurred(picture, 3.0)


def _nails(colour: Array, maps: SkinMaps, rng: np.random.Generator, palm: Array) -> Array:
    nails, edges = maps.nails[..., None], maps.nail_edges[..., None]
    if rng.random() < _POLISH_SHARE:
        plate, lunula = rng.uniform(0.05, 0.95, 3), 0.0
    else:
        plate = np.clip(palm + np.array([0.05, 0.01, 0.03]) + rng.normal(0, 0.015, 3), 0, 1)
        lunula = rng.uniform(0.1, 0.6)
    painted = colour + nails * (plate - colour)
    white = np.array([0.93, 0.88, 0.83])
    painted = painted + lunula * (maps.lunula * maps.nails)[..., None] * (white - painted)
    return np.asarray(painted * (1 - rng.uniform(0.1, 0.4) * edges))


def skin_detail(maps: SkinMaps) -> NDArray[np.uint8]:
    """(S, S, 3) uint8: height of the relief in red, factor on the roughness in green."""
    height = 0.5 - 0.4 * maps.lines - 0.2 * maps.folds - 0.35 * maps.wrinkles
    height += 0.25 * maps.tendons - 0.2 * maps.valleys + 0.2 * maps.nails - 0.3 * maps.nail_edges
    rough = 1.0 - 0.45 * maps.nails
    stacked = np.stack([height, rough, np.zeros_like(height)], axis=-1)
    return (np.clip(stacked, 0, 1) * 255 + 0.5).astype(np.uint8)
