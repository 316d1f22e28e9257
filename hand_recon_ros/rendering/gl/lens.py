"""A ``Camera`` as the shaders' uniforms."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera

_STRAIGHT, _POLYNOMIAL, _EQUIDISTANT = 0, 1, 2


def lens_uniforms(camera: Camera) -> dict[str, Any]:
    """Values of the uniforms ``K``, ``size``, ``model``, ``D``, ``tilt`` and ``max_radius``."""
    coefficients = np.zeros(14)
    coefficients[: camera.D.size] = camera.D
    if camera.D.size == 0:
        model, radius = _STRAIGHT, np.inf
    elif camera.model == "equidistant":
        model, radius = _EQUIDISTANT, _largest_radius(_equidistant(coefficients))
    else:
        model, radius = _POLYNOMIAL, _largest_radius(_polynomial(coefficients))
    return {
        "K": columns(camera.K),
        "size": (float(camera.width), float(camera.height)),
        "model": model,
        "D": coefficients[:12].tolist(),
        "tilt": columns(_tilt(coefficients[12], coefficients[13])),
        "max_radius": float(min(radius, 1e9)),
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
