"""Judges commands by what was fed in: the invariants of teleoperation."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.retarget.command import Command, TeleopState
from hand_recon_ros.retarget.config import SafetyConfig
from hand_recon_ros.retarget.limits import JointLimits
from hand_recon_ros.types import Array

_ROUNDING = 1e-6
"""Relative: differences of positions over the square of dt lose so many digits."""


@dataclass(frozen=True, slots=True)
class Fed:
    """A message of hands: its stamp, when it came by undisturbed time, whether it may lead."""

    stamp: float
    true: float
    good: bool


class Judge:
    """Collects violations; see the methods for what must be true.

    Attributes:
        violations: in words, each with its time.
        states: commands in each state.
        sent: commands that went to the robot.
    """

    def __init__(self, limits: JointLimits, dt: float, config: SafetyConfig) -> None:
        """Judge commands that come every ``dt`` seconds."""
        self.violations: list[str] = []
        self.states: Counter[TeleopState] = Counter()
        self.sent = 0
        self._limits, self._dt, self._config = limits, dt, config
        self._good: list[Fed] = []
        self.restarted()

    def restarted(self) -> None:
        """A new core: it must start disengaged, and silent until it knows the robot."""
        self._position: Array | None = None
        self._velocity = np.zeros_like(self._limits.low)
        self._engaged = self._stopping = False
        self._pressed_at = -math.inf
        self._told: tuple[Array, float] | None = None

    # What is fed

    def fed(self, message: Fed) -> None:
        """A message of hands was sent."""
        if message.good:
            self._good = [*self._good[-20:], message]

    def robot_told(self, positions: Array, true: float) -> None:
        """A usable joint state was sent."""
        self._told = positions, true

    def asked_to_engage(self, refusal: str) -> None:
        """~/engage was called; between stop and the next command it must be refused."""
        if refusal:
            return
        if self._stopping:
            self._wrong("engaged between a stop and its command")
        self._engaged = True

    def stopped(self) -> None:
        """~/stop, or disengaging: it must show in the very next command."""
        self._engaged, self._stopping = False, True

    def deadman(self, pressed: bool, true: float) -> None:
        """A message of the dead-man switch."""
        self._pressed_at = true if pressed else -math.inf

    # What comes out

    def commanded(self, command: Command, now: float, true: float) -> None:
        """Judge the next command, made at ``now`` by the disturbed clock."""
        self._time = true
        self.states[command.state] += 1
        self._judge_state(command, now, true)
        self._judge_motion(command)
        self._stopping = False

    def _judge_state(self, command: Command, now: float, true: float) -> None:
        state = command.state
        active = state not in (TeleopState.STOPPED, TeleopState.FAULT)
        if self._config.engage_by == "deadman":
            let_go = true - self._pressed_at > self._config.deadman_timeout_s + 1e-9
            if active and (let_go or self._stopping):
                self._wrong(f"{state.value} without the dead-man switch")
        elif active and not self._engaged:
            self._wrong(f"{state.value} without having been engaged")
        if self._stopping and state is not TeleopState.STOPPED:
            self._wrong(f"{state.value} right after a stop")
        if state is TeleopState.FAULT:
            self._engaged = False
        if state is TeleopState.ENGAGED and not any(
            now - fed.stamp <= self._config.max_age_s + 1e-9
            and true - fed.true <= self._config.max_age_s + 1e-9
            for fed in self._good
        ):
            self._wrong("ENGAGED on stale or bad input")

    def _judge_motion(self, command: Command) -> None:
        limits, dt = self._limits, self._dt
        silent_state = command.state in (TeleopState.STOPPED, TeleopState.FAULT)
        before, velocity = self._position, self._velocity
        if command.positions is None:
            if not silent_state:
                self._wrong(f"no command while {command.state.value}")
            if (np.abs(velocity) > limits.acceleration * dt * (1.0 + _ROUNDING)).any():
                self._wrong("commands ended before the robot stood")
            self._position, self._velocity = None, np.zeros_like(velocity)
            return
        self.sent += 1
        p = command.positions
        told = (p, command.velocities, command.accelerations)
        if not all(np.isfinite(a).all() for a in told):
            self._wrong("not finite")
        if (p < limits.low).any() or (p > limits.high).any():
            self._wrong("outside the position limits")
        if before is None:
            self._judge_start(p, silent_state)
            before = p
        v = (p - before) / dt
        a = (v - velocity) / dt
        # rounding of positions counts twice over dt
        noise = 1e-15 * np.maximum(np.abs(p), 1.0)
        if (np.abs(v) > limits.velocity * (1.0 + _ROUNDING) + noise / dt).any():
            self._wrong("too fast")
        if (np.abs(a) > limits.acceleration * (1.0 + _ROUNDING) + 4.0 * noise / dt**2).any():
            self._wrong("too much acceleration")
        if np.abs(v - command.velocities).max() > 1e-6 or np.abs(
            a - command.accelerations
        ).max() > (1e-6 + 4e-15 / dt**2):
            self._wrong("told velocities are not those of the positions")
        if silent_state:
            left = np.maximum(np.abs(velocity) - limits.acceleration * dt, 0.0)
            if (np.abs(v) > left + noise / dt + 1e-9).any():
                self._wrong(f"{command.state.value} without full braking")
        self._position, self._velocity = p, v

    def _judge_start(self, position: Array, silent_state: bool) -> None:
        if silent_state:
            self._wrong("commands begin without being engaged")
        if self._told is None:
            self._wrong("commands begin without knowing the robot")
            return
        told, when = self._told
        if self._time - when > self._config.robot_state_timeout_s + 1e-9:
            self._wrong("commands begin at an old state of the robot")
        if np.abs(position - told).max() > self._config.start_tolerance + 1e-9:
            self._wrong("commands do not begin where the robot is")

    def _wrong(self, what: str) -> None:
        self.violations.append(f"{what} at {self._time - 1000.0:.3f} s")
