"""What lies behind the hands: photographs, plain walls and painted clutter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

Picture = NDArray[np.uint8]
_SIZE: Final = 352
_PAINTED: Final = 96
"""How many cluttered pictures a seed has; crops, mirrors and colours vary them."""
_KEPT: Final = 256
"""Photographs that are kept in memory once read."""
_SIDE: Final = 540
"""Shorter side of a photograph, px; larger ones are scaled down: no background shows more."""
_SKIN = np.array([(224, 172, 140), (198, 134, 100), (141, 85, 54), (85, 55, 40)], dtype=float)


@dataclass(frozen=True)
class Background:
    """A picture behind a scene.

    Attributes:
        image: (size, size, 3) uint8 RGB.
        kind: "photo", "wall" or "clutter".
    """

    image: Picture
    kind: str


class Backgrounds:
    """Draws backgrounds.

    Args:
        seed: of the painted pictures.
        folders: of photographs without hands, each as likely as any other; those that are missing
            are not used.
    """

    def __init__(self, seed: int, folders: Sequence[Path]) -> None:
        """List the photographs; nothing is read yet."""
        self._photos = [path for folder in folders for path in sorted(folder.glob("*.jpg"))]
        self._painted = lru_cache(maxsize=_PAINTED)(
            lambda k: _clutter(np.random.default_rng((seed, 101, k)))
        )
        self._read = lru_cache(maxsize=_KEPT)(_photo)

    def paint(self) -> None:
        """Paint all clutter and read photographs, as many as are kept."""
        for number in range(_PAINTED):
            self._painted(number)
        for path in self._photos[:_KEPT]:
            self._read(str(path))

    def draw(self, size: int, rng: np.random.Generator) -> Background:
        """One background of size x size px."""
        draw = rng.random()
        kind = "photo" if draw < 0.56 else "wall" if draw < 0.84 else "clutter"
        if kind == "photo" and not self._photos:
            kind = "clutter"
        if kind == "wall":
            return Background(_wall(size, rng), "wall")
        if kind == "photo":
            source = self._read(str(self._photos[rng.integers(len(self._photos))]))
        else:
            source = self._painted(int(rng.integers(_PAINTED)))
        return Background(_cut(source, size, rng), kind)


def _photo(path: str) -> Picture:
    image = cv2.imread(path)
    if image is None:
        raise ValueError(f"{path}: not a readable image; remove it from the backgrounds")
    scale = _SIDE / min(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _cut(source: Picture, size: int, rng: np.random.Generator) -> Picture:
    """A random window, mirrored or not, brighter or darker.

    Upright: turning it would cost twice the time. Colours change with the camera's white balance.
    """
    height, width = source.shape[:2]
    side = int(rng.uniform(0.35, 0.95) * min(height, width))
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    picture = cv2.resize(source[y : y + side, x : x + side], (size, size))
    if rng.random() < 0.5:
        picture = cv2.flip(picture, 1)
    gain = rng.uniform(0.65, 1.25)
    return np.asarray(cv2.convertScaleAbs(picture, alpha=gain), dtype=np.uint8)


def _wall(size: int, rng: np.random.Generator) -> Picture:
    """A plain surface with soft light, sometimes with grain like plaster, cloth or wood."""
    colour = rng.uniform(20, 245) + rng.normal(0, 14, 3)
    coarse = colour + rng.normal(0, 12, (3, 3, 1)) + rng.normal(0, 3, (3, 3, 3))
    wall = cv2.resize(coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        cells = (int(rng.integers(4, 90)), int(rng.integers(4, 90)))
        grain = rng.normal(0, rng.uniform(2, 16), cells).astype(np.float32)
        wall = cv2.add(wall, cv2.cvtColor(cv2.resize(grain, (size, size)), cv2.COLOR_GRAY2RGB))
    if rng.random() < 0.35:
        edge = int(rng.integers(size))
        lower = rng.uniform(0.4, 1.3, 3)
        if rng.random() < 0.5:
            wall[edge:] *= lower
        else:
            wall[:, edge:] *= lower
    return np.asarray(cv2.addWeighted(wall, 1.0, wall, 0.0, 0.0, dtype=cv2.CV_8U), dtype=np.uint8)


def _clutter(rng: np.random.Generator) -> Picture:
    """Overlapping things of all colours, some of skin's, in and out of focus."""
    picture = _wall(_SIZE, rng)
    for _ in range(int(rng.integers(12, 60))):
        _thing(picture, rng)
        if rng.random() < 0.06:
            blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 4.0))
            picture = np.asarray(blurred, dtype=np.uint8)
    picture = _as_photographed(picture, rng)
    noise = rng.normal(0, rng.uniform(0, 6), (_SIZE, _SIZE, 1))
    return np.asarray(np.clip(picture + noise, 0, 255), dtype=np.uint8)


def _as_photographed(picture: Picture, rng: np.random.Generator) -> Picture:
    """Uneven light, muted colours, mostly out of focus: the hand is what the camera looks at."""
    light = cv2.resize(rng.uniform(0.6, 1.35, (3, 3)).astype(np.float32), (_SIZE, _SIZE),
                       interpolation=cv2.INTER_CUBIC)  # fmt: skip
    grey = picture.mean(axis=2, keepdims=True)
    muted = (grey + rng.uniform(0.2, 0.9) * (picture - grey)) * light[..., None]
    soft = cv2.GaussianBlur(muted, (0, 0), rng.uniform(0.5, 5.0))
    return np.asarray(np.clip(soft, 0, 255), dtype=np.uint8)


def _thing(picture: Picture, rng: np.random.Generator) -> None:
    colour = (
        _SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.7, 1.15)
        if rng.random() < 0.15
        else rng.uniform(0, 255) + rng.normal(0, 28, 3)
    )
    fill = tuple(np.clip(colour, 0, 255).tolist())
    centre = rng.uniform(0, _SIZE, 2)
    half = _SIZE * rng.uniform(0.01, 0.28) * np.array([1.0, rng.uniform(0.15, 1.0)])
    shape = rng.random()
    if shape < 0.35:
        corners = cv2.boxPoints((centre.tolist(), (2 * half).tolist(), rng.uniform(0, 180)))
        cv2.fillPoly(picture, [corners.astype(np.int32)], fill, cv2.LINE_AA)
        if rng.random() < 0.4:
            dark = tuple(np.clip(0.6 * colour, 0, 255).tolist())
            cv2.polylines(picture, [corners.astype(np.int32)], True, dark, 2, cv2.LINE_AA)
    elif shape < 0.6:
        at = centre.astype(int).tolist()
        cv2.ellipse(
            picture, at, half.astype(int).tolist(), rng.uniform(0, 180), 0, 360, fill, -1,
            cv2.LINE_AA,
        )  # fmt: skip
    elif shape < 0.8:
        # long things: limbs, cables, table legs, fingers of nobody
        end = centre + rng.normal(0, 0.4 * _SIZE, 2)
        width = int(rng.integers(1, 24))
        cv2.line(picture, centre.astype(int).tolist(), end.astype(int).tolist(), fill, width,
                 cv2.LINE_AA)  # fmt: skip
    else:
        _pattern(picture, centre, half, np.asarray(colour), rng)


def _pattern(
    picture: Picture, centre: Array, half: Array, colour: Array, rng: np.random.Generator
) -> None:
    """A striped, checked or blotchy rectangle."""
    x0, y0 = np.clip(centre - half, 0, _SIZE - 2).astype(int).tolist()
    x1, y1 = np.clip(centre + half, (x0 + 2, y0 + 2), _SIZE).astype(int).tolist()
    y, x = np.mgrid[y0:y1, x0:x1]
    period = rng.uniform(4, 30)
    turn = rng.uniform(0, np.pi)
    wave = np.sin(2 * np.pi * (np.cos(turn) * x + np.sin(turn) * y) / period)
    if rng.random() < 0.4:
        wave = wave * np.sin(2 * np.pi * (-np.sin(turn) * x + np.cos(turn) * y) / period)
    other = rng.uniform(0, 255) + rng.normal(0, 25, 3)
    share = np.clip(0.5 + rng.uniform(0.5, 4) * wave, 0, 1)[..., None]
    picture[y0:y1, x0:x1] = np.clip(colour + share * (other - colour), 0, 255)
