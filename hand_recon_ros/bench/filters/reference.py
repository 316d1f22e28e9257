"""The best that is possible: smoothers that know the noise, the outliers and some of the future."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.bench.filters.cases import Case
from hand_recon_ros.bench.filters.methods import Estimate
from hand_recon_ros.temporal.joints import MODES, mode_noise
from hand_recon_ros.types import Array

_OUTLIER = 6.0
"""A joint this many sigmas off, which the reference is told, is no measurement."""


def fixed_lag(noise: float, noise_m: float, held_frames: int) -> Estimate:
    """Rauch-Tung-Striebel smoothing (AIAA Journal 1965) of ``JointKalman``'s model of motion.

    In the modes of the hand the axes are independent, so each is its own filter of two states.

    Args:
        noise: process noise over that of ``JointKalman``; the same at all times.
        noise_m: true noise of the joints, m.
        held_frames: how much of the future is known; -1 = all.
    """

    def estimate(case: Case) -> Array:
        modes = np.einsum("mj,tjx->tmx", MODES, case.measured[:, 1:]).reshape(-1, 60)
        off = np.linalg.norm(case.measured[:, 1:] - case.truth[:, 1:], axis=-1).max(axis=1)
        usable = case.seen & ~(off > _OUTLIER * noise_m * np.sqrt(3))
        smooth = _smooth(modes, case.stamps, usable, noise * mode_noise(), noise_m, held_frames)
        out = np.full_like(case.measured, np.nan)
        out[:, 1:] = np.einsum("mj,tmx->tjx", MODES, smooth.reshape(-1, 20, 3))
        out[~case.seen] = np.nan
        if held_frames > 0:
            out[-held_frames:] = np.nan
        return out

    return estimate


def _smooth(
    measured: Array, stamps: Array, usable: Array, noise: Array, noise_m: float, held_frames: int
) -> Array:
    """Positions (T, n) of n independent axes of constant velocity.

    Args:
        measured: (T, n).
        stamps: (T,) s.
        usable: (T,) whether a frame was measured.
        noise: (n,) root density of the acceleration.
        noise_m: of the measurements.
        held_frames: as for ``fixed_lag``.
    """
    count, n = measured.shape
    mean = np.zeros((n, 2))
    mean[:, 0] = measured[int(np.argmax(usable))]
    P = np.tile(np.diag([noise_m**2, 1.0]), (n, 1, 1))
    means, Ps = np.empty((count, n, 2)), np.empty((count, n, 2, 2))
    ahead, Ps_ahead, gains = np.empty_like(means), np.empty_like(Ps), np.empty_like(Ps)
    for k in range(count):
        if k > 0:
            dt = stamps[k] - stamps[k - 1]
            F = np.array([[1.0, dt], [0.0, 1.0]])
            shape = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
            before = P
            mean, P = mean @ F.T, F @ P @ F.T + np.square(noise)[:, None, None] * shape
            gains[k - 1] = before @ F.T @ np.linalg.inv(P)
        ahead[k], Ps_ahead[k] = mean, P
        if usable[k]:
            K = P[:, :, 0] / (P[:, 0, 0] + noise_m**2)[:, None]
            mean = mean + K * (measured[k] - mean[:, 0])[:, None]
            P = P - K[:, :, None] * P[:, None, 0, :]
        means[k], Ps[k] = mean, P
    out = means[:, :, 0].copy()
    for k in range(count):
        last = count - 1 if held_frames < 0 else min(k + held_frames, count - 1)
        smooth = means[last]
        for j in range(last - 1, k - 1, -1):
            smooth = means[j] + np.einsum("nij,nj->ni", gains[j], smooth - ahead[j + 1])
        out[k] = smooth[:, 0]
    return out
