"""What the safety core says: its state and the command for the robot."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hand_recon_ros.types import Array


class TeleopState(enum.Enum):
    """See ``safety``."""

    STOPPED = "STOPPED"
    HOLD = "HOLD"
    ENGAGED = "ENGAGED"
    REST = "REST"
    FAULT = "FAULT"


@dataclass(frozen=True, slots=True)
class Command:
    """What to tell the robot now.

    Attributes:
        positions: (J,) rad or m; None = send nothing, the robot is not ours.
        velocities: (J,) per second.
        accelerations: (J,) per second squared.
        state: of the core.
        reason: for the state, in words; empty while all is well.
        stamp: of the image that leads, seconds; None unless engaged.
    """

    positions: Array | None
    velocities: Array
    accelerations: Array
    state: TeleopState
    reason: str
    stamp: float | None = None
