"""Turns the requests of one frame into the arrays that the fit works on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano import priors
from hand_recon_ros.mano.kinematics import FROM_SKELETON
from hand_recon_ros.mano.residuals import MIN_DEPTH_M
from hand_recon_ros.mano.results import FitRequest
from hand_recon_ros.mano.states import HandConstants, HandStates, Measurements
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array, Keypoints

MIN_KEYPOINTS = 4
"""Fewer key points than this cannot place a hand in space."""
REFERENCE_PX = 300.0
"""Hand size at which a key point's noise is ``FitConfig.sigma_px``."""

_SIZE_PER_MEDIAN = 3.5
"""Size of a hand over the median distance of its key points from their middle."""
_LEAST_SHRINK = 0.25
_SPEED, _TURN_RATE, _ANGLE_RATE = 1.0, 6.0, 10.0
"""How far a hand strays from its prediction in a second: m, rad and rad."""
_BETAS_SIGMA = 1.0
_LONGEST_DT, _SHORTEST_DT = 1.0, 1 / 240
_ROUND_TRIP_PX = 1.0
_RESTING = HandStates.resting()


class FitError(ValueError):
    """A hand cannot be fitted at all; the message says which one and why."""


def usable(keypoints: Keypoints) -> NDArray[np.bool_]:
    """(21,) which key points are finite and of some confidence."""
    return _usable(keypoints.points_px, keypoints.confidence)


def fittable(keypoints: Keypoints, camera: Camera) -> bool:
    """Whether enough key points can be used (see ``MIN_KEYPOINTS`` and ``measure``)."""
    valid, _, _ = seen_rays(camera, keypoints.points_px, keypoints.confidence)
    return int(np.count_nonzero(valid)) >= MIN_KEYPOINTS


def measure(
    requests: Sequence[FitRequest], hands: HandConstants, camera: Camera, config: FitConfig
) -> Measurements:
    """Gather what a frame says of its hands.

    Key points that are NaN, infinite, of no confidence or outside what the lens can see are left
    out; so are warm starts that are not finite, behind the camera or of the other hand.

    Raises:
        FitError: a hand has fewer than ``MIN_KEYPOINTS`` key points.
    """
    pixels = np.stack([r.keypoints.points_px for r in requests])[:, FROM_SKELETON]
    confidence = np.stack([r.keypoints.confidence for r in requests])[:, FROM_SKELETON]
    valid, pixels, rays = seen_rays(camera, pixels, confidence)
    scale = _pixels_per_ray(camera, rays)
    weight = np.where(valid, np.minimum(confidence, 1.0), 0.0)
    for b, request in enumerate(requests):
        seen = int(np.count_nonzero(valid[b]))
        if seen < MIN_KEYPOINTS:
            raise FitError(
                f"the {request.side} hand has {seen} usable key points; "
                f"the fit needs at least {MIN_KEYPOINTS}"
            )
        weight[b] /= _sigma_px(pixels[b, valid[b]], config)
    relative, relative_weight = _relative(requests, config)
    warm, last, precision = _last(requests, hands, config)
    guessed, guess = _guess(requests)
    return Measurements(
        rays=rays,
        whitening=weight[..., None, None] * scale,
        relative=relative,
        relative_weight=relative_weight,
        warm=warm,
        last=last,
        last_angles=priors.angles_of(hands.anatomy.axes, last.pose),
        last_precision=precision,
        free_betas=np.array([float(r.betas is None) for r in requests]),
        guessed=guessed,
        guess=guess,
        guess_angles=priors.angles_of(hands.anatomy.axes, guess.pose)
        if guessed.any()
        else np.zeros((len(requests), 15, 3)),
        other_wrist=np.stack([_other_wrist(r.keypoints) for r in requests]),
    )


def seen_rays(
    camera: Camera, pixels: Array, confidence: Array
) -> tuple[NDArray[np.bool_], Array, Array]:
    """Which key points (..., 2) can be used, their pixels and rays; the centre for the others.

    Usable are finite ones of some confidence that lie within what the lens can see.
    """
    centre = np.array((camera.cx, camera.cy))
    valid = _usable(pixels, confidence)
    pixels = np.where(valid[..., None], pixels, centre)
    rays = camera.normalize(pixels)
    if camera.D.size:
        valid &= _in_view(camera, rays, pixels)
        pixels = np.where(valid[..., None], pixels, centre)
        rays = np.where(valid[..., None], rays, 0.0)
    return valid, pixels, rays


def _usable(pixels: Array, confidence: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(pixels).all(axis=-1) & (confidence > 0))  # NaN > 0 is false


def _sigma_px(pixels: Array, config: FitConfig) -> float:
    """Noise of a hand's (n, 2) key points: it grows with the crop that they are found in."""
    half = len(pixels) // 2
    away = pixels - np.sort(pixels, axis=0)[half]
    median = np.sort(np.hypot(away[:, 0], away[:, 1]))[half]
    return config.sigma_px * max(_SIZE_PER_MEDIAN * median / REFERENCE_PX, _LEAST_SHRINK)


def _in_view(camera: Camera, rays: Array, pixels: Array) -> NDArray[np.bool_]:
    """Whether rays come from where their pixels are; outside a lens' range they do not."""
    points = np.concatenate((rays, np.ones((*rays.shape[:-1], 1))), axis=-1)
    away = np.abs(camera.project(points) - pixels).max(axis=-1)
    return np.asarray(away < _ROUND_TRIP_PX)


def _pixels_per_ray(camera: Camera, rays: Array) -> Array:
    """(B, 21, 2, 2) derivative of raw pixels to undistorted x/z, y/z."""
    scale = np.empty((*rays.shape, 2))
    if camera.D.size == 0:
        scale[:] = camera.K[:2, :2]
        return scale
    step = 1e-4
    points = np.concatenate((rays, np.ones((*rays.shape[:-1], 1))), axis=-1)
    for axis in (0, 1):
        ahead, behind = points.copy(), points.copy()
        ahead[..., axis] += step
        behind[..., axis] -= step
        scale[..., axis] = (camera.project(ahead) - camera.project(behind)) / (2 * step)
    return np.nan_to_num(scale)


def _relative(requests: Sequence[FitRequest], config: FitConfig) -> tuple[Array, Array]:
    """Relative 3D about the wrist and its weights; all or nothing for a hand."""
    points, weight = np.zeros((2, len(requests), 21, 3))
    for b, request in enumerate(requests):
        relative = request.keypoints.relative_m
        if relative is None or config.sigma_prior_m == 0 or not np.isfinite(relative).all():
            continue
        points[b] = (relative - relative[0])[FROM_SKELETON]
        weight[b, 1:] = 1.0 / config.sigma_prior_m
    return points, weight


def _last(
    requests: Sequence[FitRequest], hands: HandConstants, config: FitConfig
) -> tuple[NDArray[np.bool_], HandStates, Array]:
    """Which hands have a usable prediction, the predictions, and 1 / sigma^2 of ties to them."""
    states: list[HandStates | None] = []
    precision = np.zeros((len(requests), 4))
    for b, request in enumerate(requests):
        states.append(_warm_state(request, hands, b))
        if states[b] is None:
            continue
        dt = request.dt if np.isfinite(request.dt) else _LONGEST_DT
        dt = min(max(dt, _SHORTEST_DT), _LONGEST_DT)
        sigma = np.array((_SPEED * dt, _TURN_RATE * dt, _ANGLE_RATE * dt, _BETAS_SIGMA))
        precision[b] = config.temporal_weight / sigma**2
    warm = np.array([state is not None for state in states])
    return warm, HandStates.concatenate([s or _RESTING for s in states]), precision


def _guess(requests: Sequence[FitRequest]) -> tuple[NDArray[np.bool_], HandStates]:
    """Which hands have a pose of the right side's model from the front end, and these poses."""
    states: list[HandStates | None] = []
    for request in requests:
        guess = request.keypoints.guess
        if guess is None or request.keypoints.side != request.side:
            states.append(None)
            continue
        R, pose, betas = guess.wrist_rotation, guess.joint_rotations, guess.betas
        finite = np.isfinite(R).all() and np.isfinite(pose).all() and np.isfinite(betas).all()
        state = HandStates(np.zeros((1, 3)), R[None], pose[None], betas[None], np.ones(1))
        states.append(state if finite else None)
    guessed = np.array([state is not None for state in states])
    return guessed, HandStates.concatenate([s or _RESTING for s in states])


def _other_wrist(keypoints: Keypoints) -> Array:
    away = keypoints.other_wrist_m
    return np.full(3, np.nan) if away is None or not np.isfinite(away).all() else away


def _warm_state(request: FitRequest, hands: HandConstants, b: int) -> HandStates | None:
    """The state to start from, or None where there is none that can be used."""
    warm = request.warm
    if warm is None or warm.side != request.side:
        return None
    betas = warm.betas if request.betas is None else request.betas
    numbers = np.concatenate((warm.global_orient, warm.hand_pose, betas, warm.transl))
    if not np.isfinite(numbers).all():
        return None
    turns = exp_so3(numbers[:48].reshape(16, 3))
    position = warm.transl + hands.skeleton.rest_wrist(b, betas)
    if position[2] < MIN_DEPTH_M:
        return None
    return HandStates(position[None], turns[:1], turns[None, 1:], betas[None], np.ones(1))
