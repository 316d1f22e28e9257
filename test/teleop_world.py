"""The world around the teleoperation node, for tests over DDS: a hand tracker, a robot, people."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from ros_helpers import Graph, Listener, header_at, make_hand, wait_for
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.msg import HandArray, TeleopState
from hand_recon_ros.nodes.convert import hand_array_message
from hand_recon_ros.nodes.robot_messages import COMMAND_TYPES
from hand_recon_ros.nodes.teleop_node import HandTeleopNode
from hand_recon_ros.retarget.robot import load_robot
from hand_recon_ros.types import Hand, HandFrame, ManoParameters

ROBOTS = Path(__file__).parents[1] / "config" / "robots"
RIGHT = str(ROBOTS / "example_hand_right.yaml")
BOTH = f"{ROBOTS / 'example_hand_left.yaml'}, {RIGHT}"
FRAME_S = 1 / 30


@functools.cache
def bent_hand() -> Hand:
    """A right hand half a metre away, with all fingers bent a little."""
    pose = np.zeros((15, 3))
    pose[:12, 2] = 0.4
    mano = ManoParameters(
        "right", np.zeros(3), pose.ravel(), np.zeros(10), np.array([-0.1, 0.0, 0.5])
    )
    joints = HandModel(load_hand_model("right")).forward_parameters(mano)[1]
    return replace(make_hand(), joints_m=joints, mano=mano)


PATIENCE, PATIENCE_S = "safety.robot_state_timeout_s", 10.0
"""A stall of the machine is no fault of the robot's: where that is not the matter, wait longer."""


class World:
    """A hand tracker, a robot that obeys, and people who call services."""

    def __init__(
        self,
        graph: Graph,
        output: str = "trajectory",
        own_process: bool = False,
        **parameters: Any,
    ) -> None:
        self.robot = load_robot(RIGHT)
        self.positions = np.clip(np.full(16, 0.1), self.robot.lower, self.robot.upper)
        self.node = graph.add(Node("world", context=graph.context))
        self.hands = self.node.create_publisher(HandArray, "hands", QoSProfile(depth=5))
        self.joints = self.node.create_publisher(
            JointState, "right/joint_states", QoSProfile(depth=5)
        )
        self.commands = Listener(graph, COMMAND_TYPES[output], "/hand_teleop_node/right/command")
        self.states = Listener(graph, TeleopState, "/hand_teleop_node/state")
        self.camera = self.tells = True
        self._next_frame = 0.0
        if not own_process:
            given = {k.replace("__", "."): v for k, v in parameters.items()}
            overrides = {"robots": RIGHT, "output": output, PATIENCE: PATIENCE_S} | given
            self.teleop = HandTeleopNode(
                context=graph.context,
                parameter_overrides=[Parameter(k, value=v) for k, v in overrides.items()],
            )
            graph.add(self.teleop)

    def now_ns(self) -> int:
        return int(self.node.get_clock().now().nanoseconds)

    def tick(self) -> None:
        """Send what is due; the robot is where its last command put it."""
        if self.tells:
            stamp = header_at(self.now_ns()).stamp
            state = JointState(name=list(self.robot.joint_names), position=self.positions.tolist())
            state.header.stamp = stamp
            self.joints.publish(state)
        if self.camera and time.monotonic() >= self._next_frame:
            self._next_frame = time.monotonic() + FRAME_S
            self.hands.publish(self.hand_message())

    def hand_message(self) -> HandArray:
        frame = HandFrame(0, "/image", 0.0, Camera(640, 480, np.eye(3)), (bent_hand(),))
        return hand_array_message(frame, header_at(self.now_ns()))

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Keep the world going until the condition holds."""

        def step() -> Any:
            if self.commands.messages:
                self.positions = positions_of(self.commands.messages[-1])
            self.tick()
            time.sleep(0.01)
            return condition()

        return wait_for(step, what)

    def state(self) -> int | None:
        return self.states.messages[-1].state if self.states.messages else None

    def reason(self) -> str:
        return self.states.messages[-1].reason if self.states.messages else ""

    def until_state(self, state: int) -> None:
        self.until(lambda: self.state() == state, f"state {state}")

    def call(self, kind: Any, name: str, **request: Any) -> Any:
        client = self.node.create_client(kind, f"/hand_teleop_node/{name}")
        assert client.wait_for_service(10)
        future = client.call_async(kind.Request(**request))
        self.until(future.done, f"the answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def engage(self, wanted: bool = True) -> Any:
        return self.call(SetBool, "engage", data=wanted)

    def engaged(self) -> World:
        self.until(lambda: self.engage().success, "the node to engage")
        self.until_state(TeleopState.ENGAGED)
        return self


def positions_of(message: Any) -> np.ndarray:
    if isinstance(message, JointTrajectory):
        (point,) = message.points
        return np.array(point.positions)
    return np.array(message.data if isinstance(message, Float64MultiArray) else message.position)


def assert_limits(world: World, messages: list[Any]) -> None:
    """Limits of the robot's file at every sample; a standstill before the first."""
    path = np.array([positions_of(m) for m in messages])
    robot = world.robot
    speeds = np.diff(path, axis=0, prepend=path[:1]) / 0.01
    assert np.isfinite(path).all()
    assert ((path >= robot.lower) & (path <= robot.upper)).all()
    assert (np.abs(speeds) <= robot.velocity + 1e-6).all()
    assert (np.abs(np.diff(speeds, axis=0)) / 0.01 <= robot.acceleration + 1e-6).all()
