"""A whole evaluation: numbers worked by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluated_hands import CAMERA, found_hand, moving_pairs, open_hand, pair

from hand_recon_ros.evaluation.describe import describe
from hand_recon_ros.evaluation.evaluate import Evaluator, evaluate
from hand_recon_ros.evaluation.results import Evaluation
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.metrics.definitions import METRICS
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.types import HandFrame, ManoParameters

LEFT, RIGHT = open_hand("left", (-0.12, 0.05, 0.5)), open_hand("right", (0.12, 0.05, 0.5))
BOTH = (TrueHand("left", LEFT), TrueHand("right", RIGHT))
Pairs = list[tuple[TrueFrame, HandFrame]]


def test_the_truth_itself_has_no_error() -> None:
    found = (found_hand("left", LEFT, 1), found_hand("right", RIGHT, 2))
    summary = evaluate([pair(i, BOTH, found) for i in range(5)], "truth").summary
    for name, value in summary.items():
        if METRICS[name].unit in ("mm", "px") or "accel" in name or "jitter" in name:
            assert value == pytest.approx(0, abs=1e-9), name
    assert summary["found_pct"] == summary["pck_half_bone"] == 100
    assert summary["side_errors_pct"] == summary["ghosts_pct"] == 0
    assert summary["identity_switches"] == summary["never_reacquired"] == 0
    assert summary["tracks"] == 2


def test_a_hand_metres_away_leads_the_mean_but_not_the_median() -> None:
    offs = (0.01, 1.0, 0.01)
    hands = [
        (found_hand("left", LEFT), found_hand("right", np.add(RIGHT, (0, 0, o)))) for o in offs
    ]
    summary = evaluate([pair(i, BOTH, found) for i, found in enumerate(hands)], "").summary
    assert summary["mrrpe_mm"] == pytest.approx(340)
    assert summary["mrrpe_median_mm"] == pytest.approx(10)


def test_position_numbers_by_hand() -> None:
    off = np.add(RIGHT, (0.03, 0.0, 0.04))  # 50 mm in camera space
    off[8] += (0.0, 0.021, 0.0)  # and the index finger's tip 21 mm
    result = evaluate([pair(0, BOTH, (found_hand("left", LEFT), found_hand("right", off)))], "")
    summary = result.summary
    assert summary["mpjpe_right_mm"] == pytest.approx(1.0)
    assert summary["mpjpe_left_mm"] == pytest.approx(0.0, abs=1e-9)
    assert summary["mpjpe_mm"] == summary["mpjpe_two_mm"] == pytest.approx(0.5)
    assert "mpjpe_single_mm" not in summary
    assert summary["mpjpe_index_mm"] == pytest.approx(21 / 2 / 4)
    assert summary["mpjpe_thumb_mm"] == pytest.approx(0.0, abs=1e-9)
    assert summary["mrrpe_mm"] == pytest.approx(50)
    assert summary["wrist_mm"] == pytest.approx(25)
    assert 0 < summary["pa_mpjpe_reflect_mm"] <= summary["pa_mpjpe_mm"] + 1e-9
    assert result.per_joint_mm is not None
    assert result.per_joint_mm[8] == pytest.approx(10.5)
    curve = result.curves["pck_3d"]
    # 41 of 42 joints are right at once, the last one from 21 mm on
    assert np.interp(20.5, curve.x, curve.y) == pytest.approx(41 / 42)
    assert curve.y[-1] == 1.0
    assert summary["auc_3d"] == pytest.approx(1 - 21 / 50 / 42, abs=0.006)


def test_official_mean_is_over_joints_not_over_hands() -> None:
    partly = RIGHT.copy()
    partly[2:] = np.nan  # of this hand the wrist and joint 1 are labelled
    found = RIGHT.copy()
    found[1] += (0.01, 0.0, 0.0)
    pairs = [
        pair(0, (TrueHand("right", partly),), (found_hand("right", found),)),
        pair(1, (TrueHand("right", RIGHT),), (found_hand("right", RIGHT),)),
    ]
    result = evaluate(pairs, "")
    assert result.summary["mpjpe_mm"] == pytest.approx(5 / 21)  # joint 1: 5 mm, the others 0
    assert result.frames[0].values["mpjpe_mm"] == pytest.approx(5.0)


def test_key_points_without_3d_truth() -> None:
    unknown = np.full((21, 3), np.nan)
    pixels = CAMERA.project(RIGHT)
    truth = (TrueHand("right", unknown, joints_px=pixels),)
    found = found_hand("right", RIGHT, joints_px=np.add(pixels, (3.0, 4.0)))
    result = evaluate([pair(i, truth, (found,)) for i in range(3)], "")
    assert result.summary["error_2d_px"] == pytest.approx(5.0)
    box = np.ptp(pixels, axis=0).max()
    assert result.summary["error_2d_box_pct"] == pytest.approx(500 / box)
    assert result.summary["found_pct"] == 100
    assert result.per_joint_mm is None
    assert not {"mpjpe_mm", "pa_mpjpe_mm", "auc_3d", "accel_error_mm_s2"} & set(result.summary)
    assert not result.curves


def test_sides_ghosts_and_misses() -> None:
    ghost = found_hand("left", open_hand("left", (0.25, -0.05, 0.5)), 9)
    seen = found_hand("right", RIGHT, 1)
    pairs = [
        pair(0, BOTH, (seen, found_hand("left", LEFT, 2))),
        pair(1, BOTH, (seen, found_hand("right", LEFT, 2))),  # a side error
        pair(2, BOTH, (seen,)),  # a miss
        pair(3, BOTH[1:], (seen, ghost)),  # a ghost
        pair(4, BOTH[1:], (seen, ghost), complete=False),  # maybe a hand without label
        pair(5, (), ()),
    ]
    result = evaluate(pairs, "")
    assert result.summary["found_pct"] == pytest.approx(100 * 7 / 8)
    assert result.summary["side_errors_pct"] == pytest.approx(100 / 7)
    assert result.summary["ghosts_pct"] == pytest.approx(100 / 7)
    states = [frame.state for frame in result.frames]
    assert states == ["tracked", "tracked", "lost", "tracked", "tracked", "empty"]
    assert result.frames[3].values["ghosts_pct"] == 50
    assert "ghosts_pct" not in result.frames[4].values


def test_predicted_hands() -> None:
    carried = found_hand("right", RIGHT + 0.01, state="predicted")
    pairs = [
        pair(0, BOTH[1:], (found_hand("right", RIGHT),)),
        pair(1, BOTH[1:], (carried,)),
    ]
    result = evaluate(pairs, "")
    assert [frame.state for frame in result.frames] == ["tracked", "predicted"]
    assert result.summary["predicted_pct"] == 50
    assert result.summary["found_pct"] == 100
    assert result.summary["reprojection_px"] == pytest.approx(0)  # of the seen one only


def test_frames_have_to_be_the_same() -> None:
    truth, found = pair(3, BOTH, ())
    with pytest.raises(ValueError, match=r"frame 3 .* frame 4"):
        Evaluator("").add(truth, replace(found, index=4))


def test_an_interrupted_evaluation_keeps_what_is_done() -> None:
    pairs = moving_pairs(0.05)
    evaluator = Evaluator("half")
    for truth, found in pairs[:45]:
        evaluator.add(truth, found)
    assert evaluator.finish() == evaluate(pairs[:45], "half")
    assert evaluate([], "nothing").summary == {"tracks": 0.0}


def test_every_number_is_defined_and_survives_json() -> None:
    pairs = moving_pairs(0.05)
    pairs[7] = pairs[7][0], replace(pairs[7][1], timings_ms={"total": 12.0})
    result = evaluate(pairs, "run")
    assert [m.name for m in result.metrics] == list(result.summary)
    used = {name for frame in result.frames for name in frame.values} | set(result.summary)
    assert used <= set(METRICS)
    assert all(name == metric.name and metric.source for name, metric in METRICS.items())
    text = json.dumps(result.to_json(), allow_nan=False)
    assert Evaluation.from_json(json.loads(text)) == result


def test_a_joint_that_is_never_labelled_survives_json() -> None:
    joints = RIGHT.copy()
    joints[4] = np.nan
    result = evaluate([pair(0, (TrueHand("right", joints),), (found_hand("right", RIGHT),))], "")
    text = json.dumps(result.to_json(), allow_nan=False)
    assert np.isnan(Evaluation.from_json(json.loads(text)).per_joint_mm[4])
    assert result.summary["mpjpe_thumb_mm"] == pytest.approx(0, abs=1e-9)


def test_meshes() -> None:
    models = {side: load_hand_model(side) for side in SIDES}
    poses = {side: HandModel(model, torch.float64) for side, model in models.items()}

    def hand(side: str, at: tuple[float, float, float], track: int) -> tuple[TrueHand, object]:
        data = models[side]
        parameters = ManoParameters(
            side, np.zeros(3), data.hands_mean, np.zeros(10), np.array(at), data.name
        )
        vertices, joints = poses[side].forward_parameters(parameters)
        moved = parameters.replace(transl=np.add(parameters.transl, (0.004, 0.0, 0.0)))
        found = found_hand(side, np.add(joints, (0.004, 0.0, 0.0)), track, mano=moved)
        return TrueHand(side, joints, vertices, data.faces), found

    right, found_right = hand("right", (-0.05, 0.0, 0.5), 1)
    left, found_left = hand("left", (0.05, 0.01, 0.5), 2)
    frames = [pair(0, (right, left), (found_right, found_left), timings_ms={"total": 30.0})]
    result = evaluate(frames, "meshes", models=models)
    summary = result.summary
    assert summary["mpvpe_mm"] == pytest.approx(0, abs=1e-6)
    assert summary["f5"] == summary["pa_f5"] == 1.0  # 4 mm off
    assert 0.8 < summary["silhouette_iou"] < 0.97
    assert summary["mmpd_mm"] > 1
    assert summary["penetration_cm3"] > 0.1
    assert summary["latency_p95_ms"] == 30
    assert not result.notes

    # A truth with other triangles has no corresponding vertices, but F-scores and an outline.
    other = replace(right, faces=right.faces[:, [0, 2, 1]][:-1])
    unlike = evaluate([pair(0, (other,), (found_right,))], "", models=models)
    assert "mpvpe_mm" not in unlike.summary
    assert unlike.summary["f5"] == 1.0
    assert "other triangles" in unlike.notes[0]

    # Hands of another model than the given one have no mesh.
    renamed = replace(found_right, mano=found_right.mano.replace(model="MANO_RIGHT.pkl"))
    none = evaluate([pair(0, (right,), (renamed,))], "", models=models)
    assert "f5" not in none.summary
    assert "MANO_RIGHT.pkl" in none.notes[0]
    without = evaluate(frames, "", models=models, penetration=False, silhouettes=False)
    assert not {"mmpd_mm", "silhouette_iou"} & set(without.summary)


def test_a_run_without_truth() -> None:
    frames = [found for _, found in moving_pairs(0.0)]
    frames[3] = replace(frames[3], hands=())
    frames[4] = replace(frames[4], hands=(replace(frames[4].hands[0], state="predicted"),))
    frames = [replace(f, timings_ms={"total": float(f.index)}) for f in frames]
    result = describe(frames, "bag")
    assert [f.state for f in result.frames[2:6]] == ["tracked", "empty", "predicted", "tracked"]
    assert result.summary["frames_with_hands_pct"] == pytest.approx(100 * 89 / 90)
    assert result.summary["predicted_pct"] == pytest.approx(100 / 89)
    assert result.summary["tracks"] == 1
    assert result.summary["track_seconds"] == pytest.approx(89 / 30)
    assert result.summary["latency_p50_ms"] == pytest.approx(44.5)
    assert result.summary["jitter_mm_s2"] > 100  # the motion itself
    assert len(result.latencies_ms) == 90
    assert "no truth" in result.notes[0]
    assert "found_pct" not in result.summary
