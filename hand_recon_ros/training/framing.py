"""Which crop of a picture shows a hand, and what its labels are there: N hands at once.

The windows are those of ``keypoints.crops`` for lenses without distortion, with jitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import KNUCKLES
from hand_recon_ros.training.batch import CROP_MIDDLE, CROP_SIZE, FRAMING
from hand_recon_ros.types import Array

_WIDEST: Final = 2.0
"""Largest tangent of half a crop's field of view, as in ``keypoints.crops``."""
_NEAREST: Final = 0.05
"""Least z of a direction before it is projected."""
TURNED_DEG: Final = 75.0
"""Roll from which on a crop is one for another direction. Looking for a new hand, quarter turns are
tried (``detection.looking``), so that one of them is off by less."""
_MIRROR: Final = np.array([-1.0, 1.0, 1.0])

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Jitter:
    """Random departures from the standard framing.

    Attributes:
        roll_deg: standard deviation of the roll.
        wild_share: share of crops whose roll is even up to ``wild_deg``.
        wild_deg: see there.
        scale: least and largest side over the standard one.
        shift: largest shift over the side, in x and y.
    """

    roll_deg: float = 15.0
    wild_share: float = 0.1
    wild_deg: float = 60.0
    scale: tuple[float, float] = (0.75, 1.35)
    shift: float = 0.12


STILL: Final = Jitter(0.0, 0.0, 0.0, (1.0, 1.0), 0.0)
"""No jitter: what ``keypoints.crops.crop_round`` gives."""


@dataclass(frozen=True)
class Crops:
    """N crops; frames and units as in ``keypoints.crops.HandCrop``.

    Attributes:
        rotation: (N, 3, 3) axes of the crop's camera from those of the picture's, not mirrored.
        focal: (N,) px.
        mirrored: (N,) bool.
        matrix: (N, 3, 3) picture px to crop px.
    """

    rotation: Array
    focal: Array
    mirrored: Flags
    matrix: Array

    def points(self, points_px: Array) -> Array:
        """(N, n, 2) picture px to crop px."""
        moved = points_px @ self.matrix[:, :, :2].transpose(0, 2, 1) + self.matrix[:, None, :, 2]
        return np.asarray(moved[..., :2] / moved[..., 2:])

    def vectors(self, vectors: Array) -> Array:
        """(N, n, 3) of the picture's camera to the (mirrored) axes of the crop."""
        turned = vectors @ self.rotation.transpose(0, 2, 1)
        return np.where(self.mirrored[:, None, None], turned * _MIRROR, turned)

    def rotations(self, rotations: Array) -> Array:
        """(N, 16, 3, 3) MANO's, of the picture's camera, to the (mirrored) axes of the crop."""
        turned = rotations.copy()
        turned[:, 0] = self.rotation @ rotations[:, 0]
        flipped = turned * _MIRROR[:, None] * _MIRROR
        return np.where(self.mirrored[:, None, None, None], flipped, turned)


def framed(
    K: Array,
    points_px: Array,
    mirrored: Flags,
    jitter: Jitter,
    rng: np.random.Generator,
    away: Flags | None = None,
    turned: Flags | None = None,
) -> Crops:
    """Crops round hands.

    Args:
        K: (N, 3, 3) of their pictures.
        points_px: (N, 21, 2) picture px.
        mirrored: (N,) flip the crop.
        jitter: how far from the standard framing.
        rng: source of randomness.
        away: (N,) put the hand mostly or wholly outside the crop.
        turned: (N,) let the hand not point upwards: by ``TURNED_DEG`` or more.
    """
    n = len(K)
    direction = points_px[:, KNUCKLES[2]] - points_px[:, 0]
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    up = np.where(length > 1e-6, direction / np.maximum(length, 1e-6), (0.0, -1.0))
    upright = points_px @ _axes(up).transpose(0, 2, 1)
    low, high = upright.min(axis=1), upright.max(axis=1)
    side = FRAMING * np.maximum((high - low).max(axis=1), 4.0)
    shift = rng.uniform(-jitter.shift, jitter.shift, (n, 2))
    least, largest = np.log(jitter.scale)
    scale = np.exp(rng.uniform(least, largest, n))
    roll = rng.normal(0, 1, n) * jitter.roll_deg
    wild = rng.random(n) < jitter.wild_share
    roll = np.where(wild, rng.uniform(-1, 1, n) * jitter.wild_deg, roll)
    heading, far = rng.uniform(-np.pi, np.pi, n), rng.uniform(0.65, 1.2, n)
    if away is not None:
        out = far[:, None] * np.column_stack([np.cos(heading), np.sin(heading)])
        shift = np.where(away[:, None], out, shift)
    middle = (low + high) / 2 + shift * side[:, None]
    centre = np.einsum("nij,ni->nj", _axes(up), middle)
    if turned is not None and turned.any():
        way = np.where(rng.random(n) < 0.5, -1.0, 1.0)
        roll = np.where(turned, way * rng.uniform(TURNED_DEG, 180.0, n), roll)
    turn = np.deg2rad(roll)
    cos, sin = np.cos(turn), np.sin(turn)
    up = np.column_stack([cos * up[:, 0] - sin * up[:, 1], sin * up[:, 0] + cos * up[:, 1]])
    return _cameras(K, centre, scale * side, up, mirrored)


def pair_geometry(crops: Crops, partner: NDArray[np.int64]) -> Array:
    """(N, 6) how the partner's crop lies to the own one; zeros where there is none.

    Tangents (x, y) of its viewing direction in the own virtual frame, log of its focal length over
    the own one, tangent of half the own field of view, cosine and sine of the angle from the own
    up to its up, clockwise as seen in the own crop.
    """
    other = np.maximum(partner, 0)
    rotation = crops.rotation[other]
    # Rows of a rotation are its axes: z looks, -y is up.
    seen = crops.vectors(np.stack([rotation[:, 2], -rotation[:, 1]], axis=1))
    look, up = seen[:, 0], seen[:, 1]
    plane = np.maximum(np.hypot(up[:, 0], up[:, 1]), 1e-6)
    geometry = np.column_stack(
        [
            look[:, :2] / np.maximum(look[:, 2:], _NEAREST),
            np.log(crops.focal[other] / crops.focal),
            CROP_SIZE / 2 / crops.focal,
            -up[:, 1] / plane,
            up[:, 0] / plane,
        ]
    )
    return np.where((partner >= 0)[:, None], geometry, 0.0)


def _axes(up: Array) -> Array:
    """(N, 2, 2) rows: right and down of an upright crop, in the picture."""
    return np.stack([np.column_stack([-up[:, 1], up[:, 0]]), -up], axis=1)


def _cameras(K: Array, centre: Array, side: Array, up: Array, mirrored: Flags) -> Crops:
    """The cameras of square windows, as ``keypoints.crops.crop_at`` makes them."""
    n = len(K)
    axes = _axes(up)
    half = (side / 2)[:, None]
    around = np.stack([up * half, -up * half, axes[:, 0] * half, -axes[:, 0] * half], axis=1)
    places = np.concatenate([centre[:, None], centre[:, None] + around], axis=1)
    inverse = np.linalg.inv(K)
    rays = np.concatenate([places, np.ones((n, 5, 1))], axis=2) @ inverse.transpose(0, 2, 1)
    look = rays[:, 0] / np.linalg.norm(rays[:, 0], axis=1, keepdims=True)
    turn = _towards(look)
    seen = rays[:, 1:] @ turn.transpose(0, 2, 1)
    tangents = seen[..., :2] / np.maximum(seen[..., 2:], 1e-3)
    tip = tangents[:, 0] - tangents[:, 1]
    roll = np.arctan2(tip[:, 0], -tip[:, 1])
    reach = np.clip(np.linalg.norm(tangents, axis=2).mean(axis=1), 1e-6, _WIDEST)
    zero = np.zeros(n)
    rotation = exp_so3(np.column_stack([zero, zero, -roll])) @ turn
    focal = CROP_SIZE / 2 / reach
    to_crop = np.zeros((n, 3, 3))
    to_crop[:, 0, 0] = np.where(mirrored, -focal, focal)
    to_crop[:, 1, 1] = focal
    to_crop[:, :2, 2] = CROP_MIDDLE
    to_crop[:, 2, 2] = 1.0
    return Crops(rotation, focal, mirrored, to_crop @ rotation @ inverse)


def _towards(rays: Array) -> Array:
    """(N, 3, 3) the smallest rotations that take unit rays (N, 3) to the z axis."""
    axis = np.cross(rays, (0.0, 0.0, 1.0))
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, rays[:, 2:])
    return exp_so3(np.where(sine > 1e-9, axis / np.maximum(sine, 1e-9) * angle, 0.0))
