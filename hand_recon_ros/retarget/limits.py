"""Motion of robot joints that keeps every limit at every sample.

Positions are published every ``dt`` seconds. Velocity here is the difference of two neighbouring
positions over ``dt``, acceleration that of two such velocities: what a controller sees. The next
velocity is always chosen from those after which the joint can still brake to a standstill, sample
by sample, before it meets a position limit. Braking on is one of them, so there always is one; this
holds for any target whatsoever. Ruckig 0.19 was weighed and left out: it kept limits for goals to
rest at, but its open version knows no position limits, passed them by 1 mrad with goals that move,
and refuses a goal too fast; the tracker and these checks would have been needed around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.types import Array


@dataclass(frozen=True)
class JointLimits:
    """What J joints may do; rad and seconds, metres for sliding joints.

    Attributes:
        low: (J,) least position.
        high: (J,) largest position.
        velocity: (J,) largest speed.
        acceleration: (J,) largest acceleration, also of braking.
    """

    low: Array
    high: Array
    velocity: Array
    acceleration: Array

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: shapes differ, a number is not finite or a range is empty.
        """
        arrays = (self.low, self.high, self.velocity, self.acceleration)
        if any(np.shape(a) != np.shape(self.low) or np.ndim(a) != 1 for a in arrays):
            raise ValueError("joint limits: give one number of each kind for every joint")
        if not all(np.isfinite(a).all() for a in arrays):
            raise ValueError("joint limits: all must be finite; give a continuous joint a range")
        if (self.low > self.high).any():
            raise ValueError("joint limits: a lowest position lies above the highest")
        if not ((self.velocity > 0).all() and (self.acceleration > 0).all()):
            raise ValueError("joint limits: velocity and acceleration must be more than 0")

    def outside(self, positions: ArrayLike) -> Array:
        """(J,) how far positions are out of range, 0 for those within."""
        p = np.asarray(positions, dtype=np.float64)
        return np.asarray(np.maximum(np.maximum(self.low - p, p - self.high), 0.0))

    def describe(self, joint_names: Sequence[str], positions: ArrayLike) -> str:
        """Name the joint that is farthest out of range, for messages."""
        p = np.asarray(positions, dtype=np.float64)
        j = int(np.argmax(self.outside(p)))
        return f"'{joint_names[j]}' at {p[j]:.3f}, allowed {self.low[j]:.3f} to {self.high[j]:.3f}"


class MotionLimiter:
    """Follows a moving reference as closely as the limits allow.

    Within the limits it is a critically damped second-order tracker with the reference's velocity
    fed forward: no lag behind steady motion, no overshoot at rest.

    Attributes:
        position: (J,) last sample.
        velocity: (J,) of the last sample.
        acceleration: (J,) of the last sample.
    """

    def __init__(self, limits: JointLimits, dt: float, time_constant_s: float) -> None:
        """Stand still in the middle of the range; see ``reset``.

        Args:
            limits: of the joints.
            dt: seconds between samples.
            time_constant_s: of the tracker; larger is smoother, but slower.
        """
        self._limits, self._dt = limits, dt
        self._rate = 1.0 / time_constant_s
        self._step = limits.acceleration * dt  # largest change of velocity from sample to sample
        self.reset((limits.low + limits.high) / 2.0)

    def reset(self, position: ArrayLike) -> None:
        """Stand still at (J,) ``position``, taken into the range where it is a little outside."""
        p = np.asarray(position, dtype=np.float64)
        self.position = np.clip(p, self._limits.low, self._limits.high)
        self.velocity = np.zeros_like(self.position)
        self.acceleration = np.zeros_like(self.position)

    @property
    def at_rest(self) -> bool:
        """Whether the joints stand still."""
        return not self.velocity.any()

    def follow(self, goal: Array, goal_velocity: Array) -> None:
        """Make the next sample towards a reference.

        Args:
            goal: (J,) where the reference will be at this sample; anything, also not finite:
                such joints brake.
            goal_velocity: (J,) of the reference; what is not finite counts as 0.
        """
        limits, dt, p, v = self._limits, self._dt, self.position, self.velocity
        known = np.isfinite(goal)
        r = np.clip(np.where(known, goal, p), limits.low, limits.high)
        w = np.where(known & np.isfinite(goal_velocity), goal_velocity, 0.0)
        w = np.clip(w, -limits.velocity, limits.velocity)
        # Exact solution over dt of a critically damped spring to a reference of steady velocity.
        error = p - (r - w * dt)
        slope = (v - w) + self._rate * error
        wanted = (r + (error + slope * dt) * np.exp(-self._rate * dt) - p) / dt
        # Come no faster, measured against the reference, than one can brake to its velocity:
        # otherwise a saturated acceleration would carry the joint past it and back.
        gap = r - w * dt - p
        wanted = np.minimum(wanted, w + self._brakeable(gap))
        wanted = np.maximum(wanted, w - self._brakeable(-gap))
        self._advance(np.where(known, wanted, 0.0))

    def brake(self) -> None:
        """Make the next sample on the shortest way to a standstill."""
        self._advance(np.zeros_like(self.velocity))

    def standstill(self, share: float) -> Array:
        """(J,) where braking with this share of the acceleration would end."""
        v = self.velocity
        stop = self.position + v * np.abs(v) / (2.0 * share * self._limits.acceleration)
        return np.asarray(np.clip(stop, self._limits.low, self._limits.high))

    def _advance(self, wanted: Array) -> None:
        limits, dt, p, v = self._limits, self._dt, self.position, self.velocity
        v_next = np.clip(wanted, -limits.velocity, limits.velocity)
        v_next = np.clip(v_next, v - self._step, v + self._step)
        v_next = np.minimum(v_next, self._brakeable(limits.high - p))
        v_next = np.maximum(v_next, -self._brakeable(p - limits.low))
        position = np.clip(p + v_next * dt, limits.low, limits.high)
        self.acceleration = (v_next - v) / dt
        self.velocity, self.position = v_next, position

    def _brakeable(self, room: Array) -> Array:
        """Largest (J,) next velocity after which braking ends within ``room``.

        From velocity u the way is the sum of (u - i A dt) dt over i = 0 .. n, with n braking steps:
        (n + 1) u dt - A dt^2 n (n + 1) / 2. It grows with u, in straight pieces; n is the piece
        in which ``room`` lies.
        """
        unit = self._step * self._dt
        room = np.maximum(room, 0.0)
        n = np.floor((np.sqrt(1.0 + 8.0 * room / unit) - 1.0) / 2.0)
        return np.asarray((room + unit * n * (n + 1.0) / 2.0) / ((n + 1.0) * self._dt))
