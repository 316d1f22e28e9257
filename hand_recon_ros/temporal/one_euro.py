"""The One-Euro filter."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.temporal.smoothing import MAX_GAP_S, Smoothed
from hand_recon_ros.types import Array


class OneEuro:
    """Low-pass whose cut-off frequency rises with speed (Casiez, Roussel and Vogel, CHI 2012).

    As the official ACR uses it, but with the real time between stamps. In the default units the
    joints are metres, so ``beta`` counts Hz per m/s.

    Args:
        min_cutoff: cut-off frequency at rest, Hz.
        beta: rise of the cut-off frequency with speed.
        derivative_cutoff: cut-off frequency of the speed estimate, Hz.
        max_gap_s: after a longer pause the filter starts anew.
    """

    def __init__(
        self,
        min_cutoff: float = 4.0,
        beta: float = 0.7,
        derivative_cutoff: float = 1.0,
        max_gap_s: float = MAX_GAP_S,
    ) -> None:
        """Keep the parameters."""
        self.min_cutoff, self.beta, self.derivative_cutoff = min_cutoff, beta, derivative_cutoff
        self.max_gap_s = max_gap_s
        self._last: tuple[float, Array, Array, Array] | None = None

    def reset(self) -> None:
        """Forget the trajectory."""
        self._last = None

    def update(self, joints: Array, stamp: float, *, measured: bool = True) -> Smoothed:
        """Filter (..., 3) joints of the frame at ``stamp`` seconds.

        A joint that is NaN stays NaN and spoils only itself.
        The velocity is the difference of the filtered joints. A stamp that does not come after
        the last one, or only after ``max_gap_s``, starts the filter anew. What was not ``measured``
        is forgotten at once.

        Raises:
            ValueError: stamp is not finite.
        """
        if not np.isfinite(stamp):
            raise ValueError("the stamp is not a finite number of seconds")
        raw = np.array(joints, dtype=np.float64)
        if self._last is None or not 0 < stamp - self._last[0] <= self.max_gap_s:
            if measured:
                self._last = (stamp, raw, raw, np.zeros_like(raw))
            return Smoothed(raw, np.zeros_like(raw))
        last_stamp, last_raw, last_filtered, derivative = self._last
        dt = stamp - last_stamp
        absent = np.isnan(last_filtered)  # a joint that was missing starts anew
        last_raw, last_filtered = np.where(absent, raw, (last_raw, last_filtered))
        derivative = np.where(absent, 0.0, derivative)
        derivative = derivative + _blend(self.derivative_cutoff, dt) * (
            (raw - last_raw) / dt - derivative
        )
        blend = _blend(self.min_cutoff + self.beta * np.abs(derivative), dt)
        filtered = last_filtered + blend * (raw - last_filtered)
        if measured:
            self._last = (stamp, raw, filtered, derivative)
        return Smoothed(filtered, (filtered - last_filtered) / dt)


def _blend(cutoff: Array | float, dt: float) -> Array | float:
    """Share of the new sample in a first-order low-pass with this cut-off frequency, Hz."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff * dt))
