"""Life cycle and wiring of the teleoperation node: hands in, robot commands out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from hand_recon_ros.msg import HandArray
from hand_recon_ros.msg import TeleopState as TeleopStateMsg
from hand_recon_ros.nodes.command_loop import CommandLoop
from hand_recon_ros.nodes.diagnostics import diagnostics_message
from hand_recon_ros.nodes.guarded_node import SUCCESS, GuardedNode
from hand_recon_ros.nodes.quality import image_qos
from hand_recon_ros.nodes.robot_messages import observation_of
from hand_recon_ros.nodes.teleop_human import HumanSide
from hand_recon_ros.nodes.teleop_parameters import declare_parameters, read_config, workspace_of
from hand_recon_ros.nodes.teleop_robot import RobotLink
from hand_recon_ros.options import ConfigError
from hand_recon_ros.retarget.robot import Robot, load_robot

REPORT_PERIOD_S = 1.0
"""Between two diagnostics."""
_BRAKING_S = 3.0
"""Longest wait for robots to stand before the node falls silent."""


class HandTeleopNode(GuardedNode):
    """Lifecycle node: configure reads the robots, activate listens and lets people engage.

    The executor's thread takes messages and retargets; a thread of its own makes the commands at a
    steady rate (``TeleopCore`` is what they share). Leaving the active state brakes the robots
    first.
    """

    def __init__(
        self,
        name: str = "hand_teleop_node",
        *,
        robot_loader: Callable[[str], Robot] = load_robot,
        **node_arguments: Any,
    ) -> None:
        """Declare the parameters, and configure and activate unless ``autostart`` is false.

        Args:
            name: of the node.
            robot_loader: reads a robot's file.
            node_arguments: passed on to rclpy's node.

        Raises:
            ConfigError: a parameter is unknown or has a bad value.
        """
        super().__init__(name, **node_arguments)
        self._load_robot = robot_loader
        self._links: list[RobotLink] = []
        self._human: HumanSide | None = None
        self._states: Any = None
        self._loop: CommandLoop | None = None
        self._inputs: list[Subscription] = []
        declare_parameters(self)
        self._config, self._node_config = read_config(self)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", QoSProfile(depth=10)
        )
        self.create_service(SetBool, "~/engage", self._engage_asked)
        self.create_service(Trigger, "~/stop", self._stop_asked)
        # Wall time: the node must report its state while simulated time stands still.
        self.create_timer(
            REPORT_PERIOD_S, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        if self._node_config.autostart and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    # Lifecycle

    def _prepare(self) -> None:
        self._config, self._node_config = read_config(self)
        config = self._config
        self._states = self.create_lifecycle_publisher(
            TeleopStateMsg, "~/state", QoSProfile(depth=10)
        )
        workspace = workspace_of(config.workspace)
        self._human = HumanSide(self, workspace, config.workspace.target_frame, self._problems)
        for path in filter(None, (path.strip() for path in config.robots.split(","))):
            robot = self._load_robot(path)
            if robot.side in [link.robot.side for link in self._links]:
                raise ConfigError(
                    f"two robots are moved by the {robot.side} hand: set 'side' in '{path}'"
                )
            self._links.append(
                RobotLink(
                    self,
                    robot,
                    config,
                    self._node_config.output,
                    self._states,
                    self._problems,
                )
            )

    def _listen(self) -> None:
        topic = self.resolve_topic_name("hands")
        self._inputs = [
            self.create_subscription(HandArray, topic, self._hands_arrived, image_qos()),
            self.create_subscription(
                Bool, "~/deadman", self._deadman_arrived, QoSProfile(depth=10)
            ),
        ]
        for link in self._links:
            link.start(self._statistics)
        self._loop = CommandLoop(1.0 / self._config.rate_hz, self._step, self._step_failed)
        self.get_logger().info(f"listening to {topic}; engage by {self._config.safety.engage_by}")

    def _silence(self) -> None:
        """Brake, then end the commands and stop listening."""
        if self._loop is not None:
            for link in self._links:
                link.core.disengage("the node was deactivated")
            deadline = time.monotonic() + _BRAKING_S
            while self.context.ok() and time.monotonic() < deadline:
                if all(link.silent for link in self._links):
                    break
                time.sleep(0.005)
            self._loop.stop()
            self._loop = None
        for link in self._links:
            link.stop()
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []

    def _free(self) -> None:
        self._silence()
        for link in self._links:
            link.destroy()
        self._links = []
        if self._human is not None:
            self._human.destroy()
            self._human = None
        if self._states is not None:
            self.destroy_lifecycle_publisher(self._states)
            self._states = None

    # What comes in: the executor's thread

    def _hands_arrived(self, message: HandArray) -> None:
        self._statistics.arrived()
        received = self.get_clock().now().nanoseconds * 1e-9
        publishers = self.count_publishers(self.resolve_topic_name("hands"))
        observation = observation_of(message, received, publishers)
        for link in self._links:
            link.core.observe(observation)
        if self._human is None:
            return
        try:
            self._human.publish(message)
            self._problems.clear("human")
        except Exception as error:  # what is told to people must not stop the robots' commands
            self._problems.report("human", f"hands cannot be told: {error!r}", "error")

    def _deadman_arrived(self, message: Bool) -> None:
        for link in self._links:
            link.core.deadman(message.data)

    def _engage_asked(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        if not request.data:
            for link in self._links:
                link.core.disengage()
            response.success, response.message = True, "disengaged"
        elif self._loop is None or not self._links:
            why = "the node is not active" if self._links else "no robot: set the parameter robots"
            response.success, response.message = False, why
        else:
            refusals = {link.robot.side: link.core.engage() for link in self._links}
            response.success = not any(refusals.values())
            response.message = "; ".join(f"{k}: {v or 'engaged'}" for k, v in refusals.items())
        return response

    def _stop_asked(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        for link in self._links:
            link.core.stop()
        response.success, response.message = True, "stopped"
        return response

    # What goes out: the thread of commands

    def _step(self, elapsed_s: float) -> None:
        for link in self._links:
            link.step(elapsed_s)

    def _step_failed(self, error: Exception) -> None:
        if not self.context.ok():
            return  # shut down in the middle of a command
        for link in self._links:
            link.core.disengage("a command failed")
        self._problems.report("command", f"a command failed: {error!r}", "error")

    # Health

    def _report(self) -> None:
        values = {"state": self._state_machine.current_state[1]}
        for link in self._links if self._loop is not None else []:
            if (command := link.command) is not None:
                values[f"{link.robot.side} robot"] = command.state.value
                values[f"{link.robot.side} reason"] = command.reason
        level, text = self._problems.summary()
        self._diagnostics.publish(
            diagnostics_message(
                self.get_clock().now().to_msg(),
                f"{self.get_name()}: teleoperation",
                self.resolve_topic_name("hands"),
                level,
                text or values["state"],
                values | self._statistics.values() | {"last error": self._problems.last_error},
            )
        )
