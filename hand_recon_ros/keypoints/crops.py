"""Square windows that show one hand upright: a virtual camera turned towards it.

A window is what a pinhole camera sees that looks at the middle of the hand, rolled so that the
fingers point up. So a hand looks the same wherever it is in the image, and what a network says of
its 3D in the window's axes is turned back exactly. Left hands are mirrored: networks see right
hands only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import KNUCKLES
from hand_recon_ros.types import Array

CROP_SIZE: Final = 128
"""Side of the windows that the networks are made for, px."""
FRAMING: Final = 1.7
"""Side of a window over the longer side of the box of the 21 joints, seen upright."""
_WIDEST: Final = 2.0
"""Largest tangent of half the window's field of view: beyond it a window is mostly stretched."""
_TIED: Final = 0.6
"""Where the homography of a distorted window is exact: about where the fingers end."""
_COARSE: Final = 1.6
"""Image px for a window px from which on the image is halved first: bilinear taps alone would skip
pixels. Halved sooner, it would be blurred."""
_MIRROR: Final = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class HandCrop:
    """A window on a hand.

    Attributes:
        matrix: (3, 3) homography, raw image px to window px. With lens distortion it is exact in
            four places about the hand only.
        rotation: (3, 3) axes of the window's camera from those of the real one, before mirroring.
        focal: of the window's camera, px; its axis meets the middle of the window.
        size: side of the window, px.
        mirrored: the window is flipped left to right after all this.
    """

    matrix: Array
    rotation: Array
    focal: float
    size: int
    mirrored: bool

    @cached_property
    def _to_image(self) -> Array:
        return np.linalg.inv(self.matrix)

    def to_crop(self, points_px: ArrayLike) -> Array:
        """(..., 2) raw image px to window px."""
        return _mapped(self.matrix, points_px)

    def to_image(self, points_px: ArrayLike) -> Array:
        """(..., 2) window px to raw image px."""
        return _mapped(self._to_image, points_px)

    def to_camera(self, vectors: ArrayLike) -> Array:
        """(..., 3) vectors of the (mirrored) window's axes in the real camera's axes."""
        v = np.asarray(vectors, dtype=np.float64)
        return np.asarray((v * _MIRROR if self.mirrored else v) @ self.rotation)

    def rotations_to_camera(self, rotations: ArrayLike) -> Array:
        """MANO's (16, 3, 3) rotations of the (mirrored) window's axes in the real camera's.

        The mirror image of a turn R is M R M; the joints' are in their parents' frames, so only
        the first, the wrist's, sees the window turn.
        """
        R = np.array(rotations, dtype=np.float64)
        if self.mirrored:
            R *= _MIRROR[:, None] * _MIRROR
        R[0] = self.rotation.T @ R[0]
        return R

    def to_window(self, vectors: ArrayLike) -> Array:
        """(..., 3) vectors of the real camera's axes in the (mirrored) window's axes."""
        v = np.asarray(vectors, dtype=np.float64) @ self.rotation.T
        return np.asarray(v * _MIRROR if self.mirrored else v)

    @property
    def scale(self) -> float:
        """Window px for each raw image px, in the middle of the window."""
        middle = np.full(2, (self.size - 1) / 2)
        step = self.to_image(middle + np.array([(0.0, 0.0), (1.0, 0.0)]))
        return 1.0 / max(float(np.linalg.norm(step[1] - step[0])), 1e-9)

    def cut(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The window's (size, size, 3) uint8 pixels; beyond the image its border is repeated."""
        matrix = self.matrix
        step = 1.0 / max(self.scale, 1e-6)
        if step >= _COARSE:
            halvings = 1 + int(np.log2(step / _COARSE))
            image, moved = _shrunk(image, self._reach(), halvings)
            matrix = matrix @ np.linalg.inv(moved)
        size = (self.size, self.size)
        return np.asarray(
            cv2.warpPerspective(
                image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ),
            dtype=np.uint8,
        )

    def _reach(self) -> Array:
        """(4, 2) corners of the window, raw image px."""
        return self.to_image(_corners(self.size))


def crop_at(
    camera: Camera,
    centre_px: ArrayLike,
    side_px: float,
    direction: ArrayLike = (0.0, -1.0),
    *,
    mirrored: bool = False,
    size: int = CROP_SIZE,
) -> HandCrop:
    """The window round a place in the image.

    Args:
        camera: of the image.
        centre_px: (2,) its middle, raw image px.
        side_px: its side there, raw image px.
        direction: (2,) what shall point up in it, as a direction in the raw image.
        mirrored: flip it (for left hands).
        size: its side, window px.

    Raises:
        ValueError: the side is not positive, or a number is not finite.
    """
    centre = np.asarray(centre_px, dtype=np.float64)
    up = np.asarray(direction, dtype=np.float64)
    if not (np.isfinite(centre).all() and np.isfinite(up).all() and 0 < side_px < np.inf):
        raise ValueError(f"no window of side {side_px} px at {centre} px towards {up}")
    norm = np.linalg.norm(up)
    up = up / norm if norm > 1e-9 else np.array([0.0, -1.0])
    across = np.array([-up[1], up[0]])
    half = side_px / 2
    around = centre + half * np.array([up, -up, across, -across])
    turn = _towards(_ray(camera, centre))
    rays = _rays(camera, around) @ turn.T
    tangents = rays[:, :2] / np.maximum(rays[:, 2:], 1e-3)
    tip = tangents[0] - tangents[1]
    roll = float(np.arctan2(tip[0], -tip[1]))
    reach = float(np.clip(np.linalg.norm(tangents, axis=1).mean(), 1e-6, _WIDEST))
    rotation = exp_so3([0.0, 0.0, -roll]) @ turn
    focal = size / 2 / reach
    middle = (size - 1) / 2
    places = middle + _TIED * (_corners(size) - middle)
    seen = np.column_stack([(places - middle) / focal, np.ones(4)]) @ rotation
    raw = camera.project(seen / np.linalg.norm(seen, axis=1, keepdims=True))
    if not np.isfinite(raw).all():  # a place lies behind the camera: stay in the image's plane
        raw = centre + (places - middle) * (side_px / size) @ np.array([across, -up])
    matrix = cv2.getPerspectiveTransform(raw.astype(np.float32), places.astype(np.float32))
    if mirrored:
        matrix = np.array([[-1.0, 0, size - 1], [0, 1, 0], [0, 0, 1]]) @ matrix
    return HandCrop(np.asarray(matrix, np.float64), rotation, focal, size, mirrored)


def crop_round(
    camera: Camera,
    points_px: ArrayLike,
    *,
    mirrored: bool,
    size: int = CROP_SIZE,
    room: float = 1.0,
    turn: complex = 1.0,
) -> HandCrop:
    """The window that frames 21 key points as the networks are used to.

    Args:
        camera: of the image.
        points_px: (21, 2) raw image px.
        mirrored: flip it (for left hands).
        size: its side, window px.
        room: its side over the usual one.
        turn: factor of what points up in it, as x + iy: 1j turns the hand a quarter.
    """
    points = np.asarray(points_px, dtype=np.float64)
    direction = points[KNUCKLES[2]] - points[0]
    norm = float(np.linalg.norm(direction))
    up = direction / norm if norm > 1e-6 else np.array([0.0, -1.0])
    axes = np.array([[-up[1], up[0]], -up])  # rows: right and down in the window
    upright = points @ axes.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    centre = (low + high) / 2 @ axes
    side = room * FRAMING * max(float((high - low).max()), 4.0)
    way = complex(*up) * turn
    return crop_at(camera, centre, side, (way.real, way.imag), mirrored=mirrored, size=size)


def _mapped(matrix: Array, points_px: ArrayLike) -> Array:
    points = np.asarray(points_px, dtype=np.float64)
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved[..., :2] / moved[..., 2:])


def _corners(size: int) -> Array:
    end = size - 1.0
    return np.array([(0.0, 0.0), (end, 0.0), (end, end), (0.0, end)])


def _rays(camera: Camera, points_px: Array) -> Array:
    plane = camera.normalize(points_px)
    return np.column_stack([plane, np.ones(len(plane))])


def _ray(camera: Camera, point_px: Array) -> Array:
    ray = _rays(camera, point_px[None])[0]
    return np.asarray(ray / np.linalg.norm(ray))


def _towards(ray: Array) -> Array:
    """The smallest rotation that takes a unit ray to the z axis."""
    axis = np.array([ray[1], -ray[0], 0.0])  # its cross product with the z axis
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3)
    return exp_so3(axis / sine * np.arctan2(sine, ray[2]))


def _shrunk(
    image: NDArray[np.uint8], corners: Array, halvings: int
) -> tuple[NDArray[np.uint8], Array]:
    """The part of an image round a window, halved some times, and the matrix to it."""
    factor = 1 << halvings
    height, width = image.shape[:2]
    low = np.floor(np.clip(corners.min(axis=0) - factor, 0, (width - 1, height - 1)))
    high = np.ceil(np.clip(corners.max(axis=0) + factor + 1, low + 1, (width, height)))
    (left, top), (right, bottom) = low.astype(int), high.astype(int)
    part = image[top:bottom, left:right]
    new = (max(part.shape[1] // factor, 1), max(part.shape[0] // factor, 1))
    part = part[: new[1] * factor, : new[0] * factor]
    sx, sy = new[0] / part.shape[1], new[1] / part.shape[0]
    # Pixel centres: x' = (x - left + 0.5) sx - 0.5.
    moved = np.array([[sx, 0, (0.5 - left) * sx - 0.5], [0, sy, (0.5 - top) * sy - 0.5], [0, 0, 1]])
    for k in reversed(range(halvings)):  # means of 2 x 2 pixels: four times as quick as at once
        size = (new[0] << k, new[1] << k)
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    return part, moved
