"""ROS parameters of the node: the core's options by the same names, and the node's own.

``config/live.yaml`` is written by ``python -m hand_recon_ros.nodes.parameters``, the README's table
with ``--markdown``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rclpy.node import Node

from hand_recon_ros.config import Config, options
from hand_recon_ros.config_io import with_values
from hand_recon_ros.nodes.parameter_table import ParameterTable
from hand_recon_ros.options import option_field


@dataclass(frozen=True)
class MarkerConfig:
    """What ``~/markers`` shows."""

    mesh: bool = option_field(True, "Show the surface of the hand.")
    skeleton: bool = option_field(True, "Show the bones.")
    joints: bool = option_field(True, "Show the 21 joints.")
    trails: bool = option_field(True, "Show the paths of the finger tips, wrist and palm centre.")
    trail_length: int = option_field(30, "Length of a path, frames.", low=2, high=1000)
    mesh_alpha: float = option_field(
        1.0, "Opacity of the surface; below 1 the bones shine through.", low=0.05, high=1.0
    )


@dataclass(frozen=True)
class NodeConfig:
    """Options of the node itself, next to ``Config``."""

    autostart: bool = option_field(
        True, "Configure and activate at start; false leaves that to a lifecycle manager."
    )
    image_transport: str = option_field(
        "raw",
        "What arrives: raw = sensor_msgs/Image on image; compressed = "
        "sensor_msgs/CompressedImage on image/compressed.",
        choices=("raw", "compressed"),
    )
    image_reliability: str = option_field(
        "best_effort",
        "Quality of service of the image subscription; best_effort hears every publisher, "
        "reliable only reliable ones.",
        choices=("best_effort", "reliable"),
    )
    require_camera_info: bool = option_field(
        False,
        "Wait for a calibrated camera_info for ever; false: assume camera.hfov_deg after "
        "camera_info_timeout_s, with a warning, until one arrives.",
    )
    camera_info_timeout_s: float = option_field(
        2.0, "How long images wait for the first camera_info, seconds.", low=0.0, high=3600.0
    )
    camera_frame: str = option_field(
        "", "Optical frame of the camera; empty = the frame_id of the images."
    )
    publish_tf: bool = option_field(True, "Publish the wrist and finger joints on /tf.")
    frame_prefix: str = option_field(
        "", "Put before the names of the published frames, for example 'operator_'."
    )
    stale_after_s: float = option_field(
        2.0, "Without an image for so long the diagnostics warn, seconds.", low=0.1, high=3600.0
    )
    markers: MarkerConfig = field(default_factory=MarkerConfig)


CORE_OPTIONS: Final = {option.name: option for option in options()}
NODE_OPTIONS: Final = {option.name: option for option in options(NodeConfig())}
ALL_OPTIONS: Final = NODE_OPTIONS | CORE_OPTIONS

_AT_ONCE: Final = {"publish_tf", "stale_after_s"} | {
    name for name in NODE_OPTIONS if name.startswith("markers.")
}
TABLE: Final = ParameterTable(
    "hand_recon_node", "hand_recon_ros.nodes.parameters > config/live.yaml", ALL_OPTIONS, _AT_ONCE
)


def is_dynamic(name: str) -> bool:
    """True for a parameter that acts at once; the others act at the next configure."""
    return name in _AT_ONCE


def with_dynamic(current: NodeConfig, changed: NodeConfig) -> NodeConfig:
    """``current`` with those options of ``changed`` that act at once."""
    names = {name.partition(".")[0] for name in _AT_ONCE}
    return replace(current, **{name: getattr(changed, name) for name in names})


def declare_parameters(node: Node) -> None:
    """Declare every parameter, see ``ParameterTable.declare``."""
    TABLE.declare(node, _configs)


def read_config(node: Node) -> tuple[Config, NodeConfig]:
    """Return the node's parameters as the core's and the node's own configuration.

    Raises:
        ConfigError: values that do not go together.
    """
    return _configs(TABLE.values(node))


def parameters_yaml() -> str:
    """The text of ``config/live.yaml``."""
    return TABLE.yaml()


def parameters_markdown() -> str:
    """The README's table."""
    return TABLE.markdown()


def _configs(values: dict[str, Any]) -> tuple[Config, NodeConfig]:
    core = with_values(Config(), {name: values[name] for name in CORE_OPTIONS})
    return core, with_values(NodeConfig(), {name: values[name] for name in NODE_OPTIONS})


if __name__ == "__main__":
    print(parameters_markdown() if "--markdown" in sys.argv else parameters_yaml(), end="")
