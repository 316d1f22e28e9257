"""Several pictures from one rendering: turned, scaled and shifted windows of a wider view.

This is the rotation and scaling of 000 section 3.1.3 before the background is put in, so that no
border shows and camera, pose and labels are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.scene import Picture
from hand_recon_ros.synthesis.augment import turned_camera
from hand_recon_ros.types import Array

Window = tuple[slice, slice]
Box = Sequence[int]
WIDER: Final = 1.2
"""Side of what is rendered against the pictures taken from it."""
_TURN_DEG, _SCALE = 15.0, (0.8, 1.2)
_ATTEMPTS = 30


@dataclass(frozen=True)
class Take:
    """A window of a rendering.

    Attributes:
        matrix: (2, 3) pixels of the window from pixels of the rendering: a turn, one scale for
            both axes and a shift.
        rotation: (3, 3) the turn, about the optical axis.
        camera: of the window.
        pose: (4, 4) camera from scene.
        straight: whether it is only shifted, by whole pixels.
    """

    matrix: Array
    rotation: Array
    camera: Camera
    pose: Array
    straight: bool = False

    def reach(self, drawn: Box) -> Window:
        """Rows and columns of the window that what is drawn in ``drawn`` of the rendering reaches.

        Args:
            drawn: x, y, width, height in the rendering, px.
        """
        x, y, width, height = drawn
        corners = np.array([(x, y), (x + width, y), (x, y + height), (x + width, y + height)])
        moved = self.points(corners - 0.5)
        size = (self.camera.width, self.camera.height)
        low = np.clip(np.floor(moved.min(axis=0)) - 1, 0, size).astype(int)
        high = np.clip(np.ceil(moved.max(axis=0)) + 2, low, size).astype(int)
        return slice(low[1], high[1]), slice(low[0], high[0])

    def cut(self, wide: Picture, reach: Window) -> Picture:
        """The window of the rendering, which is empty beyond ``reach``."""
        assert wide.instance is not None
        assert wide.part is not None
        assert wide.depth_m is not None
        nearest = cv2.INTER_NEAREST
        # One warp for both labels: an instance's number takes 3 bits, a part's 5.
        code = cv2.addWeighted(wide.instance, 32, wide.part, 1, 0)
        code = self._warped(code, reach, nearest, 0)
        return Picture(
            self._warped(wide.rgba, reach, cv2.INTER_LINEAR, 0),
            code >> 5,
            code & 31,
            self._warped(wide.depth_m, reach, nearest, np.inf),
        )

    def points(self, wide_px: Array) -> Array:
        """Points (..., 2) px of the rendering in the window."""
        return np.asarray(wide_px @ self.matrix[:, :2].T + self.matrix[:, 2])

    def _warped(self, layer: Any, reach: Window, how: int, empty: float) -> Any:
        height, width = self.camera.height, self.camera.width
        if self.straight:
            x, y = (-self.matrix[:, 2]).astype(int).tolist()
            return np.ascontiguousarray(layer[y : y + height, x : x + width])
        result = np.full((height, width, *layer.shape[2:]), empty, layer.dtype)
        rows, columns = reach
        size = (columns.stop - columns.start, rows.stop - rows.start)
        if min(size) > 0:
            matrix = self.matrix.copy()
            matrix[:, 2] -= columns.start, rows.start
            result[reach] = cv2.warpAffine(
                layer, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE
            )
        return result


def wide_size(size: int) -> int:
    """Side of what is rendered for pictures of ``size`` px."""
    return 2 * round(WIDER * size / 2)


def widened(camera: Camera) -> Camera:
    """The camera with more picture around."""
    K = camera.K.copy()
    wide = wide_size(camera.width)
    K[:2, 2] += (wide - camera.width) / 2
    return Camera(wide, wide, K, camera.D, camera.model)


def draw_take(camera: Camera, pose: Array, size: int, rng: np.random.Generator) -> Take:
    """A random window of a rendering.

    Args:
        camera: of the rendering.
        pose: (4, 4) camera from scene.
        size: side of the window, px.
        rng: source of randomness.
    """
    half = (size - 1) / 2
    corners = np.array([(-half, -half), (half, -half), (-half, half), (half, half)])
    for _ in range(_ATTEMPTS):
        angle = np.deg2rad(rng.uniform(-_TURN_DEG, _TURN_DEG))
        scale = float(rng.uniform(*_SCALE))
        offset = rng.uniform(-0.05, 0.05, 2) * size
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        middle = (camera.width - 1) / 2 + offset
        reached = corners @ turn / scale + middle
        if reached.min() >= 0 and reached.max() <= camera.width - 1:
            break
    else:
        return straight_take(camera, pose, size)
    rotation = np.eye(3)
    rotation[:2, :2] = turn
    shift = half - scale * turn @ middle
    turned = pose.copy()
    turned[:3] = rotation @ pose[:3]
    matrix = np.column_stack([scale * turn, shift])
    return Take(matrix, rotation, turned_camera(camera, rotation, scale, shift, size), turned)


def straight_take(camera: Camera, pose: Array, size: int) -> Take:
    """The middle of a rendering as it is."""
    at = (camera.width - size) // 2
    K = camera.K.copy()
    K[:2, 2] -= at
    matrix = np.array([[1.0, 0.0, -at], [0.0, 1.0, -at]])
    straight = Camera(size, size, K, camera.D, camera.model)
    return Take(matrix, np.eye(3), straight, pose, straight=True)
