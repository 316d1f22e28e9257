"""Configuration from mappings, YAML files and ``key=value`` texts, checked by ``options()``."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from hand_recon_ros.config import Config, options
from hand_recon_ros.options import ConfigError, Option

T = TypeVar("T")

_OPTIONS = {option.name: option for option in options()}
_SECTIONS = {name.split(".")[0] for name in _OPTIONS}


def config_from_mapping(mapping: Mapping[str, Any], base: Config | None = None) -> Config:
    """Return ``base`` (default: the defaults) with the given values.

    Args:
        mapping: dotted names, or nested sections, or both.
        base: what the values are laid over.

    Raises:
        ConfigError: an unknown name, a wrong type, or a value outside its range.
    """
    values = {_option(name).name: value for name, value in _flatten(mapping)}
    return with_values(base or Config(), values)


def with_values(section: T, values: Mapping[str, Any]) -> T:
    """Return a section of options with the given values, by dotted name of ``options(section)``.

    Raises:
        ConfigError: a wrong type, or a value outside its range.
    """
    known = {option.name: option for option in options(section)}
    checked = {name: check_value(known[name], value) for name, value in values.items()}
    return cast(T, _replace(section, checked, ""))


def config_from_yaml(path: str | Path, base: Config | None = None) -> Config:
    """Read a YAML file: plain sections, or a ROS parameter file of the node.

    A ROS parameter file also carries options of the node itself (topics, markers); those are
    none of the core's and are skipped.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds a bad option.
    """
    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"configuration file '{path}' cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file '{path}' is not YAML: {error}") from None
    if document is None:
        return base or Config()
    if not isinstance(document, Mapping):
        raise ConfigError(f"configuration file '{path}' must hold 'section: {{option: value}}'")
    parameters = _ros_parameters(document)
    if parameters is not None:
        document = {k: v for k, v in parameters.items() if str(k).split(".")[0] in _SECTIONS}
    try:
        return config_from_mapping(document, base)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def apply_overrides(config: Config, overrides: Iterable[str]) -> Config:
    """Apply texts of the form ``section.option=value``.

    Raises:
        ConfigError: a text without "=", an unknown name, or a bad value.
    """
    values: dict[str, Any] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"'{text}' must read key=value, for example fit.hand_length_m=0.19")
        option = _option(name.strip())
        values[option.name] = _parsed(option, value.strip())
    return config_from_mapping(values, config)


def _parsed(option: Option, text: str) -> Any:
    """The value that a text stands for; the text itself where it stands for none."""
    if option.type is str:
        return text
    try:
        value = yaml.safe_load(text)
        # YAML 1.1 takes 1e-3 for a text
        return float(value) if option.type is float and isinstance(value, str) else value
    except (ValueError, yaml.YAMLError):
        return text


def config_to_dict(config: Config) -> dict[str, Any]:
    """The options as nested plain data, for reports and YAML."""
    return dataclasses.asdict(config)


def check_value(option: Option, value: Any) -> Any:
    """Return the value in the option's type.

    Raises:
        ConfigError: wrong type, outside the range, or not among the choices.
    """
    if option.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if option.type is str and value is None:
        value = ""
    if not isinstance(value, option.type) or (option.type is int and isinstance(value, bool)):
        raise ConfigError(f"option '{option.name}' must be a {option.type.__name__}, got {value!r}")
    if option.choices and value not in option.choices:
        raise ConfigError(
            f"option '{option.name}' is '{value}'; allowed: {', '.join(option.choices)}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"option '{option.name}' must be finite, got {value}")
    low = -math.inf if option.low is None else option.low
    high = math.inf if option.high is None else option.high
    if isinstance(value, (int, float)) and not low <= value <= high:
        raise ConfigError(f"option '{option.name}' is {value}; allowed: {low} to {high}")
    return value


def closest_name(name: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: " Did you mean 'x'?" or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def _option(name: str) -> Option:
    try:
        return _OPTIONS[name]
    except KeyError:
        hint = closest_name(name, _OPTIONS) or f" Known: {', '.join(_OPTIONS)}."
        raise ConfigError(f"unknown option '{name}'.{hint}") from None


def _flatten(mapping: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name}.")
        elif value is None and name in _SECTIONS and name not in _OPTIONS:
            continue  # a section whose options are all commented out
        else:
            yield name, value


def _ros_parameters(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The ``ros__parameters`` of the first node in a ROS parameter file; None in other files."""
    for key, value in document.items():
        if key == "ros__parameters":
            return value or {}
        if isinstance(value, Mapping):
            inner = _ros_parameters(value)
            if inner is not None:
                return inner
    return None


def _replace(section: Any, values: Mapping[str, Any], prefix: str) -> Any:
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(section):
        name = prefix + field.name
        current = getattr(section, field.name)
        if dataclasses.is_dataclass(current):
            changes[field.name] = _replace(current, values, f"{name}.")
        elif name in values:
            changes[field.name] = values[name]
    return dataclasses.replace(section, **changes)
