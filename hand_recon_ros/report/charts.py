"""Charts as plain geometry; the template draws them as SVG that stretches to any width.

Places are shares of the plot: x from 0 (left) to 1 (right), y from 0 (bottom) to 1 (top).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand_recon_ros.report.figures import figure, round_marks
from hand_recon_ros.types import Array

GRID: Final = 10_000
"""Paths are written in whole steps of this share of the plot."""
MOST_BUCKETS: Final = 800
"""Pieces of a long series of which the extremes are drawn: more than a screen has columns."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis with its range; ``marks`` are (place, text)."""

    label: str
    low: float
    high: float
    marks: tuple[tuple[float, str], ...]

    def place(self, values: ArrayLike) -> Array:
        """Shares of the axis at which values lie."""
        return np.asarray((np.asarray(values, np.float64) - self.low) / (self.high - self.low))


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its name and the data of an SVG path (y downwards)."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Band:
    """A span of the x axis that is shaded."""

    kind: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a histogram, and what it says when pointed at."""

    start: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn in one frame; ``note`` tells what the picture leaves out."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    bars: tuple[Bar, ...] = ()
    uprights: tuple[tuple[float, str], ...] = ()
    note: str = ""


def axis(label: str, low: float, high: float, about: int = 5) -> Axis:
    """An axis with round marks; a range of nothing is widened."""
    if not high > low:
        low, high = low - 0.5, low + 0.5
    marks = round_marks(low, high, about)
    return Axis(label, low, high, tuple(((m - low) / (high - low), f"{m:.6g}") for m in marks))


def line(name: str, x: ArrayLike, y: ArrayLike, x_axis: Axis, y_axis: Axis) -> Line:
    """A series as a path; NaN breaks it, a lone point becomes a dot, y is clipped to the axis."""
    across = np.round(GRID * x_axis.place(x))
    down = np.round(GRID * (1 - np.clip(y_axis.place(y), 0, 1)))
    pieces: list[str] = []
    points: list[str] = []
    for px, py in zip(across.tolist(), down.tolist(), strict=True):
        if np.isfinite(py):
            points.append(f"{px:.0f} {py:.0f}")
        elif points:
            pieces.append(_joined(points))
            points = []
    if points:
        pieces.append(_joined(points))
    return Line(name, "".join(pieces))


def _joined(points: Sequence[str]) -> str:
    return "M" + "L".join(points if len(points) > 1 else [*points, *points])


def extremes(values: Array, buckets: int = MOST_BUCKETS) -> NDArray[np.int64]:
    """Indices that keep a series' envelope: the least and the greatest value of each bucket.

    Args:
        values: (N,) with NaN where there is none.
        buckets: pieces of equal length; a short series stays whole.

    Returns:
        (M,) ascending, M <= 2 * buckets; a bucket without values keeps its first, so that the gap
        remains.
    """
    if len(values) <= 2 * buckets:
        return np.arange(len(values))
    kept: set[int] = set()
    for bucket in np.array_split(np.arange(len(values)), buckets):
        seen = values[bucket]
        if np.isnan(seen).all():
            kept.add(int(bucket[0]))
        else:
            kept |= {int(bucket[np.nanargmin(seen)]), int(bucket[np.nanargmax(seen)])}
    return np.array(sorted(kept))


def roof(values: Array) -> float:
    """Where a y axis from 0 ends: above all values, unless a few stand far out."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 1.0
    greatest, usual = float(finite.max()), float(np.percentile(finite, 99))
    return 1.05 * greatest if greatest <= 3 * usual else 1.5 * usual


def bands(states: Sequence[str], x: Array, kinds: Iterable[str], x_axis: Axis) -> tuple[Band, ...]:
    """Spans in which a state holds, half-way to the neighbours; the first kind is the worst.

    Where there are more frames than a screen shows, the worst state of each bucket counts.
    """
    ranks = {kind: rank for rank, kind in enumerate(kinds)}
    edges = np.concatenate([[x[0]], (x[1:] + x[:-1]) / 2, [x[-1]]])
    pieces = np.array_split(np.arange(len(states)), min(len(states), MOST_BUCKETS))
    found: list[Band] = []
    for piece in pieces:
        worst = min((states[k] for k in piece), key=lambda kind: ranks.get(kind, len(ranks)))
        if worst not in ranks:
            continue
        start, end = x_axis.place(edges[[piece[0], piece[-1] + 1]]).tolist()
        if found and found[-1].kind == worst and abs(_end(found[-1]) - start) < 1e-9:
            found[-1] = Band(worst, found[-1].start, end - found[-1].start)
        else:
            found.append(Band(worst, start, end - start))
    return tuple(found)


def _end(band: Band) -> float:
    return band.start + band.width


def histogram(title: str, label: str, values: ArrayLike, about: int = 40) -> Chart | None:
    """How often values occur, with their median and 95th percentile; None without values.

    The far tail (well beyond the 99th percentile) is counted in the note, not drawn.
    """
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return None
    end = min(float(numbers.max()), 1.25 * float(np.percentile(numbers, 99)))
    counts, edges = np.histogram(numbers, about, (0.0, end if end > 0 else 1.0))
    x_axis = axis(label, 0.0, float(edges[-1]))
    y_axis = axis("frames", 0.0, 1.05 * float(counts.max()), about=4)
    starts, heights = x_axis.place(edges).tolist(), y_axis.place(counts).tolist()
    bars = [
        Bar(starts[k], starts[k + 1] - starts[k], heights[k], _said(edges[k : k + 2], count))
        for k, count in enumerate(counts.tolist())
        if count
    ]
    middle, late = np.percentile(numbers, [50, 95]).tolist()
    uprights = (
        (float(x_axis.place(middle)), f"median {figure(middle)}"),
        (float(x_axis.place(late)), f"95 % {figure(late)}"),
    )
    beyond = int((numbers > edges[-1]).sum())
    note = f"{beyond} beyond, up to {figure(float(numbers.max()))}." if beyond else ""
    return Chart(title, x_axis, y_axis, bars=tuple(bars), uprights=uprights, note=note)


def _said(edges: Array, count: int) -> str:
    low, high = edges.tolist()
    return f"{figure(low)} to {figure(high)}: {count}"
