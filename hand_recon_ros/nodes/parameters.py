"""ROS parameters of the node: the core's options by the same names, and the node's own.

``config/live.yaml`` is written by ``python -m hand_recon_ros.nodes.parameters``, the README's table
with ``--markdown``.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from hand_recon_ros.config import Config, ConfigError, Option, option_field, options
from hand_recon_ros.config_io import check_value, closest_name, config_from_mapping


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

NODE_ARGUMENTS: Final = {"automatically_declare_parameters_from_overrides": True}
"""Keyword arguments that the node passes on to rclpy's, so that mistyped names can be found."""

_READ_ONLY: Final = {"autostart"}
_AT_ONCE: Final = {"publish_tf", "stale_after_s"} | {
    name for name in NODE_OPTIONS if name.startswith("markers.")
}
_FOREIGN_PREFIXES: Final = ("use_sim_time", "start_type_description_service", "qos_overrides.")
"""Parameters that rclpy itself declares."""


def is_dynamic(name: str) -> bool:
    """True for a parameter that acts at once; the others act at the next configure."""
    return name in _AT_ONCE


def with_dynamic(current: NodeConfig, changed: NodeConfig) -> NodeConfig:
    """``current`` with those options of ``changed`` that act at once."""
    names = {name.partition(".")[0] for name in _AT_ONCE}
    return replace(current, **{name: getattr(changed, name) for name in names})


def declare_parameters(node: Node) -> None:
    """Declare every parameter with its description and range, and guard later changes.

    The node must be made with ``**NODE_ARGUMENTS``. Whole numbers are taken for floats.

    Raises:
        ConfigError: a value of the wrong type, outside its range or not among the choices, or
            an unknown parameter whose name resembles a known one. Other unknown parameters
            (a file shared with other nodes) are only warned of.
    """
    for option in ALL_OPTIONS.values():
        value, given = option.default, node.has_parameter(option.name)
        if given:  # rclpy declared it from the YAML file or command line, without a descriptor
            value = check_value(option, node.get_parameter(option.name).value)
            node.undeclare_parameter(option.name)
        node.declare_parameter(option.name, value, descriptor(option), ignore_override=given)
    _check_unknown(node)
    node.add_on_set_parameters_callback(_checker(node))


def read_config(node: Node) -> tuple[Config, NodeConfig]:
    """Return the node's parameters as the core's and the node's own configuration.

    Raises:
        ConfigError: values that do not go together.
    """
    return _configs({name: node.get_parameter(name).value for name in ALL_OPTIONS})


def descriptor(option: Option) -> ParameterDescriptor:
    """Describe an option to ROS tools such as ``ros2 param describe``."""
    when = "" if option.name in _AT_ONCE else " Acts at the next configure."
    read_only = option.name in _READ_ONLY
    result = ParameterDescriptor(
        description=option.help + ("" if read_only else when), read_only=read_only
    )
    if option.choices:
        result.additional_constraints = f"One of: {', '.join(option.choices)}"
    if option.low is not None and option.high is not None:
        if option.type is int:
            result.integer_range = [
                IntegerRange(from_value=int(option.low), to_value=int(option.high))
            ]
        elif option.type is float:
            result.floating_point_range = [
                FloatingPointRange(from_value=float(option.low), to_value=float(option.high))
            ]
    return result


def parameters_yaml() -> str:
    """The text of ``config/live.yaml``: every parameter with its meaning and default."""
    lines = [
        "# Every parameter of hand_recon_node with its default.",
        "# Written by: python -m hand_recon_ros.nodes.parameters > config/live.yaml",
        "/**:",
        "  ros__parameters:",
    ]
    section = ""
    for option in sorted(ALL_OPTIONS.values(), key=lambda o: "." in o.name):
        prefix, _, leaf = option.name.rpartition(".")
        if prefix != section:
            lines += ["", f"    {prefix}:"]
            section = prefix
        indent = "      " if prefix else "    "
        lines += textwrap.wrap(
            _yaml_help(option), 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        lines.append(f"{indent}{leaf}: {_yaml_value(option.default)}")
    return "\n".join(lines) + "\n"


def parameters_markdown() -> str:
    """The README's table: every parameter with its default and meaning."""
    lines = ["| parameter | default | meaning |", "|---|---|---|"]
    lines += [
        f"| `{option.name}` | `{_yaml_value(option.default)}` | {_yaml_help(option)} |"
        for option in sorted(ALL_OPTIONS.values(), key=lambda o: "." in o.name)
    ]
    return "\n".join(lines) + "\n"


def _yaml_help(option: Option) -> str:
    if option.choices:
        return f"{option.help} One of: {', '.join(option.choices)}."
    if option.low is not None and option.high is not None:
        return f"{option.help} Range: {option.low:g} to {option.high:g}."
    return option.help


def _yaml_value(value: Any) -> str:
    return '""' if value == "" else yaml.safe_dump(value).splitlines()[0]


def _check_unknown(node: Node) -> None:
    for name in node.get_parameters_by_prefix(""):
        if name in ALL_OPTIONS or name.startswith(_FOREIGN_PREFIXES):
            continue
        if hint := closest_name(name, ALL_OPTIONS):
            raise ConfigError(f"unknown parameter '{name}'.{hint}")
        node.get_logger().warning(f"unknown parameter '{name}' is ignored")


def _configs(values: dict[str, Any]) -> tuple[Config, NodeConfig]:
    core = config_from_mapping({name: values[name] for name in CORE_OPTIONS})
    own = {name: check_value(option, values[name]) for name, option in NODE_OPTIONS.items()}
    markers = {name.removeprefix("markers."): own.pop(name) for name in list(own) if "." in name}
    return core, NodeConfig(**own, markers=MarkerConfig(**markers))


def _checker(node: Node) -> Any:
    def check(changes: list[Parameter]) -> SetParametersResult:
        values = {name: node.get_parameter(name).value for name in ALL_OPTIONS}
        values |= {p.name: p.value for p in changes if p.name in ALL_OPTIONS}
        try:
            _configs(values)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    return check


if __name__ == "__main__":
    print(parameters_markdown() if "--markdown" in sys.argv else parameters_yaml(), end="")
