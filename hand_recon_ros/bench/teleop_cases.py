"""Cases for the safety core of teleoperation: which faults come when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from hand_recon_ros.retarget.config import SafetyConfig

HAND_FAULTS: Final = (
    "none", "silent", "empty", "jump", "nan", "inf", "huge", "shape", "other side", "swap", "track",
    "two hands", "low score", "nan score", "predicted", "reordered", "repeated", "future", "old",
    "nan stamp", "two publishers",
)  # fmt: skip
MAP_FAULTS: Final = ("none", "jumps", "nan", "inf", "huge", "shape", "raises")
CLOCK_FAULTS: Final = ("none", "forward", "back", "frozen", "nan", "stalls")
ROBOT_FAULTS: Final = ("none", "silent", "late", "nan", "outside", "stuck", "shape")
ACTIONS: Final = ("none", "engage", "stop", "disengage", "restart", "press", "release", "both")
"""Of people; both = stop and engage between the same two commands."""


@dataclass(frozen=True)
class Stretch:
    """Some time with the same faults.

    Attributes:
        ticks: its length in commands.
        hands: one of ``HAND_FAULTS``.
        mapping: one of ``MAP_FAULTS``.
        clock: one of ``CLOCK_FAULTS``; jumps happen at its beginning.
        robot: one of ``ROBOT_FAULTS``.
        action: one of ``ACTIONS``, at its beginning.
        pressed: the dead-man switch is sent as pressed all the time.
    """

    ticks: int
    hands: str = "none"
    mapping: str = "none"
    clock: str = "none"
    robot: str = "none"
    action: str = "none"
    pressed: bool = False


@dataclass(frozen=True)
class Case:
    """A stream from beginning to end, and the robot that it meets."""

    stretches: Sequence[Stretch]
    seed: int
    dt: float = 0.01
    config: SafetyConfig = field(default_factory=SafetyConfig)


def random_case(rng: np.random.Generator) -> Case:
    """Draw a case; most stretches have one or two faults."""

    def some(faults: Sequence[str], share: float) -> str:
        return str(rng.choice(faults)) if rng.random() < share else "none"

    quiet = Stretch(ticks=int(rng.integers(0, 20)))
    engaged = Stretch(int(rng.integers(20, 60)), action="engage", pressed=rng.random() < 0.8)
    stretches = [quiet, engaged]
    for _ in range(int(rng.integers(1, 6))):
        stretches.append(
            Stretch(
                ticks=int(rng.integers(1, 40)),
                hands=some(HAND_FAULTS, 0.5),
                mapping=some(MAP_FAULTS, 0.3),
                clock=some(CLOCK_FAULTS, 0.15),
                robot=some(ROBOT_FAULTS, 0.2),
                action=some(ACTIONS, 0.4),
                pressed=rng.random() < 0.7,
            )
        )
    return Case(
        stretches,
        seed=int(rng.integers(2**31)),
        dt=float(rng.choice((0.002, 0.01, 0.01, 0.05))),
        config=quick_config(str(rng.choice(("service", "service", "deadman")))),
    )


def quick_config(engage_by: str = "service") -> SafetyConfig:
    """Options with which every state is met within a second or two."""
    return replace(
        SafetyConfig(), engage_by=engage_by, settle_s=0.05, rest_after_s=0.15, rest_ramp_s=0.2,
        engage_ramp_s=0.15, robot_state_timeout_s=0.25,
    )  # fmt: skip
