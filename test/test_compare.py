"""``hand_recon compare``: what is marked as changed, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from evaluations import (
    HOSTILE,
    correlated,
    evaluation_of,
    frames_of,
    full_evaluation,
    report_of,
    run_of,
)

from hand_recon_ros import cli
from hand_recon_ros.evaluation.results import FrameNumbers
from hand_recon_ros.report import bootstrap
from hand_recon_ros.report.bootstrap import RESAMPLES, block_length, draw, paired
from hand_recon_ros.report.comparing import Comparison, Row, Run, compare
from hand_recon_ros.report.comparison_page import comparison_page, comparison_text
from hand_recon_ros.report.files import Report
from hand_recon_ros.report.write import write_report

N = 400


def report(errors: np.ndarray, source: str = "take.mp4", **more: np.ndarray) -> Report:
    return report_of(evaluation_of(frames_of(errors, source, **more)))


def beside(*reports: Report) -> Comparison:
    return compare([Run(f"run {k}", report) for k, report in enumerate(reports)])


def row(comparison: Comparison, name: str) -> Row:
    (found,) = [row for row in comparison.rows if row.metric.name == name]
    return found


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_block_length_follows_the_correlation(rng: np.random.Generator) -> None:
    mean = [np.mean([block_length(correlated(N, rng, rho)) for _ in range(20)])
            for rho in (0.0, 0.5, 0.9)]  # fmt: skip
    assert mean[0] < 3
    assert mean[0] < mean[1] < mean[2]
    assert block_length(np.full(N, 3.0)) == 1
    assert block_length(np.array([1.0])) == 1


def test_spread_of_draws_is_that_of_the_mean(rng: np.random.Generator) -> None:
    # Standard error of the mean of an AR(1) series: sqrt((1 + rho) / (1 - rho) / n) for large n.
    rho, n = 0.7, 4000
    found = [draw(correlated(n, rng, rho), ["a"] * n, rng).means.std() for _ in range(10)]
    assert np.mean(found) == pytest.approx(np.sqrt((1 + rho) / (1 - rho) / n), rel=0.15)


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_noise_is_marked_about_one_time_in_twenty(
    rho: float, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1000)  # enough, and quick
    series = [correlated(N, rng, rho) for _ in range(200)]
    marked = sum(paired(draw(values, ["a"] * N, rng)).beyond_noise for values in series)
    assert 2 <= marked <= 22  # 10 expected; 99.9 % of binomial draws lie in 2..21


def test_whole_recordings_are_drawn_where_there_are_many(rng: np.random.Generator) -> None:
    # Each recording has its own offset: single frames say far more than there is to know.
    marked = 0
    for _ in range(100):
        offsets = np.repeat(rng.normal(size=30), 20)
        drawn = draw(offsets + 0.1 * rng.normal(size=600), [str(k // 20) for k in range(600)], rng)
        assert drawn.unit == "recordings"
        marked += paired(drawn).beyond_noise
    assert marked <= 14


def test_the_same_run_twice_is_not_marked(rng: np.random.Generator) -> None:
    one = report(10 + correlated(N, rng))
    change = row(beside(one, one), "mpjpe_mm").cells[1].change
    assert change is not None
    assert (change.verdict, change.frames) == ("no change", N)
    assert change.interval.difference == change.interval.low == change.interval.high == 0


@pytest.mark.parametrize(("shift", "verdict"), [(0.8, "worse"), (-0.8, "better")])
def test_a_shifted_run_is_marked(shift: float, verdict: str, rng: np.random.Generator) -> None:
    errors = 10 + 3 * correlated(N, rng)
    change = row(
        beside(report(errors), report(errors + shift + 0.5 * correlated(N, rng))), "mpjpe_mm"
    ).cells[1].change  # fmt: skip
    assert change is not None
    assert change.verdict == verdict
    assert change.interval.low < shift < change.interval.high
    assert change.unit.startswith("blocks of")


def test_more_is_better_where_the_metric_says_so(rng: np.random.Generator) -> None:
    errors, low, high = np.full(N, 9.0), rng.uniform(0.4, 0.5, N), rng.uniform(0.6, 0.7, N)
    found = beside(
        report(errors, f5=low, frames_with_hands_pct=low),
        report(errors, f5=high, frames_with_hands_pct=high),
    )
    assert row(found, "f5").cells[1].change.verdict == "better"  # type: ignore[union-attr]
    neither = row(found, "frames_with_hands_pct").cells[1].change
    assert neither is not None
    assert neither.verdict == "changed"


def test_only_frames_that_both_have_count(rng: np.random.Generator) -> None:
    errors = 10 + correlated(N, rng)
    lost = errors.copy()
    lost[np.argsort(errors)[-N // 4 :]] = np.nan  # the other run lost the hard ones
    found = row(beside(report(errors), report(lost)), "mpjpe_mm")
    assert found.cells[1].value < found.cells[0].value - 0.2
    assert found.cells[1].change is not None
    assert found.cells[1].change.verdict == "no change"
    assert found.cells[1].change.frames == N - N // 4


def test_sources_in_other_folders_match_by_file_name(rng: np.random.Generator) -> None:
    errors = 10 + correlated(N, rng)
    found = beside(report(errors, "/here/take.mp4"), report(errors, "/there/take.mp4"))
    assert len(found.common[0].pairs) == N
    assert any("matched by file name" in note for note in found.notes)


def test_runs_without_common_frames_are_compared_unpaired(rng: np.random.Generator) -> None:
    one, same, far = (report(mean + correlated(N, rng), f"{mean}.mp4") for mean in (10, 10.01, 14))
    found = beside(one, same, far)
    cells = row(found, "mpjpe_mm").cells
    assert [cell.change.verdict for cell in cells[1:] if cell.change] == ["no change", "worse"]
    assert sum("unpaired" in note for note in found.notes) == 2


def test_numbers_of_one_run_only_and_of_summaries_only_are_not_tested() -> None:
    one = evaluation_of(frames_of(np.full(N, 9.0)), summary={"mpjpe_mm": 9.0, "lag_ms": 20.0})
    other = evaluation_of(frames_of(np.full(N, 9.0), f5=np.full(N, 0.5)), summary={"lag_ms": 30.0})
    found = beside(report_of(one), report_of(other))
    lag = row(found, "lag_ms").cells[1].change
    assert lag is not None
    assert (lag.verdict, lag.interval.difference) == ("not tested", 10.0)
    assert np.isnan(row(found, "f5").cells[0].value)
    assert row(found, "mpjpe_mm").cells[1].value == 9.0
    assert any("only one of the two" in note for note in found.notes)


def test_a_few_frames_tell_nothing(rng: np.random.Generator) -> None:
    found = beside(report(np.array([1.0, 2.0, 1.5])), report(np.array([9.0, 9.5, 9.2])))
    change = row(found, "mpjpe_mm").cells[1].change
    assert change is not None
    assert change.verdict == "too few frames"
    assert any("only 3 common frames" in note for note in found.notes)


def test_a_comparison_repeats_to_the_byte(rng: np.random.Generator) -> None:
    reports = [report(10 + correlated(N, rng)) for _ in range(2)]
    assert comparison_page(beside(*reports)) == comparison_page(beside(*reports))
    assert comparison_text(beside(*reports)) == comparison_text(beside(*reports))


def test_a_long_run_is_quick(rng: np.random.Generator) -> None:
    drawn = draw(correlated(20_000, rng), ["a"] * 20_000, rng)
    assert drawn.blocks <= 1000
    assert len(drawn.means) == RESAMPLES


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    full = full_evaluation()
    worse = tuple(
        FrameNumbers(f.source, f.index, f.stamp, {k: 1.3 * v for k, v in f.values.items()}, f.state)
        for f in full.frames
    )
    write_report(tmp_path / "old", full, run=run_of(config={"filter": {"kalman": True}}))
    write_report(
        tmp_path / "<new>", evaluation_of(worse), run=run_of(config={"filter": {"kalman": False}})
    )
    return [tmp_path / "old", tmp_path / "<new>"]


def test_command_prints_and_writes(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out" / "compare.html"
    assert cli.main(["compare", *map(str, folders), "-o", str(page)]) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if line.startswith("MPJPE, wrist-aligned")]
    assert line.endswith("worse")
    html = page.read_text()
    for told in ("✗ worse", "&lt;new&gt;", "filter.kalman", "moving-block bootstrap", "old"):
        assert told in html
    assert "<new>" not in html
    assert HOSTILE not in html
    assert "http" not in html.replace("http-equiv", "")


def test_command_names_what_is_missing(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", str(folders[0]), str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert "nowhere/report.json" in said
    assert "hand_recon evaluate" in said
    assert cli.main(["compare", str(folders[0])]) == 2
    assert "two folders or more" in capsys.readouterr().err


def test_runs_of_the_same_name_stay_apart(
    folders: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", str(folders[0]), str(folders[0])]) == 0
    head = capsys.readouterr().out.splitlines()[0]
    assert f"{folders[0]} (1)" in head
    assert f"{folders[0]} (2)" in head
