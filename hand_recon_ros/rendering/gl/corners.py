"""Smooth edges without several samples a pixel: neighbours share the samples at their corners."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.scene import View


def at_corners(view: View) -> View:
    """The view one pixel larger each way, its pixels' centres at the corners of the old ones."""
    camera, drawing = view.camera, view.drawing
    K = camera.K.copy()
    K[:2, 2] += 0.5
    if drawing is not None:
        drawing = replace(drawing, points_px=drawing.points_px + 0.5)
    wider = Camera(camera.width + 1, camera.height + 1, K, camera.D, camera.model)
    return replace(view, camera=wider, drawing=drawing)


def mean_of_corners(samples: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 4) the mean of each pixel's four corners, of (h + 1, w + 1, 4)."""
    rows = cv2.addWeighted(samples[:-1], 0.5, samples[1:], 0.5, 0)
    return np.asarray(cv2.addWeighted(rows[:, :-1], 0.5, rows[:, 1:], 0.5, 0), dtype=np.uint8)
