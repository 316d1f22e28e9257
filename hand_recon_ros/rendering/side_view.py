"""The second view: the hands seen from the side, where their distance from the camera shows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.figures import rgba, ribbons
from hand_recon_ros.rendering.gl.scene import Drawing
from hand_recon_ros.rendering.hand_figures import Viewpoint
from hand_recon_ros.rendering.regions import Box
from hand_recon_ros.types import Array, HandFrame

_FROM_THE_SIDE = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
"""Looking along -x: the camera lies to the left, its forward direction runs to the right."""
_FOV_DEG = 24.0
_SHARE, _ASPECT, _MARGIN = 0.34, 1.15, 0.02
"""Height of the panel against the image's, its width against its height, gap to the border."""
_MIN_SPAN_M, _MAX_SPAN_M = 0.22, 2.0
_FOLLOW = 0.15
"""How quickly the panel follows the hands, share a frame."""
_GRID_M = 0.1
_BACKGROUND, _ALPHA = np.array([18, 20, 26]), 0.8
_TEXT, _FRAME = (190, 196, 210), (120, 126, 140)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Panel:
    """Where the side view is drawn, and what it shows.

    Attributes:
        box: its place in the image.
        viewpoint: from where it looks.
        centre: (3,) the place in its middle, m.
        span_m: how much of the world it shows from top to bottom.
    """

    box: Box
    viewpoint: Viewpoint
    centre: Array
    span_m: float

    def darken(self, inset: NDArray[np.uint8]) -> None:
        """Prepare the panel's part of the image."""
        inset[:] = cv2.addWeighted(inset, 1 - _ALPHA, np.full_like(inset, _BACKGROUND), _ALPHA, 0)

    def grid(self) -> Drawing:
        """Lines of equal distance from the camera, behind the hands."""
        _, places = self._distances()
        lines = places[:, None] + np.array([[0.0, -5, 0], [0, 5, 0]])
        points, far = self.viewpoint.see(lines)
        return ribbons(points, 1.0, rgba((0.5, 0.55, 0.65), 0.5), far + 0.5)

    def caption(self, inset: NDArray[np.uint8]) -> None:
        """Write the distances along the lower border of the panel's part of the image."""
        tall, wide = inset.shape[:2]
        scale = tall / 620
        y = tall - round(14 * scale) - 2
        distances, places = self._distances()
        columns = self.viewpoint.see(places)[0][:, 0]
        for distance, column in zip(distances.tolist(), columns.tolist(), strict=True):
            text = f"{distance:.1f} m"
            (width, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
            x = column - width / 2
            if 2 <= x <= wide - width - 2:
                cv2.putText(inset, text, (round(x), y), _FONT, scale, _TEXT, 1, cv2.LINE_AA)
        cv2.rectangle(inset, (0, 0), (wide - 1, tall - 1), _FRAME, 1)

    def _distances(self) -> tuple[Array, Array]:
        """Round distances (n,) from the camera, and places (n, 3) so far away."""
        middle = round(float(self.centre[2]) / _GRID_M)
        steps = int(np.ceil(self.span_m / _GRID_M))
        distances = np.arange(max(middle - steps, 0), middle + steps + 1) * _GRID_M
        places = np.tile(self.centre, (len(distances), 1))
        places[:, 2] = distances
        return distances, places


class SideView:
    """Follows the hands smoothly."""

    def __init__(self) -> None:
        """Look nowhere yet."""
        self._centre: Array | None = None
        self._span = _MIN_SPAN_M

    def panel(self, frame: HandFrame, width: int, height: int) -> Panel | None:
        """The panel in an image of the given size; None while there is no hand to show."""
        points = np.concatenate([np.empty((0, 3)), *(hand.joints_m for hand in frame.hands)])
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            return None
        low, high = points.min(axis=0), points.max(axis=0)
        centre = (low + high) / 2
        span = float(np.clip(1.25 * (high - low)[1:].max(), _MIN_SPAN_M, _MAX_SPAN_M))
        if self._centre is None or np.abs(centre - self._centre).max() > self._span:
            self._centre, self._span = centre, span
        self._centre = self._centre + _FOLLOW * (centre - self._centre)
        self._span += _FOLLOW * (span - self._span)
        tall = max(round(_SHARE * height), 32)
        wide = min(round(_ASPECT * tall), width)
        gap = round(_MARGIN * height)
        left, top = max(width - wide - gap, 0), gap
        box = Box(left, top, left + wide, min(top + tall, height))
        size = box.right - box.left, box.bottom - box.top
        camera = Camera.from_fov(*size, _FOV_DEG)
        distance = self._span / (2 * np.tan(np.deg2rad(_FOV_DEG / 2))) * max(size[0] / size[1], 1)
        pose = np.eye(4)
        pose[:3, :3] = _FROM_THE_SIDE
        pose[:3, 3] = (0, 0, distance) - _FROM_THE_SIDE @ self._centre
        return Panel(box, Viewpoint(camera, pose), self._centre, self._span)
