"""Kalman filter over the MANO parameters of one hand (000 eq. 2-3)."""

from __future__ import annotations

import numpy as np

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
from hand_recon_ros.temporal.motion import MotionModels, MotionState, model_noise
from hand_recon_ros.types import Array

BLOCKS = STATE_SIZE // 3
GROUPS = (0, 1, *(2 + joint // 3 for joint in range(BLOCKS - 2)))
"""Group of each block of three axes: wrist position, wrist orientation, then the five fingers."""
_POSITION, _ORIENTATION = 0, 1
_VELOCITY_SIGMA = np.array([1.0] + [8.0] * (BLOCKS - 1))
"""Spread of the unknown velocity of a hand that was just found, m/s and rad/s."""
_SURPRISE = np.array([40.0] + [400.0] * (BLOCKS - 1))
"""Sudden acceleration that is no outlier, m/s^2 and rad/s^2."""
_FLOOR = np.array([1e-4] + [1e-3] * (BLOCKS - 1))
"""Least standard deviation believed of a fit, m and rad."""
_RESTART_S = 1.0
_MOST_REJECTED = 2


class HandKalman:
    """Filters wrist position, wrist rotation and 15 joint rotations with constant velocity.

    The state is the error in the tangent space of the manifold (51 axes, ``STATE_SIZE``), in blocks
    of three axes: the blocks keep the full 3x3 noise of the fit, as depth noise lies along the
    viewing ray. Wrist position, wrist orientation and each finger form a group with its own motion
    model, outlier gate and restart. One outlier is skipped; a second that agrees with it, or a
    third, is taken for true motion and restarts its group. Betas change slowly or not at all and
    are low-passed together with the wrist's offset, which is linear in them.

    A gap longer than a second restarts the whole filter.
    """

    def __init__(self, config: FilterConfig) -> None:
        """Prepare the motion models of ``config``."""
        fastest = np.array(
            [config.position_noise, config.rotation_noise] + [config.pose_noise] * (BLOCKS - 2)
        )
        self._models = MotionModels(
            GROUPS,
            model_noise(fastest, config.still_noise_ratio),
            _VELOCITY_SIGMA,
            _SURPRISE,
            switch_s=config.motion_switch_s,
            decay_s=config.velocity_decay_s,
            gate_sigma=config.gate_sigma,
            evidence=config.motion_evidence,
        )
        self._scale = config.measurement_scale**2
        self._shape_s = config.shape_smoothing_s
        self._restart_s = max(_RESTART_S, config.max_predict_s)
        self._state: MotionState | None = None
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

        state = self._models.advance(self._state, dt)
        correction = self._models.correct(state, measured.minus(self._pose), R, dt)
        mean, _ = self._models.combined(correction.state)
        offset = mean[:, :3]
        self._pose = self._pose.plus(offset)
        self._state = self._models.recentred(correction.state, offset)
        self._restart_moved(correction.rejected, measured, R, dt)
        self._low_pass_shape(result, dt)
        self._stamp = stamp
        output = self._output(self._state, self._pose, stamp, bool(correction.rejected.any()))
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
        state = self._models.advance(self._state, dt)
        mean, _ = self._models.combined(state)
        pose = self._pose.plus(mean[:, :3])
        return self._output(self._models.recentred(state, mean[:, :3]), pose, stamp, False)

    def _start(self, result: FitResult, measured: HandPose, R: Array, stamp: float) -> FilterState:
        self._state = self._models.start(R)
        self._pose = self._rejected_pose = measured
        self._rejections = np.zeros(max(GROUPS) + 1, dtype=int)
        self._parameters = result.parameters
        self._wrist_offset = result.joints_m[0] - result.parameters.transl
        self._stamp = stamp
        self._orient = log_so3(measured.rotations[0])
        return self._output(self._state, self._pose, stamp, False)

    def _restart_moved(self, rejected: Array, measured: HandPose, R: Array, dt: float) -> None:
        """Believe rejected groups again that stay where they were rejected before."""
        assert self._state is not None
        self._rejections = np.where(rejected, self._rejections + 1, 0)
        if rejected.any():
            step = measured.minus(self._rejected_pose)
            reach = (_VELOCITY_SIGMA * dt) ** 2
            S = 2.0 * R + reach[:, None, None] * np.eye(3)
            distance = np.einsum("bi,bij,bj->b", step, np.linalg.inv(S), step)
            agrees = self._models.members @ distance < self._models.gate
            again = (self._rejections > _MOST_REJECTED) | ((self._rejections > 1) & agrees)
            fresh = self._models.start(R)
            for group in np.flatnonzero(again & rejected):
                self._state = self._models.restart(self._state, group, fresh)
                self._rejections[group] = 0
            moved = (again & rejected)[self._models.groups]
            self._pose = HandPose(
                measured.position if moved[_POSITION] else self._pose.position,
                np.where(moved[1:, None, None], measured.rotations, self._pose.rotations),
            )
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
        mean, P = self._models.combined(state)
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = P[_POSITION, :3, :3]
        covariance[3:, 3:] = P[_ORIENTATION, :3, :3]
        angles = log_so3(pose.rotations)
        parameters = self._parameters.replace(
            global_orient=nearest_axis_angle(angles[0], self._orient),
            hand_pose=angles[1:].reshape(-1),
            transl=pose.position - self._wrist_offset,
        )
        velocity = mean[:, 3:]
        return FilterState(
            stamp,
            parameters,
            pose.position,
            pose.rotations[0],
            velocity[:2].reshape(6),
            velocity[2:],
            covariance,
            outlier,
        )

    def _measurement_noise(self, result: FitResult) -> Array:
        blocks = np.arange(BLOCKS)
        full = result.covariance.reshape(BLOCKS, 3, BLOCKS, 3)
        R = self._scale * full[blocks, :, blocks, :]
        return 0.5 * (R + np.swapaxes(R, -1, -2)) + (_FLOOR**2)[:, None, None] * np.eye(3)

    def _elapsed(self, stamp: float) -> float:
        check_stamp(stamp)
        return stamp - self._stamp
