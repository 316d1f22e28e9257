"""Evaluations made up for the tests of reports and comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.signal import lfilter

from hand_recon_ros.evaluation.results import Curve, Evaluation, FrameNumbers
from hand_recon_ros.evaluation.run_info import RunInfo
from hand_recon_ros.metrics.definitions import METRICS
from hand_recon_ros.report.files import Report
from hand_recon_ros.types import Array

HOSTILE = '<script>alert("1")</script> & <b>take</b>.mp4'
"""A file name that HTML must not swallow."""


def correlated(n: int, rng: np.random.Generator, rho: float = 0.8) -> Array:
    """(n,) noise with unit deviation, and correlation rho from one value to the next."""
    kicks = np.sqrt(1 - rho**2) * rng.normal(size=n + 200)
    return np.asarray(lfilter([1.0], [1.0, -rho], kicks)[200:])


def frames_of(
    errors: Sequence[float] | Array, source: str = "take.mp4", **more: Sequence[float] | Array
) -> tuple[FrameNumbers, ...]:
    """Frames at 30 Hz with mpjpe_mm (NaN = the hand was lost) and further numbers."""
    frames = []
    for k, error in enumerate(errors):
        values = {"mpjpe_mm": float(error)} if np.isfinite(error) else {}
        values |= {name: float(series[k]) for name, series in more.items()}
        state: Any = "tracked" if np.isfinite(error) else "lost"
        frames.append(FrameNumbers(source, k, k / 30, values, state))
    return tuple(frames)


def evaluation_of(frames: tuple[FrameNumbers, ...], **changes: Any) -> Evaluation:
    """An evaluation whose summary is the means over its frames."""
    names = {name for frame in frames for name in frame.values}
    summary = {
        name: float(np.mean([f.values[name] for f in frames if name in f.values])) for name in names
    }
    metrics = tuple(metric for name, metric in METRICS.items() if name in names)
    given: dict[str, Any] = {"title": "made up", "summary": summary, "metrics": metrics}
    return Evaluation(**(given | {"frames": frames} | changes))


def full_evaluation(n: int = 300) -> Evaluation:
    """One with everything in it: lost and predicted frames, curves, joints, papers, notes."""
    rng = np.random.default_rng(5)
    errors = 10 + 2 * correlated(n, rng)
    errors[40:50] = np.nan
    frames = list(frames_of(errors, HOSTILE, accel_error_mm_frame2=rng.uniform(1, 3, n)))
    for k in range(100, 104):
        frames[k] = FrameNumbers(HOSTILE, k, k / 30, frames[k].values, "predicted")
    thresholds = tuple(np.linspace(0, 50, 100).tolist())
    return evaluation_of(
        tuple(frames),
        title=f"video {HOSTILE}",
        curves={
            "pck_3d": Curve("joints", "mm", "PCK", thresholds, tuple(t / 50 for t in thresholds)),
            "pck_pa": Curve("aligned", "mm", "PCK", thresholds, (1.0,) * 100),
        },
        per_joint_mm=(0.0, *(5.0 + 0.25 * k for k in range(20))),
        latencies_ms=tuple(rng.gamma(9, 2.2, n).tolist()),
        published=(("Some Net", {"mpjpe_mm": 6.25}, "Some <i>paper</i>, table 1"),),
        notes=("3 frames could not be read",),
    )


def run_of(source: str = "take.mp4", **changes: Any) -> RunInfo:
    """How a run was made that never was."""
    given: dict[str, Any] = {"command": "hand_recon bag x", "source": source}
    return RunInfo(**(given | changes))


def report_of(evaluation: Evaluation) -> Report:
    """A report without an interesting origin."""
    return Report(evaluation, run_of())
