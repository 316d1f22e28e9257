"""A small robot and hands for tests of the safety core and of the teleoperation node."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.retarget.command import Command
from hand_recon_ros.retarget.config import SafetyConfig
from hand_recon_ros.retarget.input_watch import HandObservation
from hand_recon_ros.retarget.limits import JointLimits
from hand_recon_ros.retarget.safety import TeleopCore

DT = 0.01
FRAME_S = 1 / 30
LIMITS = JointLimits(
    np.array([-0.5, -1.0]), np.array([1.5, 2.0]), np.array([6.0, 4.0]), np.array([60.0, 40.0])
)
REST = np.array([0.2, -0.3])


@dataclass
class SeenHand:
    joints_m: np.ndarray
    side: str = "right"
    track_id: int = 3
    state: str = "tracked"
    score: float = 0.9


def hand_at(bend: float, **changes: object) -> SeenHand:
    """A hand that ``TwoJoints`` maps to (bend, -bend)."""
    joints = np.zeros((21, 3))
    joints[:, 2] = 0.5
    joints[8, 1] = bend / 20.0
    return replace(SeenHand(joints), **changes)


class TwoJoints:
    """A retargeter that reads one number off the index finger's tip."""

    joint_names = ("first", "second")

    def __init__(self) -> None:
        self.resets = 0
        self.error: Exception | None = None

    def retarget(self, joints_m: np.ndarray, side: str) -> np.ndarray:
        if self.error is not None:
            raise self.error
        bend = 20.0 * joints_m[8, 1]
        return np.array([bend, -bend])

    def reset(self) -> None:
        self.resets += 1


class Bench:
    """A core, a camera of 30 frames a second and a robot that does what it is told.

    ``hand`` is what the camera sees; None = no hand in view. ``camera`` and ``tells`` switch the
    messages of hands and of the robot off.
    """

    def __init__(self, start: tuple[float, float] = (0.0, 0.5), **options: object) -> None:
        self.mapping = TwoJoints()
        self.config = replace(SafetyConfig(), **options)
        self.core = TeleopCore(self.mapping, LIMITS, REST, "right", self.config, DT)
        self.now = 100.0
        self.robot = np.array(start)
        self.hand: SeenHand | None = hand_at(0.8)
        self.camera = self.tells = self.obeys = True
        self.commands: list[Command] = []
        self._next_frame = self.now

    def frame(self, latency_s: float = 0.03, publishers: int = 1) -> HandObservation:
        hands = [] if self.hand is None else [self.hand]
        return HandObservation(self.now - latency_s, self.now, hands, publishers)

    def step(self) -> Command:
        self.now += DT
        if self.tells:
            self.core.robot_state(self.now, self.now, self.robot)
        if self.camera and self.now >= self._next_frame:
            self._next_frame += FRAME_S
            self.core.observe(self.frame())
        command = self.core.step(self.now)
        if command.positions is not None and self.obeys:
            self.robot = command.positions
        self.commands.append(command)
        return command

    def run(self, seconds: float) -> Command:
        for _ in range(round(seconds / DT)):
            self.step()
        return self.commands[-1]

    def engaged(self) -> Bench:
        """Engage with the hand in view, and let the ramp end."""
        self.run(0.5)
        assert self.core.engage() == ""
        assert self.run(2.0).state.value == "ENGAGED"
        return self
