"""No filter: for comparison, and for fits that were filtered elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand_recon_ros.mano.results import FitResult
from hand_recon_ros.temporal.hand_state import (
    FilterState,
    HandPose,
    StampError,
    check_finite,
    check_stamp,
)


class Unfiltered:
    """Passes every fit on; velocities are differences, a lost hand stays where it was."""

    def __init__(self) -> None:
        """Start without a hand."""
        self._last: FilterState | None = None
        self._pose: HandPose

    def reset(self) -> None:
        """Forget the hand."""
        self._last = None

    def update(self, result: FitResult, stamp: float) -> FilterState:
        """Return the fit of the frame at ``stamp``; errors as of ``HandKalman.update``."""
        check_finite(result)
        check_stamp(stamp)
        pose = HandPose.of(result)
        velocity = np.zeros(51)
        if self._last is not None:
            dt = stamp - self._last.stamp
            if dt <= 0:
                raise StampError(f"stamp {stamp!r} is not after the last one, {self._last.stamp!r}")
            velocity = pose.minus(self._pose) / dt
        self._pose = pose
        self._last = FilterState(
            stamp,
            result.parameters,
            pose.position,
            pose.rotations[0],
            velocity[:6],
            velocity[6:].reshape(-1, 3),
            result.covariance[:6, :6],
        )
        return self._last

    def predict(self, stamp: float) -> FilterState:
        """Return the last fit, at rest; errors as of ``HandKalman.predict``."""
        if self._last is None:
            raise RuntimeError("the hand has not been seen yet: call update first")
        check_stamp(stamp)
        return replace(
            self._last, stamp=stamp, wrist_velocity=np.zeros(6), joint_velocities=np.zeros((15, 3))
        )
