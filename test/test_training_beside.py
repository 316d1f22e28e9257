"""Cut-out hands beside photographed ones: places, what they hide, and which side they look like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hand_recon_ros.training.batch import CropBatch
from hand_recon_ros.training.beside import places_beside
from hand_recon_ros.training.compositor import PLAIN, Compositor
from hand_recon_ros.training.data import DataConfig, _photo_crops
from hand_recon_ros.training.grounds import GroundBank
from hand_recon_ros.training.photographs import PHOTO_LABEL, PHOTO_SIZE, Photographs
from hand_recon_ros.training.pyramid import pyramid

POINTS = np.array([(0, 0)] + [(x, -25 - 9 * k) for x in (-22, -9, 0, 9, 18) for k in range(4)])
GREY, MAGENTA, CYAN = (90, 90, 90), (255, 0, 255), (0, 255, 255)


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    """A grey wall with a hand, and a cut-out disc: magenta on its left half, cyan on its right."""
    labels = np.zeros(2, PHOTO_LABEL)
    labels["points_px"] = POINTS + np.array([96, 125])
    labels["K"], labels["weight"], labels["alone"] = np.diag([200.0, 200, 1]), 1, True
    wall = np.full((PHOTO_SIZE, PHOTO_SIZE, 4), (*GREY, 255), np.uint8)
    y, x = np.mgrid[:PHOTO_SIZE, :PHOTO_SIZE]
    disc = np.hypot(x - 96, y - 96) < 40
    half = np.zeros_like(wall)
    half[disc & (x < 96)], half[disc & (x >= 96)] = (*MAGENTA, 255), (*CYAN, 255)
    pixels = np.stack([pyramid(wall), pyramid(half)])
    packed = torch.from_numpy(pixels).view(torch.int32)[..., 0]
    return Photographs(packed, labels, np.array([False, True]))


def crops(photographs: Photographs, count: int, left: bool = False, **changes: float) -> CropBatch:
    config = replace(PLAIN, **{"beside_share": 1.0, **changes})  # type: ignore[arg-type]
    compositor = Compositor(GroundBank("cpu", 0, (), 1), "cpu", config)
    hands, cut_outs = (photographs.hands(np.full(count, k)) for k in (0, 1))
    cut_outs.left[:] = left
    rng = np.random.default_rng(3)
    return compositor.crops(photographs.pixels, photographs.size, hands, rng, cut_outs)


def like(image: torch.Tensor, colour: tuple[int, int, int]) -> torch.Tensor:
    """(N, H, W) which px have a colour."""
    wanted = torch.tensor(colour)[:, None, None] / 255
    return (image - wanted).abs().amax(dim=1) < 0.2


def test_places_keep_the_way_and_the_size() -> None:
    rng = np.random.default_rng(0)
    hands, others = np.tile(POINTS + 50.0, (300, 1, 1)), np.tile(2.0 * POINTS, (300, 1, 1))
    mirrored = rng.random(300) < 0.5
    places = places_beside(hands, others, mirrored, (0.3, 0.9), rng)
    shown = others @ places[:, :2, :2].swapaxes(1, 2) + places[:, None, :2, 2]
    box = np.ptp(POINTS, axis=0).max()
    way = np.linalg.norm(shown.mean(axis=1) - hands.mean(axis=1), axis=1) / box
    assert 0.3 <= way.min() < 0.35
    assert 0.85 < way.max() <= 0.9
    size = np.sqrt(np.abs(np.linalg.det(places[:, :2, :2]))) * 2
    assert 0.7 <= size.min() < 0.75
    assert 1.25 < size.max() <= 1.3
    assert ((np.linalg.det(places[:, :2, :2]) < 0) == mirrored).all()


def test_what_a_cut_out_hand_covers_is_not_visible(photographs: Photographs) -> None:
    batch = crops(photographs, 40)
    assert (batch.presence == 1).all()
    grey = like(batch.image, GREY)
    n, k = torch.nonzero(batch.inside, as_tuple=True)
    x, y = batch.points_px[n, k].round().long().unbind(-1)
    wall = grey[n, y.clamp(0, 127), x.clamp(0, 127)]
    visible = batch.visible[n, k]
    assert 0.1 < float((~visible).float().mean()) < 0.9
    assert float((wall == visible).float().mean()) > 0.95  # but for px at the disc's edge
    assert not like(crops(photographs, 4, beside_share=0.0).image, MAGENTA).any()


def test_training_lays_the_cut_out_hands_of_its_photographs_beside_the_others(
    photographs: Photographs,
) -> None:
    config = replace(PLAIN, beside_share=1.0)
    compositor = Compositor(GroundBank("cpu", 0, (), 1), "cpu", config)
    for there in (True, False):
        some = replace(photographs, cut_out=photographs.cut_out & there)
        rng = np.random.default_rng(0)
        image = _photo_crops(some, compositor, DataConfig(real_3d=False), 30, rng).image
        on_walls = (like(image, GREY) & (torch.arange(128) < 8)).flatten(1).sum(1) > 500
        shown = like(image, MAGENTA).flatten(1).sum(1) > 30
        assert on_walls.sum() > 5
        assert bool(shown[on_walls].any()) == there


@pytest.mark.parametrize("left", [False, True])
def test_where_there_is_no_right_hand_none_is_laid_beside(
    photographs: Photographs, left: bool
) -> None:
    """Windows are for right hands; a left cut-out looks left as it is."""
    batch = crops(photographs, 300, left, negative_share=1.0)
    positive = crops(photographs, 300, left)
    columns = torch.arange(128.0)
    turned_over = []
    for image in (batch.image, positive.image):
        magenta, cyan = like(image, MAGENTA).float(), like(image, CYAN).float()
        there = (magenta.sum((1, 2)) > 60) & (cyan.sum((1, 2)) > 60)
        place = [(m * columns).sum((1, 2)) / m.sum((1, 2)) for m in (magenta[there], cyan[there])]
        mirrored = place[0] > place[1]
        turned_over.append(float((mirrored != left).float().mean()))
        assert there.sum() > 40
    assert (batch.presence == 0).all()
    assert turned_over[0] > 0.9, "all look like left hands, but for those that are turned far"
    assert 0.65 < turned_over[1] < 0.9, "four of five"
