"""FreiHAND and our own sets: known hands are recovered from files in their formats."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from data_set_trees import (
    OWN,
    Known,
    crop_camera,
    freihand_tree,
    known_hand,
    opened,
    write_both_mano,
)

from hand_recon_ros.camera import Camera
from hand_recon_ros.datasets.common import DataSetError, PictureError
from hand_recon_ros.datasets.enlarging import Enlarging
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.skeleton import TIPS, Side
from hand_recon_ros.synthesis.sample import HandLabel, Sample
from hand_recon_ros.synthesis.shards import encoded, write_shards
from hand_recon_ros.types import Frame, HandFrame

NEAR = known_hand("right", (0.0, 0.05, 0.5), 3)


@pytest.fixture(scope="module")
def mano(tmp_path_factory: pytest.TempPathFactory) -> dict[Side, HandModelData]:
    return write_both_mano(tmp_path_factory.mktemp("mano"))


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


# --- our own


def sample(*hands: tuple[Known, float]) -> Sample:
    camera = Camera.from_fov(64, 64, 60)
    labels = tuple(
        HandLabel(
            side=hand.mano.side,
            number=number,
            box_px=np.zeros(4),
            joints_px=camera.project(hand.joints),
            joints_m=hand.joints,
            visible=np.ones(21, bool),
            mano=hand.mano,
            pose_kind="open",
            tone="III",
            seen=seen,
        )
        for number, (hand, seen) in enumerate(hands, start=1)
    )
    masks = np.zeros((64, 64), np.uint8)
    image = np.full((64, 64, 3), 80, np.uint8)
    return Sample(image, camera, labels, masks, masks, np.full((64, 64), np.inf, np.float32))


def test_shards_give_hands_that_can_be_seen(tmp_path: Path) -> None:
    left = known_hand("left", (0.05, 0.06, 0.75), 2)
    samples = [sample((NEAR, 0.9), (left, 0.1)), sample((left, 0.8)), sample()]
    for _ in write_shards((encoded(one) for one in samples), tmp_path, per_shard=2):
        pass
    data = opened("synthetic", tmp_path)
    first, second, third = (picture.label() for picture in data.pictures())
    assert ([len(t.hands) for t in (first, second, third)]) == [1, 1, 0]
    assert ([t.complete for t in (first, second, third)]) == [False, True, True]
    assert [t.index for t in (first, second, third)] == [0, 1, 2]
    for truth, own in ((first, NEAR), (second, left)):
        (hand,) = truth.hands
        assert hand.side == own.mano.side
        np.testing.assert_allclose(hand.joints_m, own.joints, atol=1e-6)
        np.testing.assert_allclose(hand.vertices_m, own.vertices, atol=2e-6)
    image = next(data.pictures()).read()
    assert image.shape == (64, 64, 3)
    assert [p.index for p in opened("synthetic", tmp_path, limit=2).pictures()] == [0, 1]


def test_the_clip_is_a_sequence_with_meshes_on_its_hands() -> None:
    data = opened("synthetic", None, limit=2)
    first, second = data.pictures()
    assert (data.fps, data.length) == (30, 2)
    assert second.stamp == pytest.approx(1 / 30)
    truth = second.label()
    assert {hand.side for hand in truth.hands} == {"left", "right"}
    assert len({hand.identity for hand in truth.hands}) == 2
    for hand in truth.hands:
        tips = hand.vertices_m[OWN[hand.side].tips]
        np.testing.assert_allclose(hand.joints_m[list(TIPS)], tips, atol=1e-5)
    assert first.read().shape == (480, 640, 3)
    assert not np.array_equal(first.read(), second.read())
