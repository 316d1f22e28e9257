"""ROS parameters from the options of a configuration: declared, described, checked, listed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
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

from hand_recon_ros.config_io import check_value, closest_name
from hand_recon_ros.options import ConfigError, Option

NODE_ARGUMENTS: Final = {"automatically_declare_parameters_from_overrides": True}
"""Keyword arguments that a node passes on to rclpy's, so that mistyped names can be found."""

_READ_ONLY: Final = {"autostart"}
_FOREIGN_PREFIXES: Final = ("use_sim_time", "start_type_description_service", "qos_overrides.")
"""Parameters that rclpy itself declares."""


@dataclass(frozen=True)
class ParameterTable:
    """The parameters of one node.

    Attributes:
        node: name of its executable.
        writer: what writes its YAML file: module > file.
        options: by name.
        at_once: names of those that act at once; the others act at the next configure.
    """

    node: str
    writer: str
    options: Mapping[str, Option]
    at_once: Collection[str] = ()

    def declare(self, node: Node, check: Callable[[dict[str, Any]], Any]) -> None:
        """Declare every parameter with its description and range, and guard later changes.

        The node must be made with ``**NODE_ARGUMENTS``. Whole numbers are taken for floats.

        Args:
            node: that gets them.
            check: raises ConfigError where all values by name do not go together.

        Raises:
            ConfigError: a value of the wrong type, outside its range or not among the choices, or
                an unknown parameter whose name resembles a known one. Other unknown parameters
                (a file shared with other nodes) are only warned of.
        """
        for option in self.options.values():
            value, given = option.default, node.has_parameter(option.name)
            if given:  # rclpy declared it from the YAML file or command line, without a descriptor
                value = check_value(option, node.get_parameter(option.name).value)
                node.undeclare_parameter(option.name)
            descriptor = self.descriptor(option)
            node.declare_parameter(option.name, value, descriptor, ignore_override=given)
        self._check_unknown(node)

        def checked(changes: list[Parameter]) -> SetParametersResult:
            values = self.values(node)
            values |= {p.name: p.value for p in changes if p.name in self.options}
            try:
                check(values)
            except ConfigError as error:
                return SetParametersResult(successful=False, reason=str(error))
            return SetParametersResult(successful=True)

        node.add_on_set_parameters_callback(checked)

    def values(self, node: Node) -> dict[str, Any]:
        """The node's values by name."""
        return {name: node.get_parameter(name).value for name in self.options}

    def descriptor(self, option: Option) -> ParameterDescriptor:
        """Describe an option to ROS tools such as ``ros2 param describe``."""
        when = "" if option.name in self.at_once else " Acts at the next configure."
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

    def yaml(self) -> str:
        """The text of the YAML file: every parameter with its meaning and default."""
        lines = [
            f"# Every parameter of {self.node} with its default.",
            f"# Written by: python -m {self.writer}",
            "/**:",
            "  ros__parameters:",
        ]
        section = ""
        for option in self._in_sections():
            prefix, _, leaf = option.name.rpartition(".")
            if prefix != section:
                lines += ["", f"    {prefix}:"]
                section = prefix
            indent = "      " if prefix else "    "
            lines += textwrap.wrap(
                _help(option), 100, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
            )
            lines.append(f"{indent}{leaf}: {_yaml_value(option.default)}")
        return "\n".join(lines) + "\n"

    def markdown(self) -> str:
        """A table of every parameter with its default and meaning."""
        lines = ["| parameter | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{option.name}` | `{_yaml_value(option.default)}` | {_help(option)} |"
            for option in self._in_sections()
        ]
        return "\n".join(lines) + "\n"

    def _in_sections(self) -> list[Option]:
        return sorted(self.options.values(), key=lambda option: "." in option.name)

    def _check_unknown(self, node: Node) -> None:
        for name in node.get_parameters_by_prefix(""):
            if name in self.options or name.startswith(_FOREIGN_PREFIXES):
                continue
            if hint := closest_name(name, self.options):
                raise ConfigError(f"unknown parameter '{name}'.{hint}")
            node.get_logger().warning(f"unknown parameter '{name}' is ignored")


def _help(option: Option) -> str:
    if option.choices:
        return f"{option.help} One of: {', '.join(option.choices)}."
    if option.low is not None and option.high is not None:
        return f"{option.help} Range: {option.low:g} to {option.high:g}."
    return option.help


def _yaml_value(value: Any) -> str:
    return '""' if value == "" else yaml.safe_dump(value).splitlines()[0]
