"""Known and recorded motions, disturbed; filters tuned on one part and judged on another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hand_recon_ros.bench.filters import recorded
from hand_recon_ros.bench.filters.cases import (
    NOISE,
    TROUBLE,
    Case,
    Disturbance,
    fit_case,
    joint_case,
)
from hand_recon_ros.bench.filters.curves import Experiment, aligned, momentary, plot
from hand_recon_ros.bench.filters.judging import Score
from hand_recon_ros.bench.filters.motions import Motion, judged_motions, tuning_motions
from hand_recon_ros.bench.filters.sweep import chosen, references
from hand_recon_ros.bench.rows import Row, at_most

_HELD = 2
"""Frames of lag at which ours has to be near the best smoother."""
_NEAR = 1.1
_GRADES = (("noise", NOISE), ("noise, dropouts, outliers, uneven stamps", TROUBLE))


def bench_filters(folder: Path, picture: Path) -> list[Row]:
    """Measure all filters; write the plot to ``picture`` and its points to a ``.json`` beside it.

    Args:
        folder: of the recordings.
        picture: a PNG.

    Raises:
        FileNotFoundError: a recording is not there.
    """
    experiments = run_experiments(folder)
    plot(experiments, picture)
    points = [experiment.as_dict() for experiment in experiments]
    picture.with_suffix(".json").write_text(json.dumps(points, indent=1) + "\n")
    return [row for experiment in experiments for row in rows_of(experiment)]


def run_experiments(folder: Path) -> list[Experiment]:
    """Joints and fits, with noise alone and with all there is."""
    tuning = recorded.recorded_motions(folder, recorded.TUNING)
    judged = recorded.recorded_motions(folder, recorded.JUDGED)
    experiments = []
    for fitted in (False, True):
        if fitted:
            tuning = [recorded.as_mano(motion) for motion in tuning]
            judged = [recorded.as_mano(motion) for motion in judged]
        for name, disturbance in _GRADES:
            parts = (
                _cases([*tuning_motions(), *tuning], disturbance, seed=0, fitted=fitted),
                _cases([*judged_motions(), *judged], disturbance, seed=100, fitted=fitted),
            )
            title = f"{'MANO fits' if fitted else 'joints'}, {name}"
            experiments.append(
                Experiment(title, chosen(*parts, fitted=fitted), references(parts[1]))
            )
    return experiments


def rows_of(experiment: Experiment) -> list[Row]:
    """The bars, and what people feel: error, lag and the jitter of a still hand."""
    euro = experiment.best_euro()
    recorded_score, best = experiment.shipped(_HELD), experiment.references[_HELD].score
    title = experiment.title
    return [
        Row(f"{title}: ours live", _told(experiment.shipped(0))),
        Row(f"{title}: ours as recordings get it, {_HELD} frames held", _told(recorded_score)),
        Row(f"{title}: One-Euro, {euro.setting.label}", _told(euro.score)),
        at_most(
            f"{title}: ours / One-Euro at equal lag, the worst of 0-50 ms",
            experiment.worst_ratio(aligned),
            1.0,
            "times",
        ),
        at_most(
            f"{title}: the same, live, against the truth of the moment",
            experiment.worst_ratio(momentary, held=0),
            1.0,
            "times",
        ),
        at_most(
            f"{title}: ours / best fixed-lag smoother at {_HELD} frames",
            recorded_score.aligned_mm / best.aligned_mm,
            _NEAR,
            "times",
        ),
    ]


def _cases(
    motions: Sequence[Motion], disturbance: Disturbance, *, seed: int, fitted: bool
) -> list[Case]:
    make = fit_case if fitted else joint_case
    return [make(motion, disturbance, seed + i) for i, motion in enumerate(motions)]


def _told(score: Score) -> str:
    return (
        f"{score.error_mm:.2f} mm, lag {score.lag_ms:.0f} ms, shake {score.acceleration_mm:.2f} "
        f"and at rest {score.jitter_mm:.2f} mm/frame^2"
    )
