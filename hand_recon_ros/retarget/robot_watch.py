"""Whether the robot tells where it is, and goes where it is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.retarget.config import SafetyConfig
from hand_recon_ros.retarget.limits import JointLimits
from hand_recon_ros.types import Array

_ASTRAY_S: Final = 0.5
"""So long a joint may be far from its command: it may lag, and its state comes late."""


class RobotWatch:
    """Keeps the robot's newest joint state and judges it."""

    def __init__(
        self, joint_names: Sequence[str], limits: JointLimits, config: SafetyConfig
    ) -> None:
        """Know nothing yet."""
        self._positions: Array | None = None
        self._names, self._limits, self._config = joint_names, limits, config
        self._age_s = math.inf
        self._astray_s = 0.0
        self._astray = ""

    def take(self, stamp: float, received: float, positions: ArrayLike) -> None:
        """Take (J,) positions; those with a number that is none, or no time, are left out."""
        p = np.array(positions, dtype=np.float64)
        if p.shape != self._limits.low.shape or not np.isfinite(p).all():
            return
        late = received - stamp
        if not math.isfinite(late):
            return
        self._positions, self._age_s = p, max(late, 0.0)

    def tick(self, command: Array | None, elapsed_s: float) -> None:
        """Let time pass; (J,) ``command`` is the last one, None while silent."""
        self._age_s += elapsed_s
        limit = self._config.max_follow_error
        positions = self.positions
        if command is None or positions is None or limit <= 0.0:
            self._astray_s = 0.0
            return
        error = np.abs(positions - command)
        if error.max(initial=0.0) <= limit:
            self._astray_s = 0.0
            return
        self._astray_s += elapsed_s
        joint = self._names[int(error.argmax())]
        self._astray = (
            f"joint '{joint}' does not follow its commands: is it blocked or switched off?"
        )

    def forgive(self) -> None:
        """Judge anew whether the robot follows."""
        self._astray_s = 0.0

    @property
    def positions(self) -> Array | None:
        """(J,) where the robot is; None where that is not known, or no longer."""
        return self._positions if self._age_s <= self._config.robot_state_timeout_s else None

    @property
    def fault(self) -> str:
        """What is wrong with a robot in use; "" = nothing."""
        if self._config.require_robot_state and self.positions is None:
            return "the robot's joint state is lost: check joint_states"
        if self._astray_s > _ASTRAY_S:
            return self._astray
        return ""

    @property
    def refusal(self) -> str:
        """Why the robot cannot be taken over from where it is; "" = it can."""
        positions = self.positions
        if positions is None:
            if not self._config.require_robot_state:
                return ""
            return (
                "the robot's joint state is not known: check that joint_states has all its joints"
            )
        if self._limits.outside(positions).max(initial=0.0) > self._config.start_tolerance:
            place = self._limits.describe(self._names, positions)
            return f"the robot is outside its limits: {place}; bring it inside first"
        return ""
