"""Smoothing of joint trajectories: Savitzky-Golay, and what it shares with its alternatives."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import lapack

from hand_recon_ros.types import Array

MAX_GAP_S = 0.25
"""A longer pause ends a trajectory: what comes after it is not smoothed together with it."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Joints (..., 3) in metres and their velocities (..., 3) in m/s, from the same curve."""

    joints_m: Array
    velocities: Array


class Smoother(Protocol):
    """Smooths joints frame by frame, with no look ahead."""

    def update(self, joints: Array, stamp: float) -> Smoothed:
        """Take in (21, 3) joints; stamps must increase, else the trajectory starts anew."""

    def reset(self) -> None:
        """Forget the trajectory."""


class SavitzkyGolay:
    """Least-squares polynomials over a sliding window (Savitzky and Golay 1964), on real stamps.

    A joint that is NaN stays NaN and spoils only itself. While the window is shorter than the
    order asks for, the order is lowered.

    Args:
        window: samples, odd.
        order: degree of the polynomial, below ``window``.
        max_gap_s: a longer pause empties the window.

    Raises:
        ValueError: the window is even, or the order does not fit it.
    """

    def __init__(self, window: int = 5, order: int = 2, max_gap_s: float = MAX_GAP_S) -> None:
        """Check the parameters."""
        if window < 1 or window % 2 == 0:
            raise ValueError(f"the Savitzky-Golay window must be odd, got {window}")
        if not 0 <= order < window:
            raise ValueError(
                f"the Savitzky-Golay order {order} must be at least 0 and below the window {window}"
            )
        self.window, self.order, self.max_gap_s = window, order, max_gap_s
        self._history: deque[tuple[float, Array]] = deque(maxlen=window)

    def reset(self) -> None:
        """Empty the window."""
        self._history.clear()

    def update(self, joints: Array, stamp: float) -> Smoothed:
        """Return the end point of the polynomial through the last ``window`` samples.

        For even spacing it equals the last point of ``scipy.signal.savgol_filter(mode="interp")``.
        A stamp that does not come after the last one, or only after ``max_gap_s``, empties the
        window first. With a single sample the velocity is zero.

        Args:
            joints: (..., 3) m.
            stamp: seconds.

        Raises:
            ValueError: stamp is not finite.
        """
        _check_stamps(stamp)
        if self._history and not 0 < stamp - self._history[-1][0] <= self.max_gap_s:
            self.reset()
        self._history.append((stamp, np.array(joints, dtype=np.float64)))
        stamps = np.array([sample[0] for sample in self._history])
        value, slope = _weights(stamps - stamp, self.order)
        flat = np.stack([sample[1] for sample in self._history]).reshape(len(stamps), -1)
        ends = np.stack((value, slope)) @ flat
        ends = ends.reshape(2, *self._history[-1][1].shape)
        return Smoothed(ends[0], ends[1])

    def smooth(self, joints: Array, stamps: Array) -> Smoothed:
        """Smooth a recorded trajectory with centred windows, so without lag.

        For even spacing it equals ``scipy.signal.savgol_filter(mode="interp")``: the first and
        last half window come from the first and last polynomial. Pauses longer than ``max_gap_s``
        split the trajectory.

        Args:
            joints: (T, ..., 3) m.
            stamps: (T,) seconds.

        Raises:
            ValueError: the stamps are not finite and increasing, or their number differs.
        """
        joints, stamps = np.asarray(joints, dtype=np.float64), np.asarray(stamps, dtype=np.float64)
        _check_stamps(stamps)
        if stamps.shape != joints.shape[:1]:
            raise ValueError(f"{len(joints)} frames of joints, but stamps of shape {stamps.shape}")
        gaps = np.diff(stamps)
        if (gaps <= 0).any():
            frame = int(np.argmax(gaps <= 0)) + 1
            raise ValueError(f"stamps must increase, but that of frame {frame} does not")
        smooth, velocities = np.empty_like(joints), np.empty_like(joints)
        cuts = np.flatnonzero(gaps > self.max_gap_s) + 1
        for part in np.split(np.arange(len(stamps)), cuts):
            for i, frame in enumerate(part):
                first = min(max(i - self.window // 2, 0), max(len(part) - self.window, 0))
                frames = part[first : first + self.window]
                value, slope = _weights(stamps[frames] - stamps[frame], self.order)
                smooth[frame] = np.tensordot(value, joints[frames], 1)
                velocities[frame] = np.tensordot(slope, joints[frames], 1)
        return Smoothed(smooth, velocities)


class Unsmoothed:
    """Leaves the joints as they are; velocities are differences to the frame before."""

    def __init__(self, max_gap_s: float = MAX_GAP_S) -> None:
        """Start without a trajectory."""
        self._differences = SavitzkyGolay(3, 1, max_gap_s)

    def reset(self) -> None:
        """Forget the trajectory."""
        self._differences.reset()

    def update(self, joints: Array, stamp: float) -> Smoothed:
        """Return the joints themselves and the slope over the last three frames."""
        return Smoothed(joints, self._differences.update(joints, stamp).velocities)


def _weights(times: Array, order: int) -> tuple[Array, Array]:
    """Weights (n,) that give value and slope at time 0 of the polynomial through n samples."""
    scale = float(np.abs(times).max())
    if scale == 0:
        return np.ones(1), np.zeros(1)
    degree = min(order, len(times) - 1)
    powers = (times / scale)[:, None] ** np.arange(degree + 1)
    solution = lapack.dgels(powers, np.eye(len(times)))[1]
    slope = solution[1] / scale if degree else np.zeros(len(times))
    return solution[0], slope


def _check_stamps(stamps: Array | float) -> None:
    if not np.all(np.isfinite(stamps)):
        raise ValueError("a stamp is not a finite number of seconds")
