"""An evaluation as lines for the terminal: our numbers, and those of papers beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hand_recon_ros.evaluation.results import Evaluation, Metric

_OURS: Final = "hand_recon_ros"
_NOTHING: Final = "-"
_COUNTED: Final = ("", "%")
"""Units of counts and shares."""


def told(evaluation: Evaluation, report: Path | None, *, interrupted: bool = False) -> str:
    """What the command prints at its end.

    Args:
        evaluation: what was measured.
        report: the page, None where there is none.
        interrupted: the user stopped the run.
    """
    state = "interrupted, kept" if interrupted else "done"
    lines = [f"{state}: {evaluation.title}, {len(evaluation.frames)} frames"]
    width = max((len(metric.title) for metric in evaluation.metrics), default=0)
    for metric in evaluation.metrics:
        value = _number(evaluation.summary[metric.name], metric.unit)
        lines.append(f"  {metric.title:{width}}  {value} {metric.unit}".rstrip())
    if evaluation.published:
        lines += ["", *_beside_papers(evaluation)]
    lines += [f"note: {note}" for note in evaluation.notes]
    if report is not None:
        lines.append(f"report: {report}")
    return "\n".join(lines)


def _beside_papers(evaluation: Evaluation) -> list[str]:
    """A table: what papers report, ours first."""
    told_by_papers = {name for _, numbers, _ in evaluation.published for name in numbers}
    columns = [metric for metric in evaluation.metrics if metric.name in told_by_papers]
    if not columns:
        return ["papers report other numbers than could be measured here; see the notes"]
    ours = (_OURS, evaluation.summary, "this run")
    rows = [["", *map(_heading, columns), "source"]]
    for method, numbers, source in (ours, *evaluation.published):
        cells = [_number(numbers.get(column.name), column.unit) for column in columns]
        if any(cell != _NOTHING for cell in cells):
            rows.append([method, *cells, source])
    widths = [max(len(row[k]) for row in rows) for k in range(len(columns) + 1)]
    return [
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(row[1:-1], widths[1:], strict=True)),
                row[-1],
            ]
        )
        for row in rows
    ]


def _heading(metric: Metric) -> str:
    return f"{metric.title.split(',')[0]} {metric.unit}".rstrip()


def _number(value: float | None, unit: str = "mm") -> str:
    if value is None:
        return _NOTHING
    if abs(value) >= 100 or (unit in _COUNTED and value.is_integer()):
        return f"{value:.0f}"
    return f"{value:.2f}" if abs(value) >= 1 or unit not in _COUNTED else f"{value:.3f}"
