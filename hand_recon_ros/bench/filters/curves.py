"""Error against lag: which method is the better one at equal lag, and the plot of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hand_recon_ros.bench.filters.judging import Score
from hand_recon_ros.bench.filters.sweep import BEST, BOTH, EURO, KALMAN, OURS, RAW, SAVGOL, Judged

RANGE_MS = np.arange(0.0, 50.1, 2.5)
_LONGEST_MS = 115.0
SAME_LAG_MS = 2.0
"""Lags that differ by less are equal: less than a tenth of a frame."""
Measure = Callable[[Score], float]
_COLOURS: Mapping[str, str] = {
    RAW: "#888888",
    EURO: "#d55e00",
    SAVGOL: "#e69f00",
    KALMAN: "#56b4e9",
    BOTH: "#0072b2",
    BEST: "#000000",
}


@dataclass(frozen=True)
class Experiment:
    """All methods on one kind of measurements.

    Attributes:
        title: what was measured, how disturbed.
        judged: every method's settings on the judged part.
        references: the best fixed-lag smoother, holding 0, 1, 2 ... frames.
    """

    title: str
    judged: Sequence[Judged]
    references: Sequence[Judged]

    def of(self, *methods: str, held: int | None = None) -> list[Judged]:
        """What the methods scored, all of it or that which is held back so long."""
        return [
            j
            for j in self.judged
            if j.setting.method in methods and held in (None, j.setting.held_frames)
        ]

    def shipped(self, held: int) -> Score:
        """The shipped filter, live (0) or as recordings get it (2 frames)."""
        return next(j.score for j in self.of(*OURS, held=held) if j.setting.shipped)

    def best_euro(self) -> Judged:
        """The setting of One-Euro that is nearest to the truth of the moment."""
        return min(self.of(EURO), key=lambda j: j.score.error_mm)

    def worst_ratio(self, measure: Measure, held: int | None = None) -> float:
        """Error of ours over that of One-Euro at equal lag, at the worst lag of ``RANGE_MS``.

        At each lag a method may use all of its settings that lag at most so much.
        """
        euro = [lowest(self.of(EURO), measure, lag) for lag in RANGE_MS]
        ours = [lowest(self.of(*OURS, held=held), measure, lag + SAME_LAG_MS) for lag in RANGE_MS]
        there = np.isfinite(euro)
        return float(np.max(np.array(ours)[there] / np.array(euro)[there]))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "title": self.title,
            "points": [
                {
                    "method": j.setting.method,
                    "setting": j.setting.label,
                    "held_frames": j.setting.held_frames,
                    "shipped": j.setting.shipped,
                    **{name: getattr(j.score, name) for name in Score.__slots__},
                }
                for j in [*self.judged, *self.references]
            ],
        }


def aligned(score: Score) -> float:
    """Error against the truth as old as the lag, mm."""
    return score.aligned_mm


def momentary(score: Score) -> float:
    """Error against the truth of the frame's own stamp, mm."""
    return score.error_mm


def lowest(judged: Sequence[Judged], measure: Measure, lag_ms: float) -> float:
    """Least error among what lags at most so much; infinite where there is nothing."""
    return min((measure(j.score) for j in judged if j.score.lag_ms <= lag_ms), default=np.inf)


def plot(experiments: Sequence[Experiment], path: Path) -> None:
    """Draw error against lag, a column an experiment; above for any delay, below for live use.

    A dot is a setting, a line the least error that a method reaches with so much lag or less, a
    star what ships.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(experiments), 8.2), layout="constrained")
    grid = figure.subplots(2, len(experiments), squeeze=False)
    for column, experiment in enumerate(experiments):
        upper, lower = grid[:, column]
        _draw(upper, experiment, aligned, None)
        _draw(lower, experiment, momentary, 0)
        upper.set_title(f"{experiment.title}\njudged on motions not tuned on", fontsize=10)
        upper.set_ylabel("error against the truth of that time ago, mm")
        lower.set_ylabel("error against the truth of this moment, mm")
    grid[0, 0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _draw(axes: Any, experiment: Experiment, measure: Measure, held: int | None) -> None:
    for method, colour in _COLOURS.items():
        points = experiment.of(method, held=held)
        if method == BEST and held is None:
            points = list(experiment.references)
        if not points:
            continue
        points = sorted(points, key=lambda j: j.score.lag_ms)
        xy = np.array([(p.score.lag_ms, measure(p.score)) for p in points])
        axes.plot(*xy.T, ".", color=colour, alpha=0.3, markersize=6)
        reached = np.append(np.minimum.accumulate(xy[:, 1]), xy[:, 1].min())
        lags = np.append(xy[:, 0], _LONGEST_MS)
        axes.plot(lags, reached, color=colour, drawstyle="steps-post", label=method)
        for p in points:
            if p.setting.shipped:
                at = (p.score.lag_ms, measure(p.score))
                axes.plot(*at, "*", color=colour, markersize=15, markeredgecolor="black")
    axes.axvspan(0, 50, color="#0072b2", alpha=0.05)
    axes.set_xlim(-8, _LONGEST_MS if held is None else 60)
    low = min(measure(j.score) for j in [*experiment.judged, *experiment.references])
    axes.set_ylim(0.85 * low, 1.5 * measure(experiment.of(RAW)[0].score))
    axes.set_xlabel("lag, ms")
    axes.grid(alpha=0.3)
