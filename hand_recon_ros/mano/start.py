"""First guesses of a hand's pose for the fit: told, from relative 3D, or from 2D key points."""

from __future__ import annotations

import cv2
import numpy as np

from hand_recon_ros.mano import priors
from hand_recon_ros.mano.residuals import FitProblem
from hand_recon_ros.mano.states import HandStates
from hand_recon_ros.rotations import arctan2, exp_so3
from hand_recon_ros.types import Array

PALM = np.array((0, 1, 4, 7, 10))
"""Wrist and the knuckles of the long fingers: they move as one body."""
_MIN_DEPTH, _MAX_DEPTH = 0.08, 5.0
_GUESS_DEPTH = 0.5
_BENT = np.zeros((15, 3))
"""Twist, spread and bend of a half closed fist, rad."""
_BENT[:12, priors.BEND] = np.tile(np.deg2rad((60.0, 80.0, 50.0)), 4)
_BENT[12:, priors.BEND] = np.deg2rad((20.0, 20.0, 30.0))
_CHILD = np.column_stack((np.arange(2, 17).reshape(5, 3)[:, :2], np.arange(16, 21)))
_JOINT = np.arange(1, 16).reshape(5, 3)


def start_from_relative(problem: FitProblem, betas: Array) -> HandStates:
    """Guess B hands from their relative 3D (every point must be there).

    The palm gives the orientation (Kabsch 1976), then each bone its joint's bend and spread,
    kept within the limits; the key points give the position by linear least squares.
    """
    relative = problem.measured.relative
    rest = problem.hands.skeleton.rest_points(betas)
    orientation = np.stack([_kabsch(r[PALM], m[PALM]) for r, m in zip(rest, relative, strict=True)])
    pose = pose_from_points(problem, rest, orientation, relative)
    return _placed(problem, orientation, pose, betas)


def start_from_guess(problem: FitProblem, betas: Array) -> HandStates:
    """Put B hands in the pose that the front end told (every hand must have one)."""
    guess = problem.measured.guess
    return _placed(problem, guess.orientation, guess.pose, betas)


def pose_from_points(problem: FitProblem, rest: Array, orientation: Array, points: Array) -> Array:
    """(B, 15, 3, 3) joint rotations within the limits that point the bones as ``points`` do.

    Args:
        problem: the hands.
        rest: (B, 21, 3) their rest points.
        orientation: (B, 3, 3) camera from wrist.
        points: (B, 21, 3) joints about the wrist, camera axes.
    """
    count = len(points)
    axes = problem.hands.anatomy.axes.reshape(count, 5, 3, 3, 3)
    lower = priors.LOWER_LIMITS.reshape(5, 3, 3)
    upper = priors.UPPER_LIMITS.reshape(5, 3, 3)
    parent = np.broadcast_to(orientation[:, None], (count, 5, 3, 3))
    pose = np.empty((count, 5, 3, 3, 3))
    for level in range(3):
        bone = points[:, _CHILD[:, level]] - points[:, _JOINT[:, level]]
        local = np.swapaxes(parent @ axes[:, :, level], -1, -2) @ bone[..., None]
        # right hands' bones point along -back, left hands' along +back (see priors)
        shape = rest[:, _CHILD[:, level]] - rest[:, _JOINT[:, level]]
        sense = np.sign(np.einsum("bfi,bfi->bf", shape, axes[:, :, level, :, 0]))
        back = sense[..., None] * local[..., 0]
        length = np.maximum(np.sqrt(np.einsum("bfi,bfi->bf", back, back)), 1e-9)
        angles = np.zeros((count, 5, 3))
        angles[..., priors.SPREAD] = np.arcsin(np.clip(-back[..., 2] / length, -1, 1))
        angles[..., priors.BEND] = arctan2(back[..., 1], back[..., 0])
        angles = np.clip(angles, lower[:, level], upper[:, level])
        pose[:, :, level] = priors.rotations_of(axes[:, :, level], angles)
        parent = parent @ pose[:, :, level]
    return pose.reshape(count, 15, 3, 3)


def starts_from_points(problem: FitProblem, betas: Array) -> list[HandStates]:
    """Guesses at one hand (B = 1) from key points alone: palm either way, fingers relaxed or bent.

    A flat palm seen in perspective has two poses (Collins and Bartoli 2014, "Infinitesimal
    plane-based pose estimation"); where too few palm points are seen, eight directions are tried.
    """
    rest = problem.hands.skeleton.rest_points(betas)[0]
    anatomy = problem.hands.anatomy
    poses = [priors.rotations_of(anatomy.axes, angles) for angles in (anatomy.mean, _BENT[None])]
    orientations = _palm_orientations(problem, rest) or _any_orientations()
    return [_placed(problem, R[None], pose, betas) for R in orientations for pose in poses]


def _placed(problem: FitProblem, orientation: Array, pose: Array, betas: Array) -> HandStates:
    """States of a known pose, each placed where it meets its key points."""
    count = len(orientation)
    origin = HandStates(
        np.tile((0.0, 0.0, _GUESS_DEPTH), (count, 1)), orientation, pose, betas, np.ones(count)
    )
    relative = problem.evaluate(origin).posed.points - origin.position[:, None]
    scale = np.ones(count)
    measured = problem.measured
    if problem.has_relative:
        weight = np.square(measured.relative_weight)
        over = np.einsum("bki,bki,bki->b", weight, relative, measured.relative)
        under = np.einsum("bki,bki,bki->b", weight, measured.relative, measured.relative)
        scale = np.clip(over / np.maximum(under, 1e-12), 0.5, 2.0)
    confidence = np.square(measured.whitening).sum(axis=(2, 3))
    position = np.stack(
        [placed_on_rays(*hand) for hand in zip(relative, measured.rays, confidence, strict=True)]
    )
    return HandStates(position, orientation, pose, betas, scale)


def placed_on_rays(relative: Array, rays: Array, weight: Array) -> Array:
    """Wrist position (3,) that best projects ``relative`` (21, 3) onto ``rays``, weighted.

    Linear in the position: x - u z = u dz - dx and y - v z = v dz - dy for every point.
    """
    rows = np.zeros((2, 21, 3))
    rows[0, :, 0] = rows[1, :, 1] = 1.0
    rows[0, :, 2], rows[1, :, 2] = -rays[:, 0], -rays[:, 1]
    right = rays.T * relative[:, 2] - relative[:, :2].T
    root = np.sqrt(weight)
    A = (rows * root[:, None]).reshape(42, 3)
    position = np.linalg.lstsq(A, (right * root).reshape(42), rcond=None)[0]
    nearest = _MIN_DEPTH - min(float(relative[:, 2].min()), 0.0)
    if not np.isfinite(position).all() or not nearest <= position[2] <= _MAX_DEPTH:
        # no distance in the points (all on one spot, say): put the hand on their mean ray
        mean = weight @ rays / max(float(weight.sum()), 1e-12)
        depth = np.clip(np.nan_to_num(position[2], nan=_GUESS_DEPTH), nearest, _MAX_DEPTH)
        position = np.array((*mean, 1.0)) * (depth if depth > nearest else _GUESS_DEPTH)
    return np.asarray(position)


def _kabsch(source: Array, target: Array) -> Array:
    """Rotation (3, 3) that best turns ``source`` (n, 3) to ``target`` (n, 3)."""
    covariance = (target - target.mean(axis=0)).T @ (source - source.mean(axis=0))
    U, _, Vt = np.linalg.svd(covariance)
    U[:, 2] *= np.sign(np.linalg.det(U @ Vt))
    return np.asarray(U @ Vt)


def _palm_orientations(problem: FitProblem, rest: Array) -> list[Array]:
    """The two orientations of a flat palm, or none where it cannot be told."""
    seen = problem.measured.whitening[0, PALM].any(axis=(1, 2))
    if seen.sum() < 4:
        return []
    palm = rest[PALM[seen]]
    centre = palm.mean(axis=0)
    plane = np.linalg.svd(palm - centre)[2]
    plane[2] *= np.sign(np.linalg.det(plane))
    flat = (palm - centre) @ plane.T
    flat[:, 2] = 0.0
    rays = problem.measured.rays[0, PALM[seen]]
    try:
        _, turns, _, _ = cv2.solvePnPGeneric(
            flat, rays[:, None], np.eye(3), np.zeros(0), flags=cv2.SOLVEPNP_IPPE
        )
    except cv2.error:
        return []
    found = [exp_so3(turn.reshape(3)) @ plane for turn in turns]
    return [R for R in found if np.isfinite(R).all()]


def _any_orientations() -> list[Array]:
    """Palm and back towards the camera, fingers in the image's four directions."""
    turns = [exp_so3((0.0, 0.0, k * np.pi / 2)) for k in range(4)]
    # rest axes: fingers -x, back of the hand +y; the camera looks along +z
    facing = [exp_so3((s * np.pi / 2, 0.0, 0.0)) for s in (-1, 1)]
    return [turn @ face for turn in turns for face in facing]
