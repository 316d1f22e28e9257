"""The built-in retargeting: each robot joint follows one human angle, with gain and offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.retarget.hand_angles import JOINT_NAMES, hand_angles
from hand_recon_ros.retarget.robot_model import RobotError
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array


@dataclass(frozen=True)
class Follow:
    """What one robot joint follows: ``gain * (angle - zero) + offset``.

    Attributes:
        angle: name of a human angle, see ``hand_angles.JOINT_NAMES``; empty = stays at ``offset``.
        gain: rad of the robot for each rad of the hand.
        zero: human angle, rad, at which the robot joint is at ``offset``.
        offset: rad.
    """

    angle: str = ""
    gain: float = 1.0
    zero: float = 0.0
    offset: float = 0.0


class DirectMapping:
    """See ``mapping.Retargeter``; it remembers nothing.

    Args:
        follows: by robot joint.
        joint_names: order of the targets; joints that follow nothing stay at zero.

    Raises:
        RobotError: a human angle or a robot joint is unknown; the message lists those there are.
    """

    def __init__(self, follows: Mapping[str, Follow], joint_names: Sequence[str]) -> None:
        """Look up all names."""
        for joint, follow in follows.items():
            if joint not in joint_names:
                known = ", ".join(joint_names)
                raise RobotError(
                    f"retargeting: joint '{joint}' is not commanded; those are: {known}"
                )
            if follow.angle and follow.angle not in JOINT_NAMES:
                known = ", ".join(JOINT_NAMES)
                raise RobotError(
                    f"joint '{joint}': no human angle '{follow.angle}'; known: {known}"
                )
        self._names = tuple(joint_names)
        chosen = [follows.get(name, Follow()) for name in self._names]
        self._at = np.array([JOINT_NAMES.index(f.angle) if f.angle else 0 for f in chosen])
        self._gain = np.array([f.gain if f.angle else 0.0 for f in chosen])
        self._zero = np.array([f.zero for f in chosen])
        self._offset = np.array([f.offset for f in chosen])

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Order of the targets."""
        return self._names

    def retarget(self, joints_m: Array, side: Side) -> Array:
        """See ``Retargeter.retarget``; NaN where the hand does not tell the angle."""
        angles = hand_angles(joints_m, side).values[self._at]
        targets = self._gain * (angles - self._zero) + self._offset
        return np.where(self._gain == 0, self._offset, targets)

    def reset(self) -> None:
        """Nothing is remembered."""
