"""One robot hand of the teleoperation node: its core, its joint states in, its commands out."""

from __future__ import annotations

from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import JointState

from hand_recon_ros.nodes.convert import stamp_to_seconds
from hand_recon_ros.nodes.diagnostics import Statistics
from hand_recon_ros.nodes.problems import Level, Problems
from hand_recon_ros.nodes.quality import image_qos
from hand_recon_ros.nodes.robot_messages import (
    COMMAND_TYPES,
    command_message,
    positions_of,
    state_message,
)
from hand_recon_ros.retarget.command import Command, TeleopState
from hand_recon_ros.retarget.config import TeleopConfig
from hand_recon_ros.retarget.limits import JointLimits
from hand_recon_ros.retarget.robot import Robot
from hand_recon_ros.retarget.safety import TeleopCore

_STATE_PERIOD_S = 0.1
"""Between two messages of an unchanged state."""


class RobotLink:
    """Commands one robot hand.

    Attributes:
        robot: from its file.
        core: decides; a new one for every ``start``, which knows of no earlier state.
        command: the newest; None before the first.
    """

    core: TeleopCore
    command: Command | None

    def __init__(
        self,
        node: LifecycleNode,
        robot: Robot,
        config: TeleopConfig,
        output: str,
        states: Any,
        problems: Problems,
    ) -> None:
        """Create the (still silent) publisher of commands.

        Args:
            node: that it belongs to.
            robot: to command.
            config: options.
            output: one of ``COMMAND_TYPES``.
            states: publisher of ``~/state``.
            problems: of the node.

        Raises:
            RobotError: the mapping cannot be made.
            ValueError: the robot's limits cannot be used.
        """
        self.robot, self._config, self._output = robot, config, output
        self._node, self._states, self._problems = node, states, problems
        self._dt = 1.0 / config.rate_hz
        self._limits = JointLimits(robot.lower, robot.upper, robot.velocity, robot.acceleration)
        self._retargeter = robot.retargeter()
        self._publisher = node.create_lifecycle_publisher(
            COMMAND_TYPES[output], f"~/{robot.side}/command", QoSProfile(depth=1)
        )
        self._subscription: Subscription | None = None

    def start(self, statistics: Statistics) -> None:
        """Listen to the robot, ready to ``step``.

        Args:
            statistics: told the time from an image to the first command by it.
        """
        robot = self.robot
        self.core = TeleopCore(
            self._retargeter, self._limits, robot.rest, robot.side, self._config.safety, self._dt
        )
        self.command, self._since_state_s = None, 0.0
        self._led_by: float | None = None
        self._statistics = statistics
        self._subscription = self._node.create_subscription(
            JointState, f"{robot.side}/joint_states", self._joint_state, image_qos()
        )

    def stop(self) -> None:
        """Listen no longer."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    @property
    def silent(self) -> bool:
        """Whether the robot is told nothing."""
        return self.command is None or self.command.positions is None

    def destroy(self) -> None:
        """Remove the publisher."""
        self.stop()
        self._node.destroy_lifecycle_publisher(self._publisher)

    def _joint_state(self, message: JointState) -> None:
        positions = positions_of(message, self.robot.joint_names)
        if positions is not None:
            received = self._node.get_clock().now().nanoseconds * 1e-9
            stamp = stamp_to_seconds(message.header.stamp) or received
            self.core.robot_state(stamp, received, positions)

    def step(self, elapsed_s: float) -> None:
        """Make and send the next command."""
        time = self._node.get_clock().now()
        now_s, now = time.nanoseconds * 1e-9, time.to_msg()
        last, command = self.command, self.core.step(now_s, elapsed_s)
        self.command = command
        if command.positions is not None:
            names = self.robot.joint_names
            self._publisher.publish(command_message(self._output, names, command, now, self._dt))
        if command.stamp is not None and command.stamp != self._led_by:
            self._statistics.published(now_s - command.stamp, elapsed_s)
        self._led_by = command.stamp
        self._since_state_s += elapsed_s
        changed = last is None or (last.state, last.reason) != (command.state, command.reason)
        if changed or self._since_state_s >= _STATE_PERIOD_S:
            self._since_state_s = 0.0
            self._states.publish(state_message(self.robot.side, self.robot.name, command, now))
            self._report(command)

    def _report(self, command: Command) -> None:
        kind = f"{self.robot.side} robot"
        if command.state in (TeleopState.ENGAGED, TeleopState.STOPPED):
            self._problems.clear(kind, at_once=True)
            return
        level: Level = "error" if command.state is TeleopState.FAULT else "warning"
        self._problems.report(kind, f"{kind}: {command.state.value}: {command.reason}", level)
