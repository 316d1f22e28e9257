"""The teleoperation node over real DDS: hands in, robot commands out."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray, PoseStamped, TransformStamped, TwistStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from ros_helpers import Graph, Listener, graph, ros_domain, values, wait_for
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from teleop_world import (
    BOTH,
    PATIENCE,
    PATIENCE_S,
    RIGHT,
    World,
    assert_limits,
    bent_hand,
    positions_of,
)
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from hand_recon_ros.msg import HandArray, HandFeatures, TeleopState
from hand_recon_ros.nodes.processes import Process

__all__ = ["graph", "ros_domain"]  # fixtures


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
    commanded = sum(left < t < held for t in world.commands.times)
    assert commanded <= 35, "0.2 s at 100 Hz; counted, as a stalled machine sends none"
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
    graph: Graph,
) -> None:
    world = World(graph, safety__robot_state_timeout_s=2.0)
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
    world = World(graph, robots=BOTH, safety__require_robot_state=False, safety__rest_after_s=60.0)
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


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_ended_brakes_first(graph: Graph, tmp_path: Path, end: int) -> None:
    world = World(graph, own_process=True)
    arguments = ["--ros-args", "-p", f"robots:={RIGHT}", "-p", "safety.engage_ramp_s:=1.5"]
    arguments += ["-p", f"{PATIENCE}:={PATIENCE_S}"]
    module = "hand_recon_ros.nodes.hand_teleop_node"
    with Process(module, arguments, tmp_path / "log") as process:
        world.until(lambda: world.states.messages, "the node")
        world.engaged()

        def speed() -> float:
            points = [m.points[0] for m in world.commands.messages[-1:]]
            return max((abs(v) for p in points for v in p.velocities), default=0.0)

        world.until(lambda: speed() > 0.1, "motion")
        os.kill(process.pid, end)
        wait_for(lambda: process.exit_code is not None, "its end")
        assert process.exit_code == 0, process.last_words()
    wait_for(lambda: time.monotonic() - world.commands.times[-1] > 0.3, "silence")
    last = world.commands.messages[-1].points[0]
    assert (np.abs(np.array(last.velocities)) <= world.robot.acceleration * 0.01 + 1e-9).all()
    assert_limits(world, world.commands.messages)
