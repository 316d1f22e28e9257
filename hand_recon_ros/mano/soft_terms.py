"""What the fit expects of a hand before it looks: limits, usual pose and shape, the last frame.

The usual pose is drawn towards the one that the front end told, if any, and the usual shape
likewise: the product of two normal distributions is one, so neither needs a term of its own.

All terms of a hand but what ties it to another lie in one vector of residuals, in standard
deviations:

    usual pose 45 | limits 45 | DIP-PIP coupling 4 | scale of the relative 3D 1
    | last frame: angles 45, wrist position 3, wrist rotation 3      where there is one
    | betas 10, known length 1, last frame's betas 10                where a shape is free
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano import priors
from hand_recon_ros.mano.kinematics import BETAS, ORIENTATION, POSE, POSITION
from hand_recon_ros.mano.priors import BEND
from hand_recon_ros.mano.states import HandConstants, HandStates, Measurements
from hand_recon_ros.mano.wrist_pair import WristPair
from hand_recon_ros.rotations import hat
from hand_recon_ros.types import Array

SCALE_SIGMA = 0.2
"""The relative 3D is that of an average hand: how far a user's may be off in size."""

ANGLE_ROWS = 49
"""45 angles and 4 couplings: see ``SoftTerms.write_angles``."""

_LIMIT_SIGMA = np.deg2rad(3.0)
_LENGTH_SIGMA = 0.0005
_LEAST_PRECISION = 1e-12
_TIE_PRECISION = 0.3**-2
_GUESS_BETAS_SIGMA = 1.5
"""One picture tells little of a hand's shape: less than that it is a hand's."""

_USUAL, _LIMITS, _COUPLING, _SCALE = slice(0, 45), slice(45, 90), slice(90, 94), 94
_LAST_ANGLES, _LAST_POSITION, _LAST_TURN = slice(95, 140), slice(140, 143), slice(143, 146)
_FRAME_ONLY = 95
_POSE_SIGMA = priors.POSE_SIGMA.reshape(45)
_LOWER, _UPPER = priors.LOWER_LIMITS.reshape(45), priors.UPPER_LIMITS.reshape(45)
_COUPLE = np.zeros((45, 4))
"""Takes the angles to the coupling residuals."""
_COUPLE[3 * priors.DIP_JOINTS + BEND, range(4)] = 1.0 / priors.COUPLING_SIGMA
_COUPLE[3 * priors.PIP_JOINTS + BEND, range(4)] = -priors.COUPLING / priors.COUPLING_SIGMA
_COUPLED_JOINTS = np.column_stack((priors.PIP_JOINTS, priors.DIP_JOINTS))
_COUPLED = np.repeat((-priors.COUPLING, 1.0), 3) / priors.COUPLING_SIGMA
"""Derivative of the coupling residual to the two bends, once for each of their six tangents."""
_SINE_AXIS = 0.5 * hat(np.eye(3)).reshape(3, 9).T
"""Takes the elements of a rotation matrix to sin(angle) axis."""


class SoftTerms:
    """The terms for B hands of one frame; see the module.

    Args:
        hands: their models.
        measured: their last frame, and whose shape is free.
        config: weights.
        tied: two hands of one person, both of free shape, or None (001 L_mano).
        pair: two hands of which it is told how their wrists lie, or None.
    """

    def __init__(
        self,
        hands: HandConstants,
        measured: Measurements,
        config: FitConfig,
        tied: list[int] | None,
        pair: list[int] | None = None,
    ) -> None:
        """Work out the weights; see the class."""
        count = len(measured.rays)
        self._hands, self._measured, self._config, self._tied = hands, measured, config, tied
        self._mean, self._usual = _usual_pose(hands, measured, config)
        self._pair = WristPair.of(measured, pair, config)
        self._angle_precision = np.maximum(
            np.square(self._usual) + measured.last_precision[:, 2:3], _LEAST_PRECISION
        )
        self._limit = np.sqrt(config.limits_weight) / _LIMIT_SIGMA
        self._couple = np.sqrt(config.pose_weight) * _COUPLE
        self._coupled = np.sqrt(config.pose_weight) * _COUPLED
        self._has_last = bool(measured.last_precision.any())
        self._last = np.sqrt(measured.last_precision)
        self._last_angles = measured.last_angles.reshape(count, 45)
        self._last_inverse = np.swapaxes(measured.last.orientation, -1, -2)
        self._free = measured.free_betas[:, None]
        self._free_betas = bool(measured.free_betas.any())
        if self._free_betas:
            self._mean_betas, self._betas_precision = _usual_shape(measured, config)
        self._betas_start = _LAST_TURN.stop if self._has_last else _FRAME_ONLY
        self._size = self._betas_start + (21 if self._free_betas else 0)

    def residuals(self, state: HandStates, angles: Array) -> Array:
        """(B, m) all terms at a state whose joints have these angles (B, 15, 3)."""
        angles = angles.reshape(-1, 45)
        soft = np.empty((len(angles), self._size))
        np.multiply(angles - self._mean, self._usual, out=soft[:, _USUAL])
        beyond = angles - np.minimum(np.maximum(angles, _LOWER), _UPPER)
        np.multiply(beyond, self._limit, out=soft[:, _LIMITS])
        np.matmul(angles, self._couple, out=soft[:, _COUPLING])
        soft[:, _SCALE] = (state.scale - 1.0) / SCALE_SIGMA
        if self._has_last:
            last, weight = self._measured.last, self._last
            np.multiply(angles - self._last_angles, weight[:, 2:3], out=soft[:, _LAST_ANGLES])
            np.multiply(state.position - last.position, weight[:, :1], out=soft[:, _LAST_POSITION])
            turn = state.orientation @ self._last_inverse
            np.multiply(turn.reshape(-1, 9) @ _SINE_AXIS, weight[:, 1:2], out=soft[:, _LAST_TURN])
        if self._free_betas:
            start, free = self._betas_start, self._free
            np.multiply(
                state.betas - self._mean_betas,
                np.sqrt(self._betas_precision) * free,
                out=soft[:, start : start + 10],
            )
            soft[:, start + 10] = self._length(state.betas)[0]
            change = state.betas - self._measured.last.betas
            np.multiply(change, self._last[:, 3:] * free, out=soft[:, start + 11 :])
        return soft

    def cost(self, state: HandStates, soft: Array) -> Array:
        """(B,) half the sum of squares; a tie between two hands counts for both."""
        cost = 0.5 * np.einsum("bi,bi->b", soft, soft)
        if self._tied is not None:
            apart = state.betas[self._tied[0]] - state.betas[self._tied[1]]
            cost[self._tied] += 0.5 * _TIE_PRECISION * (apart @ apart)
        if self._pair is not None:
            cost[self._pair.hands] += self._pair.cost(state.position)
        return np.asarray(cost)

    def limit_cost(self, soft: Array) -> Array:
        """(B,) the joint limits' part of the cost."""
        return np.asarray(0.5 * np.square(soft[:, _LIMITS]).sum(axis=1))

    def write_angles(self, soft: Array, D: Array, rows: Array, residual: Array) -> None:
        """Write the terms of the angles as ``ANGLE_ROWS`` rows of a least squares problem.

        All terms of one angle are drawn together into one row.

        Args:
            soft: residuals.
            D: (B, 15, 3, 3) derivative of the angles.
            rows: (B, ANGLE_ROWS, n) zeros, the last ones of a larger array; written to.
            residual: (B, ANGLE_ROWS) written to.
        """
        count, _, columns = rows.shape
        limits = soft[:, _LIMITS]
        force = soft[:, _USUAL] * self._usual
        force += limits * self._limit
        precision = (limits != 0.0) * self._limit**2
        precision += self._angle_precision
        if self._has_last:
            force += soft[:, _LAST_ANGLES] * self._last[:, 2:3]
        root = np.sqrt(precision, out=precision)
        np.divide(force, root, out=residual[:, :45])
        residual[:, 45:] = soft[:, _COUPLING]
        joints, couplings = _row_index(columns)
        flat = rows.reshape(count, -1)
        flat[:, joints] = (D * root.reshape(count, 15, 3, 1)).reshape(count, -1)
        bends = D[:, _COUPLED_JOINTS, BEND].reshape(count, 4, 6) * self._coupled
        flat[:, couplings] = bends.reshape(count, -1)

    def add_to(self, state: HandStates, soft: Array, H: Array, g: Array) -> None:
        """Add all terms but those of the angles to the normal equations.

        Args:
            state: where.
            soft: residuals there.
            H: (B, n, n) matrix, added to.
            g: (B, n) gradient, added to.
        """
        if self._has_last:
            self._add_last_wrist(state, soft, H, g)
        g[:, -1] += soft[:, _SCALE] / SCALE_SIGMA
        H[:, -1, -1] += SCALE_SIGMA**-2
        if self._free_betas:
            self._add_shape(state.betas, H, g)
        if self._pair is not None:
            self._pair.add_to(state.position, H, g)

    def without_last(self, D: Array, H: Array) -> Array:
        """(B, n, n) the matrix less the ties to the last frame, angles' derivative as above.

        Nor does the way to the other wrist count: that one is not known either.
        """
        H = H.copy()
        if self._pair is not None:
            self._pair.stiffen(H, -1.0)
        if self._has_last:
            count, columns = H.shape[:2]
            flat, precision = H.reshape(count, -1), self._measured.last_precision
            diagonal = flat[:, :: columns + 1]
            diagonal[:, POSITION] -= precision[:, :1]
            diagonal[:, ORIENTATION] -= precision[:, 1:2]
            blocks = precision[:, 2, None, None, None] * (np.swapaxes(D, -1, -2) @ D)
            flat[:, _block_index(columns)] -= blocks.reshape(count, -1)
            if self._free_betas:
                diagonal[:, BETAS] -= precision[:, 3:] * self._free
        return H

    def betas_precision(self, hand: int) -> float:
        """1 / sigma^2 of what holds a free shape besides the frame and a known length."""
        tied = self._tied is not None and hand in self._tied
        return self._config.shape_weight + (2 * _TIE_PRECISION if tied else 0.0)

    def _add_last_wrist(self, state: HandStates, soft: Array, H: Array, g: Array) -> None:
        weight, precision = self._last, self._measured.last_precision
        g[:, POSITION] += soft[:, _LAST_POSITION] * weight[:, :1]
        # sin(angle) axis of E changes by (tr(E) I - E) w / 2 under E <- exp(w) E
        E = state.orientation @ self._last_inverse
        pull = soft[:, _LAST_TURN] * weight[:, 1:2]
        trace = E[:, 0, 0] + E[:, 1, 1] + E[:, 2, 2]
        g[:, ORIENTATION] += 0.5 * (trace[:, None] * pull - (pull[:, None] @ E)[:, 0])
        diagonal = H.reshape(len(H), -1)[:, :: H.shape[1] + 1]
        diagonal[:, POSITION] += precision[:, :1]
        diagonal[:, ORIENTATION] += precision[:, 1:2]

    def _length(self, betas: Array) -> tuple[Array, Array]:
        """(B,) sigmas off the known length of the flat hand, and its derivative (B, 10)."""
        if self._config.hand_length_m == 0:
            return np.zeros(len(betas)), np.zeros_like(betas)
        length, slope = self._hands.skeleton.flat_length(betas)
        weight = self._free / _LENGTH_SIGMA
        return (length - self._config.hand_length_m) * weight[:, 0], slope * weight

    def _add_shape(self, betas: Array, H: Array, g: Array) -> None:
        diagonal = H.reshape(len(H), -1)[:, :: H.shape[1] + 1]
        prior = self._betas_precision * self._free
        diagonal[:, BETAS] += prior + (1.0 - self._free)
        g[:, BETAS] += prior * (betas - self._mean_betas)
        if self._has_last:
            tie = self._measured.last_precision[:, 3:] * self._free
            diagonal[:, BETAS] += tie
            g[:, BETAS] += tie * (betas - self._measured.last.betas)
        residual, row = self._length(betas)
        H[:, BETAS, BETAS] += row[:, :, None] * row[:, None]
        g[:, BETAS] += row * residual[:, None]
        if self._tied is not None:
            # both hands move at once: twice the weight bounds the cross term that is left out
            a, b = self._tied
            apart = _TIE_PRECISION * (betas[a] - betas[b])
            g[a, BETAS] += apart
            g[b, BETAS] -= apart
            diagonal[self._tied, BETAS] += 2 * _TIE_PRECISION


def _usual_pose(
    hands: HandConstants, measured: Measurements, config: FitConfig
) -> tuple[Array, Array]:
    """(B, 45) joint angles that are expected, and 1 / sigma of each."""
    usual = np.sqrt(config.pose_weight) / _POSE_SIGMA
    mean = hands.anatomy.mean.reshape(-1, 45)
    if config.sigma_guess_rad == 0 or not measured.guessed.any():
        return mean, usual[None]
    told = np.where(measured.guessed, config.sigma_guess_rad**-2, 0.0)[:, None]
    both = usual**2 + told
    guess = measured.guess_angles.reshape(-1, 45)
    return (usual**2 * mean + told * guess) / np.maximum(both, 1e-12), np.sqrt(both)


def _usual_shape(measured: Measurements, config: FitConfig) -> tuple[Array, Array]:
    """(B, 10) betas that are expected, and (B, 1) 1 / sigma^2 of each."""
    believed = measured.guessed & (config.sigma_guess_rad > 0)
    told = believed[:, None] * _GUESS_BETAS_SIGMA**-2
    both = config.shape_weight + told
    return told * measured.guess.betas / np.maximum(both, 1e-12), both


@cache
def _block_index(columns: int) -> NDArray[np.int64]:
    """Where the (15, 3, 3) joint blocks lie in a flat (columns, columns) matrix."""
    start = (POSE.start + 3 * np.arange(15))[:, None, None]
    row, column = np.ogrid[:3, :3]
    return np.asarray(((start + row) * columns + start + column).reshape(-1))


@cache
def _row_index(columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the (15, 3, 3) angles and the (4, 6) couplings lie in flat (ANGLE_ROWS, columns)."""
    joint, (row, column) = 3 * np.arange(15)[:, None, None], np.ogrid[:3, :3]
    angles = (joint + row) * columns + POSE.start + joint + column
    bends = POSE.start + 3 * priors.PIP_JOINTS[:, None] + np.arange(6)
    couplings = (45 + np.arange(4)[:, None]) * columns + bends
    return angles.reshape(-1), couplings.reshape(-1)
