"""What an evaluation tells of a recording: tracks, losses, lag, acceleration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluated_hands import CAMERA, found_hand, moving_pairs, open_hand, pair

from hand_recon_ros.evaluation.evaluate import evaluate
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.types import HandFrame

LEFT, RIGHT = open_hand("left", (-0.12, 0.05, 0.5)), open_hand("right", (0.12, 0.05, 0.5))
BOTH = (TrueHand("left", LEFT), TrueHand("right", RIGHT))
Pairs = list[tuple[TrueFrame, HandFrame]]


def right_only(*tracks: int | None) -> Pairs:
    """Frames at 10 Hz of one labelled hand, found under these tracks."""
    return [
        pair(i, BOTH[1:], () if track is None else (found_hand("right", RIGHT, track),), fps=10)
        for i, track in enumerate(tracks)
    ]


def test_identity_switches_and_returns() -> None:
    # Not counted: the first find. Counted: 1 to 2 after a loss of 300 ms, 2 to 3 at once.
    summary = evaluate(right_only(None, 1, 1, None, None, None, 2, 2, 3, None), "").summary
    assert summary["identity_switches"] == 2
    assert summary["reacquire_ms"] == pytest.approx(300)
    assert summary["never_reacquired"] == 1


def test_two_hands_that_exchange_tracks_switch_twice() -> None:
    def frame(i: int, left: int, right: int) -> tuple[TrueFrame, HandFrame]:
        return pair(i, BOTH, (found_hand("left", LEFT, left), found_hand("right", RIGHT, right)))

    pairs = [frame(0, 1, 2), frame(1, 2, 1), frame(2, 2, 1)]
    assert evaluate(pairs, "").summary["identity_switches"] == 2


def test_a_hand_that_leaves_the_picture_while_lost_is_not_waited_for() -> None:
    pairs = right_only(1, 1, None)
    pairs += [pair(i, (), (), fps=10) for i in (3, 4)]
    pairs += [pair(5, BOTH[1:], (found_hand("right", RIGHT, 2),), fps=10)]
    summary = evaluate(pairs, "").summary
    assert summary["never_reacquired"] == 1
    assert "reacquire_ms" not in summary
    assert summary["identity_switches"] == 1


def test_lag_of_a_recording() -> None:
    assert evaluate(moving_pairs(0.06), "").summary["lag_ms"] == pytest.approx(60, abs=1.5)
    in_the_image = [
        (
            replace(truth, hands=tuple(_pixels_only(hand) for hand in truth.hands)),
            # a front end's own key points do not lag: the filtered joints are asked
            replace(found, hands=tuple(replace(h, joints_px=_seen(truth)) for h in found.hands)),
        )
        for truth, found in moving_pairs(0.06)
    ]
    assert evaluate(in_the_image, "").summary["lag_ms"] == pytest.approx(60, abs=1.5)


def _seen(truth: TrueFrame) -> np.ndarray:
    return CAMERA.project(truth.hands[0].joints_m)


def _pixels_only(hand: TrueHand) -> TrueHand:
    pixels = CAMERA.project(hand.joints_m)
    return replace(hand, joints_m=np.full((21, 3), np.nan), joints_px=pixels)


def test_acceleration_by_hand() -> None:
    fps, pairs = 20.0, []
    for i in range(6):
        shake = 0.001 * (-1) ** i  # a tip that flickers by +-1 mm: second difference 4 mm
        found = RIGHT.copy()
        found[8] += (shake, 0.0, 0.0)
        truth = np.add(RIGHT, (0.0, 0.0, 0.01 * i))
        found = np.add(found, (0.0, 0.0, 0.01 * i))
        pairs.append(pair(i, (TrueHand("right", truth),), (found_hand("right", found),), fps=fps))
    result = evaluate(pairs, "")
    assert result.summary["accel_error_mm_frame2"] == pytest.approx(4 / 21)
    assert result.summary["accel_error_mm_s2"] == pytest.approx(4 / 21 * fps**2)
    assert result.summary["jitter_mm_frame2"] == pytest.approx(4 / 21)
    with_value = [i for i, f in enumerate(result.frames) if "accel_error_mm_s2" in f.values]
    assert with_value == [1, 2, 3, 4]  # the middle one of each three


def test_acceleration_needs_three_frames_in_a_row() -> None:
    pairs = moving_pairs(0.0, 6)
    lost = replace(pairs[2][1], hands=())
    pairs[2] = pairs[2][0], lost
    result = evaluate(pairs, "")
    with_value = [i for i, f in enumerate(result.frames) if "jitter_mm_s2" in f.values]
    assert with_value == [4]


def test_recordings_are_kept_apart() -> None:
    first, second = right_only(1, 1), right_only(2, 2)
    renamed = [(replace(t, source="other"), replace(f, source="other")) for t, f in second]
    result = evaluate(first + renamed, "")
    assert result.summary["identity_switches"] == 0
    assert result.summary["tracks"] == 2
    back_in_time = evaluate(first + second, "")
    assert back_in_time.summary["identity_switches"] == 0


def test_unrelated_pictures_have_no_motion() -> None:
    summary = evaluate(right_only(1, 2, 3), "", recording=False).summary
    names = {"identity_switches", "lag_ms", "jitter_mm_s2", "tracks", "accel_error_mm_s2"}
    assert not names & set(summary)
    assert summary["found_pct"] == 100
