"""``hand_recon features``: tables, summaries and pictures of recorded hands."""

import builtins
import csv
import json

import cv2
import numpy as np
import pytest
from posed_hands import gesture_joints

from hand_recon_ros.camera import Camera
from hand_recon_ros.cli import main
from hand_recon_ros.io.records import RecordWriter
from hand_recon_ros.retarget import feature_batch
from hand_recon_ros.retarget.feature_rows import COLUMNS
from hand_recon_ros.retarget.features import hand_features
from hand_recon_ros.types import Hand, HandFrame, ManoParameters

GESTURES = ("flat", "pinch", "fist", "point")


def a_hand(name, side, track_id, lost_joint=None):
    joints = gesture_joints(name, side)
    if lost_joint is not None:
        joints[lost_joint] = np.nan
    zeros = np.zeros(3)
    return Hand(
        side=side,
        track_id=track_id,
        state="tracked",
        score=0.9,
        box_px=np.zeros(4),
        joints_px=np.zeros((21, 2)),
        joint_confidence=np.full(21, 0.5),
        joints_m=joints,
        mano=ManoParameters(side, zeros, np.zeros(45), np.zeros(10), zeros),
        wrist_rotation=np.eye(3),
        joint_velocities=np.zeros((21, 3)),
        wrist_velocity=np.zeros(6),
        wrist_covariance=np.zeros((6, 6)),
    )


@pytest.fixture
def recording(tmp_path):
    """Four frames of a right hand; the left one comes in the last two; then nobody."""
    path = tmp_path / "one" / "hands.jsonl"
    path.parent.mkdir()
    camera = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600.0, 240], [0, 0, 1]]))
    with RecordWriter(path) as writer:
        for i, name in enumerate(GESTURES):
            hands = [a_hand(name, "right", 1)]
            if i >= 2:
                hands.append(a_hand("flat", "left", 2, lost_joint=8 if i == 3 else None))
            writer.write(HandFrame(i, "test", 10 + i / 30, camera, tuple(hands)))
        writer.write(HandFrame(4, "test", 10 + 4 / 30, camera))
    return path


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_for_each_hand_of_each_frame(recording, tmp_path, capsys):
    output = tmp_path / "out" / "features.csv"
    assert main(["features", str(recording), "-o", str(output)]) == 0
    rows = table(output)
    assert list(rows[0]) == list(COLUMNS)
    assert [(r["frame"], r["side"], r["track_id"]) for r in rows] == [
        *(("0", "right", "1"), ("1", "right", "1"), ("2", "right", "1"), ("2", "left", "2")),
        *(("3", "right", "1"), ("3", "left", "2")),
    ]
    assert [r["grasp"] for r in rows if r["side"] == "right"] == ["open", "pinch", "power", "point"]
    said = capsys.readouterr().out
    assert "hands: 4 of 5 frames with hands; 2 left, 4 right" in said
    assert "done: 1 recordings, 6 rows" in said


def test_the_columns_hold_what_they_are_called(recording, tmp_path):
    output = tmp_path / "features.csv"
    main(["features", str(recording), "-o", str(output)])
    row = table(output)[1]
    features = hand_features(gesture_joints("pinch"), "right")
    expected = {
        "stamp_s": 10 + 1 / 30,
        "score": 0.9,
        "confidence": 0.5,
        "index_mcp_flexion_rad": features.angles["index_mcp_flexion"],
        "thumb_cmc_abduction_rad": features.angles["thumb_cmc_abduction"],
        "middle_flexion": features.flexion[2],
        "ring_flexion_rad": features.flexion_rad[3],
        "spread_rad": features.spread_rad,
        "openness": features.openness,
        "pinch_index_m": features.pinch_m[0],
        "pinch_little_m": features.pinch_m[3],
        "palm_y_m": features.palm_centre_m[1],
        "palm_normal_z": features.palm_normal[2],
    }
    for name, value in expected.items():
        assert float(row[name]) == pytest.approx(value, abs=2e-5), name


def test_what_is_not_told_is_an_empty_cell(recording, tmp_path):
    output = tmp_path / "features.csv"
    main(["features", str(recording), "-o", str(output)])
    row = table(output)[-1]
    empty = {name for name, cell in row.items() if cell == ""}
    assert empty == {
        *("index_dip_flexion_rad", "index_flexion_rad", "index_flexion", "openness"),
        *("pinch_index_m", "grasp"),
    }


def test_a_folder_is_one_table_with_names_and_a_summary(recording, tmp_path, capsys):
    (tmp_path / "two.jsonl").write_text(recording.read_text())
    output = tmp_path / "out" / "f.csv"
    code = main(["features", str(tmp_path), "-o", str(output)])
    assert code == 0
    names = [row["recording"] for row in table(output)]
    assert names == ["one/hands"] * 6 + ["two"] * 6
    assert "done: 2 recordings, 12 rows" in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "f_summary.json").read_text())
    assert not summary["interrupted"]
    one = summary["recordings"][0]
    assert (one["frames"], one["frames_with_hands"], one["problem"]) == (5, 4, "")
    assert one["rows"] == {"left": 2, "right": 4}
    assert one["grasps"] == {"open": 2, "pinch": 1, "power": 1, "point": 1}
    assert one["seconds"] == pytest.approx(3 / 30, abs=1e-5)


def test_a_broken_recording_does_not_stop_the_others(recording, tmp_path, capsys):
    lines = recording.read_text().splitlines(keepends=True)
    (tmp_path / "broken.jsonl").write_text("".join((*lines[:2], "no frame\n", *lines[2:])))
    output = tmp_path / "f.csv"
    assert main(["features", str(tmp_path), "-o", str(output)]) == 1
    names = [row["recording"] for row in table(output)]
    assert names == ["broken"] * 2 + ["one/hands"] * 6
    assert "broken: 2 of 2 frames with hands" in (said := capsys.readouterr().out)
    assert "broken.jsonl:3: not a frame of hands" in said


def test_ctrl_c_keeps_what_was_read(recording, tmp_path, capsys, monkeypatch):
    whole = feature_batch.read_features

    def interrupted(*arguments):
        frames = whole(*arguments)
        yield next(frames)
        yield next(frames)
        raise KeyboardInterrupt

    monkeypatch.setattr(feature_batch, "read_features", interrupted)
    output = tmp_path / "f.csv"
    assert main(["features", str(recording), "-o", str(output)]) == 130
    assert [row["frame"] for row in table(output)] == ["0", "1"]
    assert "interrupted, kept: 1 recordings, 2 rows" in capsys.readouterr().out
    assert json.loads((tmp_path / "f_summary.json").read_text())["interrupted"]


def test_thresholds_are_options(recording, tmp_path):
    output = tmp_path / "f.csv"
    distance = 1e3 * hand_features(gesture_joints("pinch"), "right").pinch_m[0]
    main(["features", str(recording), "-o", str(output), "--pinch-mm", str(distance - 1)])
    assert table(output)[1]["grasp"] == "power"


def test_a_picture_of_each_recording(recording, tmp_path):
    pytest.importorskip("matplotlib")
    output = tmp_path / "f.csv"
    assert main(["features", str(tmp_path), "-o", str(output), "--plot"]) == 0
    picture = cv2.imread(str(tmp_path / "f_one_hands.png"))
    height, width = picture.shape[:2]
    assert width > 1.5 * height  # two columns: both sides
    assert (picture < 100).any(axis=2).mean() > 0.005


def without(monkeypatch, package):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.mark.parametrize(
    ("package", "arguments", "message"),
    [
        (
            "pyarrow",
            ["-o", "f.parquet"],
            "Parquet needs pyarrow (pyarrow): pip install 'hand_recon_ros[tables]'",
        ),
        (
            "matplotlib",
            ["-o", "f.csv", "--plot"],
            "pictures need matplotlib (matplotlib): pip install 'hand_re",
        ),
    ],
)
def test_a_missing_extra_is_named_before_any_work(
    recording, tmp_path, monkeypatch, capsys, package, arguments, message
):
    without(monkeypatch, package)
    monkeypatch.chdir(tmp_path)
    assert main(["features", str(recording), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("nowhere", "f.csv", "'nowhere' does not exist: give a hands.jsonl or a folder of them"),
        ("empty", "f.csv", r"no \*.jsonl in 'empty'"),
        ("one/hands.jsonl", "f.xls", "'f.xls' names no table: let it end in .csv or .parquet"),
    ],
)
def test_bad_use_is_told(recording, tmp_path, monkeypatch, capsys, source, output, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(["features", source, "-o", output]) == 2
    assert message.replace("\\", "") in capsys.readouterr().err


def test_parquet_holds_the_same_table(recording, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow (extra: tables)")
    for name in ("f.csv", "f.parquet"):
        assert main(["features", str(recording), "-o", str(tmp_path / name)]) == 0
    rows = parquet.read_table(tmp_path / "f.parquet").to_pylist()
    plain = [
        {name: "" if cell is None else str(cell) for name, cell in row.items()} for row in rows
    ]
    assert plain == table(tmp_path / "f.csv")
    assert all(isinstance(row["frame"], int) for row in rows)
    assert rows[-1]["grasp"] is None
