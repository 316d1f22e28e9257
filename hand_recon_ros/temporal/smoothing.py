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

_SPIKE_M = 0.007
"""RMS distance of a joint's samples to their polynomial beyond which one of them may be wrong."""
_EXPLAINED = 0.05
"""It is, if without it so little of the squared distance is left."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """Joints (..., 3) in metres and their velocities (..., 3) in m/s, from the same curve."""

    joints_m: Array
    velocities: Array


class Smoother(Protocol):
    """Smooths joints frame by frame, with no look ahead."""

    def update(self, joints: Array, stamp: float, *, measured: bool = True) -> Smoothed:
        """Take in (21, 3) joints; stamps must increase, else the trajectory starts anew.

        Joints that were only predicted (``measured`` is False) are smoothed too, but forgotten at
        once: they say nothing of where the hand is once it is seen again.
        """

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

    def update(self, joints: Array, stamp: float, *, measured: bool = True) -> Smoothed:
        """Return the end point of the polynomial through the last ``window`` samples.

        For even spacing it equals the last point of ``scipy.signal.savgol_filter(mode="interp")``,
        but for joints of which an earlier sample was clearly wrong: that one is left out.
        A stamp that does not come after the last one, or only after ``max_gap_s``, empties the
        window first. With a single sample the velocity is zero.

        Args:
            joints: (..., 3) m.
            stamp: seconds.
            measured: False: a prediction, not kept for later frames.

        Raises:
            ValueError: stamp is not finite.
        """
        _check_stamps(stamp)
        if self._history and not 0 < stamp - self._history[-1][0] <= self.max_gap_s:
            self.reset()
        sample = (stamp, np.array(joints, dtype=np.float64))
        samples = [*self._history, sample][-self.window :]
        if measured:
            self._history.append(sample)
        stamps = np.array([t for t, _ in samples])
        return _at_time_zero(stamps - stamp, np.stack([x for _, x in samples]), self.order)

    def smooth(self, joints: Array, stamps: Array) -> Smoothed:
        """Smooth a recorded trajectory with centred windows, so without lag.

        For even spacing it equals ``scipy.signal.savgol_filter(mode="interp")``: the first and
        last half window come from the first and last polynomial. Of a joint of which one sample in
        a window is clearly wrong, that one is left out. Pauses longer than ``max_gap_s`` split the
        trajectory.

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
                found = _at_time_zero(stamps[frames] - stamps[frame], joints[frames], self.order)
                smooth[frame], velocities[frame] = found.joints_m, found.velocities
        return Smoothed(smooth, velocities)


class Unsmoothed:
    """Leaves the joints as they are; velocities are differences to the frame before."""

    def __init__(self, max_gap_s: float = MAX_GAP_S) -> None:
        """Start without a trajectory."""
        self._differences = SavitzkyGolay(3, 1, max_gap_s)

    def reset(self) -> None:
        """Forget the trajectory."""
        self._differences.reset()

    def update(self, joints: Array, stamp: float, *, measured: bool = True) -> Smoothed:
        """Return the joints themselves and the slope over the last three frames."""
        slopes = self._differences.update(joints, stamp, measured=measured)
        return Smoothed(joints, slopes.velocities)


def _at_time_zero(times: Array, samples: Array, order: int) -> Smoothed:
    """Value and slope at time 0 of polynomials through samples (n, ..., 3) at times (n,).

    A joint whose samples lie far off their polynomial, but for one within the window that lies off
    that of the others, loses this one. Of the first and last sample nothing tells whether it is
    wrong or the motion changed.
    """
    powers, solution = _polynomial(times, order)
    flat = samples.reshape(len(times), -1)
    ends = solution[:2] @ flat
    if len(times) >= powers.shape[1] + 2:
        off = _squares(flat - powers @ (solution @ flat))
        doubtful = np.flatnonzero(off > _SPIKE_M**2 * len(times))
        if len(doubtful):
            axes = (3 * doubtful[:, None] + np.arange(3)).ravel()
            agreed = _EXPLAINED * off[doubtful]
            ends[:, axes] = _without_spikes(times, flat[:, axes], order, agreed, ends[:, axes])
    ends = ends.reshape(len(ends), *samples.shape[1:])
    return Smoothed(ends[0], ends[1] if len(ends) > 1 else np.zeros_like(ends[0]))


def _without_spikes(times: Array, flat: Array, order: int, agreed: Array, ends: Array) -> Array:
    """``ends`` (2, 3 J) of ``flat`` (n, 3 J), found anew where one sample is clearly wrong.

    Args:
        times: (n,) s.
        flat: samples of J joints.
        order: of the polynomial.
        agreed: (J,) squared distance, m^2, below which the other samples agree.
        ends: value and slope with all samples.
    """
    for suspect in range(1, len(times) - 1):
        others = np.arange(len(times)) != suspect
        powers, solution = _polynomial(times[others], order)
        rest = flat[others]
        off = _squares(rest - powers @ (solution @ rest))
        better = off < agreed
        agreed = np.where(better, off, agreed)
        ends = np.where(np.repeat(better, 3), solution[: len(ends)] @ rest, ends)
    return ends


def _squares(off: Array) -> Array:
    """(J,) squared distances of (n, 3 J), all samples together."""
    return np.asarray(np.square(off).reshape(len(off), -1, 3).sum(axis=(0, 2)))


def _polynomial(times: Array, order: int) -> tuple[Array, Array]:
    """Powers (n, p) of the times, and what makes coefficients (p, n) of samples.

    The first two coefficients are value and slope at time 0.
    """
    scale = float(np.abs(times).max()) or 1.0
    degree = min(order, len(times) - 1)
    exponents = np.arange(degree + 1)
    powers = (times / scale)[:, None] ** exponents
    solution = lapack.dgels(powers, np.eye(len(times)))[1][: degree + 1]
    units = scale ** exponents[:, None]
    return powers * units.T, solution / units


def _check_stamps(stamps: Array | float) -> None:
    if not np.all(np.isfinite(stamps)):
        raise ValueError("a stamp is not a finite number of seconds")
