"""Adapters of data sets recover hands whose truth is known from files in the official formats."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_set_trees import (
    INTERHAND_NAMES,
    Moment,
    crop_camera,
    freihand_tree,
    hic_camera,
    hic_tree,
    interhand_camera,
    interhand_tree,
    known_hand,
    write_mano,
    write_ply,
)

from hand_recon_ros.datasets.catalogue import DataSetChoice, open_data_set
from hand_recon_ros.datasets.common import DataSet, DataSetError, PictureError
from hand_recon_ros.datasets.enlarging import Enlarging
from hand_recon_ros.datasets.ply import read_vertices
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import MANO_TIPS, load_hand_model
from hand_recon_ros.skeleton import JOINT_NAMES, TIPS, Side
from hand_recon_ros.types import Frame, HandFrame

RIGHT, LEFT = known_hand("right", (-0.06, 0.05, 0.7), 1), known_hand("left", (0.05, 0.06, 0.75), 2)
NEAR = known_hand("right", (0.0, 0.05, 0.5), 3)


@pytest.fixture(scope="module")
def mano(tmp_path_factory: pytest.TempPathFactory) -> dict[Side, HandModelData]:
    """The user's MANO files; the left one has the fault of the real one."""
    folder = tmp_path_factory.mktemp("mano")
    right = write_mano(folder / "MANO_RIGHT.pkl", "right")
    write_mano(folder / "MANO_LEFT.pkl", "left", repeat_right=True)
    left = load_hand_model(
        "left", folder / "MANO_LEFT.pkl", reference_right=folder / "MANO_RIGHT.pkl"
    )
    return {"left": left, "right": right}


def opened(name: str, root: Path, models: dict | None = None, **choice: object) -> DataSet:
    return open_data_set(DataSetChoice(name, root, **choice), models or {})


# --- FreiHAND


def test_freihand_gives_joints_camera_and_picture(tmp_path: Path) -> None:
    freihand_tree(tmp_path, "evaluation", [NEAR, known_hand("right", (0.0, 0.05, 0.5), 4)])
    data = opened("freihand", tmp_path)
    first, second = data.pictures()
    truth = first.label()
    assert (data.length, data.fps, first.index, second.index) == (2, None, 0, 1)
    assert truth.hands[0].side == "right"
    np.testing.assert_allclose(truth.hands[0].joints_m, NEAR.joints, atol=1e-9)
    assert truth.hands[0].vertices_m is None  # the embedded hand has other vertices
    x, y = truth.camera.project(truth.hands[0].joints_m)[8].round().astype(int)
    assert first.read()[y, x].mean() > 180
    assert any("MANO" in note for note in data.notes)


@pytest.mark.parametrize("without", ["verts", "mano"])
def test_freihand_meshes_come_from_vertices_or_parameters(
    tmp_path: Path, mano: dict, without: str
) -> None:
    freihand_tree(tmp_path, "evaluation", [NEAR])
    (tmp_path / f"evaluation_{without}.json").unlink()
    (picture,) = opened("freihand", tmp_path, mano).pictures()
    hand = picture.label().hands[0]
    np.testing.assert_allclose(hand.vertices_m, NEAR.vertices, atol=2e-6)
    np.testing.assert_array_equal(hand.faces, mano["right"].faces)


def test_freihand_training_repeats_labels_and_limits_spread(tmp_path: Path) -> None:
    hands = [known_hand("right", (0.0, 0.05, 0.5), seed) for seed in range(3)]
    freihand_tree(tmp_path, "training", hands, versions=4)
    whole = [
        picture.label() for picture in opened("freihand", tmp_path, split="training").pictures()
    ]
    assert [truth.index for truth in whole] == list(range(12))
    for truth in whole:
        expected = hands[truth.index % 3].joints
        np.testing.assert_allclose(truth.hands[0].joints_m, expected, atol=1e-9)
    some = opened("freihand", tmp_path, split="training", limit=4)
    assert [picture.index for picture in some.pictures()] == [0, 3, 6, 9]


def test_freihand_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match=r"evaluation/rgb.*lmb\.informatik\.uni-freiburg\.de"):
        opened("freihand", tmp_path)
    freihand_tree(tmp_path, "evaluation", [NEAR, NEAR])
    (tmp_path / "evaluation" / "rgb" / "00000001.jpg").unlink()
    _, second = opened("freihand", tmp_path).pictures()
    with pytest.raises(PictureError, match=r"00000001\.jpg.*not on disk"):
        second.read()
    (tmp_path / "evaluation_xyz.json").write_text(json.dumps([NEAR.joints.tolist()]))
    with pytest.raises(DataSetError, match=r"evaluation_xyz\.json has 1 .*evaluation_K\.json 2"):
        opened("freihand", tmp_path)
    (tmp_path / "evaluation_K.json").write_text("[[[1, 2")
    with pytest.raises(DataSetError, match=r"evaluation_K\.json.*cannot be read as JSON"):
        opened("freihand", tmp_path)
    (tmp_path / "evaluation_K.json").unlink()
    with pytest.raises(DataSetError, match=r"missing: .*evaluation_K\.json"):
        opened("freihand", tmp_path)


def test_freihand_skips_pictures_without_a_camera(tmp_path: Path) -> None:
    freihand_tree(tmp_path, "evaluation", [NEAR, NEAR, NEAR])
    good = crop_camera().K.tolist()
    (tmp_path / "evaluation_K.json").write_text(json.dumps([good, None, np.zeros((3, 3)).tolist()]))
    data = opened("freihand", tmp_path)
    assert [picture.index for picture in data.pictures()] == [0]
    assert len(data.skipped) == 2
    assert all("its K cannot be used" in message for message in data.skipped)


def test_an_enlarged_crop_shows_the_hand_where_its_camera_says(tmp_path: Path) -> None:
    camera = crop_camera()
    point = np.array([[0.031, -0.023, 0.5]])
    image = np.full((224, 224, 3), 40, np.uint8)
    x, y = camera.project(point)[0]
    cv2.circle(image, (round(16 * x), round(16 * y)), 64, (250, 250, 250), -1, cv2.LINE_AA, 4)
    larger = Enlarging.of(camera, 0.25)
    frame = larger.frame(Frame(image, 0.0, camera))
    assert frame.image.shape == (480, 480, 3)
    assert (frame.camera.width, frame.camera.height) == (480, 480)
    weight = frame.image[..., 0].astype(float) - 40
    rows, columns = np.mgrid[:480, :480]
    middle = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    np.testing.assert_allclose(middle, frame.camera.project(point)[0], atol=0.05)
    back = larger.back(HandFrame(0, "", 0.0, frame.camera), camera)
    assert back.camera is camera
    np.testing.assert_allclose(larger._small(frame.camera.project(point)), [[x, y]], atol=1e-9)


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
