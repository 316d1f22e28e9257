"""Kalman filter over joint positions alone, where there is no hand model behind them."""

from __future__ import annotations

from copy import copy

import numpy as np

from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal.motion import MotionModel, MotionState
from hand_recon_ros.temporal.smoothing import MAX_GAP_S, Smoothed
from hand_recon_ros.types import Array


def _cosines(n: int) -> Array:
    """Orthonormal discrete cosine basis (n, n), a mode a row, the mean first."""
    k = np.arange(n)
    basis = np.cos(np.pi * np.outer(k, 2 * k + 1) / (2 * n)) * np.sqrt(2 / n)
    basis[0] = np.sqrt(1 / n)
    return np.asarray(basis)


MODES = np.kron(_cosines(5), _cosines(4))
"""(20, 20) modes of five fingers x four joints: the first moves the whole hand, the next few turn
and bend it, the last are what no hand does and noise does."""
_ACTIVITY = np.outer((1.0, 0.55, 0.4, 0.3, 0.25), (1.0, 0.4, 0.15, 0.05))
_ACTIVITY[0, 1:] *= 0.75
"""(5, 4) acceleration of each mode over that of the whole hand, from Leap Motion recordings."""
_GROUPS = np.full((5, 4), 2)
_GROUPS[0, 0] = 0
_GROUPS[0, 1] = _GROUPS[1, 0] = _GROUPS[2, 0] = 1
_WRIST_GROUP = 3
"""The whole hand, its turning, its fingers; the wrist alone, as many sources do not know it."""
_PROCESS_NOISE = 0.4
_STILL_RATIO = 0.01
_VELOCITY_SIGMA = 1.0
_SURPRISE = 0.25


class JointKalman:
    """Constant velocity for 21 joints, whose noise is told from motion by what hands can do.

    The joints of the fingers move together, their noise does not. In the modes of the hand the
    motion sits in a few axes and the noise spreads over all, so each mode gets its own process
    noise. Same interface as the other smoothers.

    Args:
        config: ``joint_noise_m``, and what adapts the process noise.
        max_gap_s: after a longer pause the filter starts anew.
    """

    def __init__(self, config: FilterConfig, max_gap_s: float = MAX_GAP_S) -> None:
        """Prepare the motion model of ``config``."""
        scale = _scale()
        self._model = MotionModel(
            [*np.repeat(_GROUPS.ravel(), 3), *[_WRIST_GROUP] * 3],
            _PROCESS_NOISE * scale,
            still_ratio=_STILL_RATIO,
            adaptation_s=config.noise_adaptation_s,
            velocity_sigma=_VELOCITY_SIGMA * scale,
            decay_s=config.velocity_decay_s,
            surprise=_SURPRISE * np.repeat((np.sqrt(20), 1.0), (60, 3)),
            gate_sigma=config.gate_sigma,
            noise_known=True,
        )
        self._R = config.joint_noise_m**2 * np.eye(63)
        self.max_gap_s = max_gap_s
        self._state: MotionState | None = None
        self._rejected = np.zeros(_WRIST_GROUP + 1, dtype=bool)
        self._doubt: tuple[MotionState, Array] | None = None
        self._reference: Array
        self._stamp: float

    def reset(self) -> None:
        """Forget the trajectory."""
        self._state = None

    def update(self, joints: Array, stamp: float, *, measured: bool = True) -> Smoothed:
        """Filter (21, 3) joints of the frame at ``stamp`` seconds.

        A missing wrist (NaN) is predicted once it was seen; of the fingers all joints or none are
        used. A stamp that does not come after the last one, or only after ``max_gap_s``, starts
        the filter anew. A second outlier in a row is taken for true motion. What was not
        ``measured`` is forgotten at once.

        Raises:
            ValueError: stamp is not finite.
        """
        if not np.isfinite(stamp):
            raise ValueError("the stamp is not a finite number of seconds")
        if not measured:
            return copy(self).update(joints, stamp)
        modes = _to_modes(np.asarray(joints, dtype=np.float64))
        if self._state is None or not 0 < stamp - self._stamp <= self.max_gap_s:
            self._state, self._reference = self._model.start(self._R), modes
            self._rejected = np.zeros_like(self._rejected)
            self._doubt = None
        else:
            dt = stamp - self._stamp
            state = self._model.advance(self._state, dt)
            if self._doubt is not None:
                state = self._undoubted(state, modes, dt)
            unseen = np.isnan(self._reference)
            y = modes - self._reference
            rejected = self._model.outliers(state, y, self._R, dt)
            self._doubt = self._doubter(state, y, rejected, dt)
            state = self._model.correct(state, y, self._R, rejected, dt)
            self._state, self._reference = _moved(state, self._reference)
            self._start_again(unseen, rejected & self._rejected, modes)
            self._rejected = rejected & ~self._rejected
        self._stamp = stamp
        velocity = self._state.mean[63:]
        return Smoothed(_to_joints(self._reference), _to_joints(velocity))

    def _undoubted(self, state: MotionState, modes: Array, dt: float) -> MotionState:
        """The state at ``modes``: believing the doubtful measurement before, or not if better."""
        assert self._doubt is not None
        doubter, reference = self._doubt
        doubter = self._model.advance(doubter, dt)
        likelihood = self._model.likelihood
        believed = likelihood(state, modes - self._reference, self._R)
        if likelihood(doubter, modes - reference, self._R) <= believed:
            return state
        self._reference = reference
        return doubter

    def _doubter(
        self, state: MotionState, y: Array, rejected: Array, dt: float
    ) -> tuple[MotionState, Array] | None:
        """What the filter would believe if the doubtful parts of a measurement were outliers."""
        doubtful = self._model.doubtful(state, y, self._R) & ~rejected
        if not doubtful.any():
            return None
        state = self._model.correct(state, y, self._R, rejected | doubtful, dt)
        return _moved(state, self._reference)

    def _start_again(self, unseen: Array, moved: Array, measured: Array) -> None:
        """Start those groups at the measurement that were never seen or rejected it twice."""
        assert self._state is not None
        for group, axes in enumerate(self._model.members):
            if moved[group] or unseen[axes].any():
                self._state = self._model.restart(self._state, group, self._R)
                self._reference[axes] = measured[axes]


def _scale() -> Array:
    """(63,) motion of each axis over that of one joint that moves with the whole hand."""
    return np.repeat(np.append(np.sqrt(20) * _ACTIVITY.ravel(), 1.0), 3)


def mode_noise() -> Array:
    """(60,) largest process noise of the modes of the fingers' joints, m/s^1.5."""
    return _PROCESS_NOISE * _scale()[:60]


def _moved(state: MotionState, reference: Array) -> tuple[MotionState, Array]:
    """The state seen from where it says that the joints are, and that place."""
    offset = state.mean[: len(reference)]
    return state.recentred(offset), reference + offset


def _to_modes(joints: Array) -> Array:
    """Coordinates (63,) of joints (21, 3): modes of the fingers, then the wrist."""
    return np.concatenate([(MODES @ joints[1:]).ravel(), joints[0]])


def _to_joints(modes: Array) -> Array:
    return np.concatenate([modes[None, 60:], MODES.T @ modes[:60].reshape(20, 3)])
