"""Runs beside the first of them: what changed, and whether chance could have done it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from hand_recon_ros.evaluation.results import FrameNumbers, Metric
from hand_recon_ros.report.bootstrap import Interval, draw, paired, unpaired
from hand_recon_ros.report.files import Report
from hand_recon_ros.report.timeline import defined, frame_metrics, frame_values

SEED: Final = 0
FEW_FRAMES: Final = 100
"""With fewer common frames intervals tend to be too narrow where frames resemble each other."""
Verdict = Literal["better", "worse", "changed", "no change", "too few frames", "not tested"]
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """A report and what it is called in the comparison."""

    name: str
    report: Report


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one number.

    Attributes:
        interval: of the difference, the run's mean less the first run's.
        verdict: in words.
        frames: from which the difference comes; 0 where the frames of a run lack the number.
        unit: what was drawn to find the interval.
    """

    interval: Interval
    verdict: Verdict
    frames: int = 0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A run's number (NaN: it has none), and its change against the first run."""

    value: float
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One number over all runs, the first run first."""

    metric: Metric
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Common:
    """The frames that a run shares with the first: as pairs of their positions."""

    pairs: tuple[tuple[int, int], ...]
    by_file_name: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it.

    Attributes:
        runs: the first is what the others are held against.
        rows: one for each number.
        common: of each run but the first.
        notes: what a reader has to know.
    """

    runs: tuple[Run, ...]
    rows: tuple[Row, ...]
    common: tuple[Common, ...]
    notes: tuple[str, ...] = field(default=())


def compare(runs: Sequence[Run]) -> Comparison:
    """Hold every run against the first.

    Where two runs have frames in common, differences of these frames are resampled (paired);
    otherwise the frames of each run on their own.

    Raises:
        ValueError: fewer than two runs.
    """
    if len(runs) < 2:
        raise ValueError("a comparison needs at least two runs: name two folders or more")
    first, *others = runs
    common = tuple(_common(_frames(first), _frames(other)) for other in others)
    rows = []
    for metric in _all_metrics(runs):
        cells = [Cell(_value(first, metric.name))]
        for other, shared in zip(others, common, strict=True):
            change = _change(metric, first, other, shared)
            cells.append(Cell(_value(other, metric.name), change))
        rows.append(Row(metric, tuple(cells)))
    return Comparison(tuple(runs), tuple(rows), common, tuple(_notes(runs, rows, common)))


def _frames(run: Run) -> tuple[FrameNumbers, ...]:
    return run.report.evaluation.frames


def _all_metrics(runs: Sequence[Run]) -> list[Metric]:
    """Every number of any run: those of summaries in showing order, then those of frames only."""
    found: dict[str, Metric] = {}
    evaluations = [run.report.evaluation for run in runs]
    for metrics in (
        *(defined(evaluation, evaluation.summary) for evaluation in evaluations),
        *(frame_metrics(evaluation) for evaluation in evaluations),
    ):
        for metric in metrics:
            found.setdefault(metric.name, metric)
    return list(found.values())


def _value(run: Run, name: str) -> float:
    """The summary's number, or the mean over the frames that have one."""
    summary = run.report.evaluation.summary
    if name in summary:
        return summary[name]
    values = frame_values(_frames(run), name)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan


def _common(first: Sequence[FrameNumbers], other: Sequence[FrameNumbers]) -> Common:
    """Match frames by source and index; sources in other folders match by their file's name."""
    for short in (False, True):
        ours, theirs = _places(first, short), _places(other, short)
        pairs = tuple((place, theirs[key]) for key, place in ours.items() if key in theirs)
        whole = len(ours) == len(first) and len(theirs) == len(other)
        if pairs and whole:
            return Common(pairs, by_file_name=short)
    return Common(())


def _places(frames: Sequence[FrameNumbers], short: bool) -> dict[Key, int]:
    return {
        (Path(frame.source).name if short else frame.source, frame.index): place
        for place, frame in enumerate(frames)
    }


def _change(metric: Metric, first: Run, other: Run, common: Common) -> Change:
    ours, theirs = (frame_values(_frames(run), metric.name) for run in (first, other))
    rng = np.random.default_rng(SEED)
    if common.pairs:
        places = np.array(common.pairs)
        differences = theirs[places[:, 1]] - ours[places[:, 0]]
        known = np.isfinite(differences)
        if known.any():
            sources = [_frames(first)[place].source for place in places[known, 0]]
            drawn = draw(differences[known], sources, rng)
            interval = paired(drawn)
            return Change(interval, _verdict(metric, interval), int(known.sum()), drawn.unit)
    elif np.isfinite(ours).any() and np.isfinite(theirs).any():
        draws = [
            draw(
                values[known],
                [f.source for f, k in zip(_frames(run), known, strict=True) if k],
                rng,
            )
            for run, values in ((first, ours), (other, theirs))
            for known in [np.isfinite(values)]
        ]
        interval = unpaired(*draws)
        frames = int(np.isfinite(ours).sum() + np.isfinite(theirs).sum())
        return Change(interval, _verdict(metric, interval), frames, draws[1].unit)
    difference = _value(other, metric.name) - _value(first, metric.name)
    return Change(Interval(difference, math.nan, math.nan), "not tested")


def _verdict(metric: Metric, interval: Interval) -> Verdict:
    if math.isnan(interval.low):
        return "too few frames"
    if not interval.beyond_noise:
        return "no change"
    if metric.better == "neither":
        return "changed"
    return "better" if (interval.difference < 0) == (metric.better == "lower") else "worse"


def _notes(runs: Sequence[Run], rows: Sequence[Row], common: Sequence[Common]) -> list[str]:
    found = []
    for run, shared in zip(runs[1:], common, strict=True):
        frames = len(shared.pairs)
        if not frames:
            found.append(
                f"{run.name} and {runs[0].name} have no frames in common: their means are compared "
                "unpaired, and other pictures alone may explain a difference."
            )
            continue
        if shared.by_file_name:
            found.append(f"{run.name}: sources lie in other folders and were matched by file name.")
        if frames < FEW_FRAMES:
            found.append(f"{run.name}: only {frames} common frames; intervals may be too narrow.")
    names = [{row.metric.name for row in rows if np.isfinite(row.cells[k].value)}
             for k in range(len(runs))]  # fmt: skip
    for run, own in zip(runs[1:], names[1:], strict=True):
        if names[0] ^ own:
            found.append(
                f"{run.name}: {len(names[0] ^ own)} numbers exist in only one of the two runs."
            )
    tested = sum(c.change is not None and c.change.frames > 0 for row in rows for c in row.cells)
    found.append(
        f"{tested} numbers were tested at 95 %: about one in twenty of those that did not change "
        "is marked by chance."
    )
    return found
