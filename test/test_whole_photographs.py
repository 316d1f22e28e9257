"""Photographs as they are teach the detector what hands are seen among."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from frame_helpers import COLOURS, GREY, check_labels, label_mittens

from hand_recon_ros.training import frame_composer, photo_frames, whole_frames
from hand_recon_ros.training.detector_batch import IGNORED, NOTHING, DetectorBatch
from hand_recon_ros.training.detector_data import detector_batches
from hand_recon_ros.training.grounds import FrameGrounds
from hand_recon_ros.training.material import WHOLE_PHOTOGRAPHS, whole_photographs_file
from hand_recon_ros.training.photographs import HELD_OUT
from hand_recon_ros.training.whole_frames import WholeComposer
from hand_recon_ros.training.whole_photographs import (
    WHOLE_SIZE,
    WholePhotographs,
    lines_packed,
    pack_whole,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "labelled"
    label_mittens(folder, "alone", [(150, 300, True)])
    label_mittens(folder, "pair", [(250, 300, True), (450, 320, False)])
    label_mittens(folder, "more_seen", [(300, 300, True)], hands_seen_in_file=2)
    label_mittens(folder, "kept_aside", [(300, 300, True)], source=HELD_OUT[0])
    label_mittens(folder, "five", [(x, 300, True) for x in range(100, 600, 100)])
    label_mittens(folder, "large", [(150, 300, True)])
    near = cv2.imread(str(folder / "large.png"))[:400, :400]
    assert cv2.imwrite(str(folder / "large.png"), near)
    return folder


@pytest.fixture
def photographs(folder: Path, tmp_path: Path) -> WholePhotographs:
    path = tmp_path / WHOLE_PHOTOGRAPHS
    assert pack_whole([folder], path) == 2
    return WholePhotographs.load(path, "cpu")


def test_pictures_whose_hands_are_small_and_all_labelled_are_packed(
    photographs: WholePhotographs, folder: Path
) -> None:
    assert len(photographs) == 2
    labels = photographs.labels
    assert labels["covered"].tolist() == [[WHOLE_SIZE, 240]] * 2
    assert labels["kinds"].tolist() == [[1, 0, 0, 0], [1, 2, 0, 0]]
    lines = (folder / "labels.jsonl").read_text().splitlines()
    points = np.array(json.loads(lines[0])["joints_px"])
    np.testing.assert_allclose(labels["points_px"][0, 0], (points + 0.5) / 2 - 0.5, atol=1e-3)
    finest = photographs.pixels[:, : WHOLE_SIZE**2].view(torch.uint8)
    picture = finest.view(2, WHOLE_SIZE, WHOLE_SIZE, 4).numpy()
    for k, hand in ((0, 0), (1, 0), (1, 1)):
        x, y = labels["points_px"][k, hand].mean(axis=0).round().astype(int)
        wanted = COLOURS[int(labels["kinds"][k, hand])]
        assert np.abs(picture[k, y, x, :3].astype(int) - wanted).max() < 40
    assert np.abs(picture[:, 240:, :, :3].astype(int) - GREY).max() < 8, "borders go on"


def test_hands_are_drawn_where_labels_say(
    photographs: WholePhotographs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Colours tell the sides only as long as nothing is mirrored, and camera effects change them.
    monkeypatch.setattr(frame_composer.FrameFinish, "apply", lambda _self, batch, _rng: batch)
    composer = WholeComposer(photographs, FrameGrounds("cpu", 3, (), 6), "cpu")
    batch = composer.frames(80, 320, 240, np.random.default_rng(1))
    check_labels(batch, 0.97)
    assert batch.kinds.shape == (80, 4)
    told = [batch.kinds == kind for kind in (NOTHING, 1, 2, IGNORED)]
    assert all(kind.any() for kind in told), "some hands are cut off"
    assert (batch.kinds == NOTHING).all(dim=1).sum() == 0, "cut hands are told, not taught as none"


def test_borders_go_on_or_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upright picture that covers a quarter of its frames, before white grounds."""
    folder = tmp_path / "upright"
    label_mittens(folder, "alone", [(150, 300, True)])
    picture = cv2.imread(str(folder / "alone.png"))[:, :300]
    assert cv2.imwrite(str(folder / "alone.png"), picture)
    assert pack_whole([folder], tmp_path / "packed.npz") == 1
    photographs = WholePhotographs.load(tmp_path / "packed.npz", "cpu")
    assert photographs.labels["covered"].tolist() == [[200, 320]]
    monkeypatch.setattr(frame_composer.FrameFinish, "apply", lambda _self, batch, _rng: batch)
    monkeypatch.setattr(whole_frames, "_ROLL_DEG", 0.0)
    monkeypatch.setattr(whole_frames, "_WILD_SHARE", 0.0)
    monkeypatch.setattr(whole_frames, "PLAIN_SHARE", 0.0)
    grounds = FrameGrounds("cpu", 3, (), 6)
    grounds._bank[:] = 255
    for goes_on in (0.0, 1.0):
        monkeypatch.setattr(photo_frames, "_GOES_ON_SHARE", goes_on)
        monkeypatch.setattr(whole_frames, "_ZOOM", (0.5, 0.5 + 1e-9))
        composer = WholeComposer(photographs, grounds, "cpu")
        image = composer.frames(20, 200, 320, np.random.default_rng(0)).image
        bare = (image > 0.99).all(dim=1).float().mean()
        assert float(bare) == pytest.approx(0.0 if goes_on else 0.75, abs=0.01)


def test_small_sources_and_hanging_hands_are_drawn_more_often(
    photographs: WholePhotographs,
) -> None:
    numbers = np.array([0] * 10)
    many = WholePhotographs(photographs.pixels[numbers], photographs.labels[numbers])
    many.labels["source"][0] = 1
    drawn = many.draw(4000, np.random.default_rng(0))
    assert (drawn == 0).mean() == pytest.approx(1 / (1 + 9 / 3), abs=0.03)
    many.labels["source"] = 0
    many.labels["points_px"][3, 0, :, 1] *= -1
    again = WholePhotographs(many.pixels, many.labels)
    drawn = again.draw(4000, np.random.default_rng(0))
    assert (drawn == 3).mean() == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize(("width", "height"), [(320, 180), (180, 320), (320, 320)])
def test_pictures_are_shown_whole_and_in_part(width: int, height: int) -> None:
    sizes = np.tile((320.0, 240.0), (400, 1))
    places = whole_frames._places(sizes, width, height, np.random.default_rng(0))
    scale = np.sqrt(np.linalg.det(places[:, :2, :2]))
    fitting = min(width / 320, height / 240)
    low, high = whole_frames._ZOOM
    assert scale.min() == pytest.approx(low * fitting, rel=0.02)
    assert scale.max() == pytest.approx(high * fitting, rel=0.02)
    middle = (places @ np.array([160.0, 120.0, 1.0]))[:, :2]
    half = scale[:, None] * sizes / 2
    frame = np.array([width, height])
    inside = (middle >= half - 1e-9) & (middle + half <= frame + 1e-9)
    covers = (middle <= half + 1e-9) & (middle + half >= frame - 1e-9)
    assert (inside | covers).all()
    assert inside.all(axis=1).any()
    assert (~inside).any()
    upright = places[:, 0, 0] / scale > np.cos(np.deg2rad(30))
    assert 0.85 < upright.mean() < 0.97


def test_a_file_is_packed_once_and_again_for_new_labels(folder: Path, tmp_path: Path) -> None:
    runs, data = tmp_path / "runs", tmp_path / "data"
    path = whole_photographs_file(runs, data, [folder])
    assert path == runs / WHOLE_PHOTOGRAPHS
    before = path.stat().st_mtime_ns
    assert whole_photographs_file(runs, data, [folder]) == path
    assert whole_photographs_file(runs, data, []) == path, "on a machine without the pictures"
    assert path.stat().st_mtime_ns == before
    os.utime(folder / "labels.jsonl", ns=(before + 1, before + 1))  # as who mends a label does
    assert whole_photographs_file(runs, data, [folder]) == path
    assert path.stat().st_mtime_ns > before
    shared = data / "photos"
    label_mittens(
        shared, "three", [(100, 300, True), (300, 300, True), (500, 320, False)], source="shared"
    )
    assert whole_photographs_file(runs, data, [folder]) == path
    assert lines_packed(path) == Counter(painted=10, shared=3) + Counter({HELD_OUT[0]: 1})
    loaded = WholePhotographs.load(path, "cpu")
    assert len(loaded) == 3
    assert len(set(loaded.labels["source"])) == 2
    label_mittens(shared, "four", [(150, 300, True)], source="shared")
    with pytest.raises(ValueError, match=r"whole_photographs.npz.*not at hand now \(candir"):
        whole_photographs_file(runs, data, [])
    assert len(WholePhotographs.load(path, "cpu")) == 3, "it keeps what it had"


def test_labels_without_such_pictures_give_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label_mittens(tmp_path / "more", "more_seen", [(300, 300, True)], hands_seen_in_file=2)
    assert whole_photographs_file(tmp_path, tmp_path, [tmp_path / "more"]) is None
    assert "no photographs of which to make it" in capsys.readouterr().out
    assert whole_photographs_file(tmp_path, tmp_path, []) is None
    assert not (tmp_path / WHOLE_PHOTOGRAPHS).exists()


@pytest.mark.parametrize("batch", [5, 24])
def test_sources_get_their_shares_of_frames(batch: int) -> None:
    def frames(value: float):
        def make(count: int, width: int, height: int, _: np.random.Generator) -> DetectorBatch:
            nothing = torch.zeros((count, 1), dtype=torch.int64)
            image = torch.full((count, 3, height, width), value)
            rows = torch.zeros((count, 1, 4))
            return DetectorBatch(image, rows, nothing, rows[..., :2])

        return make

    stream = detector_batches(
        frames(0.0), [(0.3, frames(1.0)), (0.2, frames(2.0))], batch=batch, seed=4
    )
    seen = Counter[float]()
    for _ in range(150):
        values = next(stream).image[:, 0, 0, 0].tolist()
        assert len(values) == batch
        seen.update(values)
    shares = [seen[value] / (150 * batch) for value in (0.0, 1.0, 2.0)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    everything = detector_batches(frames(0.0), [(0.6, frames(1.0)), (0.4, frames(2.0))],
                                  batch=batch, seed=4)  # fmt: skip
    assert all(len(next(everything)) == batch for _ in range(20))
