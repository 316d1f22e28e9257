"""The best that is possible: smoothers that know the noise, the outliers and some of the future."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hand_recon_ros.bench.filters.cases import Case
from hand_recon_ros.bench.filters.methods import Estimate
from hand_recon_ros.temporal.joints import MODES, mode_noise
from hand_recon_ros.types import Array

_OUTLIER = 6.0
"""Robust sigmas of a frame's error beyond which the reference is told not to use the frame."""
_NORMAL = 1.4826
"""Sigma of a normal distribution over its median absolute deviation."""
_FIRST_VELOCITY = 1.0


def true_noise(cases: Sequence[Case]) -> Array:
    """(60,) sigma of what was measured, of each axis of each mode of the hand, m."""
    off = np.concatenate([_to_modes((c.measured - c.truth)[c.seen]) for c in cases])
    return np.asarray(_NORMAL * np.median(np.abs(off), axis=0))


def fixed_lag(noise: float, sigma: Array, held_frames: int) -> Estimate:
    """Rauch-Tung-Striebel smoothing (AIAA Journal 1965) of ``JointKalman``'s model of motion.

    In the modes of the hand the axes are independent, so each is its own filter of two states.

    Args:
        noise: process noise over that of ``JointKalman``; the same at all times.
        sigma: (60,) see ``true_noise``.
        held_frames: how much of the future is known.
    """

    def estimate(case: Case) -> Array:
        off = np.abs(_to_modes(case.measured - case.truth)) / sigma
        usable = case.seen & ~(np.nan_to_num(off).max(axis=1) > _OUTLIER)
        measured = _to_modes(case.measured)
        smooth = _smooth(measured, case.stamps, usable, noise * mode_noise(), sigma, held_frames)
        out = np.full_like(case.measured, np.nan)
        out[:, 1:] = np.einsum("mj,tmx->tjx", MODES, smooth.reshape(-1, 20, 3))
        out[~case.seen] = np.nan
        out[len(out) - held_frames :] = np.nan
        return out

    return estimate


def _to_modes(joints: Array) -> Array:
    return np.asarray(np.einsum("mj,tjx->tmx", MODES, joints[:, 1:]).reshape(-1, 60))


def _smooth(
    measured: Array, stamps: Array, usable: Array, noise: Array, sigma: Array, held_frames: int
) -> Array:
    """Positions (T, n) of n independent axes of constant velocity.

    Args:
        measured: (T, n).
        stamps: (T,) s.
        usable: (T,) whether a frame was measured.
        noise: (n,) root density of the acceleration.
        sigma: (n,) of the measurements.
        held_frames: as for ``fixed_lag``.
    """
    count, n = measured.shape
    mean = np.zeros((n, 2))
    mean[:, 0] = measured[int(np.argmax(usable))]
    P = np.zeros((n, 2, 2))
    P[:, 0, 0], P[:, 1, 1] = sigma**2, _FIRST_VELOCITY**2
    means, ahead = np.empty((count, n, 2)), np.empty((count, n, 2))
    gains = np.empty((count, n, 2, 2))
    for k in range(count):
        if k > 0:
            dt = stamps[k] - stamps[k - 1]
            F = np.array([[1.0, dt], [0.0, 1.0]])
            shape = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
            before = P
            mean, P = mean @ F.T, F @ P @ F.T + np.square(noise)[:, None, None] * shape
            gains[k - 1] = before @ F.T @ np.linalg.inv(P)
        ahead[k] = mean
        if usable[k]:
            K = P[:, :, 0] / (P[:, 0, 0] + sigma**2)[:, None]
            mean = mean + K * (measured[k] - mean[:, 0])[:, None]
            P = P - K[:, :, None] * P[:, None, 0, :]
        means[k] = mean
    out = means[:, :, 0].copy()
    for k in range(count):
        last = min(k + held_frames, count - 1)
        smooth = means[last]
        for j in range(last - 1, k - 1, -1):
            smooth = means[j] + np.einsum("nij,nj->ni", gains[j], smooth - ahead[j + 1])
        out[k] = smooth[:, 0]
    return out
