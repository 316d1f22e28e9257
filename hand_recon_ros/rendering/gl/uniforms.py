"""Cameras and lights as the shaders' uniforms."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl.scene import MAX_LIGHTS, View

NEAR_M, FAR_M = 0.02, 50.0
_STRAIGHT, _POLYNOMIAL, _EQUIDISTANT = 0, 1, 2


def view_uniforms(view: View) -> dict[str, Any]:
    """What tells where a point of the world is seen: pose, lens and depth range."""
    camera = view.camera
    coefficients = np.zeros(14)
    coefficients[: camera.D.size] = camera.D
    K = camera.K.copy()
    if camera.D.size == 0:
        model, radius = _STRAIGHT, np.inf
    elif camera.model == "equidistant":
        model, radius = _EQUIDISTANT, _largest_radius(_equidistant(coefficients))
    else:
        model, radius = _POLYNOMIAL, _largest_radius(_polynomial(coefficients))
    if model != _STRAIGHT:
        K[0, 1] = 0.0  # OpenCV's lens models know no skew, see Camera.project
    return {
        "pose": columns(view.pose),
        "depth_range": (NEAR_M, FAR_M),
        "K": columns(K),
        "size": (float(camera.width), float(camera.height)),
        "model": model,
        "D": coefficients[:12].tolist(),
        "tilt": columns(_tilt(coefficients[12], coefficients[13])),
        "max_radius": float(min(radius, 1e9)),
    }


def light_uniforms(view: View) -> dict[str, Any]:
    """Lamps and ambience, and from where they are seen.

    Raises:
        ValueError: too many lamps.
    """
    if len(view.lights) > MAX_LIGHTS:
        raise ValueError(f"{len(view.lights)} lights; at most {MAX_LIGHTS}")
    directions = np.zeros((MAX_LIGHTS, 3))
    colours = np.zeros((MAX_LIGHTS, 3))
    for k, light in enumerate(view.lights):
        directions[k] = np.array(light.direction) / np.linalg.norm(light.direction)
        colours[k] = light.colour
    rotation, shift = view.pose[:3, :3], view.pose[:3, 3]
    return {
        "eye": tuple((-rotation.T @ shift).tolist()),
        "ambient": np.asarray(view.ambient).tolist(),
        "light_direction": directions.tolist(),
        "light_colour": colours.tolist(),
    }


def columns(matrix: NDArray[np.floating]) -> tuple[float, ...]:
    """A matrix in OpenGL's order."""
    return tuple(matrix.T.reshape(-1).tolist())


_RADII = np.tan(np.linspace(0, np.deg2rad(89), 500))


def _largest_radius(bent: NDArray[np.floating]) -> float:
    """How far from the axis the image still moves outwards with the point, x/z."""
    falls = np.flatnonzero(np.diff(bent) <= 0)
    return float(_RADII[falls[0]]) if falls.size else np.inf


def _polynomial(D: NDArray[np.floating]) -> NDArray[np.floating]:
    r2 = _RADII**2
    above = 1 + r2 * (D[0] + r2 * (D[1] + r2 * D[4]))
    below = 1 + r2 * (D[5] + r2 * (D[6] + r2 * D[7]))
    return np.asarray(_RADII * above / np.where(np.abs(below) < 1e-9, 1e-9, below))


def _equidistant(D: NDArray[np.floating]) -> NDArray[np.floating]:
    t = np.arctan(_RADII)
    t2 = t**2
    return np.asarray(t * (1 + t2 * (D[0] + t2 * (D[1] + t2 * (D[2] + t2 * D[3])))))


def _tilt(x: float, y: float) -> NDArray[np.float64]:
    """OpenCV's matrix of a sensor tilted about x, then y, rad."""
    if not (x or y):
        return np.eye(3)
    about_x, _ = cv2.Rodrigues(np.array([x, 0.0, 0.0]))
    about_y, _ = cv2.Rodrigues(np.array([0.0, y, 0.0]))
    # OpenCV counts these angles the other way round.
    R = about_y.T @ about_x.T
    onto_plane = np.array([[R[2, 2], 0, -R[0, 2]], [0, R[2, 2], -R[1, 2]], [0, 0, 1]])
    return np.asarray(onto_plane @ R)
