"""What an option is: a dataclass field with a meaning and a range, under a dotted name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


class ConfigError(ValueError):
    """An option is unknown or has a bad value; the message names it and the remedy."""


def option_field(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with what ``Option`` tells of it."""
    metadata = {"help": help, "low": low, "high": high, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Option:
    """One option: its dotted name, type, default, meaning and allowed values."""

    name: str
    type: type
    default: Any
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]


def options_of(section: Any, prefix: str = "") -> Iterator[Option]:
    """Every option of a dataclass and of the dataclasses in it, in order."""
    for f in dataclasses.fields(section):
        value = getattr(section, f.name)
        if dataclasses.is_dataclass(value):
            yield from options_of(value, f"{prefix}{f.name}.")
        else:
            m = f.metadata
            yield Option(
                prefix + f.name, type(value), value, m["help"], m["low"], m["high"], m["choices"]
            )
