"""The robot side of teleoperation as messages and back. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, Header
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hand_recon_ros.msg import Hand as HandMsg
from hand_recon_ros.msg import HandArray
from hand_recon_ros.msg import TeleopState as TeleopStateMsg
from hand_recon_ros.nodes.convert import stamp_to_seconds
from hand_recon_ros.nodes.teleop_messages import joints_of, side_of
from hand_recon_ros.retarget.command import Command
from hand_recon_ros.retarget.input_watch import HandObservation
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, TrackState

COMMAND_TYPES: Final[dict[str, type]] = {
    "trajectory": JointTrajectory,
    "joint_state": JointState,
    "array": Float64MultiArray,
}
"""Message of each value of the parameter ``output``."""


@dataclass(frozen=True, slots=True)
class _MessageHand:
    """See ``input_watch.SeenHand``."""

    side: Side
    track_id: int
    state: TrackState
    score: float
    joints_m: Array


def observation_of(message: HandArray, received: float, publishers: int) -> HandObservation:
    """The hands of a message for the safety core; see ``HandObservation``."""
    hands = [
        _MessageHand(
            side_of(hand),
            hand.track_id,
            "tracked" if hand.state == HandMsg.TRACKED else "predicted",
            hand.score,
            joints_of(hand),
        )
        for hand in message.hands
    ]
    return HandObservation(stamp_to_seconds(message.header.stamp), received, hands, publishers)


def command_message(
    output: str, names: Sequence[str], command: Command, now: Time, dt: float
) -> JointTrajectory | JointState | Float64MultiArray:
    """A command that is to be sent (its positions are not None), as a message.

    A trajectory has one point, ``dt`` ahead, and no stamp: that is, it begins when it arrives, for
    controllers drop points that lie in the past by the time they come.
    """
    assert command.positions is not None
    positions = command.positions.tolist()
    if output == "array":
        return Float64MultiArray(data=positions)
    if output == "joint_state":
        return JointState(
            header=Header(stamp=now),
            name=list(names),
            position=positions,
            velocity=command.velocities.tolist(),
        )
    ahead = Duration(sec=int(dt), nanosec=int(dt % 1.0 * 1e9))
    point = JointTrajectoryPoint(
        positions=positions,
        velocities=command.velocities.tolist(),
        accelerations=command.accelerations.tolist(),
        time_from_start=ahead,
    )
    return JointTrajectory(joint_names=list(names), points=[point])


def positions_of(message: JointState, names: Sequence[str]) -> Array | None:
    """(J,) positions of the joints ``names``; None unless the message holds them all."""
    told = dict(zip(message.name, message.position, strict=False))
    if any(name not in told for name in names):
        return None
    return np.array([told[name] for name in names])


def state_message(side: Side, robot: str, command: Command, now: Time) -> TeleopStateMsg:
    """``~/state`` of one robot hand."""
    return TeleopStateMsg(
        header=Header(stamp=now),
        side=HandMsg.LEFT if side == "left" else HandMsg.RIGHT,
        robot=robot,
        state=getattr(TeleopStateMsg, command.state.value),
        reason=command.reason,
    )
