"""Several pictures from one rendering: turned, scaled and shifted windows of a wider view.

This is the rotation and scaling of 000 section 3.1.3 before the background is put in, so that no
border shows and camera, pose and labels are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.scene import Picture
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.synthesis.augment import turned_camera
from hand_recon_ros.types import Array

WIDER: Final = 1.2
"""Side of what is rendered against the pictures taken from it."""
_TURN_DEG, _SCALE = 15.0, (0.8, 1.2)
_ATTEMPTS = 30


@dataclass(frozen=True)
class Take:
    """One picture of a rendering.

    Attributes:
        picture: the window, with labels.
        camera: of the window.
        pose: (4, 4) camera from scene.
    """

    picture: Picture
    camera: Camera
    pose: Array


def wide_size(size: int) -> int:
    """Side of what is rendered for pictures of ``size`` px."""
    return 2 * round(WIDER * size / 2)


def widened(camera: Camera) -> Camera:
    """The camera with more picture around."""
    K = camera.K.copy()
    wide = wide_size(camera.width)
    K[:2, 2] += (wide - camera.width) / 2
    return Camera(wide, wide, K, camera.D, camera.model)


def draw_take(
    wide: Picture, camera: Camera, pose: Array, size: int, rng: np.random.Generator
) -> Take:
    """A random window of a rendering.

    Args:
        wide: what was rendered.
        camera: of the rendering.
        pose: (4, 4) camera from scene.
        size: side of the window, px.
        rng: source of randomness.
    """
    half = (size - 1) / 2
    corners = np.array([(-half, -half), (half, -half), (-half, half), (half, half)])
    for _ in range(_ATTEMPTS):
        angle = np.deg2rad(rng.uniform(-_TURN_DEG, _TURN_DEG))
        scale = rng.uniform(*_SCALE)
        offset = rng.uniform(-0.05, 0.05, 2) * size
        rotation = exp_so3([0.0, 0.0, angle])
        linear = scale * rotation[:2, :2]
        middle = (camera.width - 1) / 2 + offset
        reached = corners @ np.linalg.inv(linear).T + middle
        if reached.min() >= 0 and reached.max() <= camera.width - 1:
            return _window(wide, camera, pose, size, rotation, float(scale), half - linear @ middle)
    return straight_take(wide, camera, pose, size)


def straight_take(wide: Picture, camera: Camera, pose: Array, size: int) -> Take:
    """The middle of a rendering as it is."""
    at = (camera.width - size) // 2
    rows = slice(at, at + size)
    assert wide.instance is not None
    assert wide.part is not None
    assert wide.depth_m is not None
    K = camera.K.copy()
    K[:2, 2] -= at
    picture = Picture(
        wide.rgba[rows, rows], wide.instance[rows, rows], wide.part[rows, rows],
        wide.depth_m[rows, rows],
    )  # fmt: skip
    return Take(picture, Camera(size, size, K, camera.D, camera.model), pose)


def _window(
    wide: Picture,
    camera: Camera,
    pose: Array,
    size: int,
    rotation: Array,
    scale: float,
    shift: Array,
) -> Take:
    assert wide.instance is not None
    assert wide.part is not None
    assert wide.depth_m is not None
    matrix = np.column_stack([scale * rotation[:2, :2], shift])

    def cut(layer: NDArray[np.generic], how: int) -> NDArray[np.generic]:
        return np.asarray(
            cv2.warpAffine(np.ascontiguousarray(layer), matrix, (size, size), flags=how)
        )

    labels = cut(cv2.merge([wide.instance, wide.part]), cv2.INTER_NEAREST)
    picture = Picture(
        cut(wide.rgba, cv2.INTER_LINEAR).astype(np.uint8, copy=False),
        labels[..., 0].astype(np.uint8, copy=False),
        labels[..., 1].astype(np.uint8, copy=False),
        cut(wide.depth_m, cv2.INTER_NEAREST).astype(np.float32, copy=False),
    )
    turned = pose.copy()
    turned[:3] = rotation @ pose[:3]
    return Take(picture, turned_camera(camera, rotation, scale, shift, size), turned)
