"""Kalman filter over the MANO parameters of one hand (000 eq. 2-3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import FilterConfig
from hand_recon_ros.mano.results import STATE_SIZE, FitResult
from hand_recon_ros.rotations import log_so3
from hand_recon_ros.temporal.hand_state import (
    FilterState,
    HandPose,
    StampError,
    check_finite,
    check_stamp,
    nearest_axis_angle,
)
from hand_recon_ros.temporal.motion import MotionModel, MotionState
from hand_recon_ros.types import Array

GROUPS = (*([0] * 3), *([1] * 3), *([2] * 9), *([3] * 9), *([4] * 9), *([5] * 9), *([6] * 9))
"""Group of each axis: wrist position, wrist orientation, then the five fingers in MANO order."""
_ACTIVITY = np.concatenate((np.ones(6), np.tile((0.1, 0.3, 1.0), 12), np.ones(9)))
"""Process noise over that of the group: fingers hardly twist, spread a little and bend. In MANO
their joints' axes are those, within about ten degrees; the thumb's are not."""
_VELOCITY_SIGMA = np.repeat((1.0, 8.0), (3, STATE_SIZE - 3))
"""Spread of the unknown velocity of a hand that was just found, m/s and rad/s."""
_SURPRISE = np.repeat((0.5, 5.0), (3, STATE_SIZE - 3))
"""Sudden change of velocity that is no outlier, one sigma, m/s and rad/s."""
_FLOOR = np.repeat((1e-4, 1e-3), (3, STATE_SIZE - 3))
"""Least standard deviation believed of a fit, m and rad."""
_RESTART_S = 1.0
_MOST_REJECTED = 2


class HandKalman:
    """Filters wrist position, wrist rotation and 15 joint rotations with constant velocity.

    The state is the error in the tangent space of the manifold (51 axes, ``STATE_SIZE``), with
    the full noise of the fit: what the image fixes well (where a tip is seen) follows at once, what
    it hardly shows (depth along the viewing ray and the flexion that goes with it) is smoothed.
    Wrist position, wrist orientation and each finger form a group with its own process
    noise, outlier gate and restart. One outlier is skipped; a second that agrees with it, or a
    third, is taken for true motion and restarts its group. Betas change slowly or not at all and
    are low-passed together with the wrist's offset, which is linear in them.

    A gap longer than a second restarts the whole filter.
    """

    def __init__(self, config: FilterConfig) -> None:
        """Prepare the motion model of ``config``."""
        noise = (config.position_noise, config.rotation_noise, config.pose_noise)
        self._model = MotionModel(
            GROUPS,
            np.repeat(noise, (3, 3, STATE_SIZE - 6)) * _ACTIVITY,
            still_ratio=config.still_noise_ratio,
            adaptation_s=config.noise_adaptation_s,
            velocity_sigma=_VELOCITY_SIGMA,
            decay_s=config.velocity_decay_s,
            surprise=_SURPRISE,
            gate_sigma=config.gate_sigma,
        )
        self._scale = config.measurement_scale**2
        self._shape_s = config.shape_smoothing_s
        self._restart_s = max(_RESTART_S, config.max_predict_s)
        self._state: MotionState | None = None
        self._doubt: tuple[MotionState, HandPose] | None = None
        self._ahead: tuple[MotionState, float, MotionState] | None = None
        self._stamp: float
        self._pose: HandPose

    def reset(self) -> None:
        """Forget everything; the next update starts afresh."""
        self._state = None

    def update(self, result: FitResult, stamp: float) -> FilterState:
        """Take in the fit of the frame at ``stamp`` (seconds).

        Raises:
            StampError: stamp is not finite or not later than that of the update before.
            ValueError: the fit holds NaN; call ``predict`` for that frame instead.
        """
        check_finite(result)
        measured, R = HandPose.of(result), self._measurement_noise(result)
        if self._state is None:
            check_stamp(stamp)
            return self._start(result, measured, R, stamp)
        dt = self._elapsed(stamp)
        if dt <= 0:
            raise StampError(
                f"stamp {stamp!r} is not after the last one, {self._stamp!r}: "
                "reset the filter when time jumps back"
            )
        if dt > self._restart_s:
            return self._start(result, measured, R, stamp)

        state = self._advanced(stamp)
        innovation = measured.minus(self._pose)
        if self._doubt is not None:
            doubter, pose = self._doubt
            doubter, apart = self._model.advance(doubter, dt), measured.minus(pose)
            likelihood = self._model.likelihood
            if likelihood(doubter, apart, R) > likelihood(state, innovation, R):
                state, innovation, self._pose = doubter, apart, pose
        rejected = self._model.outliers(state, innovation, R, dt)
        self._doubt = self._doubter(state, innovation, R, rejected, dt)
        state = self._model.correct(state, innovation, R, rejected, dt)
        self._state, self._pose = _moved(state, self._pose)
        self._restart_moved(rejected, measured, R, dt)
        self._low_pass_shape(result, dt)
        self._stamp = stamp
        output = self._output(self._state, self._pose, stamp, bool(rejected.any()))
        self._orient = output.parameters.global_orient
        return output

    def predict(self, stamp: float) -> FilterState:
        """Return where the hand should be at ``stamp``, without changing the filter.

        The covariance grows with the time since the last update.

        Raises:
            StampError: stamp is not finite, or before the last update.
            RuntimeError: there was no update yet.
        """
        if self._state is None:
            raise RuntimeError("the filter has not seen the hand yet: call update first")
        dt = self._elapsed(stamp)
        if dt < 0:
            raise StampError(f"stamp {stamp!r} is before the last one, {self._stamp!r}")
        return self._output(*_moved(self._advanced(stamp), self._pose), stamp, False)

    def _advanced(self, stamp: float) -> MotionState:
        """The state at ``stamp``; kept, as a frame's update comes after its prediction."""
        assert self._state is not None
        if self._ahead is not None:
            origin, when, state = self._ahead
            if origin is self._state and when == stamp:
                return state
        state = self._model.advance(self._state, self._elapsed(stamp))
        self._ahead = (self._state, stamp, state)
        return state

    def _start(self, result: FitResult, measured: HandPose, R: Array, stamp: float) -> FilterState:
        self._state, self._doubt = self._model.start(R), None
        self._pose = self._rejected_pose = measured
        self._rejections: NDArray = np.zeros(max(GROUPS) + 1, dtype=int)
        self._parameters = result.parameters
        self._wrist_offset = result.joints_m[0] - result.parameters.transl
        self._stamp = stamp
        self._orient = log_so3(measured.rotations[0])
        return self._output(self._state, self._pose, stamp, False)

    def _doubter(
        self, state: MotionState, innovation: Array, R: Array, rejected: NDArray, dt: float
    ) -> tuple[MotionState, HandPose] | None:
        """What the filter would believe if the doubtful parts of a measurement were outliers."""
        doubtful = self._model.doubtful(state, innovation, R) & ~rejected
        if not doubtful.any():
            return None
        state = self._model.correct(state, innovation, R, rejected | doubtful, dt)
        return _moved(state, self._pose)

    def _restart_moved(self, rejected: NDArray, measured: HandPose, R: Array, dt: float) -> None:
        """Believe rejected groups again that stay where they were rejected before."""
        assert self._state is not None
        self._rejections = np.where(rejected, self._rejections + 1, 0)
        if rejected.any():
            step = measured.minus(self._rejected_pose)
            S = 2.0 * R + np.diag((_VELOCITY_SIGMA * dt) ** 2)
            agrees = self._model.distances(step, S) < self._model.gate
            again = (self._rejections > _MOST_REJECTED) | ((self._rejections > 1) & agrees)
            for group in np.flatnonzero(again & rejected):
                self._pose = self._pose.with_group(measured, self._model.members[group])
                self._state = self._model.restart(self._state, int(group), R)
                self._rejections[group] = 0
        self._rejected_pose = measured

    def _low_pass_shape(self, result: FitResult, dt: float) -> None:
        blend = 1.0 - np.exp(-dt / self._shape_s) if self._shape_s > 0 else 1.0
        old, new = self._parameters, result.parameters
        self._parameters = new.replace(betas=old.betas + blend * (new.betas - old.betas))
        offset = result.joints_m[0] - new.transl
        self._wrist_offset = self._wrist_offset + blend * (offset - self._wrist_offset)

    def _output(
        self, state: MotionState, pose: HandPose, stamp: float, outlier: bool
    ) -> FilterState:
        angles = log_so3(pose.rotations)
        parameters = self._parameters.replace(
            global_orient=nearest_axis_angle(angles[0], self._orient),
            hand_pose=angles[1:].reshape(-1),
            transl=pose.position - self._wrist_offset,
        )
        velocity = state.mean[STATE_SIZE:]
        return FilterState(
            stamp,
            parameters,
            pose.position,
            pose.rotations[0],
            velocity[:6],
            velocity[6:].reshape(-1, 3),
            state.covariance[:6, :6],
            outlier,
        )

    def _measurement_noise(self, result: FitResult) -> Array:
        R = result.covariance + result.covariance.T
        R *= 0.5 * self._scale
        R.reshape(-1)[:: STATE_SIZE + 1] += _FLOOR**2
        return np.asarray(R)

    def _elapsed(self, stamp: float) -> float:
        check_stamp(stamp)
        return stamp - self._stamp


def _moved(state: MotionState, pose: HandPose) -> tuple[MotionState, HandPose]:
    """The state seen from where it says that the hand is, and that pose."""
    offset = state.mean[:STATE_SIZE]
    return state.recentred(offset), pose.plus(offset)
