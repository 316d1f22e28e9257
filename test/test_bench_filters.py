"""The bench of filters: its motions, its measures, its reference, and that ours is ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros import cli
from hand_recon_ros.bench.filters import recorded
from hand_recon_ros.bench.filters.bench import rows_of
from hand_recon_ros.bench.filters.cases import (
    LAGS_S,
    NOISE,
    TROUBLE,
    Case,
    Disturbance,
    fit_case,
    joint_case,
)
from hand_recon_ros.bench.filters.curves import Experiment, aligned, momentary, plot
from hand_recon_ros.bench.filters.judging import Score, judge
from hand_recon_ros.bench.filters.methods import centred, hand_filter, raw, smoothed
from hand_recon_ros.bench.filters.motions import judged_motions, tuning_motions
from hand_recon_ros.bench.filters.reference import fixed_lag, true_noise
from hand_recon_ros.bench.filters.sweep import BOTH, EURO, KALMAN, RAW, Judged, Setting
from hand_recon_ros.config import FilterConfig
from hand_recon_ros.temporal import JointKalman, OneEuro, SavitzkyGolay

MOTION = Path(__file__).parents[1] / "../shared/data/motion"
SILENCE = Disturbance(noise_m=0.0, noise_px=0.0, relative_m=0.0)
MOVING = [m for m in judged_motions() if not m.still]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [joint_case(m, TROUBLE, 7 + i) for i, m in enumerate(judged_motions())]


def at_lag(case: Case, lag_s: float) -> np.ndarray:
    return case.delayed[int(np.argmin(np.abs(LAGS_S - lag_s)))]


def test_motions_are_hands_that_move_as_told() -> None:
    names = [m.name for m in [*tuning_motions(), *judged_motions()]]
    assert len(set(names)) >= len(names) - 2  # reaches and steps differ by their seed
    for motion in [*tuning_motions(), *judged_motions()]:
        t = np.arange(motion.begin, motion.end, 1 / 120)
        joints = motion.joints(t)
        bones = np.linalg.norm(joints[:, 6] - joints[:, 5], axis=1)
        np.testing.assert_allclose(bones, bones[0], rtol=1e-6)
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 120
        assert speed == 0 if motion.still else 0.2 < speed < 8.0


def test_disturbances_are_as_large_as_told() -> None:
    plain = joint_case(MOVING[0], NOISE, 3)
    off = plain.measured - plain.truth
    assert np.std(off) == pytest.approx(NOISE.noise_m, rel=0.02)
    assert plain.seen.all()
    np.testing.assert_allclose(np.diff(plain.stamps), 1 / 30)
    case = joint_case(MOVING[0], TROUBLE, 3)
    assert 0.01 < 1 - case.seen.mean() < 0.2
    assert np.isnan(case.measured[~case.seen]).all()
    assert 0.002 < np.std(np.diff(case.stamps)) < 0.015
    worst = np.linalg.norm(case.measured - case.truth, axis=-1)[case.seen].max(axis=1)
    assert 0.002 < (worst > 0.025).mean() < 0.08


@pytest.mark.parametrize("lag_s", [-0.02, 0.0, 0.032, 0.1])
def test_a_pure_delay_is_found_and_explains_all(lag_s: float) -> None:
    cases = [joint_case(m, SILENCE, 0) for m in MOVING]
    score = judge(cases, [at_lag(c, lag_s) for c in cases])
    assert score.lag_ms == pytest.approx(1000 * lag_s, abs=0.5)
    assert score.aligned_mm < 0.4
    assert score.error_mm > 5 if lag_s else score.error_mm < 1e-6
    held = judge(cases, [c.truth for c in cases], held_frames=2)
    assert held.lag_ms == pytest.approx(1000 * 2 / 30, abs=0.5)


def test_jitter_counts_hands_at_rest_and_acceleration_all() -> None:
    rng = np.random.default_rng(0)
    cases = [joint_case(m, SILENCE, 0) for m in judged_motions()]
    shaken = [c.truth + (rng.normal(0, 1e-3, c.truth.shape) if c.still else 0.0) for c in cases]
    score = judge(cases, shaken)
    # second difference of white noise of sigma 1 mm in three axes: sqrt(6 * 3) mm
    assert score.jitter_mm == pytest.approx(np.sqrt(18), rel=0.05)
    assert 0.1 < score.acceleration_mm < score.jitter_mm
    assert judge(cases, [c.truth for c in cases]).jitter_mm == 0.0


def test_frames_not_seen_do_not_count(cases: list[Case]) -> None:
    spoiled = [np.where(c.seen[:, None, None], c.truth, 1.0) for c in cases]
    assert judge(cases, spoiled).error_mm < 1e-6


def test_the_reference_gets_better_with_more_of_the_future(cases: list[Case]) -> None:
    sigma = true_noise(cases)
    assert np.median(sigma) == pytest.approx(NOISE.noise_m, rel=0.1)
    errors = []
    for held in (0, 1, 2, 4):
        score = judge(cases, [fixed_lag(1.0, sigma, held)(c) for c in cases], held)
        errors.append(score.aligned_mm)
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.6 * judge(cases, [raw(c) for c in cases]).aligned_mm


def test_ours_is_below_one_euro_and_near_the_reference(cases: list[Case]) -> None:
    """Untuned and on formulas alone; the bench has the recordings and the whole curves."""
    kalman = [smoothed(lambda: JointKalman(FilterConfig()))(c) for c in cases]
    kept = {id(c): k for c, k in zip(cases, kalman, strict=True)}
    ours = judge(cases, [smoothed(SavitzkyGolay, lambda c: kept[id(c)])(c) for c in cases])
    for settings in ((4.0, 0.7, 1.0), (4.0, 30.0, 1.0), (8.0, 100.0, 5.0), (16.0, 100.0, 5.0)):
        euro = judge(cases, [smoothed(lambda s=settings: OneEuro(*s))(c) for c in cases])
        assert ours.error_mm < 0.8 * euro.error_mm
        assert ours.aligned_mm < 0.85 * euro.aligned_mm
        assert ours.lag_ms < euro.lag_ms
        assert ours.acceleration_mm < euro.acceleration_mm
    held = judge(cases, [centred(5, 2, lambda c: kept[id(c)])(c) for c in cases], 2)
    sigma = true_noise(cases)
    best = min(
        judge(cases, [fixed_lag(q, sigma, 2)(c) for c in cases], 2).aligned_mm
        for q in (0.35, 0.6, 1.0)
    )
    assert held.aligned_mm < 1.15 * best


def test_the_filter_of_fits_takes_noise_off_them() -> None:
    short = [replace(m, end=m.begin + 3.0) for m in tuning_motions()[2:5:2]]
    cases = [fit_case(m, TROUBLE, i) for i, m in enumerate(short)]
    before, after = (
        judge(cases, [e(c) for c in cases]) for e in (raw, hand_filter(FilterConfig()))
    )
    assert after.error_mm < before.error_mm
    assert after.acceleration_mm < 0.7 * before.acceleration_mm
    assert after.lag_ms < 5.0


def scored(method: str, lag: float, error: float, held: int = 0, *, shipped: bool = False):
    score = Score(error, lag, error, 1.0, 1.0)
    return Judged(Setting(method, "", raw, held, shipped), score)


def test_curves_are_compared_at_equal_lag(tmp_path: Path) -> None:
    ours = [
        scored(KALMAN, 5, 4.0),
        scored(BOTH, 30, 3.0, 1),
        scored(BOTH, 67, 2.0, 2, shipped=True),
        scored(BOTH, 5, 4.4, shipped=True),
    ]
    euro = [scored(EURO, 10, 8.0), scored(EURO, 40, 4.0)]
    references = [scored("best fixed-lag smoother", 33 * k, 2.5 - 0.3 * k, k) for k in range(4)]
    experiment = Experiment("test", [scored(RAW, 0, 9.0), *ours, *euro], references)
    assert experiment.worst_ratio(aligned) == pytest.approx(3.0 / 4.0)
    assert experiment.worst_ratio(momentary, held=0) == pytest.approx(4.0 / 4.0)
    assert experiment.shipped(2).aligned_mm == 2.0
    rows = rows_of(experiment)
    assert [row.met for row in rows] == [None, None, None, True, True, True]
    assert rows[-1].value == pytest.approx(2.0 / 1.9)
    plot([experiment], tmp_path / "new" / "filters.png")
    assert (tmp_path / "new" / "filters.png").stat().st_size > 10_000


@pytest.mark.skipif(not MOTION.exists(), reason=f"the recordings are not at {MOTION}")
def test_recordings_are_known_between_their_samples_but_not_in_gaps() -> None:
    (motion,) = recorded.recorded_motions(MOTION, [("confidence-74fps", 1)])
    assert motion.gaps
    case = joint_case(motion, NOISE, 0)
    begin, end = motion.gaps[0]
    assert not ((case.stamps > begin) & (case.stamps < end)).any()
    with np.load(MOTION / "confidence-74fps.npz") as data:
        t, joints = data["t"], data["joints_mm"][:, 1] / 1000
    seen = np.isfinite(joints[:, 1:]).all(axis=(1, 2))
    np.testing.assert_allclose(motion.joints(t[seen])[:, 1:], joints[seen, 1:], atol=1e-9)


def test_command_names_unknown_benches(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "speed"]) == 2
    assert "unknown bench speed; known: fit, filters" in capsys.readouterr().err


def test_command_says_what_it_skips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.md"
    code = cli.main(["bench", "filters", "--data", str(tmp_path), "--out", str(out)])
    assert code == 1
    assert "filters: skipped" in capsys.readouterr().err
    assert out.exists()
    assert out.with_suffix(".json").read_text() == "[]\n"
