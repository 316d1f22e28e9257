"""Geometry of the report's charts."""

from __future__ import annotations

import numpy as np
import pytest
from evaluations import frames_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_recon_ros.evaluation.results import Curve, FrameNumbers
from hand_recon_ros.report import charts
from hand_recon_ros.report.figures import figure, round_marks
from hand_recon_ros.report.hand_figure import hand_figure
from hand_recon_ros.report.page import curve_tables
from hand_recon_ros.report.timeline import SHADED, spans


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (6.0, "6"), (10.5649, "10.56"), (0.785, "0.7850"), (-0.00123456, "-0.001235"),
     (123456.7, "123457"), (1e-9, "1.000e-09"), (float("nan"), "–"), (None, "–")],
)  # fmt: skip
def test_figures_have_four_digits(value: float | None, text: str) -> None:
    assert figure(value) == text


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_marks_are_round_few_and_inside(low: float, size: float) -> None:
    high = low + size
    marks = round_marks(low, high)
    assert 2 <= len(marks) <= 11
    slack = 1e-6 * size + 1e-9 * abs(low)
    assert low - slack <= marks[0]
    assert marks[-1] <= high + slack
    step = f"{marks[1] - marks[0]:.0e}"
    assert step[0] in "125"


def test_a_line_breaks_where_there_is_nothing() -> None:
    axis = charts.axis("x", 0, 4)
    line = charts.line("a", range(5), [0.0, 4.0, np.nan, 2.0, np.nan], axis, axis)
    assert line.path == "M0 10000L2500 0M7500 5000L7500 5000"


def test_values_off_the_chart_are_drawn_at_its_edge() -> None:
    axis = charts.axis("x", 0, 1)
    assert charts.line("a", [0, 1], [-3.0, 9.0], axis, axis).path == "M0 10000L10000 0"


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_extremes_keep_the_envelope(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n)
    values[rng.random(n) < 0.3] = np.nan
    kept = charts.extremes(values, buckets=20)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= 40
    if np.isfinite(values).any():
        assert np.nanmax(values[kept]) == np.nanmax(values)
        assert np.nanmin(values[kept]) == np.nanmin(values)


def test_a_long_gap_stays_a_gap() -> None:
    values = np.ones(1000)
    values[300:400] = np.nan
    kept = charts.extremes(values, buckets=100)
    assert np.isnan(values[kept]).any()


def test_one_spike_does_not_flatten_the_rest() -> None:
    values = np.full(1000, 10.0)
    assert charts.roof(values) == pytest.approx(10.5)
    values[5] = 500
    assert charts.roof(values) == pytest.approx(15)
    assert charts.roof(np.array([np.nan])) == 1


def test_bands_cover_their_frames() -> None:
    x = np.arange(10.0)
    states = ["tracked"] * 3 + ["lost"] * 2 + ["predicted"] + ["tracked"] * 4
    lost, predicted = charts.bands(states, x, SHADED, charts.axis("x", 0, 9))
    assert (lost.kind, predicted.kind) == ("lost", "predicted")
    assert 9 * lost.start == pytest.approx(2.5)
    assert 9 * lost.width == pytest.approx(2)
    assert 9 * (predicted.start + predicted.width) == pytest.approx(5.5)


def test_bands_of_long_runs_show_the_worst() -> None:
    n = 50 * charts.MOST_BUCKETS
    states = ["tracked"] * n
    states[1234] = "lost"
    states[1235] = "predicted"
    (band,) = charts.bands(states, np.arange(n, dtype=float), SHADED, charts.axis("x", 0, n - 1))
    assert band.kind == "lost"
    assert band.start * (n - 1) <= 1234 <= (band.start + band.width) * (n - 1)


def test_spans_end_at_a_change_of_state_or_source() -> None:
    first = frames_of([1.0, np.nan, np.nan], "a")
    second = frames_of([np.nan, 1.0], "b")
    held = FrameNumbers("b", 2, 0.5, {}, "predicted")
    found = spans([*first, *second, held])
    assert [(s.state, s.source, s.first, s.last, s.frames) for s in found] == [
        ("lost", "a", 1, 2, 2), ("lost", "b", 0, 0, 1), ("predicted", "b", 2, 2, 1)
    ]  # fmt: skip


def test_histogram_counts_every_value_once() -> None:
    values = [*np.random.default_rng(1).gamma(9, 2, 999).tolist(), 400.0, float("nan")]
    chart = charts.histogram("t", "ms", values)
    assert chart is not None
    counted = sum(int(bar.text.rpartition(": ")[2]) for bar in chart.bars)
    beyond = int(chart.note.split()[0])
    assert counted + beyond == 1000
    assert "up to 400" in chart.note
    assert chart.uprights[0][1] == f"median {figure(float(np.nanmedian(values)))}"
    assert charts.histogram("t", "ms", [float("nan")]) is None


def test_curves_with_the_same_axes_share_a_chart() -> None:
    line = (0.0, 50.0)
    tables = curve_tables(
        {
            "a": Curve("one", "mm", "PCK", line, (0.0, 1.0)),
            "b": Curve("other", "share", "PCK", line, (0.0, 0.5)),
            "c": Curve("two", "mm", "PCK", line, (0.0, 0.8)),
        }
    )
    assert [table.names for table in tables] == [("one", "two"), ("other",)]
    assert tables[0].rows[5] == (25.0, pytest.approx((0.5, 0.4)))
    assert tables[0].chart.y.high == tables[1].chart.y.high == 1


def test_the_worst_joint_has_the_largest_spot() -> None:
    hand = hand_figure([0.0, *range(1, 20), float("nan")])
    radii = [spot.radius for spot in hand.spots]
    assert np.argmax(radii) == 19
    assert hand.spots[19].strength == 1
    assert hand.spots[20].text == "–"
    assert len(hand.bones) == 20
