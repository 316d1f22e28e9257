"""The teleoperation node over real DDS: hands in, robot commands out."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_helpers import Graph, Listener, graph, header_at, make_hand, ros_domain, values, wait_for

pytest.importorskip("hand_recon_ros.msg", reason="needs the built messages (make setup)")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray, PoseStamped, TransformStamped, TwistStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.msg import HandArray, HandFeatures, TeleopState
from hand_recon_ros.nodes.convert import hand_array_message
from hand_recon_ros.nodes.robot_messages import COMMAND_TYPES
from hand_recon_ros.nodes.teleop_node import HandTeleopNode
from hand_recon_ros.retarget.robot import load_robot
from hand_recon_ros.types import Hand, HandFrame, ManoParameters

__all__ = ["graph", "ros_domain"]  # fixtures

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


class World:
    """A hand tracker, a robot that obeys, and people who call services."""

    def __init__(self, graph: Graph, output: str = "trajectory", **parameters: Any) -> None:
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
        self.teleop = HandTeleopNode(
            context=graph.context,
            parameter_overrides=[
                Parameter(k.replace("__", "."), value=v)
                for k, v in ({"robots": RIGHT, "output": output} | parameters).items()
            ],
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


@pytest.fixture
def world(graph: Graph) -> World:
    return World(graph)


def test_it_says_nothing_until_it_is_engaged_then_stop_silences_it(world: World) -> None:
    world.until(lambda: len(world.states.messages) > 5, "states")
    assert {m.state for m in world.states.messages} == {TeleopState.STOPPED}
    assert not world.commands.messages
    start = world.positions.copy()
    world.engaged()
    first = world.commands.messages[0]
    np.testing.assert_allclose(positions_of(first), start, atol=1e-9)
    assert tuple(first.joint_names) == world.robot.joint_names
    assert first.points[0].time_from_start.nanosec == 10_000_000
    count = len(world.commands.messages)
    world.until(lambda: len(world.commands.messages) > count + 50, "commands")
    assert world.call(Trigger, "stop").success
    world.until_state(TeleopState.STOPPED)
    assert "stop" in world.reason()
    world.until(lambda: time.monotonic() - world.commands.times[-1] > 0.3, "silence")
    last = world.commands.messages[-1].points[0]
    assert (np.abs(np.array(last.velocities)) <= world.robot.acceleration * 0.01 + 1e-9).all()
    assert_limits(world, world.commands.messages)


def test_a_hand_that_goes_is_held_and_the_robot_goes_to_rest(graph: Graph) -> None:
    world = World(graph, safety__rest_after_s=0.5, safety__rest_ramp_s=0.5).engaged()
    world.camera = False
    left = time.monotonic()
    world.until_state(TeleopState.HOLD)
    held = next(
        t
        for t, m in zip(world.states.times, world.states.messages, strict=True)
        if t > left and m.state == TeleopState.HOLD
    )
    assert held - left < 0.4, "0.2 s by the stamp, and a busy machine"
    assert "stale" in world.reason()
    world.until_state(TeleopState.REST)
    world.until(lambda: np.allclose(world.positions, world.robot.rest, atol=0.01), "the rest pose")
    world.camera = True
    world.until_state(TeleopState.ENGAGED)
    assert_limits(world, world.commands.messages)


def test_engaging_is_refused_without_the_robot(world: World) -> None:
    world.tells = False
    world.until(lambda: world.states.messages, "states")
    answer = world.engage()
    assert not answer.success
    assert "right: the robot's joint state is not known" in answer.message


def test_a_robot_that_falls_silent_is_a_fault_on_state_and_diagnostics(
    graph: Graph, world: World
) -> None:
    health = Listener(graph, DiagnosticArray, "/diagnostics")
    world.engaged()
    world.tells = False
    world.until_state(TeleopState.FAULT)
    assert "joint state is lost" in world.reason()

    def told() -> Any:
        found = [s for m in health.messages for s in m.status if "teleoperation" in s.name]
        return found and found[-1].level == b"\x02" and found[-1]

    status = world.until(told, "an error on /diagnostics")
    assert "FAULT: the robot's joint state is lost" in status.message
    assert values(status)["right robot"] == "FAULT"


def test_a_second_publisher_of_hands_leads_to_hold(graph: Graph, world: World) -> None:
    world.engaged()
    other = graph.add(Node("other_tracker", context=graph.context))
    other.create_publisher(HandArray, "hands", QoSProfile(depth=1))
    world.until_state(TeleopState.HOLD)
    assert "2 publishers of hands" in world.reason()


def test_the_dead_man_topic_engages_while_it_arrives(graph: Graph) -> None:
    world = World(graph, safety__engage_by="deadman")
    switch = world.node.create_publisher(Bool, "/hand_teleop_node/deadman", QoSProfile(depth=5))

    def pressed() -> bool:
        switch.publish(Bool(data=True))
        return world.state() == TeleopState.ENGAGED

    world.until(pressed, "engaging by the switch")
    world.until_state(TeleopState.STOPPED)
    assert "dead-man" in world.reason()
    assert "deadman" in world.engage().message


@pytest.mark.parametrize("output", ["joint_state", "array"])
def test_other_outputs(graph: Graph, output: str) -> None:
    world = World(graph, output=output).engaged()
    count = len(world.commands.messages)
    world.until(lambda: len(world.commands.messages) > count + 20, "commands")
    message = world.commands.messages[-1]
    assert len(positions_of(message)) == 16
    if output == "joint_state":
        assert tuple(message.name) == world.robot.joint_names
        assert len(message.velocity) == 16
    assert_limits(world, world.commands.messages)


def test_deactivating_brakes_first_and_a_new_start_is_disengaged(
    graph: Graph, world: World
) -> None:
    world.engaged()
    count = len(world.commands.messages)
    world.until(lambda: len(world.commands.messages) > count + 10, "commands on the ramp")
    assert world.teleop.trigger_deactivate().name == "SUCCESS"
    wait_for(lambda: time.monotonic() - world.commands.times[-1] > 0.3, "silence")
    last = world.commands.messages[-1].points[0]
    assert (np.abs(np.array(last.velocities)) <= world.robot.acceleration * 0.01 + 1e-9).all()
    assert_limits(world, world.commands.messages)
    assert not world.engage().success
    assert world.teleop.trigger_activate().name == "SUCCESS"
    world.states.messages.clear()
    world.until(lambda: world.states.messages, "states")
    assert world.state() == TeleopState.STOPPED


def test_two_robots_are_led_by_a_hand_each(graph: Graph) -> None:
    world = World(graph, robots=BOTH, safety__require_robot_state=False)
    left = Listener(graph, JointTrajectory, "/hand_teleop_node/left/command")
    world.until(lambda: world.engage().success, "the node to engage")

    def states() -> dict[int, int]:
        return {m.side: m.state for m in world.states.messages[-4:]}

    wanted = {1: TeleopState.ENGAGED, 0: TeleopState.HOLD}
    world.until(lambda: states() == wanted, "a right hand to lead, and none on the left")
    world.until(lambda: left.messages and world.commands.messages, "commands of both")


def test_a_wrong_robot_file_is_told_and_can_be_set_right(graph: Graph) -> None:
    world = World(graph, robots="/nowhere/robot.yaml")
    assert "robot file '/nowhere/robot.yaml'" in world.teleop._problems.last_error
    assert world.teleop.set_parameters([Parameter("robots", value=f"{RIGHT},{RIGHT}")])
    assert world.teleop.trigger_configure().name == "FAILURE"
    assert "two robots are moved by the right hand" in world.teleop._problems.last_error
    world.teleop.set_parameters([Parameter("robots", value=RIGHT)])
    assert world.teleop.trigger_configure().name == "SUCCESS"
    assert world.teleop.trigger_activate().name == "SUCCESS"
    world.engaged()


def test_the_human_side_without_any_robot(graph: Graph) -> None:
    kinds = {
        "joints": PoseArray,
        "wrist_pose": PoseStamped,
        "wrist_twist": TwistStamped,
        "human_joint_states": JointState,
        "features": HandFeatures,
    }
    heard = {
        topic: Listener(graph, kind, f"/hand_teleop_node/right/{topic}")
        for topic, kind in kinds.items()
    }
    world = World(graph, robots="", workspace__target_frame="base", workspace__scale=2.0)
    tf = world.node.create_publisher(TFMessage, "/tf", QoSProfile(depth=10))
    transform = TransformStamped(child_frame_id="camera_optical_frame")
    transform.header.frame_id = "base"
    transform.transform.translation.x = 1.0
    transform.transform.rotation.w = 1.0

    others = [listener for topic, listener in heard.items() if "wrist" not in topic]
    world.until(lambda: all(listener.messages for listener in others), "the hand's topics")
    assert not heard["wrist_pose"].messages
    assert "no transform from 'camera_optical_frame' to 'base'" in world.teleop._problems.last_error

    def wrist() -> bool:
        tf.publish(TFMessage(transforms=[transform]))
        return bool(heard["wrist_pose"].messages and heard["wrist_twist"].messages)

    world.until(wrist, "the wrist in the frame 'base'")
    pose = heard["wrist_pose"].messages[0]
    assert pose.header.frame_id == "base"
    assert pose.pose.position.x == pytest.approx(2.0 * (1.0 + bent_hand().joints_m[0, 0]))
    assert len(heard["joints"].messages[0].poses) == 21
    assert "right_index_mcp_flexion" in heard["human_joint_states"].messages[0].name
    assert heard["features"].messages[0].grasp
