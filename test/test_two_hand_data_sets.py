"""InterHand2.6M and HIC: known hands are recovered from files in the official formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from data_set_trees import (
    INTERHAND_NAMES,
    Moment,
    hic_camera,
    hic_tree,
    interhand_camera,
    interhand_tree,
    known_hand,
    opened,
    write_both_mano,
    write_mano,
    write_ply,
)

from hand_recon_ros.datasets.common import DataSetError, PictureError
from hand_recon_ros.datasets.ply import read_vertices
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import MANO_TIPS, load_hand_model
from hand_recon_ros.skeleton import JOINT_NAMES, TIPS, Side

RIGHT, LEFT = known_hand("right", (-0.06, 0.05, 0.7), 1), known_hand("left", (0.05, 0.06, 0.75), 2)


@pytest.fixture(scope="module")
def mano(tmp_path_factory: pytest.TempPathFactory) -> dict[Side, HandModelData]:
    return write_both_mano(tmp_path_factory.mktemp("mano"))


# --- InterHand2.6M


def test_interhand_comes_to_the_camera_in_our_order(tmp_path: Path, mano: dict) -> None:
    interhand_tree(tmp_path, [Moment(5, RIGHT, LEFT)])
    data = opened("interhand", tmp_path, mano)
    (picture,) = data.pictures()
    truth = picture.label()
    assert (data.fps, truth.complete) == (None, True)
    np.testing.assert_allclose(truth.camera.K, interhand_camera().K)
    for hand, own in zip(truth.hands, (RIGHT, LEFT), strict=True):
        assert hand.side == own.mano.side
        np.testing.assert_allclose(hand.joints_m, own.joints, atol=1e-9)
        # The left file repeats the right one's shape directions; its hand comes out right.
        np.testing.assert_allclose(hand.vertices_m, own.vertices, atol=2e-6)
    assert picture.read().shape == (512, 334, 3)


def test_interhand_left_meshes_are_wrong_if_the_fault_is_kept(tmp_path: Path) -> None:
    interhand_tree(tmp_path, [Moment(5, RIGHT, LEFT)])
    write_mano(tmp_path / "MANO_LEFT.pkl", "left", repeat_right=True)
    as_filed = load_hand_model("left", tmp_path / "MANO_LEFT.pkl", fix_left_shapedirs=False)
    (picture,) = opened("interhand", tmp_path, {"left": as_filed}).pictures()
    right, left = picture.label().hands
    assert right.vertices_m is None
    assert np.abs(left.vertices_m - LEFT.vertices).max() > 1e-3


def test_interhand_joints_that_are_invalid_or_without_a_wrist(tmp_path: Path) -> None:
    index_tip = INTERHAND_NAMES.index("index4")
    left_wrist = 21 + INTERHAND_NAMES.index("wrist")
    interhand_tree(tmp_path, [Moment(5, RIGHT, LEFT, invalid=(index_tip, left_wrist))])
    (picture,) = opened("interhand", tmp_path).pictures()
    truth = picture.label()
    assert [hand.side for hand in truth.hands] == ["right"]
    assert not truth.complete  # the left hand may well be found
    unknown = np.isnan(truth.hands[0].joints_m).all(axis=1)
    assert np.flatnonzero(unknown).tolist() == [JOINT_NAMES.index("index4")]


def test_interhand_without_mano_parameters(tmp_path: Path, mano: dict) -> None:
    interhand_tree(tmp_path, [Moment(5, RIGHT), Moment(8, None, LEFT)])
    file = tmp_path / "annotations" / "test" / "InterHand2.6M_test_MANO_NeuralAnnot.json"
    content = json.loads(file.read_text())
    content["0"]["5"]["right"] = None
    del content["0"]["8"]
    file.write_text(json.dumps(content))
    for picture in opened("interhand", tmp_path, mano).pictures():
        (hand,) = picture.label().hands
        assert hand.vertices_m is None
        assert np.isfinite(hand.joints_m).all()
    file.unlink()
    assert any("NeuralAnnot" in note for note in opened("interhand", tmp_path, mano).notes)


def test_interhand_30_fps_gives_sequences_in_order_of_time(tmp_path: Path) -> None:
    root = tmp_path / "InterHand2.6M_30fps_batch1"
    numbers = {"ROM02": (30, 33, 39, 36), "ROM01": (21, 27, 24)}
    moments = [Moment(n, RIGHT, sequence=s) for s, all_of in numbers.items() for n in all_of]
    moments.remove(next(m for m in moments if m.frame == 36))  # a gap
    interhand_tree(root, moments, sub="all")
    data = opened("interhand", root)
    pictures = list(data.pictures())
    assert data.fps == 30
    assert [p.source.split("/")[1] for p in pictures] == ["ROM01"] * 3 + ["ROM02"] * 3
    assert [p.index for p in pictures] == [0, 1, 2, 0, 1, 3]
    np.testing.assert_allclose([p.stamp for p in pictures], np.array([0, 1, 2, 0, 1, 3]) / 30)
    assert [p.label().index for p in pictures] == [p.index for p in pictures]
    assert opened("interhand", root, fps=5).fps is None


def test_interhand_says_what_is_missing(tmp_path: Path) -> None:
    interhand_tree(tmp_path, [Moment(5, RIGHT), Moment(6, RIGHT)])
    with pytest.raises(DataSetError, match=r"InterHand2\.6M_val_data\.json.*mks0601\.github\.io"):
        opened("interhand", tmp_path, split="val")
    with pytest.raises(DataSetError, match="no split 'all'"):
        opened("interhand", tmp_path, split="all")
    folder = tmp_path / "annotations" / "test"
    camera = folder / "InterHand2.6M_test_camera.json"
    content = json.loads(camera.read_text())
    del content["0"]["focal"]["400262"]
    camera.write_text(json.dumps(content))
    data = opened("interhand", tmp_path)
    assert list(data.pictures()) == []
    assert len(data.skipped) == 2
    camera.unlink()
    with pytest.raises(DataSetError, match=r"InterHand2\.6M_test_camera\.json"):
        opened("interhand", tmp_path)
    (folder / "InterHand2.6M_test_data.json").write_text('{"frames": []}')
    with pytest.raises(DataSetError, match="annotations of InterHand"):
        opened("interhand", tmp_path)


def test_interhand_a_frame_without_3d_joints_is_one_picture_less(tmp_path: Path) -> None:
    interhand_tree(tmp_path, [Moment(5, RIGHT)])
    file = tmp_path / "annotations" / "test" / "InterHand2.6M_test_joint_3d.json"
    file.write_text('{"0": {}}')
    (picture,) = opened("interhand", tmp_path).pictures()
    with pytest.raises(PictureError, match="no 3D joints of frame 5"):
        picture.label()


# --- HIC


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_hic_meshes_give_joints(tmp_path: Path, mano: dict, kind: str) -> None:
    hic_tree(tmp_path, {"Hand_Hand/01/rgb/000004.jpg": {"right": RIGHT, "left": LEFT}}, kind)
    data = opened("hic", tmp_path, mano)
    (picture,) = data.pictures()
    truth = picture.label()
    np.testing.assert_allclose(truth.camera.K, hic_camera().K)
    for hand, own in zip(truth.hands, (RIGHT, LEFT), strict=True):
        assert hand.side == own.mano.side
        np.testing.assert_allclose(hand.vertices_m, own.vertices, atol=1e-6)
        # MANO's regressor, made for the resting hand, is some millimetres off in posed ones.
        inner = np.setdiff1d(np.arange(21), TIPS)
        np.testing.assert_allclose(hand.joints_m[inner], own.joints[inner], atol=4e-3)
        tips = own.vertices[list(MANO_TIPS["manopth"][hand.side])]
        np.testing.assert_allclose(hand.joints_m[list(TIPS)], tips, atol=1e-6)
    np.testing.assert_allclose(
        truth.hands[0].joints_m[0], mano["right"].j_regressor[0] @ RIGHT.vertices, atol=1e-6
    )
    assert truth.complete


def test_hic_without_mano_files_knows_the_tips(tmp_path: Path) -> None:
    hic_tree(tmp_path, {"01/000004.jpg": {"left": LEFT}})
    data = opened("hic", tmp_path)
    (picture,) = data.pictures()
    (hand,) = picture.label().hands
    known = np.flatnonzero(np.isfinite(hand.joints_m).all(axis=1))
    assert tuple(known) == TIPS
    assert hand.vertices_m is None
    assert any("MANO" in note for note in data.notes)


def test_hic_sequences_and_missing_meshes(tmp_path: Path) -> None:
    frames = {
        "seq10/000002.jpg": {"right": RIGHT, "left": None},
        "seq9/000011.jpg": {"right": RIGHT},
        "seq9/000009.jpg": {"right": RIGHT},
        "seq9/000010.jpg": {"right": RIGHT},
    }
    hic_tree(tmp_path, frames)
    data = opened("hic", tmp_path)
    pictures = list(data.pictures())
    assert [(p.source, p.index) for p in pictures] == [
        ("seq9", 0), ("seq9", 1), ("seq9", 2), ("seq10", 0)
    ]  # fmt: skip
    assert data.fps == 30
    last = pictures[-1].label()
    assert [hand.side for hand in last.hands] == ["right"]
    assert not last.complete
    assert opened("hic", tmp_path, limit=2).length == 2
    (tmp_path / "meshes" / "1_right.ply").unlink()
    with pytest.raises(PictureError, match=r"1_right\.ply"):
        pictures[2].label()


def test_hic_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"HIC\.json.*InterWild"):
        opened("hic", tmp_path)
    (tmp_path / "HIC.json").write_text('{"images": [{"id": 1}], "annotations": [{"image_id": 1}]}')
    with pytest.raises(DataSetError, match="not InterWild's index"):
        opened("hic", tmp_path)


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian"])
def test_a_mesh_that_is_cut_off_is_refused(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "hand.ply"
    write_ply(file, RIGHT.vertices, np.zeros((0, 3), int), kind)
    assert read_vertices(file).shape == (778, 3)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"hand\.ply"):
        read_vertices(file)
    file.write_bytes(b"solid stl")
    with pytest.raises(ValueError, match="no PLY header"):
        read_vertices(file)
