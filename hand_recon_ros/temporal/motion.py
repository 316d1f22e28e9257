"""A constant-velocity Kalman filter whose process noise follows the motion.

With one process noise a filter has to choose between a still hand that trembles and a fast hand
that lags. Here each group of axes (the wrist's position, a finger) adapts its own by what an
optimal filter's innovations are, white (Mehra 1970): innovations that go on in one direction tell
of lag and raise the noise, those that alternate tell of noise that is followed and lower it, and
one that is far too large raises it at once, before the measurement is weighed in. The size of the
others says nothing: a fit's own priors and its last frame make it tremble less than it admits.

The state lives in the tangent space at a reference that the caller keeps, so that the same filter
serves points and rotations: the caller measures in that tangent space and moves the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros import cholesky
from hand_recon_ros.types import Array

_UNSEEN = 1e6
"""Variance of an axis that was not measured, or whose measurement is not believed."""
_USUAL_SURPRISE = 2.0
"""Squared whitened innovation, a group's mean, that does not raise the noise by its size."""
_LARGEST_CHANGE = 10.0
"""Surprise or lag of a group beyond which the noise grows no faster."""
_CALMING = 0.2
"""What the noise falls by where innovations are white, as a share of what a lag would raise."""

_DOUBT = 5.0
"""Squared Mahalanobis distance per axis beyond which a measurement may be an outlier."""
_SUDDEN_SURPRISE = 8.0
_LARGEST_BOOST = 100.0
"""Surprise that only a sudden start explains, and the most that it opens the filter."""


@dataclass(frozen=True, slots=True)
class MotionState:
    """n axes in G groups.

    Attributes:
        mean: (2 n,) offsets from the caller's reference, then velocities.
        covariance: (2 n, 2 n).
        log_scale: (G,) logarithm of the process noise variance over its largest value.
        memory: (n,) whitened innovations of the last frames, summed up and dying out.
    """

    mean: Array
    covariance: Array
    log_scale: Array
    memory: Array

    def recentred(self, offset: Array) -> MotionState:
        """The same state seen from a reference that moved by ``offset`` (n,)."""
        mean = self.mean.copy()
        mean[: len(offset)] -= offset
        return MotionState(mean, self.covariance, self.log_scale, self.memory)


class MotionModel:
    """How n axes move.

    Args:
        groups: (n,) group of each axis, counted from 0. Noise and outliers are judged by group.
        noise: (n,) largest process noise: square root of the spectral density of the white
            acceleration, units / s^1.5.
        still_ratio: least process noise over the largest.
        adaptation_s: time in which the process noise calms down, seconds.
        velocity_sigma: (n,) spread of the unknown velocity at the start, units / s.
        decay_s: time in which an unseen hand loses its velocity, seconds.
        surprise: (n,) sudden change of velocity, units / s, that is no outlier (one sigma).
        gate_sigma: an innovation as improbable as this many sigma of one axis is an outlier.
        noise_known: the measurements' noise is white and as large as is told, so that the size of
            every innovation tells of motion, too.
    """

    def __init__(
        self,
        groups: Sequence[int],
        noise: Array,
        *,
        still_ratio: float,
        adaptation_s: float,
        velocity_sigma: Array,
        decay_s: float,
        surprise: Array,
        gate_sigma: float,
        noise_known: bool = False,
    ) -> None:
        """Prepare the constants of all later steps."""
        self.groups = np.asarray(groups)
        self.members = [np.flatnonzero(self.groups == g) for g in range(max(groups) + 1)]
        n = len(self.groups)
        self._blocks = [axes[:, None] * n + axes for axes in self.members]
        indicator = np.equal.outer(np.arange(len(self.members)), self.groups).astype(float)
        self._mean_of_group = indicator / indicator.sum(axis=1, keepdims=True)
        self._density = np.asarray(noise, dtype=np.float64) ** 2
        self._least = 2.0 * np.log(still_ratio)
        self._adaptation_s, self._decay_s = adaptation_s, decay_s
        self._noise_known = noise_known
        self._velocity_sigma, self._surprise = velocity_sigma, surprise
        self._doubt = np.array([_DOUBT * len(axes) for axes in self.members])
        self.gate = np.array([_chi2_quantile(len(axes), gate_sigma) for axes in self.members])

    def start(self, R: Array) -> MotionState:
        """Begin at the reference with measurement covariance R (n, n) and unknown velocity."""
        n = len(self.groups)
        P = np.zeros((2 * n, 2 * n))
        P[:n, :n] = R
        P[range(n, 2 * n), range(n, 2 * n)] = self._velocity_sigma**2
        scale = np.full(len(self.members), self._least / 2)
        return MotionState(np.zeros(2 * n), P, scale, np.zeros(n))

    def restart(self, state: MotionState, group: int, R: Array) -> MotionState:
        """Start one group again at the reference, as if it had never been seen before."""
        axes, fresh = self.members[group], self.start(R)
        both = np.concatenate([axes, axes + len(self.groups)])
        mean, P, scale = state.mean.copy(), state.covariance.copy(), state.log_scale.copy()
        mean[both] = 0.0
        P[both, :] = 0.0
        P[:, both] = 0.0
        P[np.ix_(both, both)] = fresh.covariance[np.ix_(both, both)]
        scale[group] = fresh.log_scale[group]
        memory = state.memory.copy()
        memory[axes] = 0.0
        return MotionState(mean, P, scale, memory)

    def advance(self, state: MotionState, dt: float) -> MotionState:
        """Predict over ``dt`` >= 0 seconds (000 eq. 2)."""
        n = len(self.groups)
        x, before = state.mean.copy(), state.covariance
        keep = math.exp(-dt / self._decay_s)
        reach = -self._decay_s * math.expm1(-dt / self._decay_s)
        # F = [[1, reach], [0, keep]] on each axis
        x[:n] += reach * x[n:]
        x[n:] *= keep
        P = np.empty_like(before)
        moved = reach * before[n:, n:]
        moved += before[:n, n:]  # of offset and velocity
        np.multiply(moved, keep, out=P[:n, n:])
        P[n:, :n] = P[:n, n:].T
        np.multiply(before[n:, n:], keep * keep, out=P[n:, n:])
        moved *= reach
        moved += reach * before[n:, :n]
        np.add(before[:n, :n], moved, out=P[:n, :n])
        self._add_noise(P, np.exp(state.log_scale), dt)
        return MotionState(x, P, state.log_scale, state.memory)

    def outliers(self, state: MotionState, measured: Array, R: Array, dt: float) -> NDArray:
        """Groups (G,) whose measurement even a suddenly moving hand could hardly give.

        Args:
            state: predicted over ``dt`` seconds, to the time of the measurement.
            measured: (n,) offsets from the reference; NaN = this axis was not measured.
            R: (n, n) covariance of the measurement.
            dt: seconds.
        """
        n = len(self.groups)
        S = state.covariance[:n, :n] + R
        S.reshape(-1)[:: n + 1] += (self._surprise * dt) ** 2
        offset = measured - state.mean[:n]
        offset[np.isnan(offset)] = 0.0
        return self.distances(offset, S) > self.gate

    def doubtful(self, state: MotionState, measured: Array, R: Array) -> NDArray:
        """Groups (G,) whose measurement is either an outlier or a sudden start."""
        n = len(self.groups)
        offset = measured - state.mean[:n]
        offset[np.isnan(offset)] = 0.0
        return self.distances(offset, state.covariance[:n, :n] + R) > self._doubt

    def likelihood(self, state: MotionState, measured: Array, R: Array) -> float:
        """Logarithm of the measurement's density, up to a constant; arguments as ``outliers``."""
        n = len(self.groups)
        W = cholesky.whitener(state.covariance[:n, :n] + R)
        white = W @ np.nan_to_num(measured - state.mean[:n])
        return float(np.log(np.diag(W)).sum() - 0.5 * white @ white)

    def distances(self, offset: Array, covariance: Array) -> Array:
        """Squared Mahalanobis distance (G,) of each group's part of ``offset`` (n,)."""
        found = np.empty(len(self.members))
        for group, (axes, block) in enumerate(zip(self.members, self._blocks, strict=True)):
            part = offset[axes]
            solved = cholesky.solve(covariance.take(block), part)
            found[group] = np.inf if solved is None else part @ solved
        return found

    def correct(
        self, state: MotionState, measured: Array, R: Array, rejected: NDArray, dt: float
    ) -> MotionState:
        """Adapt the noise, then weigh in a measurement (000 eq. 3) but for ``rejected`` groups.

        Args:
            state: as in ``outliers``.
            measured: as in ``outliers``.
            R: as in ``outliers``.
            rejected: (G,) what ``outliers`` said.
            dt: seconds.
        """
        n = len(self.groups)
        used = np.isfinite(measured) & ~rejected[self.groups]
        if not used.all():
            R = np.where(used[:, None] & used, R, 0.0) + np.diag(np.where(used, 0.0, _UNSEEN))
        y = np.where(used, measured - state.mean[:n], 0.0)
        P = state.covariance
        W = cholesky.whitener(P[:n, :n] + R)

        # S^-1 y, whitened axis by axis: the gradient of log p(y) by the noise of each axis is its
        # square less one, and an axis seen poorly (depth) counts as much as one seen well
        w = (W @ y) @ W / np.sqrt(np.square(W).sum(axis=0))
        surprise = self._mean_of_group @ np.square(w)
        surprise = np.where(rejected, 1.0, surprise)
        lagging = self._mean_of_group @ (w * state.memory)
        change = np.clip(lagging, -_LARGEST_CHANGE, _LARGEST_CHANGE)
        if self._noise_known:
            change += np.minimum(surprise - 1.0, _LARGEST_CHANGE)
        else:
            change += np.clip(surprise - _USUAL_SURPRISE, 0.0, _LARGEST_CHANGE) - _CALMING
        change *= dt / self._adaptation_s
        memory = w + math.exp(-dt / self._adaptation_s) * state.memory
        log_scale = np.minimum(np.maximum(state.log_scale + change, self._least), 0.0)
        more = np.maximum(np.exp(log_scale) - np.exp(state.log_scale), 0.0)
        sudden = np.flatnonzero(surprise > _SUDDEN_SURPRISE)
        if more.any() or len(sudden):
            P = P.copy()
            self._add_noise(P, more, dt)
            for group in sudden:
                self._open(P, self.members[group], w, surprise[group], dt)
            W = cholesky.whitener(P[:n, :n] + R)

        white = W @ P[:n]
        covariance = P - white.T @ white
        return MotionState(state.mean + (W @ y) @ white, covariance, log_scale, memory)

    def _open(self, P: Array, axes: NDArray, w: Array, surprise: float, dt: float) -> None:
        """Open P in place to a sudden start along the one direction ``w`` that shows it."""
        n = len(self.groups)
        boost = min(surprise / _SUDDEN_SURPRISE, _LARGEST_BOOST)
        along = boost * np.sqrt(self._density[axes]) * w[axes] / np.linalg.norm(w[axes])
        kick = np.zeros(2 * n)
        kick[axes], kick[axes + n] = along * dt**1.5, along * dt**0.5
        P += np.outer(kick, kick)

    def _add_noise(self, P: Array, scale: Array, dt: float) -> None:
        """Add to P in place what white acceleration of ``scale`` (G,) does in ``dt``."""
        n = len(self.groups)
        density = self._density * scale[self.groups]
        flat, step = P.reshape(-1), 2 * n + 1
        mixed = density * (dt**2 / 2)
        flat[::step][:n] += density * (dt**3 / 3)
        flat[n::step][:n] += mixed
        flat[2 * n * n :: step] += mixed
        flat[::step][n:] += density * dt


def _chi2_quantile(dof: int, sigma: float) -> float:
    """Chi-square value as improbable as ``sigma`` of a normal (Wilson and Hilferty 1931)."""
    return float(dof * (1 - 2 / (9 * dof) + sigma * np.sqrt(2 / (9 * dof))) ** 3)
