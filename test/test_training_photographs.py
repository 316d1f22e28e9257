"""Packed photographs: labels survive, held-out sources stay out, grounds are removed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.compositor import PLAIN, Compositor
from hand_recon_ros.training.data import DataConfig, TrainingData, batches, photo_batches
from hand_recon_ros.training.grounds import GroundBank
from hand_recon_ros.training.photo_packing import pack_photographs
from hand_recon_ros.training.photographs import (
    HELD_OUT,
    PHOTO_LABEL,
    PHOTO_SIZE,
    SOURCES,
    Photographs,
    save_photographs,
    without_ground,
)
from hand_recon_ros.training.pyramid import texels
from hand_recon_ros.training.sheet import contact_sheet
from hand_recon_ros.training.view_set import LABEL, ViewSet
from hand_recon_ros.training.views import VIEW_SIZE

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def palm(size: int) -> np.ndarray:
    """(21, 2) an open hand's points."""
    angles = np.deg2rad(np.linspace(-60, 40, 5))
    reach = np.linspace(0.35, 1.0, 4)
    tips = np.stack([np.sin(angles), -np.cos(angles)], axis=1)
    points = np.concatenate([[[0, 0]], (tips[:, None] * reach[:, None]).reshape(20, 2)])
    return np.asarray(points * 0.3 * size + np.array([0.5, 0.7]) * size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photographs as ``../shared/data/photos`` has them: a red dot at the index finger's tip."""
    photos = tmp_path / "photos"
    lines = []
    for n, (source, side) in enumerate(
        [("subhih_handsdataset", "right"), ("davidlee_asl_letters", "left"),
         ("candir_custom_gesture", "right")] * 2
    ):  # fmt: skip
        size = (300, 100, 160)[n % 3]
        image = np.full((size, size + 40, 3), (200, 180, 160), np.uint8)
        points = palm(size)
        x, y = points[8]
        rows, columns = np.mgrid[:size, : size + 40]
        dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (size / 60) ** 2))[..., None]
        image = (image * (1 - dot) + np.array([0, 0, 255]) * dot).astype(np.uint8)
        name = f"images/{source}/{n}.png"
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(photos / name), image)
        relative = np.column_stack([points - points[0], np.zeros(21)]) * 0.15 / size
        lines.append(
            {"file": name, "source": source, "side": side, "joints_px": points.tolist(),
             "joints_rel_m": relative.tolist(), "agreement_rel": 0.03 * (n > 2),
             "hands_seen_in_file": 1 + n // 5}
        )  # fmt: skip
    (photos / "labels.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return tmp_path


@pytest.fixture
def packed(folder: Path) -> Path:
    path = folder / "out" / "photographs.npz"
    assert pack_photographs(folder, path) == 6
    return path


def config(folder: Path, packed: Path, **changes: object) -> DataConfig:
    plain = DataConfig(
        batch=6,
        producers=-1,
        grounds=4,
        photos=packed,
        synthesis=SynthesisConfig(data_dir=folder),
        compositor=PLAIN,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_packed_photographs_keep_their_labels(folder: Path, packed: Path) -> None:
    photos = Photographs.load(packed, "cpu")
    (batch,) = photo_batches(photos, config(folder, packed), "cpu")
    assert [SOURCES[s] for s in batch.source] == [SOURCES[k] for k in (1, 3, 2, 1, 3, 2)]
    assert batch.weight.tolist() == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])
    assert batch.inside.all()
    assert not batch.has_3d.any()
    assert not batch.has_mano.any()
    for image, points in zip(batch.image.numpy(), batch.points_px.numpy(), strict=True):
        redness = np.clip(image[0] - image[2] - 0.2, 0, None)
        y, x = np.mgrid[:128, :128]
        middle = np.array([(redness * x).sum(), (redness * y).sum()]) / redness.sum()
        np.testing.assert_allclose(middle, points[8], atol=0.6)
    # Upright, and the left hand's thumb on the right hand's side.
    assert (batch.points_px[:, 9, 1] < batch.points_px[:, 0, 1]).all()
    assert (batch.points_px[[0, 2], 4, 0] < batch.points_px[[0, 2], 20, 0]).all()
    assert (batch.points_px[1, 4, 0] > batch.points_px[1, 20, 0]).all()
    sheet = contact_sheet(batch, columns=4)
    assert sheet.shape == (512, 1024, 3)


def test_the_other_hand_of_a_pair_is_packed_where_it_is_labelled(folder: Path) -> None:
    labels = folder / "photos" / "labels.jsonl"
    lines = [json.loads(line) for line in labels.read_text().splitlines()]
    other = np.array(lines[5]["joints_px"]) + np.array([30.0, 0.0])
    lines.append({**lines[5], "side": "left", "joints_px": other.tolist()})
    crowd = lines[4] | {"file": lines[1]["file"], "hands_seen_in_file": 3}  # the third has no label
    lines[1]["hands_seen_in_file"], lines[4] = 3, crowd
    labels.write_text("\n".join(json.dumps(line) for line in lines))
    path = folder / "out" / "pairs.npz"
    assert pack_photographs(folder, path) == 7
    packed = Photographs.load(path, "cpu").labels
    assert packed["other"].tolist() == [0, 0, 0, 0, 0, 1, 2]
    assert packed["alone"].tolist() == [True, False, True, True, False, False, False]
    way = packed["other_px"][5:] - packed["points_px"][5:]
    unit = np.ptp(packed["points_px"][5], axis=0) / np.ptp(other, axis=0)
    np.testing.assert_allclose(way[0], np.tile((30.0, 0.0) * unit, (21, 1)), atol=0.01)
    np.testing.assert_allclose(way[1], -way[0], atol=0.01)


def test_no_window_far_off_a_photographed_hand_that_is_not_alone(
    folder: Path, packed: Path
) -> None:
    photos = Photographs.load(packed, "cpu")
    compositor = Compositor(GroundBank("cpu", 0, (), 1), "cpu", replace(PLAIN, negative_share=1))
    numbers = np.repeat(np.flatnonzero(~photos.labels["alone"]), 40)
    assert len(numbers) == 40
    hands = photos.hands(numbers)
    batch = compositor.crops(photos.pixels, photos.size, hands, np.random.default_rng(5))
    off = np.abs(batch.points_px.numpy().mean(axis=1) - 63.5).max(axis=1)
    assert off.max() < 40


def test_sources_are_chosen_by_name(packed: Path) -> None:
    held = Photographs.load(packed, "cpu", only=HELD_OUT)
    trained = Photographs.load(packed, "cpu", without=HELD_OUT)
    assert set(held.labels["source"]) == {2}
    assert set(trained.labels["source"]) == {1, 3}
    with pytest.raises(ValueError, match="'candir' is unknown"):
        Photographs.load(packed, "cpu", without=["candir"])
    with pytest.raises(ValueError, match="no pictures"):
        Photographs.load(packed, "cpu", only=["video"])


def test_photographs_show_the_wrong_side_too(folder: Path, packed: Path) -> None:
    photos = Photographs.load(packed, "cpu")
    grounds = GroundBank("cpu", 0, (), 1)
    compositor = Compositor(grounds, "cpu", replace(PLAIN, negative_share=1.0))
    rng = np.random.default_rng(5)
    numbers = np.tile(np.flatnonzero(photos.labels["alone"]), 8)
    batch = compositor.crops(photos.pixels, photos.size, photos.hands(numbers), rng)
    assert (batch.presence == 0).all()  # there is no bare ground, so none of them stays
    near = np.abs(batch.points_px.numpy().mean(axis=1) - 63.5).max(axis=1) < 40
    assert 0.4 < near.mean() < 0.9, "wrong or turned ones in the middle, the others far off it"


def test_every_source_is_drawn_by_the_root_of_its_size() -> None:
    labels = np.zeros(500, PHOTO_LABEL)
    labels["source"] = np.repeat([1, 2], [400, 100])
    empty = Photographs.__new__(Photographs)
    object.__setattr__(empty, "labels", labels)
    drawn = empty.draw(6000, np.random.default_rng(1))
    assert (labels["source"][drawn] == 1).mean() == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.parametrize(("hanging", "share"), [(0, 0.0), (4, 20 / 516), (40, 0.15), (150, 0.3)])
def test_hanging_hands_are_drawn_more_often(hanging: int, share: float) -> None:
    """To a share of 15 %, but never more than five times as often as others."""
    labels = np.zeros(500, PHOTO_LABEL)
    labels["points_px"][:, 9] = (60, 15)  # to the side is not down
    labels["points_px"][:hanging, 9] = (10, 60)
    empty = Photographs.__new__(Photographs)
    object.__setattr__(empty, "labels", labels)
    drawn = empty.draw(20000, np.random.default_rng(1))
    assert (drawn < hanging).mean() == pytest.approx(share, abs=0.008)


def test_so_they_are_where_sources_differ_in_size_and_among_some() -> None:
    labels = np.zeros(500, PHOTO_LABEL)
    labels["source"] = np.repeat([1, 2], [400, 100])
    labels["points_px"][:, 9] = (10, -60)
    labels["points_px"][[*range(10), *range(400, 410)], 9] = (10, 60)
    empty = Photographs.__new__(Photographs)
    object.__setattr__(empty, "labels", labels)
    hanging = labels["points_px"][:, 9, 1] > 0
    drawn = empty.draw(20000, np.random.default_rng(1))
    assert hanging[drawn].mean() == pytest.approx(0.15, abs=0.008)
    among = np.arange(500) >= 300
    drawn = empty.draw(20000, np.random.default_rng(2), among)
    assert drawn.min() >= 300
    assert hanging[drawn].mean() == pytest.approx(0.15, abs=0.008)


def test_batches_mix_by_share(folder: Path, packed: Path) -> None:
    labels = np.zeros(3, LABEL)
    labels["K"] = [[300, 0, 127.5], [0, 300, 127.5], [0, 0, 1]]
    labels["hands"], labels["shown"][:, 0] = 1, True
    points = (palm(VIEW_SIZE) - 127.5) / 300 * 0.5
    labels["joints_m"][:, 0] = np.column_stack([points, np.full(21, 0.5)])
    labels["rotations"][:, :] = np.eye(3)
    views = folder / "views.npz"
    ViewSet(np.full((3, texels(VIEW_SIZE), 4), 90, np.uint8), labels, VIEW_SIZE).save(views)
    stream = batches(config(folder, packed, views=views, real_share=0.5, batch=8), "cpu")
    real = np.stack([next(stream).source.numpy() > 0 for _ in range(6)])
    assert real.shape == (6, 8)
    assert (real.sum(axis=1) == 4).all()
    (only,) = {
        bool((next(batches(config(folder, packed, views=views, real_share=0.0), "cpu")).source == 0)
             .all())
    }  # fmt: skip
    assert only
    with pytest.raises(ValueError, match="nothing would be rendered"):
        TrainingData(config(folder, packed), "cpu")


def test_a_plain_ground_is_removed(tmp_path: Path) -> None:
    picture = np.full((PHOTO_SIZE, PHOTO_SIZE, 4), 255, np.uint8)
    shade = np.linspace(150, 230, PHOTO_SIZE).astype(np.uint8)  # lightness falls off
    picture[..., :3] = shade[:, None, None]
    hand = np.zeros((PHOTO_SIZE, PHOTO_SIZE), np.uint8)
    cv2.ellipse(hand, (96, 120), (30, 50), 0, 0, 360, 1, -1)
    picture[hand > 0, :3] = (190, 140, 110)
    cut = without_ground(picture)
    alpha = cut[..., 3] / 255
    assert alpha[cv2.erode(hand, np.ones((7, 7))) > 0].min() > 0.95
    assert alpha[cv2.dilate(hand, np.ones((7, 7))) == 0].max() < 0.05
    assert (cut[..., :3] <= cut[..., 3:].astype(int) + 1).all()

    labels = np.zeros(2, PHOTO_LABEL)
    labels["source"], labels["plain"] = [5, 1], [True, False]
    labels["points_px"], labels["K"] = palm(PHOTO_SIZE), np.eye(3)
    path = tmp_path / "one.npz"
    save_photographs(path, [picture[..., :3]] * 2, labels)
    photos = Photographs.load(path, "cpu", cut_outs=True)
    assert photos.cut_out.tolist() == [False, False, True]
    assert photos.hands(np.arange(3)).covering.tolist() == [True, True, False]
    corner = photos.pixels.numpy().view(np.uint8).reshape(3, -1, 4)[:, 0, 3]
    assert corner.tolist() == [255, 255, 0]


def test_real_photographs_pack_small(tmp_path: Path) -> None:
    labels = DATA / "photos" / "labels.jsonl"
    if not labels.is_file():
        pytest.skip(f"no photographs at {labels}")
    photos = tmp_path / "photos"
    photos.mkdir()
    lines = labels.read_text().splitlines()[::120]
    (photos / "labels.jsonl").write_text("\n".join(lines))
    (photos / "images").symlink_to(DATA / "photos" / "images")
    path = tmp_path / "photographs.npz"
    number = pack_photographs(tmp_path, path)
    assert number == len(lines)
    assert path.stat().st_size < 3500 * number
    loaded = Photographs.load(path, "cpu")
    points = loaded.labels["points_px"]
    box = np.ptp(points, axis=1).max(axis=1)
    np.testing.assert_allclose(box, PHOTO_SIZE / 2.4, rtol=1e-4)
