"""Parameters and frames of the teleoperation node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS (make setup)")

import rclpy
import yaml
from geometry_msgs.msg import TransformStamped
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from tf2_msgs.msg import TFMessage

from hand_recon_ros.nodes.frames import Frames
from hand_recon_ros.nodes.parameter_table import NODE_ARGUMENTS
from hand_recon_ros.nodes.teleop_parameters import (
    CORE_OPTIONS,
    NODE_OPTIONS,
    TABLE,
    TeleopNodeConfig,
    declare_parameters,
    read_config,
    workspace_of,
)
from hand_recon_ros.options import ConfigError
from hand_recon_ros.retarget.config import TeleopConfig, WorkspaceConfig
from hand_recon_ros.rotations import exp_so3, matrix_to_quaternion

FILE = Path(__file__).parents[1] / "config" / "teleop.yaml"


@pytest.fixture
def make_node():
    context = Context()
    rclpy.init(context=context, args=[])
    nodes = []

    def make(*arguments):
        node = Node(
            "probe",
            context=context,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
            cli_args=["--ros-args", *(word for a in arguments for word in a.split(" ", 1))],
            **NODE_ARGUMENTS,
        )
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


def test_names_do_not_collide():
    assert not set(CORE_OPTIONS) & set(NODE_OPTIONS)


def test_shipped_file_holds_every_default(make_node):
    """Rewrite it by: python -m hand_recon_ros.nodes.teleop_parameters > config/teleop.yaml."""
    assert FILE.read_text() == TABLE.yaml()
    assert yaml.safe_load(TABLE.yaml())["/**"]["ros__parameters"]["safety"]["max_age_s"] == 0.2
    node = make_node(f"--params-file {FILE}")
    declare_parameters(node)
    assert read_config(node) == (TeleopConfig(), TeleopNodeConfig())


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("safety.max_ages:=1", "'safety.max_ages'.*Did you mean 'safety.max_age_s'"),
        ("safety.max_age_s:=9", "'safety.max_age_s' is 9.0; allowed"),
        ("output:=wave", "'output' is 'wave'; allowed: trajectory"),
        ("safety.engage_by:=magic", "allowed: service, deadman"),
    ],
)
def test_bad_override_is_named(make_node, override, words):
    with pytest.raises(ConfigError, match=words):
        declare_parameters(make_node(f"-p {override}"))


def test_a_change_that_cannot_be_used_is_refused_with_its_remedy(make_node):
    node = make_node()
    declare_parameters(node)
    (result,) = node.set_parameters([Parameter("workspace.origin_m", value="0 1")])
    assert not result.successful
    assert "'workspace.origin_m' is '0 1'; give three numbers" in result.reason
    (result,) = node.set_parameters([Parameter("workspace.mirror_normal", value="0 0 0")])
    assert "mirror_normal is zero" in result.reason


def test_the_workspace_is_that_of_the_options():
    workspace = workspace_of(
        WorkspaceConfig(scale=2.0, origin_m="1 2 3", target_m="0, 0, 1", tool_rpy_deg="90 0 90")
    )
    np.testing.assert_array_equal(workspace.origin_m, (1, 2, 3))
    np.testing.assert_array_equal(workspace.target_m, (0, 0, 1))
    # REP-103: about the fixed x first, then y, then z
    np.testing.assert_allclose(workspace.tool_rotation @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(workspace.tool_rotation @ (1, 0, 0), (0, 1, 0), atol=1e-12)


def transform(parent: str, child: str, rotation: np.ndarray, xyz: tuple) -> TransformStamped:
    msg = TransformStamped(child_frame_id=child)
    msg.header.frame_id = parent
    t, q = msg.transform.translation, msg.transform.rotation
    t.x, t.y, t.z = map(float, xyz)
    q.x, q.y, q.z, q.w = matrix_to_quaternion(rotation).tolist()
    return msg


def test_frames_lead_up_and_down_the_tree():
    frames = Frames()
    turn = exp_so3(np.array([0.0, 0.0, np.pi / 2]))
    frames.add(
        TFMessage(
            transforms=[
                transform("world", "robot", turn, (1, 0, 0)),
                transform("world", "mast", np.eye(3), (0, 0, 2)),
                transform("mast", "/camera", turn, (0, 1, 0)),
            ]
        )
    )
    rotation, translation = frames.lookup("world", "camera")
    np.testing.assert_allclose(rotation @ (1, 0, 0) + translation, (0, 2, 2), atol=1e-12)
    rotation, translation = frames.lookup("robot", "camera")
    np.testing.assert_allclose(rotation @ (1, 0, 0) + translation, (2, 1, 2), atol=1e-12)
    there, back = frames.lookup("robot", "camera"), frames.lookup("camera", "robot")
    np.testing.assert_allclose(there[0] @ back[0], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(frames.lookup("a", "a")[0], np.eye(3))
    assert frames.lookup("world", "moon") is None


def test_broken_transforms_and_circles_do_no_harm():
    frames = Frames()
    zero = TransformStamped(child_frame_id="b")
    zero.header.frame_id = "a"
    zero.transform.rotation.w = 0.0
    frames.add(TFMessage(transforms=[zero]))
    assert frames.lookup("a", "b") is None
    circle = [transform("x", "y", np.eye(3), (1, 0, 0)), transform("y", "x", np.eye(3), (1, 0, 0))]
    frames.add(TFMessage(transforms=circle))
    assert frames.lookup("moon", "x") is None
