"""Per-frame numbers over the run, with the spans in which hands were lost or only predicted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from hand_recon_ros.evaluation.results import Evaluation, FrameNumbers, Metric
from hand_recon_ros.metrics.definitions import METRICS
from hand_recon_ros.report import charts
from hand_recon_ros.report.charts import Axis, Chart
from hand_recon_ros.report.figures import figure
from hand_recon_ros.types import Array

SHADED: Final = ("lost", "predicted")
"""States that are marked, the worst first."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames in a row of one source and one state; stamps in seconds."""

    state: str
    source: str
    first: int
    last: int
    start: float
    end: float
    frames: int


def spans(frames: Sequence[FrameNumbers]) -> list[Span]:
    """The spans of the shaded states, in order."""
    found = []
    for (state, source), group in groupby(frames, lambda frame: (frame.state, frame.source)):
        if state in SHADED:
            run = list(group)
            first, last = run[0], run[-1]
            found.append(
                Span(state, source, first.index, last.index, first.stamp, last.stamp, len(run))
            )
    return found


def frame_values(frames: Sequence[FrameNumbers], name: str) -> Array:
    """(N,) one number of each frame, NaN where a frame has none."""
    return np.array([frame.values.get(name, np.nan) for frame in frames])


def frame_metrics(evaluation: Evaluation) -> list[Metric]:
    """The metrics that single frames have, in showing order; undefined ones by name, last."""
    names = {name for frame in evaluation.frames for name in frame.values}
    return defined(evaluation, names)


def defined(evaluation: Evaluation, names: Collection[str]) -> list[Metric]:
    """Metrics by name, as the evaluation shows them, then the package's, then unknown ones."""
    own = {metric.name: metric for metric in evaluation.metrics}
    known = own | {name: metric for name, metric in METRICS.items() if name not in own}
    bare = [
        Metric(name, name, "", "neither", "", "") for name in sorted(names) if name not in known
    ]
    return [metric for name, metric in known.items() if name in names] + bare


def timelines(evaluation: Evaluation) -> list[Chart]:
    """One chart for each number that frames have, in showing order."""
    if not evaluation.frames:
        return []
    x, x_axis = _across(evaluation.frames)
    states = [frame.state for frame in evaluation.frames]
    shaded = charts.bands(states, x, SHADED, x_axis)
    return [
        _timeline(metric, frame_values(evaluation.frames, metric.name), x, x_axis, shaded)
        for metric in frame_metrics(evaluation)
    ]


def _timeline(
    metric: Metric, y: Array, x: Array, x_axis: Axis, shaded: tuple[charts.Band, ...]
) -> Chart:
    high = charts.roof(y)
    low = min(0.0, float(np.nanmin(y))) if np.isfinite(y).any() else 0.0
    y_axis = charts.axis(metric.unit, low, high, about=4)
    kept = charts.extremes(y)
    notes = []
    if len(kept) < len(y):
        notes.append(f"{len(y)} frames, drawn as their extremes in {charts.MOST_BUCKETS} pieces.")
    above = int((y > high).sum())
    if above:
        notes.append(f"{above} frames above the chart, up to {figure(float(np.nanmax(y)))}.")
    line = charts.line(metric.title, x[kept], y[kept], x_axis, y_axis)
    return Chart(metric.title, x_axis, y_axis, (line,), shaded, note=" ".join(notes))


def _across(frames: Sequence[FrameNumbers]) -> tuple[Array, Axis]:
    """(N,) where frames stand: seconds of a single recording, else their running number."""
    stamps = np.array([frame.stamp for frame in frames])
    recording = len({frame.source for frame in frames}) == 1 and (np.diff(stamps) > 0).all()
    if recording and len(frames) > 1 and np.isfinite(stamps).all():
        x, label = stamps - stamps[0], "time, s"
    else:
        x, label = np.arange(len(frames), dtype=np.float64), "frame of the run"
    return x, charts.axis(label, float(x[0]), float(x[-1]))
