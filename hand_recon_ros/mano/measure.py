"""Turns the requests of one frame into the arrays that the fit works on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano import priors
from hand_recon_ros.mano.kinematics import FROM_SKELETON
from hand_recon_ros.mano.results import FitRequest
from hand_recon_ros.mano.residuals import MIN_DEPTH_M
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
_BETAS_SIGMA = 0.3
_LONGEST_DT, _SHORTEST_DT = 1.0, 1 / 240
_ROUND_TRIP_PX = 1.0


class FitError(ValueError):
    """A hand cannot be fitted at all; the message says which one and why."""


def fittable(keypoints: Keypoints) -> bool:
    """Whether enough key points are finite and of some confidence (see ``MIN_KEYPOINTS``)."""
    return int(_valid(keypoints).sum()) >= MIN_KEYPOINTS


def measure(
    requests: Sequence[FitRequest], hands: HandConstants, camera: Camera, config: FitConfig
) -> Measurements:
    """Gather what a frame says of its hands.

    Key points that are NaN, infinite, of no confidence or outside what the lens can see are left
    out; so are warm starts that are not finite, behind the camera or of the other hand.

    Raises:
        FitError: a hand has fewer than ``MIN_KEYPOINTS`` key points.
    """
    count = len(requests)
    valid = np.stack([_valid(r.keypoints) for r in requests])[:, FROM_SKELETON]
    pixels = np.stack([r.keypoints.points_px for r in requests])[:, FROM_SKELETON]
    pixels = np.where(valid[..., None], pixels, (camera.cx, camera.cy))
    rays = camera.normalize(pixels)
    scale = _pixels_per_ray(camera, rays)
    if camera.D.size:
        returned = np.abs(camera.project(np.concatenate((rays, np.ones((count, 21, 1))), 2)) - pixels)
        valid &= np.nan_to_num(returned.max(axis=2), nan=np.inf) < _ROUND_TRIP_PX
    for request, seen in zip(requests, valid, strict=True):
        if seen.sum() < MIN_KEYPOINTS:
            raise FitError(
                f"the {request.side} hand has {int(seen.sum())} usable key points; "
                f"the fit needs at least {MIN_KEYPOINTS}"
            )
    confidence = np.stack([r.keypoints.confidence for r in requests])[:, FROM_SKELETON]
    weight = np.where(valid, np.clip(np.nan_to_num(confidence), 0.0, 1.0), 0.0)
    weight /= np.array([_sigma_px(p[v], config) for p, v in zip(pixels, valid, strict=True)])[:, None]
    relative, relative_weight = _relative(requests, config)
    last, precision = _last(requests, hands, config)
    return Measurements(
        rays=rays,
        whitening=weight[..., None, None] * scale,
        relative=relative,
        relative_weight=relative_weight,
        last=last,
        last_angles=priors.angles_of(hands.anatomy.axes, last.pose),
        last_precision=precision,
        free_betas=np.array([float(r.betas is None) for r in requests]),
    )


def _valid(keypoints: Keypoints) -> NDArray[np.bool_]:
    seen = np.isfinite(keypoints.points_px).all(axis=1)
    return np.asarray(seen & (np.nan_to_num(keypoints.confidence) > 0))


def _sigma_px(pixels: Array, config: FitConfig) -> float:
    """Noise of a hand's key points: it grows with the crop that they are found in."""
    middle = np.median(pixels, axis=0)
    size = _SIZE_PER_MEDIAN * float(np.median(np.hypot(*(pixels - middle).T)))
    return config.sigma_px * max(size / REFERENCE_PX, _LEAST_SHRINK)


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
) -> tuple[HandStates, Array]:
    """States predicted from the last frame and 1 / sigma^2 of the ties to them; 0 = none."""
    states, precision = [], np.zeros((len(requests), 4))
    for b, request in enumerate(requests):
        states.append(_warm_state(request, hands, b))
        if states[-1] is None:
            continue
        dt = request.dt if np.isfinite(request.dt) else _LONGEST_DT
        dt = min(max(dt, _SHORTEST_DT), _LONGEST_DT)
        sigma = np.array((_SPEED * dt, _TURN_RATE * dt, _ANGLE_RATE * dt, _BETAS_SIGMA))
        precision[b] = config.temporal_weight / sigma**2
    filled = [state or HandStates.resting() for state in states]
    return (filled[0] if len(filled) == 1 else HandStates.concatenate(filled)), precision


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
