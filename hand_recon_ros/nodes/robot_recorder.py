"""Engages teleoperation and keeps what its robots are told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.task import Future
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from hand_recon_ros.io.closing import Closing
from hand_recon_ros.msg import Hand as HandMsg
from hand_recon_ros.msg import TeleopState
from hand_recon_ros.nodes.node_thread import NodeThread
from hand_recon_ros.skeleton import Side

NODE = "hand_teleop_node"
_ASK_AGAIN_S, _PATIENCE_S = 0.2, 2.0
_STATES = {getattr(TeleopState, n): n for n in ("STOPPED", "HOLD", "ENGAGED", "REST", "FAULT")}


@dataclass
class Told:
    """What one robot was told; each entry with its time of receipt, ns.

    Attributes:
        commands: the trajectories, of one point each.
        states: name of the state, and its reason.
    """

    commands: list[tuple[int, JointTrajectory]] = field(default_factory=list)
    states: list[tuple[int, str, str]] = field(default_factory=list)


class RobotRecorder(Closing):
    """Listens in a thread of its own, and engages as soon as the node lets it.

    Attributes:
        told: by side.
        latencies_ms: p50 and p95 of camera stamp to command, one pair for each diagnostics message
            of a time with commands.
        refusal: why engaging was last refused; None = engaged.
    """

    def __init__(self, context: Context, sides: tuple[Side, ...]) -> None:
        """Subscribe."""
        self.told: dict[Side, Told] = {side: Told() for side in sides}
        self.latencies_ms: list[tuple[float, float]] = []
        self.refusal: str | None = "the node did not answer"
        self.node = Node("robot_recorder", context=context)
        qos = QoSProfile(depth=200)
        for side, told in self.told.items():
            self.node.create_subscription(
                JointTrajectory, f"/{NODE}/{side}/command", self._keeper(told), qos
            )
        self.node.create_subscription(TeleopState, f"/{NODE}/state", self._keep_state, qos)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._keep_latency, qos)
        self._engage = self.node.create_client(SetBool, f"/{NODE}/engage")
        self._asked: Future | None = None
        self._asked_at = 0.0
        self._thread = NodeThread(self.node, context, self._ask_again)

    def close(self) -> None:
        """Stop listening."""
        self._thread.close()

    def _keeper(self, told: Told):  # type: ignore[no-untyped-def]
        def keep(message: JointTrajectory) -> None:
            told.commands.append((time.time_ns(), message))

        return keep

    def _keep_state(self, message: TeleopState) -> None:
        side: Side = "left" if message.side == HandMsg.LEFT else "right"
        if side in self.told:
            entry = (time.time_ns(), _STATES[message.state], message.reason)
            self.told[side].states.append(entry)

    def _keep_latency(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {value.key: value.value for value in status.values}
            if status.name.startswith(NODE) and "latency p95 [ms]" in values:
                pair = float(values["latency p50 [ms]"]), float(values["latency p95 [ms]"])
                if pair[0] == pair[0]:  # not NaN: there were commands
                    self.latencies_ms.append(pair)

    def _ask_again(self) -> None:
        now = time.monotonic()
        waiting = self._asked is not None and not self._asked.done()
        if self.refusal is None or now - self._asked_at < (
            _PATIENCE_S if waiting else _ASK_AGAIN_S
        ):
            return
        self._asked_at = now
        if self._engage.service_is_ready():
            self._asked = self._engage.call_async(SetBool.Request(data=True))
            self._asked.add_done_callback(self._answered)

    def _answered(self, asked: Future) -> None:
        answer = asked.result()
        if answer is not None:
            self.refusal = None if answer.success else answer.message
