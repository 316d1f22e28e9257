"""What turns a human hand into targets of robot joints."""

from __future__ import annotations

from typing import Protocol

from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array


class Retargeter(Protocol):
    """Maps 21 joints of a person to the joints of one robot hand.

    Attributes:
        joint_names: order of the targets.
    """

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Order of the targets."""

    def retarget(self, joints_m: Array, side: Side) -> Array:
        """(J,) targets, rad or m; they may lie outside the robot's limits.

        Args:
            joints_m: (21, 3) metres, any frame.
            side: of the human hand.
        """

    def reset(self) -> None:
        """Forget earlier hands."""
