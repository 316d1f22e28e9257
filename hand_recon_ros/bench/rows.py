"""A measured figure beside the bar that it has to clear."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report.

    Attributes:
        what: what was measured, on what.
        measured: the figure with its unit.
        bar: what is asked for, or empty.
        met: whether the bar is cleared; None where there is none.
        value: the figure as a number, where it is one.
    """

    what: str
    measured: str
    bar: str = ""
    met: bool | None = None
    value: float | None = None


def at_most(what: str, value: float, limit: float, unit: str) -> Row:
    """A figure that should be small."""
    return Row(what, f"{value:.3g} {unit}", f"at most {limit:g} {unit}", value <= limit, value)


def at_least(what: str, value: float, limit: float, unit: str) -> Row:
    """A figure that should be large."""
    return Row(what, f"{value:.4g} {unit}", f"at least {limit:g} {unit}", value >= limit, value)


def markdown(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | measured | bar | |", "|---|---|---|---|"]
    verdict = {True: "met", False: "**missed**", None: ""}
    lines += [f"| {r.what} | {r.measured} | {r.bar} | {verdict[r.met]} |" for r in rows]
    return "\n".join(lines) + "\n"


def as_json(rows: Iterable[Row]) -> str:
    """The rows as a JSON list, for comparing runs."""
    return json.dumps([asdict(row) for row in rows], indent=2) + "\n"
