"""ROS parameters of ``hand_teleop_node``: ``TeleopConfig`` by the same names, and the node's own.

``config/teleop.yaml`` is written by ``python -m hand_recon_ros.nodes.teleop_parameters``, the
README's table with ``--markdown``.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rclpy.node import Node

from hand_recon_ros.config import options
from hand_recon_ros.config_io import with_values
from hand_recon_ros.nodes.parameter_table import ParameterTable
from hand_recon_ros.options import ConfigError, option_field
from hand_recon_ros.retarget.config import TeleopConfig, WorkspaceConfig
from hand_recon_ros.retarget.workspace import Workspace
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array


@dataclass(frozen=True)
class TeleopNodeConfig:
    """Options of the node itself, next to ``TeleopConfig``."""

    autostart: bool = option_field(
        True, "Configure and activate at start; false leaves that to a lifecycle manager."
    )
    output: str = option_field(
        "trajectory",
        "Messages on ~/SIDE/command: trajectory = trajectory_msgs/JointTrajectory of one point; "
        "joint_state = sensor_msgs/JointState; array = std_msgs/Float64MultiArray of positions.",
        choices=("trajectory", "joint_state", "array"),
    )


NODE_OPTIONS: Final = {option.name: option for option in options(TeleopNodeConfig())}
CORE_OPTIONS: Final = {option.name: option for option in options(TeleopConfig())}
TABLE: Final = ParameterTable(
    "hand_teleop_node",
    "hand_recon_ros.nodes.teleop_parameters > config/teleop.yaml",
    NODE_OPTIONS | CORE_OPTIONS,
)


def declare_parameters(node: Node) -> None:
    """Declare every parameter, see ``ParameterTable.declare``."""
    TABLE.declare(node, _configs)


def read_config(node: Node) -> tuple[TeleopConfig, TeleopNodeConfig]:
    """Return the node's parameters as configurations.

    Raises:
        ConfigError: values that do not go together.
    """
    return _configs(TABLE.values(node))


def workspace_of(config: WorkspaceConfig) -> Workspace:
    """The workspace that the options describe.

    Raises:
        ConfigError: an option that is not three numbers, or that cannot be used.
    """
    roll, pitch, yaw = np.radians(_three("tool_rpy_deg", config.tool_rpy_deg))
    x, y, z = np.eye(3)
    try:
        return Workspace(
            scale=config.scale,
            origin_m=_three("origin_m", config.origin_m),
            target_m=_three("target_m", config.target_m),
            mirrored=config.mirrored,
            mirror_normal=_three("mirror_normal", config.mirror_normal),
            tool_rotation=exp_so3(yaw * z) @ exp_so3(pitch * y) @ exp_so3(roll * x),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _three(name: str, text: str) -> Array:
    try:
        numbers = [float(word) for word in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise ConfigError(f"option 'workspace.{name}' is '{text}'; give three numbers: 'x y z'")
    return np.array(numbers)


def _configs(values: dict[str, Any]) -> tuple[TeleopConfig, TeleopNodeConfig]:
    config = with_values(TeleopConfig(), {name: values[name] for name in CORE_OPTIONS})
    workspace_of(config.workspace)
    return config, with_values(TeleopNodeConfig(), {name: values[name] for name in NODE_OPTIONS})


if __name__ == "__main__":
    print(TABLE.markdown() if "--markdown" in sys.argv else TABLE.yaml(), end="")
