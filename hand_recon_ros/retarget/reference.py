"""A smooth path to goals that come now and then."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.types import Array


class Reference:
    """Moves J joints from goal to goal on cubics, without a step in position or velocity.

    Where no new goal comes in time it stops at the last one. Between hands at 30 Hz it interpolates
    and never runs ahead: a goal is reached a little after the next one is due, and nothing is
    extrapolated that the person has not done.

    Attributes:
        position: (J,) now.
        velocity: (J,) now.
    """

    def __init__(self, position: ArrayLike) -> None:
        """Rest at ``position``."""
        self.reset(position, np.zeros(np.shape(position)))

    def reset(self, position: ArrayLike, velocity: ArrayLike) -> None:
        """Be at (J,) ``position`` with ``velocity``, and stop there; ``aim`` comes next."""
        self.position = np.array(position, dtype=np.float64)
        self.velocity = np.array(velocity, dtype=np.float64)
        self.aim(self.position, np.zeros_like(self.position), 1e-6)

    def aim(self, goal: Array, velocity: Array, duration_s: ArrayLike) -> None:
        """Go to a goal.

        Args:
            goal: (J,).
            velocity: (J,) there; taken back where the path would run beyond the goal.
            duration_s: of the way; one number or (J,), more than 0.
        """
        self._start, self._start_velocity = self.position, self.velocity
        self._goal, self._duration = np.array(goal, dtype=np.float64), np.asarray(duration_s)
        # Fritsch and Carlson 1980: at most three times the mean slope, and none against it.
        slope = 3.0 * (self._goal - self._start) / self._duration
        self._goal_velocity = np.clip(velocity, np.minimum(slope, 0), np.maximum(slope, 0))
        self._elapsed = 0.0

    def advance(self, dt: float) -> None:
        """Let ``dt`` seconds pass."""
        self._elapsed += dt
        T = self._duration
        u = np.minimum(self._elapsed / T, 1.0)
        way = self._goal - self._start
        begin, end = T * self._start_velocity, T * self._goal_velocity
        bend = begin + end - 2.0 * way
        lift = 3.0 * way - 2.0 * begin - end
        self.position = self._start + u * (begin + u * (lift + u * bend))
        self.velocity = np.where(u < 1.0, (begin + u * (2.0 * lift + u * 3.0 * bend)) / T, 0.0)
