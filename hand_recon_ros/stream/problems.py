"""Who is told of what is wrong with a stream."""

from __future__ import annotations

import re
from typing import Literal, Protocol

Level = Literal["warning", "error"]


class Problems(Protocol):
    """The problems that exist now, by kind; each is told once, however often it is reported."""

    def report(self, kind: str, text: str, level: Level = "warning") -> None:
        """Say that a problem is there."""

    def clear(self, *kinds: str, at_once: bool = False) -> None:
        """Say that everything is well with ``kinds``."""


def wording(text: str) -> str:
    """A text without its figures: what stays the same while figures change."""
    return re.sub(r"[\d.]+", "#", text)
