"""Constant-velocity Kalman filters in blocks of three axes, with interacting motion models.

One constant-velocity filter has to choose between a still hand that trembles and a fast hand that
lags. Several of them, which differ only in process noise, run side by side and are weighed by how
well each predicted the measurements (interacting multiple models, Blom and Bar-Shalom, "The
interacting multiple model algorithm for systems with Markovian switching coefficients", 1988).
Each of them is eq. 2-3 of paper 000.

The state lives in the tangent space at a reference that the caller keeps, so that the same filter
serves points and rotations: the caller measures in that tangent space and moves the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.types import Array

_EYE3 = np.eye(3)
_EYE6 = np.eye(6)
_POSITION = np.kron([[1.0, 0.0], [0.0, 0.0]], _EYE3)
_UPPER = np.kron([[0.0, 1.0], [0.0, 0.0]], _EYE3)
_CROSS = _UPPER + _UPPER.T
_VELOCITY = np.kron([[0.0, 0.0], [0.0, 1.0]], _EYE3)


@dataclass(frozen=True, slots=True)
class MotionState:
    """B blocks of three axes under M motion models; blocks of one group share the model.

    Attributes:
        mean: (B, M, 6) offset from the caller's reference, then velocity.
        covariance: (B, M, 6, 6).
        probability: (G, M) of each motion model.
    """

    mean: Array
    covariance: Array
    probability: Array


@dataclass(frozen=True, slots=True)
class Correction:
    """The state after a measurement, and (G,) which groups rejected theirs as an outlier."""

    state: MotionState
    rejected: np.ndarray


class MotionModels:
    """The motion models of B blocks.

    Args:
        groups: (B,) group of each block, counted from 0.
        noise: (B, M) square root of the spectral density of the white acceleration, units / s^1.5.
        velocity_sigma: (B,) spread of the unknown velocity at the start, units / s.
        surprise: (B,) acceleration, units / s^2, that is no outlier even in the stillest hand.
        switch_s: mean time between two changes of the motion model, seconds.
        decay_s: time in which an unseen hand loses its velocity, seconds.
        gate_sigma: an innovation as improbable as this many sigma of one axis is an outlier.
        evidence: exponent of the likelihood in weighing the models; below 1 because the errors
            of a group's axes are not independent.
    """

    def __init__(
        self,
        groups: Sequence[int],
        noise: Array,
        velocity_sigma: Array,
        surprise: Array,
        *,
        switch_s: float,
        decay_s: float,
        gate_sigma: float,
        evidence: float = 1.0,
    ) -> None:
        """Prepare the constants of all later steps."""
        self.groups = np.asarray(groups)
        self.density = np.asarray(noise, dtype=np.float64) ** 2
        self.velocity_variance = np.asarray(velocity_sigma, dtype=np.float64) ** 2
        self.surprise = np.asarray(surprise, dtype=np.float64)
        self.switch_s, self.decay_s, self.evidence = switch_s, decay_s, evidence
        self.members = np.equal.outer(np.arange(self.groups.max() + 1), self.groups).astype(float)
        self.gate = _chi2_quantile(3.0 * self.members.sum(axis=1), gate_sigma)

    def start(self, R: Array) -> MotionState:
        """Begin at the reference with measurement covariance R (B, 3, 3) and unknown velocity."""
        blocks, models = self.density.shape
        P = np.zeros((blocks, models, 6, 6))
        P[..., :3, :3] = R[:, None]
        P[..., 3:, 3:] = (self.velocity_variance[:, None, None] * _EYE3)[:, None]
        probability = np.full((len(self.members), models), 1.0 / models)
        return MotionState(np.zeros((blocks, models, 6)), P, probability)

    def restart(self, state: MotionState, group: int, fresh: MotionState) -> MotionState:
        """Take one group from ``fresh`` and the others from ``state``."""
        blocks = self.groups == group
        rows = np.arange(len(self.members)) == group
        return MotionState(
            np.where(blocks[:, None, None], fresh.mean, state.mean),
            np.where(blocks[:, None, None, None], fresh.covariance, state.covariance),
            np.where(rows[:, None], fresh.probability, state.probability),
        )

    def advance(self, state: MotionState, dt: float) -> MotionState:
        """Mix the models, then predict each over ``dt`` >= 0 seconds (000 eq. 2)."""
        x, P, probability = self._mix(state, dt)
        tau = self.decay_s
        keep = np.exp(-dt / tau)
        reach = tau * -np.expm1(-dt / tau)
        F = _POSITION + reach * _UPPER + keep * _VELOCITY
        Q = dt**3 / 3 * _POSITION + dt**2 / 2 * _CROSS + dt * _VELOCITY
        P = F @ P @ F.T + self.density[..., None, None] * Q
        x = x @ F.T
        return MotionState(x, P, probability)

    def correct(self, state: MotionState, measured: Array, R: Array, dt: float) -> Correction:
        """Weigh in a measurement (000 eq. 3), unless a group's is an outlier.

        Args:
            state: predicted for the time of the measurement.
            measured: (B, 3) offsets from the reference; NaN = this block was not measured.
            R: (B, 3, 3) their covariances.
            dt: seconds over which the state was predicted.
        """
        seen = np.isfinite(measured).all(axis=1)
        y = np.where(seen[:, None], measured, 0.0)[:, None] - state.mean[..., :3]
        P = state.covariance
        S = P[..., :3, :3] + R[:, None]
        S_inverse = np.linalg.inv(S)
        distance = ((S_inverse @ y[..., None])[..., 0] * y).sum(axis=-1) * seen[:, None]
        fit = -0.5 * (distance + np.log(np.linalg.det(S))) * seen[:, None]
        rejected = self._outliers(state, measured, R, dt)
        used = seen & ~rejected[self.groups]

        gain = P[..., :3] @ S_inverse * used[:, None, None, None]
        A = np.empty(P.shape)
        A[:] = _EYE6
        A[..., :3] -= gain
        # Joseph's form: symmetric and positive definite whatever the rounding
        covariance = A @ P @ np.swapaxes(A, -1, -2)
        covariance += gain @ R[:, None] @ np.swapaxes(gain, -1, -2)
        covariance = 0.5 * (covariance + np.swapaxes(covariance, -1, -2))
        mean = state.mean + (gain @ y[..., None])[..., 0]

        log_p = (
            np.log(state.probability) + self.evidence * (self.members @ fit) * ~rejected[:, None]
        )
        p = np.exp(log_p - log_p.max(axis=1, keepdims=True)) + 1e-9
        return Correction(MotionState(mean, covariance, p / p.sum(axis=1, keepdims=True)), rejected)

    def combined(self, state: MotionState) -> tuple[Array, Array]:
        """Return mean (B, 6) and covariance (B, 6, 6) over the models."""
        p = state.probability[self.groups]
        mean = (p[..., None] * state.mean).sum(axis=1)
        spread = state.mean - mean[:, None]
        P = state.covariance + spread[..., :, None] * spread[..., None, :]
        return mean, (p[..., None, None] * P).sum(axis=1)

    def _outliers(self, state: MotionState, measured: Array, R: Array, dt: float) -> np.ndarray:
        """Groups (G,) whose measurement even a suddenly moving hand could hardly give."""
        mean, P = self.combined(state)
        reach = (0.5 * self.surprise * dt**2) ** 2
        S = P[:, :3, :3] + R + reach[:, None, None] * _EYE3
        y = np.nan_to_num(measured - mean[:, :3])
        distance = (y * np.linalg.solve(S, y[..., None])[..., 0]).sum(axis=-1)
        return np.asarray(self.members @ distance > self.gate)

    @staticmethod
    def recentred(state: MotionState, offset: Array) -> MotionState:
        """The same state seen from a reference that moved by ``offset`` (B, 3)."""
        mean = state.mean.copy()
        mean[..., :3] -= offset[:, None]
        return MotionState(mean, state.covariance, state.probability)

    def _mix(self, state: MotionState, dt: float) -> tuple[Array, Array, Array]:
        models = state.probability.shape[1]
        stay = np.exp(-dt / self.switch_s)
        transition = stay * np.eye(models) + (1.0 - stay) / models
        predicted = state.probability @ transition
        # weight of model i in the mixture that starts model j
        weights = transition.T[None] * state.probability[:, None] / predicted[:, :, None]
        W = weights[self.groups]
        x = W @ state.mean
        spread = state.mean[:, None] - x[:, :, None]  # (B, to, from, 6)
        P = (W @ state.covariance.reshape(*state.covariance.shape[:2], 36)).reshape(
            state.covariance.shape
        )
        P += np.swapaxes(spread, -1, -2) @ (W[..., None] * spread)
        return x, P, predicted


def model_noise(fastest: Array, still_ratio: float, models: int = 3) -> Array:
    """Noise (B, M) of models in equal ratios from ``still_ratio * fastest`` up to ``fastest``."""
    return np.outer(fastest, np.geomspace(still_ratio, 1.0, models))


def _chi2_quantile(dof: Array, sigma: float) -> Array:
    """Chi-square value as improbable as ``sigma`` of a normal (Wilson and Hilferty 1931)."""
    return np.asarray(dof * (1 - 2 / (9 * dof) + sigma * np.sqrt(2 / (9 * dof))) ** 3)
