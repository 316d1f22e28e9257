"""Composed frames: labels lie where the hands are drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from frame_helpers import COLOURS, POINTS, check_labels, painted, shown_share

from hand_recon_ros.training import frame_composer, photo_frames
from hand_recon_ros.training.appearance import NONE
from hand_recon_ros.training.detector_batch import IGNORED, NOTHING
from hand_recon_ros.training.detector_data import SHAPES, detector_batches, fixed_frames
from hand_recon_ros.training.frame_composer import FrameComposer
from hand_recon_ros.training.frame_layers import learnable
from hand_recon_ros.training.grounds import FrameGrounds
from hand_recon_ros.training.photo_frames import PhotoComposer
from hand_recon_ros.training.photographs import PHOTO_LABEL, PHOTO_SIZE, Photographs
from hand_recon_ros.training.pyramid import pyramid
from hand_recon_ros.training.replay import Replay
from hand_recon_ros.training.view_set import LABEL, ViewSet

SIZE = 256


def make_views() -> Replay:
    """Ten views with a left or a right mitten, two with both."""
    labels = np.zeros(12, LABEL)
    pixels = []
    K = np.array([[200.0, 0, 128], [0, 200, 128], [0, 0, 1]])
    for k, label in enumerate(labels):
        wanted = [True, False] if k >= 10 else [k % 2 == 0]
        total = np.zeros((SIZE, SIZE, 4), np.uint8)
        for hand, left in enumerate(wanted):
            picture, points = painted(SIZE, (70 + 110 * hand, 180), left)
            total = np.maximum(total, picture)
            label["left"][hand], label["shown"][hand] = left, True
            label["visible"][hand] = True
            rays = np.column_stack([points, np.ones(21)]) @ np.linalg.inv(K).T
            label["joints_m"][hand] = 0.5 * rays
        label["K"], label["hands"] = K, len(wanted)
        pixels.append(pyramid(total))
    return Replay.of(ViewSet(np.stack(pixels), labels, SIZE), "cpu")


@pytest.fixture(scope="module")
def views() -> Replay:
    return make_views()


@pytest.fixture(scope="module")
def grounds() -> FrameGrounds:
    return FrameGrounds("cpu", 3, (), number=6)


@pytest.fixture
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours tell the sides only as long as nothing is mirrored."""
    monkeypatch.setattr(frame_composer, "mirrored", lambda batch, which: batch)


def make_photographs(cut_out: bool) -> Photographs:
    labels = np.zeros(8, PHOTO_LABEL)
    pixels = []
    for k, label in enumerate(labels):
        left = k % 2 == 0
        picture, points = painted(PHOTO_SIZE, (96, 130), left)
        if not cut_out:
            picture[picture[..., 3] == 0] = (90, 90, 90, 255)
        label["source"], label["left"], label["points_px"] = 1, left, points
        label["K"], label["weight"] = np.diag([200.0, 200, 1]), 1
        label["alone"] = k < 6
        pixels.append(pyramid(picture))
    packed = torch.from_numpy(np.stack(pixels)).view(torch.int32)[..., 0]
    return Photographs(packed, labels, np.full(8, cut_out))


@pytest.mark.usefixtures("_no_mirror")
def test_rendered_hands_lie_where_their_labels_say(views: Replay, grounds: FrameGrounds) -> None:
    composer = FrameComposer(grounds, "cpu", NONE)
    batch = composer.frames(views, 50, 320, 180, np.random.default_rng(0))
    assert batch.image.shape == (50, 3, 192, 320)
    assert (batch.image[:, :, 180:] == 0.5).all()
    check_labels(batch, 0.9)  # later layers may hide the middle of a hand
    kinds = set(batch.kinds.unique().tolist())
    assert kinds == {NOTHING, 1, 2, IGNORED}
    assert 0 < (~batch.hands.any(dim=1)).float().mean() < 0.4
    sides = (batch.boxes[..., 2:] - batch.boxes[..., :2]).amax(-1)[batch.hands]
    assert float(sides.min()) >= 16
    assert float(sides.min()) < 32
    assert float(sides.max()) > 150


@pytest.mark.usefixtures("_no_mirror")
def test_directions_follow_the_hands(views: Replay, grounds: FrameGrounds) -> None:
    """A mitten is widest at its knuckles: its colour lies ahead of the wrist."""
    composer = FrameComposer(grounds, "cpu", NONE)
    batch = composer.frames(views, 30, 320, 320, np.random.default_rng(1))
    ahead = []
    for n, m in torch.nonzero(batch.hands).tolist():
        x0, y0, x1, y1 = batch.boxes[n, m].tolist()
        if min(x0, y0) < 0 or max(x1, y1) > 319 or x1 - x0 < 40:
            continue
        wanted = torch.tensor(COLOURS[int(batch.kinds[n, m])])[:, None, None] / 255
        part = batch.image[n, :, int(y0) : int(y1), int(x0) : int(x1)]
        y, x = torch.nonzero((part - wanted).abs().amax(0) < 0.25).float().mean(0).tolist()
        away = torch.tensor([x - (x1 - x0) / 2, y - (y1 - y0) / 2])
        ahead.append(float(away @ batch.directions[n, m]))
    assert len(ahead) > 10
    assert np.mean(np.array(ahead) > 0) > 0.85


@pytest.mark.usefixtures("_no_mirror")
@pytest.mark.parametrize("cut_out", [False, True])
def test_photographs_lie_where_their_labels_say(
    grounds: FrameGrounds, cut_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_frames, "_BESIDE_SHARE", 0.0)
    composer = PhotoComposer(make_photographs(cut_out), grounds, "cpu", NONE)
    batch = composer.frames(40, 320, 240, np.random.default_rng(2))
    assert batch.image.shape == (40, 3, 256, 320)
    check_labels(batch, 0.97)
    assert batch.kinds.shape[1] == 8  # mosaics of four, with room for pairs
    rows = (batch.kinds != NOTHING).sum(dim=1)
    assert sorted(set(rows.tolist())) == [1, 2, 4]


def test_hands_of_photographs_hang_down_too_and_some_are_small(grounds: FrameGrounds) -> None:
    """Those in the photographs point up; a detector that saw only such misses hands at rest."""
    composer = PhotoComposer(make_photographs(False), grounds, "cpu", NONE)
    batch = composer.frames(250, 320, 240, np.random.default_rng(5))
    down = batch.directions[batch.hands][:, 1]
    assert 0.07 < float((down > 0.5).float().mean()) < 0.25
    assert float((down < -0.5).float().mean()) > 0.5
    sides = (batch.boxes[..., 2:] - batch.boxes[..., :2]).amax(-1)[batch.hands]
    assert 0.07 < float((sides < 24).float().mean()) < 0.3
    photographed = (batch.kinds != NOTHING).sum()
    assert float((batch.kinds == IGNORED).sum() / photographed) < 0.045, "too small to learn from"


def test_photographs_with_unlabelled_hands_are_left_out(grounds: FrameGrounds) -> None:
    photographs = make_photographs(False)
    photographs.labels["alone"] = np.arange(8) == 0  # one left hand
    composer = PhotoComposer(photographs, grounds, "cpu", NONE)
    batch = composer.frames(8, 320, 240, np.random.default_rng(0))
    magenta = (batch.image - torch.tensor([1.0, 0, 1])[:, None, None]).abs().amax(1) < 0.1
    cyan = (batch.image - torch.tensor([0, 1.0, 1])[:, None, None]).abs().amax(1) < 0.1
    # The mirror turns it into a right hand, but its colour stays.
    assert magenta.any()
    assert not cyan.any()
    assert {1, 2} <= set(batch.kinds.unique().tolist())


@pytest.mark.usefixtures("_no_mirror")
def test_cut_out_hands_are_laid_beside_others(
    grounds: FrameGrounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_frames, "_BESIDE_SHARE", 1.0)
    whole, cut_out = make_photographs(False), make_photographs(True)
    both = Photographs(
        torch.cat([whole.pixels, cut_out.pixels]),
        np.concatenate([whole.labels, cut_out.labels]),
        np.arange(16) >= 8,
    )
    both.labels["alone"] = np.arange(16) < 8
    composer = PhotoComposer(both, grounds, "cpu", NONE)
    batch = composer.frames(40, 320, 320, np.random.default_rng(2))
    under, over = torch.arange(8) % 2 == 0, torch.arange(8) % 2 == 1
    assert float(batch.hands[:, over].sum()) > 40
    on_top = torch.nonzero(batch.hands & over).tolist()
    other = replace(batch, kinds=3 - batch.kinds)  # one that is mirrored keeps the colour
    shown = [max(shown_share(b, n, m) for b in (batch, other)) for n, m in on_top]
    assert np.nanmean(shown) > 0.97
    check_labels(replace(batch, kinds=batch.kinds * under), 0.6)  # some are hidden by the others
    assert (batch.kinds[:, under] == IGNORED).any(), "hidden ones are not learned"
    for share in (0.0, 1.0):
        monkeypatch.setattr(photo_frames, "OTHER_SIDE_SHARE", share)
        kinds = composer.frames(40, 320, 320, np.random.default_rng(2)).kinds.view(-1, 2)
        pairs = kinds[((kinds == 1) | (kinds == 2)).all(dim=1)]
        assert len(pairs) > 20
        assert ((pairs.sum(dim=1) == 3) == bool(share)).all(), "a left and a right hand"


@pytest.mark.usefixtures("_no_mirror")
def test_a_cut_out_hand_of_the_other_side_is_drawn_mirrored(
    grounds: FrameGrounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right mitten, magenta on its left half and cyan on its right, beside both sides."""
    monkeypatch.setattr(photo_frames, "_BESIDE_SHARE", 1.0)
    whole, labels = make_photographs(False), np.zeros(1, PHOTO_LABEL)
    picture, labels["points_px"][0] = painted(PHOTO_SIZE, (96, 130), False)
    there, columns = picture[..., 3] > 0, np.arange(PHOTO_SIZE)
    picture[there & (columns < 96)] = (*COLOURS[1], 255)
    labels["source"], labels["weight"], labels["K"] = 1, 1, np.diag([200.0, 200, 1])
    disc = torch.from_numpy(pyramid(picture)[None].copy()).view(torch.int32)[..., 0]
    grey = torch.full_like(
        whole.pixels, int(np.array([90, 90, 90, 255], np.uint8).view(np.int32)[0])
    )
    both = Photographs(
        torch.cat([grey, disc]), np.concatenate([whole.labels, labels]), np.arange(9) == 8
    )
    batch = PhotoComposer(both, grounds, "cpu", NONE).frames(80, 320, 320, np.random.default_rng(2))
    agree = {1: [], 2: []}
    for n, m in torch.nonzero(batch.hands[:, 1::2]).tolist():
        x0, y0, x1, y1 = batch.boxes[n, 2 * m + 1].round().int().clamp(0, 319).tolist()
        patch = batch.image[n, :, y0:y1, x0:x1]
        middles = []
        for kind in (1, 2):
            wanted = torch.tensor(COLOURS[kind])[:, None, None] / 255
            place = torch.nonzero((patch - wanted).abs().amax(0) < 0.25).float()
            middles.append(place.mean(0) if len(place) > 20 else None)
        if middles[0] is None or middles[1] is None:
            continue
        across = (middles[1] - middles[0]).flip(0)  # from magenta to cyan: x, y
        along = batch.directions[n, 2 * m + 1]
        turn = float(-along[1] * across[0] + along[0] * across[1])
        agree[int(batch.kinds[n, 2 * m + 1])].append(turn > 0)
    assert min(map(len, agree.values())) > 10
    assert np.mean(agree[2]) > 0.95, "a right one as it is"
    assert np.mean(agree[1]) < 0.05, "a left one in the mirror"


@pytest.mark.usefixtures("_no_mirror")
def test_photographs_of_pairs_teach_both_hands(grounds: FrameGrounds) -> None:
    """One of them in full, one that sticks out of the photograph, and many of a hand alone."""
    photographs = make_photographs(False)
    labels, pixels = photographs.labels.repeat(5)[:34], []
    labels["alone"][:2], labels["other"][:2] = False, 2
    for k in range(len(labels)):
        picture, labels["points_px"][k] = painted(PHOTO_SIZE, (60, 130), True)
        labels["left"][k] = True
        if k < 2:
            right, labels["other_px"][k] = painted(PHOTO_SIZE, ((130, 130), (185, 130))[k], False)
            picture = np.maximum(picture, right)
        picture[picture[..., 3] == 0] = (90, 90, 90, 255)
        pixels.append(pyramid(picture))
    packed = torch.from_numpy(np.stack(pixels)).view(torch.int32)[..., 0]
    composer = PhotoComposer(
        Photographs(packed, labels, np.zeros(len(labels), bool)), grounds, "cpu", NONE
    )
    batch = composer.frames(60, 320, 320, np.random.default_rng(4))
    check_labels(batch, 0.97)
    right = (batch.kinds == 2).sum() / len(batch)
    assert 0.1 < float(right) < 0.4, (
        "every fifth photograph shows a pair, half of them both in full"
    )
    cyan = (batch.image - torch.tensor([0, 1.0, 1])[:, None, None]).abs().amax(1) < 0.1
    told = ((batch.kinds == 2) | (batch.kinds == IGNORED)).any(dim=1)
    assert cyan.flatten(1).any(dim=1)[~told].sum() == 0, "no hand is taught to be none"


def test_pairs_are_not_shown_again_and_again(grounds: FrameGrounds) -> None:
    """One pair among forty photographs; and in exams pairs come as the others do."""
    whole = make_photographs(False)
    numbers = np.arange(40) % 6
    both = Photographs(whole.pixels[numbers], whole.labels[numbers], np.zeros(40, bool))
    both.labels["alone"], both.labels["other"] = np.arange(40) > 0, np.arange(40) == 0
    rng = np.random.default_rng(0)
    often = PhotoComposer(both, grounds, "cpu", NONE)._numbers(4000, rng)
    assert (often == 0).mean() == pytest.approx(5 / 40, abs=0.01)
    seldom = PhotoComposer(both, grounds, "cpu", NONE, pair_share=0.0)._numbers(4000, rng)
    assert (seldom == 0).mean() == pytest.approx(1 / 40, abs=0.01)
    both.labels["alone"][:], both.labels["other"][:] = False, 0
    with pytest.raises(ValueError, match="no photograph has labels for all"):
        PhotoComposer(both, grounds, "cpu", NONE)


def test_hidden_cut_and_tiny_hands_are_not_learned() -> None:
    points = np.stack([POINTS + np.array([100.0, 150.0])] * 4)
    points[1] += (-115, 0)  # more than half outside
    points[2] = 0.1 * (points[2] - 100) + 100
    seen = np.ones((4, 21), bool)
    seen[3, 4:] = False
    kinds = learnable(np.array([1, 2, 1, 2]), points, seen, 320, 180)
    assert kinds.tolist() == [1, IGNORED, IGNORED, IGNORED]
    assert learnable(np.array([NOTHING]), points[:1], ~seen[:1], 320, 180).tolist() == [NOTHING]


def test_batches_mix_sources_and_shapes(views: Replay, grounds: FrameGrounds) -> None:
    composer = FrameComposer(grounds, "cpu")
    photos = PhotoComposer(make_photographs(True), grounds, "cpu")
    calls = []
    rendered = partial(composer.frames, views)
    stream = detector_batches(
        rendered, [(0.5, photos.frames)], batch=6, seed=1, refresh=lambda: calls.append(1)
    )
    batches = [next(stream) for _ in range(6)]
    assert all(len(batch) == 6 for batch in batches)
    assert len({batch.image.shape for batch in batches}) > 1
    assert len(calls) == 6
    for batch in batches:
        assert float(batch.image.min()) >= 0
        assert float(batch.image.max()) <= 1
        assert batch.image.shape[2] % 32 == batch.image.shape[3] % 32 == 0


def test_exams_are_always_the_same(views: Replay, grounds: FrameGrounds) -> None:
    frames = partial(FrameComposer(grounds, "cpu").frames, views)
    one, two = (fixed_frames(frames, batch=2, number=len(SHAPES), seed=4) for _ in range(2))
    assert len({batch.image.shape for batch in one}) == len(SHAPES)
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a.image, b.image)
        assert torch.equal(a.boxes, b.boxes)


def test_backgrounds_need_no_photographs(tmp_path: Path) -> None:
    bank = FrameGrounds("cpu", 1, (tmp_path / "missing",), number=2)
    windows = bank.draw(3, 320, 180, np.random.default_rng(0))
    assert windows.shape == (3, 3, 180, 320)
    assert 0 <= float(windows.min()) < float(windows.max()) <= 255
