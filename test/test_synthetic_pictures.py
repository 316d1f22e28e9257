"""Pictures of the generator are right: what is drawn is what the labels say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand_recon_ros import cli
from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rendering.gl.context import RendererUnavailableError, create_context
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.scene import Instance, Material, Picture, View, ambient_light
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.synthesis.appearance import draw_skin
from hand_recon_ros.synthesis.augment import Augmentation, mirrored, normalized, turned
from hand_recon_ros.synthesis.body import ARM_PART, SmoothHand
from hand_recon_ros.synthesis.camera_effects import CameraEffects, motion_kernel
from hand_recon_ros.synthesis.generator import SampleFactory, block_size, synthetic_samples
from hand_recon_ros.synthesis.gestures import gesture
from hand_recon_ros.synthesis.hands import HandSource
from hand_recon_ros.synthesis.placing import place
from hand_recon_ros.synthesis.sample import Sample
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.synthesis.shards import (
    ShardError,
    encoded,
    labels_to_json,
    read_shard,
    write_shards,
)
from hand_recon_ros.synthesis.skin_maps import skin_layout, skin_maps

try:
    create_context().release()
except RendererUnavailableError as error:
    pytest.skip(str(error), allow_module_level=True)

NOWHERE = Path("/nonexistent")
CONFIG = SynthesisConfig(
    size=128, views_per_scene=2, takes_per_view=2, data_dir=NOWHERE, second_mesh=NOWHERE
)


@pytest.fixture(scope="module")
def models() -> dict[Side, HandModelData]:
    return {side: load_hand_model(side) for side in SIDES}


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    with SampleFactory(CONFIG, 7) as factory:
        return [sample for block in range(2) for sample in factory.block(block)]


def test_labels_agree_with_one_another(
    samples: list[Sample], models: dict[Side, HandModelData]
) -> None:
    hand_models = {side: HandModel(model) for side, model in models.items()}
    sides = set()
    for sample in samples:
        for hand in sample.hands:
            sides.add(hand.side)
            vertices, joints = hand_models[hand.side].forward_parameters(hand.mano)
            assert np.allclose(joints, hand.joints_m, atol=5e-6)
            pixels = sample.camera.project(joints)
            assert np.allclose(pixels, hand.joints_px, atol=0.05, equal_nan=True)
            outline = sample.camera.project(vertices)
            assert np.nanmin(outline, axis=0) == pytest.approx(hand.box_px[:2], abs=0.1)
            assert (hand.joints_m[:, 2] > 0).all()
            assert 0 <= hand.seen <= 1
        assert set(np.unique(sample.instance)) <= {0, *(hand.number for hand in sample.hands)}
        assert ((sample.part > 0) == (sample.instance > 0)).all()
        assert sample.part.max() <= 16
        assert np.isfinite(sample.depth_m[sample.instance > 0]).all()
    assert sides == set(SIDES)


def test_what_is_drawn_is_the_nearest_surface(
    samples: list[Sample], models: dict[Side, HandModelData]
) -> None:
    """Cast rays of mask pixels at the coarse mesh: front faces, at the depth that was drawn.

    A hand rendered inside-out shows its far wall: the depth is a finger's thickness too large.
    """
    hand_models = {side: HandModel(model) for side, model in models.items()}
    rng = np.random.default_rng(0)
    shares = []
    for sample in samples:
        if len(sample.hands) != 1 or sample.camera.model == "equidistant":
            continue
        hand = sample.hands[0]
        vertices = hand_models[hand.side].forward_parameters(hand.mano)[0]
        inner = cv2.erode((sample.instance == hand.number).astype(np.uint8), np.ones((3, 3)))
        rows, columns = np.nonzero(inner)
        if len(rows) < 50:
            continue
        chosen = rng.choice(len(rows), 40, replace=False)
        pixels = np.stack([columns[chosen], rows[chosen]], axis=1).astype(float)
        rays = np.concatenate([sample.camera.normalize(pixels), np.ones((40, 1))], axis=1)
        depth, facing = first_hit(rays, vertices, models[hand.side].faces)
        drawn = sample.depth_m[rows[chosen], columns[chosen]]
        hit = np.isfinite(depth)
        assert hit.mean() > 0.9
        # things in front of the hand, and edges, where smooth and coarse surface part
        close = np.abs(depth[hit] - drawn[hit]) < 0.004
        assert close.mean() > 0.75, f"{hand.side} {hand.pose_kind}"
        assert facing[hit][close].mean() > 0.95
        shares.append(close.mean())
    assert len(shares) >= 5
    assert np.mean(shares) > 0.93


def first_hit(
    rays: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return depth (n,) of the nearest triangle on each ray, and whether its outside is seen."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    u, v = b - a, c - a
    p = np.cross(rays[:, None], v[None])
    det = np.einsum("fi,nfi->nf", u, p)
    safe = np.where(np.abs(det) < 1e-12, np.inf, det)
    s = np.einsum("fi,nfi->nf", -a, p) / safe
    q = np.cross(-a, u)
    t = np.einsum("ni,fi->nf", rays, q) / safe
    along = np.einsum("fi,fi->f", v, q)[None] / safe
    hit = (s >= 0) & (t >= 0) & (s + t <= 1) & (along > 0.01) & np.isfinite(safe)
    depth = np.where(hit, along, np.inf)
    nearest = depth.argmin(axis=1)
    outside = np.einsum("ni,ni->n", rays, np.cross(u, v)[nearest]) < 0
    return depth[np.arange(len(rays)), nearest], outside


def test_masks_agree_with_an_independent_projection(
    samples: list[Sample], models: dict[Side, HandModelData]
) -> None:
    hand_models = {side: HandModel(model) for side, model in models.items()}
    shares = []
    for sample in samples:
        if len(sample.hands) != 1 or sample.meta["occluder"] or sample.meta["held"]:
            continue
        hand = sample.hands[0]
        vertices = hand_models[hand.side].forward_parameters(hand.mano)[0]
        pixels = sample.camera.project(vertices)
        drawn = np.zeros((CONFIG.size, CONFIG.size), np.uint8)
        for face in models[hand.side].faces:
            corners = np.round(pixels[face] * 16).astype(np.int32)
            cv2.fillConvexPoly(drawn, corners, 1, cv2.LINE_8, 4)
        drawn = cv2.dilate(drawn, np.ones((3, 3)))  # at the wrist the smooth mesh has an arm
        mine = sample.instance == hand.number
        if drawn.sum() > 400:
            # sleeves may hide the wrist: only what is drawn must lie in the outline
            shares.append((mine & (drawn > 0)).sum() / mine.sum())
            assert shares[-1] > 0.95
    assert len(shares) >= 5


def test_visible_joints_lie_just_under_the_first_skin(
    samples: list[Sample], models: dict[Side, HandModelData]
) -> None:
    hand_models = {side: HandModel(model) for side, model in models.items()}
    before_visible, before_hidden = [], []
    for sample in samples:
        if len(sample.hands) != 1 or sample.meta["occluder"] or sample.meta["held"]:
            continue
        hand = sample.hands[0]
        pixels = hand.joints_px
        inside = ((pixels > 0) & (pixels < CONFIG.size - 1)).all(axis=1)
        assert not hand.visible[((pixels < -0.5) | (pixels > CONFIG.size - 0.5)).any(axis=1)].any()
        inside[[4, 8, 12, 16, 20]] = False  # tips lie on the outline: rays miss them by a hair
        inside[0] = False  # sleeves hide wrists
        rays = np.concatenate([sample.camera.normalize(pixels), np.ones((21, 1))], axis=1)
        vertices = hand_models[hand.side].forward_parameters(hand.mano)[0]
        depth, _ = first_hit(rays, vertices, models[hand.side].faces)
        before = hand.joints_m[:, 2] - depth
        before_visible += before[inside & hand.visible].tolist()
        before_hidden += before[inside & ~hand.visible].tolist()
    assert len(before_visible) > 60
    assert len(before_hidden) > 10
    assert np.quantile(before_visible, 0.95) < 0.028
    assert np.median(before_hidden) > np.median(before_visible) + 0.008


@pytest.mark.parametrize("side", SIDES)
def test_canonical_views_show_palm_and_back(side: Side, models: dict[Side, HandModelData]) -> None:
    """Fingers up: a right palm has its thumb on the picture's right, its back on the left."""
    looks = {}
    for palm in (True, False):
        picture = canonical(models, side, palm)
        assert picture.part is not None
        assert picture.instance is not None
        on_hand = (picture.instance == 1) & (picture.part < ARM_PART)
        thumb = np.nonzero(on_hand & (picture.part >= 14))[1].mean()
        little = np.nonzero(on_hand & np.isin(picture.part, [8, 9]))[1].mean()
        assert (thumb > little) == ((side == "right") == palm)
        looks[palm] = picture.rgba[on_hand & (picture.part == 0)][:, :3].mean()
    assert looks[True] > looks[False] + 12, "a dark hand has a pale palm"


def canonical(models: dict[Side, HandModelData], side: Side, palm: bool) -> Picture:
    """Render the spread hand, fingers up, in even light and dark skin."""
    upright = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    if side == "left":
        upright = np.diag([-1.0, 1, 1]) @ upright @ np.diag([-1.0, 1, 1])
    if not palm:
        upright = np.diag([-1.0, 1, -1]) @ upright
    hand = HandSource(models["right"]).posed("spread", gesture("spread"), np.zeros(10))
    placed = place(hand, side, upright, np.array([0.0, 0.08, 0.45]), (0.0, 0.0))
    body = SmoothHand(models[side])
    layout = skin_layout(models["right"])
    look = draw_skin(layout, skin_maps(layout), np.random.default_rng(0), "V")
    with Renderer(labels=True) as renderer:
        skin = Material(texture=renderer.texture(look.texture))
        vertices = body.vertices(placed.vertices, placed.rotation, placed.to_elbow)
        view = View(
            Camera.from_fov(256, 256, 40),
            [Instance(body.mesh, vertices, skin, 1)],
            lights=(),
            ambient=ambient_light((0.9, 0.9, 0.9), (0.9, 0.9, 0.9)),
        )
        return renderer.render([view])[0]


def test_the_same_seed_gives_the_same_bytes_of_labels() -> None:
    first, again = (list(_head(seed=3)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert json.dumps(labels_to_json(a)) == json.dumps(labels_to_json(b))
        left, right = encoded(a), encoded(b)
        assert left[".mask.png"] == right[".mask.png"]
        assert left[".depth.png"] == right[".depth.png"]
        assert left[".jpg"] == right[".jpg"]
    other = next(_head(seed=4))
    assert json.dumps(labels_to_json(other)) != json.dumps(labels_to_json(first[0]))


def _head(seed: int):  # type: ignore[no-untyped-def]
    with SampleFactory(CONFIG, seed) as factory:
        yield from factory.block(0)


def test_workers_together_give_what_one_gives() -> None:
    size = block_size(CONFIG)
    alone = synthetic_samples(CONFIG, 5)
    blocks = [[next(alone) for _ in range(size)] for _ in range(2)]
    second = synthetic_samples(CONFIG, 5, worker=1, workers=2)
    for a in blocks[1]:
        assert labels_to_json(a) == labels_to_json(next(second))
    with pytest.raises(ValueError, match=r"worker 2 is not within 0\.\.1"):
        next(synthetic_samples(CONFIG, 5, worker=2, workers=2))


def test_shards_keep_the_labels(samples: list[Sample], tmp_path: Path) -> None:
    shards = list(write_shards((encoded(s) for s in samples[:7]), tmp_path, per_shard=3))
    assert [path.name for path in shards] == [f"shard-{k:06d}.tar" for k in range(3)]
    again = [sample for path in shards for sample in read_shard(path)]
    assert len(again) == 7
    for a, b in zip(samples, again, strict=False):
        assert labels_to_json(a) == labels_to_json(b)
        assert (a.instance == b.instance).all()
        assert (a.part == b.part).all()
        both = np.isfinite(a.depth_m)
        assert (both == np.isfinite(b.depth_m)).all()
        assert np.abs(a.depth_m[both] - b.depth_m[both]).max() < 6e-5
        assert np.abs(a.image.astype(int) - b.image).mean() < 6
    assert not list(tmp_path.glob("*.partial"))


def test_damaged_shards_are_named(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"none\.tar: no such shard"):
        list(read_shard(tmp_path / "none.tar"))
    (path,) = write_shards([encoded(samples[0])], tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ShardError, match="make"):
        list(read_shard(path))
    path.write_bytes(b"text" * 1000)
    with pytest.raises(ShardError, match="damaged or not a shard"):
        list(read_shard(path))


@pytest.mark.parametrize("change", ["mirrored", "turned", "augmented"])
def test_augmented_labels_stay_true(
    change: str, samples: list[Sample], models: dict[Side, HandModelData]
) -> None:
    hand_models = {side: HandModel(model) for side, model in models.items()}
    for sample in samples[:8]:
        if change == "mirrored":
            result = mirrored(sample)
        elif change == "turned":
            result = turned(sample, 0.25, 1.2, models)
        else:
            result = Augmentation().apply(sample, models, np.random.default_rng(0))
        for before, hand in zip(sample.hands, result.hands, strict=True):
            joints = hand_models[hand.side].forward_parameters(hand.mano)[1]
            assert np.allclose(joints, hand.joints_m, atol=5e-6)
            assert np.allclose(result.camera.project(joints), hand.joints_px, atol=0.05)
            assert (before.side != hand.side) == (change == "mirrored") or change == "augmented"
    twice = mirrored(mirrored(samples[0]))
    assert (twice.image == samples[0].image).all()
    assert twice.hands[0].side == samples[0].hands[0].side


def test_masks_turn_with_the_picture(
    samples: list[Sample], models: dict[Side, HandModelData]
) -> None:
    sample = samples[0]
    result = turned(sample, 0.2, 0.9, models)
    for before, after in zip(sample.hands, result.hands, strict=True):
        shown = np.nonzero(before.visible & after.visible)[0]
        for joint in shown:
            x, y = np.round(after.joints_px[joint]).astype(int)
            window = result.instance[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
            assert (window == after.number).any()


def test_normalisation_evens_out_light() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(40, 200, (128, 128, 3)).astype(np.uint8)
    dim = (image * 0.5).astype(np.uint8)
    result = normalized(image)
    assert result.shape == (256, 256, 3)
    assert np.abs(result.mean(axis=(0, 1))).max() < 1e-3
    assert np.corrcoef(result.ravel(), normalized(dim).ravel())[0, 1] > 0.99
    assert np.isfinite(normalized(np.zeros((64, 64, 3), np.uint8))).all()


def test_camera_effects_keep_size_and_place() -> None:
    image = np.zeros((96, 96, 3), np.uint8)
    image[40:56, 40:56] = 200
    effects = CameraEffects(0, grey_share=0.5)
    rng = np.random.default_rng(0)
    grey = 0
    for _ in range(60):
        result, without_colour = effects.apply(image, rng)
        assert result.shape == image.shape
        assert result.dtype == np.uint8
        weight = result.astype(float).sum(axis=2)
        weight = np.clip(weight - np.median(weight) - 60, 0, None)
        y, x = np.mgrid[:96, :96]
        assert (weight * x).sum() / weight.sum() == pytest.approx(47.5, abs=2)
        assert (weight * y).sum() / weight.sum() == pytest.approx(47.5, abs=2)
        grey += without_colour
        if without_colour:
            assert (np.ptp(result.astype(int), axis=2) < 40).all()
    assert grey > 10
    kernel = motion_kernel(9.0, 0.7)
    assert kernel.sum() == pytest.approx(1)
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=0.03)


def test_bad_options_are_named() -> None:
    with pytest.raises(ValueError, match="picture size 8 px"):
        replace(CONFIG, size=8)
    with pytest.raises(ValueError, match="cut_share is 2"):
        replace(CONFIG, cut_share=2)
    with pytest.raises(ValueError, match="scenes"):
        replace(CONFIG, scenes={"single": -1.0})


def test_the_command_writes_shards_and_sheets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["synthesize", "-n", "5", "-o", str(tmp_path), "--seed", "2", "--size", "96"]
    arguments += ["--data", str(NOWHERE), "--sheet"]
    assert cli.main(arguments) == 0
    assert "5 pictures in 1 shard(s)" in capsys.readouterr().out
    assert len(list(read_shard(tmp_path / "shard-000000.tar"))) == 5
    for name in ("sheet.jpg", "labels.jpg"):
        picture = cv2.imread(str(tmp_path / name))
        assert picture is not None
        assert picture.std() > 10
    assert cli.main(["synthesize", "-n", "0", "-o", str(tmp_path)]) == 2
    assert "at least one picture" in capsys.readouterr().err


@pytest.mark.parametrize(("more", "distinct"), [([], False), (["--distinct"], True)])
def test_distinct_pictures_show_scenes_of_their_own(
    tmp_path: Path, more: list[str], distinct: bool
) -> None:
    arguments = ["synthesize", "-n", "6", "-o", str(tmp_path), "--seed", "3", "--size", "96"]
    assert cli.main([*arguments, "--data", str(NOWHERE), *more]) == 0
    shown = list(read_shard(tmp_path / "shard-000000.tar"))
    shapes = {tuple(np.round(hand.mano.betas, 6)) for s in shown for hand in s.hands[:1]}
    assert len(shapes) == 6 if distinct else len(shapes) <= 3
