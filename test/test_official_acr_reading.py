"""What is read off the maps of the published ACR network, and how its hands get to the camera."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from official_acr import (
    FIXTURE,
    empty_maps,
    filled_state,
    fitted_camera,
    random_network,
    read,
    telling,
)
from torch.nn.functional import max_pool2d

from hand_recon_ros.acr_official.hands import HandLift
from hand_recon_ros.acr_official.heads import part_attention
from hand_recon_ros.acr_official.network import OfficialAcr
from hand_recon_ros.acr_official.picture import Padding, squared
from hand_recon_ros.acr_official.readout import (
    HandReading,
    Reader,
    hands_of,
    read_maps,
    rotations_of,
)
from hand_recon_ros.bench.samples import CAMERA, model, random_hand
from hand_recon_ros.camera import Camera
from hand_recon_ros.networks.runtime import compile_network
from hand_recon_ros.rotations import exp_so3

PADDING = Padding.of(CAMERA.width, CAMERA.height)
SMALL = 64
"""Side of pictures on which the network runs in a blink, px."""


# -- centres --------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), levels=st.sampled_from([2, 5, 1000]))
def test_the_best_pixel_is_what_non_maximum_suppression_leaves_on_top(
    seed: int, levels: int
) -> None:
    maps, _ = empty_maps()
    centre = torch.from_numpy(np.random.default_rng(seed).integers(0, levels, (1, 1, 64, 64)))
    centre = centre.float() / levels
    survivors = torch.where(max_pool2d(centre, 5, 1, 2) == centre, centre, 0.0)
    found = read(maps._replace(centre=centre), maps)
    x, y = found.centres[0, 0]
    assert found.scores[0, 0] == survivors.max()
    assert survivors[0, 0, y, x] == survivors.max()


def hands_at(left: tuple[int, int, float] | None, right: tuple[int, int, float] | None) -> list:
    """Hands of maps with such centres (x, y, score); parameters tell the place, priors too."""
    maps = empty_maps()
    place = torch.arange(64 * 64.0).view(64, 64)
    for own, (hand, peak) in enumerate(zip(maps, (left, right), strict=True)):
        hand.parameters[:] = place
        hand.prior[:] = 1e4 * (1 + own) + place
        if peak:
            hand.centre[0, 0, peak[1], peak[0]] = peak[2]
    return hands_of(read(*maps))


def test_a_centre_must_be_above_the_threshold() -> None:
    assert hands_at(None, None) == []
    assert hands_at((3, 4, 0.35), (50, 9, 0.2)) == []
    (hand,) = hands_at((3, 4, 0.35), (50, 9, 0.3501))
    assert (hand.side, *hand.centre) == ("right", 50, 9)
    assert hand.score == pytest.approx(0.3501)
    np.testing.assert_array_equal(hand.parameters, 64 * 9 + 50)


@pytest.mark.parametrize(("x", "near"), [(42, True), (43, False), (10, True)])
def test_hands_heed_each_other_up_to_32_pixels(x: int, near: bool) -> None:
    left, right = hands_at((10, 10, 0.9), (x, 10, 0.5))
    own_left, own_right = 64 * 10 + 10, 64 * 10 + x
    for hand, own, prior in ((left, own_left, 1e4 + own_right), (right, own_right, 2e4 + own_left)):
        np.testing.assert_array_equal(hand.parameters[:3], own)  # never the camera
        np.testing.assert_array_equal(hand.parameters[3:], own + near * prior)


def test_a_hand_that_is_not_finite_is_no_hand() -> None:
    left, right = empty_maps()
    for hand in (left, right):
        hand.centre[0, 0, 5, 5] = 0.9
        hand.parameters[:] = 0.1
    left.parameters[0, 40, 5, 5] = float("nan")
    assert [hand.side for hand in hands_of(read(left, right))] == ["right"]


def test_six_numbers_are_two_columns_row_by_row() -> None:
    R = exp_so3(np.random.default_rng(0).normal(size=(7, 3)))
    told = R[..., :2].reshape(7, 6)
    np.testing.assert_allclose(rotations_of(told), R, atol=1e-12)
    assert not np.allclose(rotations_of(np.roll(told, 1, axis=1)), R, atol=0.1)


# -- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (481, 640), (300, 301), (64, 64)])
def test_the_way_back_ends_where_the_picture_shows_it(width: int, height: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    x, y = 2 * width // 3, height // 4
    reach = max(width, height) // 100 + 2
    image[y - reach : y + reach + 1, x - reach : x + reach + 1] = (0, 255, 0)
    picture, padding = squared(image)
    assert picture.shape == (512, 512, 3)
    spot = np.argwhere((picture[..., 1] > 128) & (picture[..., 0] < 128))[:, ::-1].mean(axis=0)
    back = padding.to_image((spot + 0.5) / 256 - 1) - 0.5
    np.testing.assert_allclose(back, (x, y), atol=1.0)
    borders = padding.left + padding.right, padding.top + padding.bottom
    assert (width + borders[0], height + borders[1]) == (padding.side, padding.side)
    if borders[1]:
        assert (picture[0] == 255).all()


# -- hands ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_is_placed_before_the_users_camera(side: str) -> None:
    rng = np.random.default_rng(1)
    lift = HandLift(model(side))
    for distance in (0.35, 0.8):
        hand = random_hand(rng, side, distance)
        seen = lift.keypoints(telling(hand, CAMERA), PADDING, CAMERA)
        assert seen is not None
        assert seen.side == side
        assert seen.side_score == 1.0
        np.testing.assert_allclose(seen.relative_m, hand.joints - hand.joints[0], atol=1e-9)
        np.testing.assert_allclose(seen.guess.joint_rotations, hand.pose, atol=1e-9)
        error = np.abs(seen.points_px - CAMERA.project(hand.joints))
        weak = fitted_camera(hand, CAMERA)
        flat = PADDING.to_image(weak[0] * (hand.joints - hand.joints[9])[:, :2] + weak[1:])
        assert error.max() < 5.0
        assert error.max() < 0.35 * np.abs(flat - CAMERA.project(hand.joints)).max()


def test_confidence_follows_the_centre_and_the_view() -> None:
    hand = random_hand(np.random.default_rng(2), "right", 0.5)
    told = telling(hand, CAMERA)
    lift = HandLift(model("right"))
    whole = lift.keypoints(replace(told, score=0.6), PADDING, CAMERA)
    assert whole is not None
    assert whole.score == whole.confidence.max() == 0.6
    assert lift.keypoints(replace(told, score=3.0), PADDING, CAMERA).score == 1.0
    tips = CAMERA.project(hand.joints)[:, 0]
    narrow = Camera(int(np.median(tips)), 720, CAMERA.K)
    cut = lift.keypoints(told, PADDING, narrow)
    outside = cut.points_px[:, 0] > narrow.width - 1
    assert 5 < outside.sum() < 16
    assert cut.confidence[outside].max() < cut.confidence[~outside].max()


@pytest.mark.parametrize("spoil", ["mirrored", "outside", "behind the lens"])
def test_what_cannot_be_a_hand_is_none(spoil: str) -> None:
    told = telling(random_hand(np.random.default_rng(3), "right", 0.5), CAMERA)
    parameters, camera = told.parameters.copy(), CAMERA
    if spoil == "mirrored":
        parameters[0] *= -1
    elif spoil == "outside":
        parameters[1] += 3.0
    else:  # a strong lens that no ray enters from so far out
        camera = replace(CAMERA, D=np.array([-0.4, 0.1, 0.0, 0.0, 0.0]))
        parameters[1] += 30.0
    spoiled = HandReading("right", 0.9, told.centre, parameters)
    assert HandLift(model("right")).keypoints(spoiled, PADDING, camera) is None


# -- other ways to run the network ----------------------------------------------------------------


@pytest.fixture(scope="module")
def network() -> OfficialAcr:
    """With the fixture's weights where they are here: those of a start tell nearly nothing."""
    network = copy.deepcopy(random_network())
    if FIXTURE.exists():
        network.load_state_dict(filled_state())
    return network


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, (1, SMALL, SMALL, 3), np.uint8)


def close(ours: torch.Tensor, wanted: torch.Tensor, share: float) -> bool:
    """Whether the root mean square error is that share of the signal at most."""
    off = (ours.float() - wanted).square().mean().sqrt()
    return bool(off <= share * wanted.square().mean().sqrt())


@pytest.mark.parametrize(("kind", "share"), [(torch.float16, 0.006), (torch.bfloat16, 0.06)])
def test_half_precision_agrees_with_single(
    network: OfficialAcr, picture: np.ndarray, kind: torch.dtype, share: float
) -> None:
    image = torch.from_numpy(picture)
    with torch.inference_mode():
        single = network(image)
        half = copy.deepcopy(network).to(kind)(image)
    for wanted, ours in zip(single[:2], half[:2], strict=True):
        for name in wanted._fields:
            assert getattr(ours, name).dtype == kind
            assert close(getattr(ours, name), getattr(wanted, name), share), name


def test_attention_in_half_precision_still_sums_to_one() -> None:
    logits = torch.randn(1, 33, 256, 256, generator=torch.Generator().manual_seed(5))
    attention = part_attention(logits.half())
    assert attention.shape == (1, 32, 128 * 128)
    torch.testing.assert_close(attention.sum(-1), torch.ones(1, 32))
    torch.testing.assert_close(attention, part_attention(logits), rtol=5e-3, atol=0.0)


def test_the_compiled_network_reads_the_same(network: OfficialAcr, picture: np.ndarray) -> None:
    with torch.inference_mode():
        maps = network(torch.from_numpy(picture))
        wanted = read_maps(maps.left, maps.right)
    told = compile_network(Reader(network), [picture])(picture)
    for ours, theirs in zip(told, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA GPU")
def test_the_gpu_reads_the_same_in_half_precision(
    network: OfficialAcr, picture: np.ndarray
) -> None:
    with torch.inference_mode():
        maps = network(torch.from_numpy(picture))
        wanted = read_maps(maps.left, maps.right)
    told = compile_network(Reader(copy.deepcopy(network)), [picture], device="cuda")(picture)
    np.testing.assert_allclose(told[0], wanted.scores.numpy(), rtol=0.02)
    np.testing.assert_array_equal(told[1], wanted.centres.numpy())
    assert close(torch.from_numpy(told[2]), wanted.parameters, 0.02)
