"""Crops of stored pictures: labels follow the window, and every device does the same."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from hand_recon_ros.camera import Camera
from hand_recon_ros.keypoints import crops as keypoint_crops
from hand_recon_ros.mano.joints import hand_joints
from hand_recon_ros.mano.kinematics import HandSkeleton
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.training import pyramid as pyramids
from hand_recon_ros.training.appearance import Appearance, Strength
from hand_recon_ros.training.batch import CROP_SIZE, FRAMING, CropBatch, concatenate
from hand_recon_ros.training.compositor import PLAIN, Compositor, CompositorConfig
from hand_recon_ros.training.framing import STILL, TURNED_DEG, Jitter, framed, pair_geometry
from hand_recon_ros.training.grounds import GroundBank
from hand_recon_ros.training.hand_labels import hands_of
from hand_recon_ros.training.pyramid import pyramid, texels
from hand_recon_ros.training.replay import Replay
from hand_recon_ros.training.view_set import LABEL, ViewSet
from hand_recon_ros.types import Array, ManoParameters

SIZE = 256
MIRROR = np.array([-1.0, 1.0, 1.0])
JOINT = 8
JITTERED = replace(PLAIN, jitter=Jitter())
RIGHT = load_hand_model("right")
SKELETON = {"right": HandSkeleton.of(RIGHT), "left": HandSkeleton.of(RIGHT.mirrored())}


def note_hand(label: np.void, k: int, left: bool, rng: np.random.Generator) -> None:
    """A hand somewhere in view, posed at random by the model itself."""
    side = "left" if left else "right"
    pose = rng.normal(0, 0.2, 45)
    parameters = ManoParameters(
        side, rng.normal(0, 1.5, 3), pose, rng.normal(0, 0.5, 10), np.zeros(3)
    )
    joints = hand_joints(SKELETON[side], parameters)
    shift = np.array([0.06 if k else -0.06, 0.0, 0.55]) - joints.mean(axis=0)
    label["joints_m"][k] = joints + shift
    label["rotations"][k] = exp_so3(np.vstack([parameters.global_orient, pose.reshape(15, 3)]))
    label["betas"][k] = parameters.betas
    label["shown"][k] = label["has_mano"][k] = True
    label["visible"][k] = rng.random(21) < 0.7
    label["left"][k] = left


def camera_matrix() -> Array:
    return np.array([[330.0, 0, 160], [0, 330, 90], [0, 0, 1]])


def project(label: np.void, k: int) -> Array:
    seen = label["joints_m"][k].astype(float) @ label["K"].T
    return np.asarray(seen[:, :2] / seen[:, 2:])


def views(count: int = 12, hands: int = 2, dot: int | None = None, seed: int = 0) -> ViewSet:
    """Transparent views of labelled hands; with ``dot`` a white one lies at that joint."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(count, LABEL)
    pixels = np.zeros((count, texels(SIZE), 4), np.uint8)
    for n in range(count):
        label = labels[n : n + 1][0]
        labels["K"][n] = camera_matrix()
        labels["hands"][n] = hands
        for k in range(hands):
            note_hand(label, k, bool((n + k) % 2), rng)
        picture = np.zeros((SIZE, SIZE, 4), np.uint8)
        picture[..., 3] = 255 if dot is not None else 0
        if dot is not None:
            x, y = project(label, 0)[dot]
            grid_y, grid_x = np.mgrid[:SIZE, :SIZE]
            picture[..., :3] = (
                255 * np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * 2.5**2))[..., None]
            )
        pixels[n] = pyramid(picture)
    return ViewSet(pixels, labels, SIZE)


@pytest.fixture(scope="module")
def grounds() -> GroundBank:
    return GroundBank("cpu", 1, (), 8)


def batch_of(
    views: ViewSet, grounds: GroundBank, config: CompositorConfig, seed: int = 5
) -> CropBatch:
    store = Replay.of(views, "cpu")
    hands = hands_of(store.labels, np.arange(len(views)))
    rng = np.random.default_rng(seed)
    return Compositor(grounds, "cpu", config).crops(store.pixels, SIZE, hands, rng)


def test_a_dot_drawn_at_a_joint_is_found_at_its_label(grounds: GroundBank) -> None:
    batch = batch_of(views(hands=1, dot=JOINT), grounds, JITTERED)
    found = 0
    for image, point, inside in zip(batch.image, batch.points_px, batch.inside, strict=True):
        if not inside[JOINT]:
            continue
        weight = image.mean(dim=0).numpy()
        weight = np.where(weight > 0.3 * weight.max(), weight, 0)
        y, x = np.mgrid[:CROP_SIZE, :CROP_SIZE]
        middle = np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()
        np.testing.assert_allclose(middle, point[JOINT].numpy(), atol=0.35)
        found += 1
    assert found >= 8


def test_3d_projects_onto_the_points(grounds: GroundBank) -> None:
    batch = batch_of(views(), grounds, JITTERED)
    joints = batch.joints_m + batch.wrist_m[:, None]
    middle = (CROP_SIZE - 1) / 2
    points = joints[..., :2] / joints[..., 2:] * batch.focal[:, None, None] + middle
    assert (points - batch.points_px).abs().max() < 0.01
    assert batch.joints_m[:, 0].abs().max() == 0


def test_mano_of_a_crop_gives_its_joints_with_the_right_hand(grounds: GroundBank) -> None:
    batch = batch_of(views(), grounds, JITTERED)
    for k in range(len(batch)):
        turns = log_so3(batch.rotations[k].numpy().astype(float))
        parameters = ManoParameters(
            "right", turns[0], turns[1:].reshape(45), batch.betas[k].numpy().astype(float),
            np.zeros(3),
        )  # fmt: skip
        joints = hand_joints(SKELETON["right"], parameters)
        np.testing.assert_allclose(joints - joints[0], batch.joints_m[k].numpy(), atol=2e-5)


def test_a_left_hand_is_its_mirror_images_right_hand(grounds: GroundBank) -> None:
    rng = np.random.default_rng(3)
    one = views(count=1, hands=1, dot=JOINT)
    one.pixels[..., :3] = rng.integers(0, 256, one.pixels[..., :3].shape)
    picture = one.picture(0)
    flipped = ViewSet(
        pyramid(np.ascontiguousarray(picture[:, ::-1]))[None], one.labels.copy(), SIZE
    )
    label = flipped.labels
    label["K"][:, 0, 2] = SIZE - 1 - label["K"][:, 0, 2]
    label["left"] = ~label["left"]
    label["joints_m"] *= MIRROR
    label["rotations"] *= MIRROR[:, None] * MIRROR
    one = ViewSet(pyramid(picture)[None], one.labels, SIZE)
    right, left = batch_of(one, grounds, PLAIN), batch_of(flipped, grounds, PLAIN)
    for field in fields(CropBatch):
        a, b = getattr(right, field.name).double(), getattr(left, field.name).double()
        np.testing.assert_allclose(a, b, atol=0.02 if field.name == "image" else 1e-4, rtol=1e-4)


def test_the_standard_framing_is_that_of_the_chain() -> None:
    hands = hands_of(views().labels, np.arange(12))
    rng = np.random.default_rng(0)
    crops = framed(hands.K, hands.points_px, hands.left, STILL, rng)
    camera = Camera(SIZE, SIZE, camera_matrix())
    assert (CROP_SIZE, FRAMING) == (keypoint_crops.CROP_SIZE, keypoint_crops.FRAMING)
    for k in range(len(hands)):
        points = hands.points_px[k]
        crop = keypoint_crops.crop_round(camera, points, mirrored=bool(hands.left[k]))
        np.testing.assert_allclose(
            crop.to_crop(points), crops.points(hands.points_px)[k], atol=0.05
        )
        np.testing.assert_allclose(crop.rotation, crops.rotation[k], atol=1e-9)
        assert crop.focal == pytest.approx(crops.focal[k])


def test_partners_name_each_other_and_agree(grounds: GroundBank) -> None:
    batch = batch_of(views(), grounds, replace(CompositorConfig(), negative_share=0.3))
    paired = np.flatnonzero(batch.partner.numpy() >= 0)
    other = batch.partner.numpy()[paired]
    assert len(paired) >= 4
    np.testing.assert_array_equal(batch.partner.numpy()[other], paired)
    np.testing.assert_array_equal(batch.has_other.numpy(), batch.partner.numpy() >= 0)
    assert (batch.presence.numpy()[paired] == 1).all()
    lengths = batch.other_wrist_m.norm(dim=1)
    np.testing.assert_allclose(lengths[paired], lengths[other], atol=1e-6)
    geometry = batch.geometry.numpy()
    np.testing.assert_allclose(geometry[paired, 2], -geometry[other, 2], atol=1e-5)
    np.testing.assert_allclose(np.hypot(*geometry[paired, 4:].T), 1.0, atol=1e-5)
    assert (geometry[batch.partner.numpy() < 0] == 0).all()


def test_geometry_points_at_the_partner(grounds: GroundBank) -> None:
    hands = hands_of(views().labels, np.arange(12))
    crops = framed(hands.K, hands.points_px, hands.left, STILL, np.random.default_rng(0))
    geometry = pair_geometry(crops, hands.partner)
    # The partner's crop looks at the middle of the partner: its place in the own crop.
    middle = np.array([(CROP_SIZE - 1) / 2] * 2 + [1.0])
    inverse = np.linalg.inv(crops.matrix[hands.partner])
    seen = np.einsum("nij,nj->ni", crops.matrix @ inverse, np.tile(middle, (len(hands), 1)))
    place = (seen[:, :2] / seen[:, 2:] - middle[:2]) / crops.focal[:, None]
    np.testing.assert_allclose(place, geometry[:, :2], atol=1e-6)


def test_negatives_teach_nothing_but_absence(grounds: GroundBank) -> None:
    batch = batch_of(views(40, hands=1), grounds, replace(JITTERED, negative_share=0.5))
    absent = batch.presence == 0
    assert 8 <= int(absent.sum()) <= 32
    for flags in (batch.inside, batch.visible, batch.has_3d, batch.has_mano):
        assert not flags[absent].any()
        assert flags[~absent].any()
    assert (batch.weight[absent] == 1).all()


def test_the_side_of_hands_upon_each_other_is_not_taught(grounds: GroundBank) -> None:
    def shown(step_m: float) -> float:
        pairs = views(60)
        pairs.labels["joints_m"][:, 1] = pairs.labels["joints_m"][:, 0]
        pairs.labels["joints_m"][:, 1, :, 0] += step_m
        batch = batch_of(pairs, grounds, replace(JITTERED, negative_share=1.0))
        return float(batch.presence.mean())

    assert shown(0.3) == 0.0
    assert 0.13 < shown(0.02) < 0.36  # a quarter of the negatives does not fit


def test_a_hand_that_is_not_upright_is_a_negative(grounds: GroundBank) -> None:
    batch = batch_of(views(120, hands=1), grounds, replace(PLAIN, negative_share=0.6))
    palm = (batch.points_px[:, 9] - batch.points_px[:, 0]).numpy()
    off_deg = np.rad2deg(np.abs(np.arctan2(palm[:, 0], -palm[:, 1])))
    middle = (batch.points_px.amax(1) + batch.points_px.amin(1)).numpy() / 2 - 63.5
    centred = np.abs(middle).max(axis=1) < 40
    turned = off_deg > TURNED_DEG - 10  # the direction is exact in the middle of the window only
    assert 8 <= (turned & centred).sum() <= 35
    assert not (turned & ~centred).any(), "hands far off the middle stand upright"
    assert (batch.presence.numpy()[turned] == 0).all()
    assert (off_deg[batch.presence.numpy() == 1] < 10).all()
    assert 30 < (batch.presence == 1).sum() < 70


def test_half_of_the_turned_hands_are_of_the_wrong_side(grounds: GroundBank) -> None:
    compositor = Compositor(grounds, "cpu", replace(PLAIN, negative_share=1.0))
    pairs = views(200)
    _, wrong, turned, _ = compositor._negatives(
        hands_of(pairs.labels, np.arange(200)), np.random.default_rng(1)
    )
    assert 0.38 < wrong[turned].mean() < 0.62
    pairs.labels["joints_m"][:, 1] = pairs.labels["joints_m"][:, 0]  # upon each other
    _, wrong, turned, _ = compositor._negatives(
        hands_of(pairs.labels, np.arange(200)), np.random.default_rng(1)
    )
    assert turned.any()
    assert not wrong.any()


def test_a_hand_that_points_at_the_camera_has_no_direction(grounds: GroundBank) -> None:
    pointing = views(80, hands=1)
    joints = pointing.labels["joints_m"][:, 0]
    joints[:, 0, :2] = joints[:, 9, :2]  # the wrist right behind the middle knuckle
    batch = batch_of(pointing, grounds, replace(PLAIN, negative_share=1.0))
    assert (batch.presence == 0).all()
    middle = (batch.points_px.amax(1) + batch.points_px.amin(1)).numpy() / 2 - 63.5
    centred = np.abs(middle).max(axis=1) < 40
    assert 0.3 < centred.mean() < 0.7, "bare ground and wrong sides; the other half is far off"


def test_hidden_points_are_not_visible(grounds: GroundBank) -> None:
    plain = batch_of(views(), grounds, PLAIN)
    for change in ({"occluder_share": 1.0}, {"border_share": 1.0}):
        hidden = batch_of(views(), grounds, replace(PLAIN, **change))
        assert (hidden.inside == plain.inside).all()
        assert int(hidden.visible.sum()) < int(plain.visible.sum())
        assert not (hidden.visible & ~plain.visible).any()


def test_seeds_repeat(grounds: GroundBank) -> None:
    one, same = (batch_of(views(), grounds, CompositorConfig()) for _ in range(2))
    for field in fields(CropBatch):
        assert torch.equal(getattr(one, field.name), getattr(same, field.name)), field.name
    other = batch_of(views(), grounds, CompositorConfig(), seed=6)
    assert not torch.equal(one.image, other.image)


def test_joined_batches_keep_their_partners(grounds: GroundBank) -> None:
    one = batch_of(views(), grounds, PLAIN)
    both = concatenate([one, one])
    assert len(both) == 2 * len(one)
    assert torch.equal(both.partner[len(one) :], one.partner + len(one))
    with pytest.raises(ValueError, match="no batch"):
        concatenate([])


def test_tensors_sample_as_opencv_does() -> None:
    rng = np.random.default_rng(2)
    picture = np.kron(rng.integers(0, 256, (32, 32, 4)), np.ones((8, 8, 1))).astype(np.uint8)
    pixels = torch.from_numpy(np.stack([pyramid(picture)] * 3)).view(torch.int32)[..., 0]
    matrix = np.array([[[1.3, 0.2, -20], [-0.1, 1.1, 30], [2e-4, 1e-4, 1]]] * 3)
    number, level = np.arange(3), np.arange(3)
    tensors = pyramids._sampled_by_tensors
    fast = pyramids.sampled(pixels, SIZE, number, level, matrix, CROP_SIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyramids, "_sampled_by_opencv", tensors)
        exact = pyramids.sampled(pixels, SIZE, number, level, matrix, CROP_SIZE)
    assert (fast - exact).abs().mean() < 0.5
    assert (fast - exact).abs().max() < 10  # 1/32 px at an edge of 255


def test_all_pixels_stay_on_the_device() -> None:
    """Tensors without memory refuse to meet those of the host, as those of a GPU do."""
    store = Replay.of(views(), "meta")
    config = replace(CompositorConfig(), occluder_share=0.5, border_share=0.5)
    compositor = Compositor(GroundBank("meta", 1, (), 4), "meta", config)
    hands = hands_of(store.labels, np.arange(12))
    batch = compositor.crops(store.pixels, SIZE, hands, np.random.default_rng(0))
    assert batch.image.device.type == "meta"
    assert {getattr(batch, f.name).device.type for f in fields(CropBatch)} == {"meta"}


def test_grey_pictures_have_no_colour() -> None:
    image = torch.rand(8, 3, CROP_SIZE, CROP_SIZE)
    changed = Appearance("cpu", Strength(grey_share=1.0)).apply(image, np.random.default_rng(1))
    assert (changed[:, 0] - changed[:, 2]).abs().max() < 0.3  # blocks of JPEG come last
    plain = Strength(grey_share=1.0, block_share=0.0)
    changed = Appearance("cpu", plain).apply(image, np.random.default_rng(1))
    assert (changed[:, 0] - changed[:, 2]).abs().max() < 1e-5
