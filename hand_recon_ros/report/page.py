"""What ``report.html`` shows, from an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hand_recon_ros.config import Config
from hand_recon_ros.config_io import config_to_dict
from hand_recon_ros.evaluation.results import Curve, Evaluation, Metric
from hand_recon_ros.evaluation.run_info import RunInfo
from hand_recon_ros.report import charts
from hand_recon_ros.report.charts import Chart
from hand_recon_ros.report.hand_figure import hand_figure
from hand_recon_ros.report.templates import render
from hand_recon_ros.report.timeline import SHADED, defined, frame_metrics, spans, timelines
from hand_recon_ros.report.worst import APART, Picture, worst_frames

_TILES: Final = 6
_RANKING: Final = ("mpjpe_mm", "error_2d_px", "reprojection_px")
"""What tells a bad frame, where frames have it; otherwise their first number."""
_ACCELERATION: Final = "mm/frame^2"
_TABLED: Final = 11
"""Points of a curve that its table shows."""
_MOST_SPANS: Final = 200


@dataclass(frozen=True, slots=True)
class CurveTable:
    """Curves that share their axes, drawn and as (x, values) rows."""

    chart: Chart
    names: tuple[str, ...]
    rows: tuple[tuple[float, tuple[float, ...]], ...]


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of the configuration; ``default`` is None where it was not changed."""

    name: str
    value: Any
    default: Any


def report_page(evaluation: Evaluation, run: RunInfo, picture: Picture | None) -> str:
    """The page as HTML."""
    by_frame = frame_metrics(evaluation)
    lines = dict(zip((metric.name for metric in by_frame), timelines(evaluation), strict=True))
    first = main_metrics(by_frame)
    found = spans(evaluation.frames)
    return render(
        "report.html",
        evaluation=evaluation,
        run=run,
        metrics=defined(evaluation, evaluation.summary),
        tiles=_tiles(evaluation),
        compared=_published_metrics(evaluation),
        curves=curve_tables(evaluation.curves),
        hand=hand_figure(evaluation.per_joint_mm) if evaluation.per_joint_mm else None,
        main_lines=[lines[metric.name] for metric in first],
        more_lines=[lines[metric.name] for metric in by_frame if metric not in first],
        states={kind: _count(evaluation, kind) for kind in SHADED},
        spans=found[:_MOST_SPANS],
        spans_left_out=len(found[_MOST_SPANS:]),
        latency=charts.histogram("Latency", "ms", evaluation.latencies_ms),
        ranked=first[0] if first else None,
        apart=APART,
        worst=worst_frames(evaluation, first[0], picture) if first else [],
        settings=settings(run.config),
    )


def main_metrics(by_frame: list[Metric]) -> list[Metric]:
    """The error that frames are ranked by, and the acceleration; either may be missing."""
    shakes = [metric for metric in by_frame if metric.unit == _ACCELERATION]
    errors = [m for m in by_frame if m.better != "neither" and m not in shakes]
    errors.sort(key=lambda m: _RANKING.index(m.name) if m.name in _RANKING else len(_RANKING))
    return errors[:1] + shakes[:1]


def curve_tables(curves: Mapping[str, Curve]) -> list[CurveTable]:
    """Curves with the same axes together."""
    groups: dict[tuple[str, str], list[Curve]] = {}
    for curve in curves.values():
        groups.setdefault((curve.x_label, curve.y_label), []).append(curve)
    return [_curve_table(group) for group in groups.values()]


def _curve_table(group: list[Curve]) -> CurveTable:
    x = np.concatenate([np.asarray(curve.x, np.float64) for curve in group])
    y = np.concatenate([np.asarray(curve.y, np.float64) for curve in group])
    high = float(np.nanmax(y, initial=0.0))
    x_axis = charts.axis(group[0].x_label, float(x.min()), float(x.max()))
    # A share is drawn up to its end, whatever was reached: curves of several pages stay comparable.
    y_axis = charts.axis(group[0].y_label, 0.0, next(t for t in (1, 100, high) if high <= t))
    drawn = tuple(charts.line(curve.title, curve.x, curve.y, x_axis, y_axis) for curve in group)
    title = f"{group[0].y_label} over {group[0].x_label}"
    chart = Chart(title[:1].upper() + title[1:], x_axis, y_axis, drawn)
    at = np.linspace(x.min(), x.max(), _TABLED)
    columns = [np.interp(at, curve.x, curve.y) for curve in group]
    rows = [(float(at[k]), tuple(float(c[k]) for c in columns)) for k in range(_TABLED)]
    return CurveTable(chart, tuple(curve.title for curve in group), tuple(rows))


def settings(config: Mapping[str, Any]) -> list[Setting]:
    """The options by dotted name, with their default where they differ from it."""
    usual = dict(flattened(config_to_dict(Config())))
    return [
        Setting(name, value, usual[name] if usual.get(name, value) != value else None)
        for name, value in flattened(config)
    ]


def flattened(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested sections as (dotted name, value)."""
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found += flattened(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value))
    return found


def _tiles(evaluation: Evaluation) -> list[Metric]:
    """The first metrics that were measured."""
    shown = defined(evaluation, evaluation.summary)
    return [metric for metric in shown if np.isfinite(evaluation.summary[metric.name])][:_TILES]


def _published_metrics(evaluation: Evaluation) -> list[Metric]:
    """The metrics that any paper's row gives."""
    return defined(evaluation, {name for _, values, _ in evaluation.published for name in values})


def _count(evaluation: Evaluation, state: str) -> int:
    return sum(frame.state == state for frame in evaluation.frames)
