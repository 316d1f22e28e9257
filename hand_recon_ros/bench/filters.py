"""The joint filter against One-Euro on recorded hand motion with added noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from hand_recon_ros.bench.rows import Row
from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal import JointKalman, OneEuro, Smoother
from hand_recon_ros.types import Array

JUDGED = (("grab", 1), ("pinch-57fps", 1), ("three-claps", 1), ("wave", 1))
"""Recording and hand; the noise model was tuned on confidence-74fps and three-claps' left hand."""
NOISE_M = 0.003
_SETTLED = 10
"""Frames at the start that do not count."""


def recording(path: Path, hand: int) -> tuple[Array, Array]:
    """Stamps (T,) and joints (T, 21, 3), metres, of one hand (0 = left) of a recording."""
    data = np.load(path)
    joints = data["joints_mm"][:, hand] / 1000
    seen = np.isfinite(joints[:, 1:]).all(axis=(1, 2))
    return data["t"][seen], joints[seen]


def at_30_fps(stamps: Array, joints: Array) -> tuple[Array, Array]:
    """The samples that a 30 fps camera would have taken."""
    grid = np.arange(stamps[0], stamps[-1], 1 / 30)
    keep = np.unique(np.searchsorted(stamps, grid))
    return stamps[keep], joints[keep]


def acceleration(stamps: Array, joints: Array) -> Array:
    """Second divided differences on the real stamps, as mm per median frame squared."""
    h = np.diff(stamps)[:, None, None]
    velocity = np.diff(joints, axis=0) / h
    per_second = 2 * np.diff(velocity, axis=0) / (h[1:] + h[:-1])
    return np.asarray(1000 * per_second * np.median(h) ** 2)


def lag_ms(stamps: Array, estimate: Array, truth: Array) -> float:
    """Delay of the truth that the estimate resembles most, ms."""
    inner = (stamps > stamps[0] + 0.2) & (stamps < stamps[-1] - 0.05)
    flat, found = truth.reshape(len(stamps), -1), estimate.reshape(len(stamps), -1)[inner]

    def off(lag: float) -> float:
        i = np.searchsorted(stamps, stamps[inner] - lag) - 1
        share = ((stamps[inner] - lag - stamps[i]) / (stamps[i + 1] - stamps[i]))[:, None]
        return float(np.mean((flat[i] * (1 - share) + flat[i + 1] * share - found) ** 2))

    lags = np.arange(-0.02, 0.12, 0.002)
    return 1000 * float(lags[np.argmin([off(lag) for lag in lags])])


def judge(smoother: Smoother, stamps: Array, truth: Array, noise: Array) -> Array:
    """Joint error (mm), acceleration error (mm/frame^2) and lag (ms) of one recording."""
    noisy = zip(truth + noise, stamps, strict=True)
    estimate = np.stack([smoother.update(x, t).joints_m for x, t in noisy])[:, 1:]
    truth = truth[:, 1:]  # the wrist is absent in most recordings
    error = 1000 * np.linalg.norm(estimate - truth, axis=-1)[_SETTLED:].mean()
    shake = acceleration(stamps, estimate) - acceleration(stamps, truth)
    shaking = np.linalg.norm(shake, axis=-1)[_SETTLED:].mean()
    return np.array([error, shaking, lag_ms(stamps, estimate, truth)])


def compare(folder: Path, *, camera_rate: bool) -> dict[str, Array]:
    """Error, acceleration error and lag of our filter and of two settings of One-Euro.

    Args:
        folder: of the recordings.
        camera_rate: sample at 30 fps instead of the recorded rate.
    """
    makers: dict[str, Callable[[], Smoother]] = {
        "ours": lambda: JointKalman(FilterConfig()),
        "One-Euro 4 Hz / 0.7": OneEuro,
        "One-Euro 4 Hz / 30": lambda: OneEuro(4.0, 30.0),
    }
    scores: dict[str, list[Array]] = {name: [] for name in makers}
    weights = []
    for name, hand in JUDGED:
        stamps, truth = recording(folder / f"{name}.npz", hand)
        if camera_rate:
            stamps, truth = at_30_fps(stamps, truth)
        noise = np.random.default_rng(0).normal(0, NOISE_M, truth.shape)
        for label, make in makers.items():
            scores[label].append(judge(make(), stamps, truth, noise))
        weights.append(len(stamps))
    return {k: np.average(v, axis=0, weights=weights) for k, v in scores.items()}


def bench_filters(folder: Path) -> list[Row]:
    """Measure our joint filter against One-Euro."""
    rows = []
    for camera_rate in (False, True):
        scores = compare(folder, camera_rate=camera_rate)
        rate = "30 fps" if camera_rate else "recorded rate"
        for label, score in scores.items():
            error, shaking, lag = score
            ours = scores["ours"]
            rows.append(
                Row(
                    f"recorded motion, 3 mm noise, {rate}, {label}",
                    f"{error:.2f} mm, {shaking:.2f} mm/frame^2, lag {lag:.0f} ms",
                    "" if label == "ours" else "above ours in all three",
                    None if label == "ours" else bool((ours < score).all()),
                )
            )
    return rows
