"""A comparison as text for a terminal, and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hand_recon_ros.evaluation.results import Curve
from hand_recon_ros.report.comparing import Cell, Comparison, Run
from hand_recon_ros.report.figures import figure
from hand_recon_ros.report.hand_figure import greatest_mm, hand_figure
from hand_recon_ros.report.page import curve_tables, flattened
from hand_recon_ros.report.templates import render

METHOD = (
    "Changes are differences of means over the frames that a run shares with the first. The 95 % "
    "interval comes from a moving-block bootstrap (4000 draws, fixed seed): neighbouring frames "
    "resemble each other, so blocks of them are drawn, and whole recordings where there are twenty "
    "or more."
)


@dataclass(frozen=True, slots=True)
class Differing:
    """An option or version that is not the same in all runs."""

    name: str
    values: tuple[str, ...]


def comparison_text(comparison: Comparison) -> str:
    """The table and notes for a terminal."""
    rows = [["", *(run.name if k == 0 else f"{run.name}  change [95 %]"
                   for k, run in enumerate(comparison.runs))]]  # fmt: skip
    for row in comparison.rows:
        unit = f", {row.metric.unit}" if row.metric.unit else ""
        rows.append([row.metric.title + unit, *(_cell_text(cell) for cell in row.cells)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(f"{t:<{w}}" for t, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([*(line.rstrip() for line in lines), "", *comparison.notes])


def _cell_text(cell: Cell) -> str:
    return f"{figure(cell.value)}  {change_text(cell)}".rstrip()


def change_text(cell: Cell) -> str:
    """The change with its interval and verdict; empty where there is nothing to compare."""
    if cell.change is None or math.isnan(cell.change.interval.difference):
        return ""
    interval = cell.change.interval
    span = "" if math.isnan(interval.low) else f" [{signed(interval.low)}, {signed(interval.high)}]"
    return f"{signed(interval.difference)}{span} {cell.change.verdict}"


def signed(value: float) -> str:
    """A difference with its sign."""
    return ("+" if value > 0 else "−" if value < 0 else "") + figure(abs(value))


def comparison_page(comparison: Comparison) -> str:
    """The comparison as one self-contained HTML page."""
    evaluations = [run.report.evaluation for run in comparison.runs]
    joints = [e.per_joint_mm for e in evaluations]
    greatest = max((greatest_mm(j) for j in joints if j), default=0.0)
    return render(
        "compare.html",
        comparison=comparison,
        method=METHOD,
        signed=signed,
        isnan=math.isnan,
        curves=curve_tables(_renamed_curves(comparison.runs)),
        hands=[
            (run.name, hand_figure(j, greatest))
            for run, j in zip(comparison.runs, joints, strict=True)
            if j
        ],
        options=_differing([run.report.run.config for run in comparison.runs]),
        versions=_differing(
            [run.report.run.versions | run.report.run.models for run in comparison.runs]
        ),
    )


def _renamed_curves(runs: Sequence[Run]) -> dict[str, Curve]:
    """All runs' curves, named by their runs; one picture for each kind of curve."""
    found = {}
    for name in dict.fromkeys(n for run in runs for n in run.report.evaluation.curves):
        for run in runs:
            curve = run.report.evaluation.curves.get(name)
            if curve is not None:
                label = f"{curve.title}: {curve.y_label}"
                found[f"{name} {run.name}"] = replace(curve, title=run.name, y_label=label)
    return found


def _differing(trees: Sequence[Mapping[str, Any]]) -> list[Differing]:
    tables = [dict(flattened(tree)) for tree in trees]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [Differing(n, tuple(str(table.get(n, "–")) for table in tables)) for n in names]
    return [row for row in rows if len(set(row.values)) > 1]
