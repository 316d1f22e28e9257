"""Hand poses from recordings of real motion, fitted once and kept in a cache."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Final

import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import FitConfig
from hand_recon_ros.io.replacing import replacing
from hand_recon_ros.mano.fit import FitError, ManoFitter
from hand_recon_ros.mano.kinematics import TO_SKELETON, HandSkeleton
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.priors import LOWER_LIMITS, UPPER_LIMITS, Anatomy, angles_of
from hand_recon_ros.mano.results import FitRequest
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import SIDES, WRIST, Side
from hand_recon_ros.types import Array, Keypoints

_VERSION: Final = 1
_EVERY: Final = 4
"""One frame in so many: neighbours in time are nearly the same pose."""
_CAMERA: Final = Camera.from_fov(1280, 720, 60.0)
_DISTANCE_M: Final = 0.4
_PALM: Final = (0, 1, 5, 9, 13, 17)
_FINGERS_UP: Final = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
"""Camera from a right hand: fingers up, palm to the camera."""
_MOST_RESIDUAL_PX: Final = 9.0
_log = logging.getLogger(__name__)


def recorded_angles(folder: Path) -> Array:
    """(n, 15, 3) twist, spread and bend, rad, of all recordings of a folder; n may be 0.

    Recordings are ``*.npz`` with ``joints_mm`` (T, 2, 21, 3), left and right, NaN = absent, and
    ``palm_mm``. Fitting takes some seconds; the result is kept in the user's cache directory.
    """
    files = sorted(folder.glob("*.npz")) if folder.is_dir() else []
    parts = [_of_file(path) for path in files]
    return np.concatenate([np.zeros((0, 15, 3)), *parts])


def _of_file(path: Path) -> Array:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    cached = _cache_folder() / f"motion-{_VERSION}-{digest}.npy"
    if cached.is_file():
        return np.asarray(np.load(cached))
    angles = fitted_angles(path)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with replacing(cached) as partial, partial.open("wb") as file:
            np.save(file, angles)
    except OSError as error:
        _log.warning("%s: cannot be written (%s); the motion is fitted anew", cached, error)
    return angles


def fitted_angles(path: Path) -> Array:
    """(n, 15, 3) angles of one recording.

    Raises:
        ValueError: the file holds no joints.
    """
    with np.load(path) as file:
        if "joints_mm" not in file.files or file["joints_mm"].shape[1:] != (2, 21, 3):
            raise ValueError(f"{path}: no recording: it lacks joints_mm (T, 2, 21, 3)")
        joints = file["joints_mm"][::_EVERY]
    models = {side: load_hand_model(side) for side in SIDES}
    fitter = ManoFitter(models, FitConfig())
    found = []
    for index, side in enumerate(SIDES):
        axes = Anatomy.of(models[side]).axes[0]
        rest = HandSkeleton.of(models[side]).rest_points(np.zeros((1, 10)))[0][TO_SKELETON]
        for points in joints[:, index]:
            request = _request(points, rest, side)
            if request is None:
                continue
            try:
                result = fitter.fit([request], _CAMERA)[0]
            except FitError:
                continue
            if result.residual_px <= _MOST_RESIDUAL_PX:
                turns = exp_so3(result.parameters.hand_pose.reshape(15, 3))
                found.append(np.clip(angles_of(axes, turns), LOWER_LIMITS, UPPER_LIMITS))
    return np.array(found).reshape(-1, 15, 3)


def _request(joints_mm: Array, rest: Array, side: Side) -> FitRequest | None:
    """Ask for a fit of one recorded hand, seen by a made-up camera; None where it is not whole.

    Recordings often lack the wrist: it is where the rest hand has it, laid over the palm.
    """
    joints = np.asarray(joints_mm, dtype=np.float64) / 1000.0
    known = np.isfinite(joints).all(axis=1)
    palm = [joint for joint in _PALM if known[joint]]
    if len(palm) < len(_PALM) - 1 or not known[1:].all():
        return None
    turn, centre, scale = laid_over(rest[palm], joints[palm])
    rest_centre = rest[palm].mean(axis=0)
    if not known[WRIST]:
        joints[WRIST] = centre + scale * turn @ (rest[WRIST] - rest_centre)
    upright = _FINGERS_UP if side == "right" else _FINGERS_UP @ np.diag([-1.0, 1.0, -1.0])
    in_view = (joints - centre) @ turn @ upright.T / scale
    in_view[:, 2] += _DISTANCE_M
    pixels = _CAMERA.project(in_view)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    keypoints = Keypoints(
        side=side,
        score=1.0,
        points_px=pixels,
        confidence=np.ones(21),
        box_px=np.concatenate([low, high - low]),
        relative_m=in_view - in_view[WRIST],
    )
    return FitRequest(side, keypoints)


def laid_over(source: Array, target: Array) -> tuple[Array, Array, float]:
    """Rotation, centre and scale that lay points over others (Umeyama 1991)."""
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    u, singular, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return (u * sign) @ vt, target.mean(axis=0), float((singular * sign).sum() / (a**2).sum())


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "hand_recon_ros"
