"""Key point network and regressor: belief maps, invariances, who sees whom."""

import numpy as np
import pytest
import torch

from hand_recon_ros.acr.network import GEOMETRY, Acr
from hand_recon_ros.keypoints.beliefs import belief_maps, read_beliefs, to_cells, to_pixels
from hand_recon_ros.keypoints.network import STAGES, Cpm, evened

CELLS = 32


def test_points_survive_their_belief_maps() -> None:
    points = torch.rand(16, 21, 2, generator=torch.Generator().manual_seed(0)) * 108 + 10
    found, belief = read_beliefs(belief_maps(points, CELLS, 1.3))
    assert (found - points).norm(dim=-1).max() < 0.35
    assert belief.min() > 0.75


def test_points_are_read_despite_noise() -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(16, 21, 2, generator=generator) * 108 + 10
    maps = belief_maps(points, CELLS, 1.3)
    found, _ = read_beliefs(maps + 0.05 * torch.randn(maps.shape, generator=generator))
    assert (found - points).norm(dim=-1).mean() < 0.6


def test_cells_and_pixels_are_inverse() -> None:
    assert to_pixels(torch.tensor(0.0)) == 1.5  # the middle of the first four pixels
    x = torch.linspace(-5, 140, 7)
    torch.testing.assert_close(to_pixels(to_cells(x)), x)


@pytest.mark.parametrize("place", [float("nan"), -500.0, 900.0])
def test_points_outside_have_an_empty_map(place: float) -> None:
    maps = belief_maps(torch.full((1, 21, 2), place), CELLS, 1.3)
    assert maps.abs().max() < 1e-6
    found, belief = read_beliefs(maps)
    assert torch.isfinite(found).all()
    assert belief.max() < 1e-6


def test_network_shapes_in_and_out_of_training() -> None:
    net = Cpm()
    crops = torch.rand(2, 3, 128, 128)
    trained = net.train()(crops)
    assert trained.beliefs.shape == (2, STAGES, 21, CELLS, CELLS)
    run = net.eval()(crops)
    assert run.beliefs.shape == (2, 1, 21, CELLS, CELLS)
    assert run.deep.shape[2:] == (8, 8)
    assert run.presence.shape == (2,)
    assert net(torch.rand(1, 3, 64, 64)).beliefs.shape[-1] == CELLS // 2
    assert sum(p.numel() for p in net.parameters()) < 4e6


def test_brightness_colour_cast_and_contrast_do_not_matter() -> None:
    crops = torch.rand(3, 3, 32, 32) * 0.5
    changed = crops * 0.6 + torch.tensor([0.1, 0.05, 0.2])[None, :, None, None]
    torch.testing.assert_close(evened(crops), evened(changed), atol=1e-4, rtol=1e-4)


def features(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    points = torch.rand(n, 21, 2, generator=g) * 100 + 14
    return (
        torch.randn(n, 64, CELLS, CELLS, generator=g),
        torch.randn(n, 128, 8, 8, generator=g),
        belief_maps(points, CELLS, 1.3),
    )


@pytest.fixture
def regressor() -> Acr:
    torch.manual_seed(2)
    net = Acr().eval()
    torch.nn.init.normal_(net.tell.weight, std=0.05)
    return net


def test_a_lone_hand_does_not_see_the_others(regressor: Acr) -> None:
    f, d, b = features(3)
    nobody = torch.full((3,), -1)
    with torch.no_grad():
        alone = regressor(f[:1], d[:1], b[:1], nobody[:1], torch.zeros(1, GEOMETRY))
        among = regressor(f, d, b, nobody, torch.randn(3, GEOMETRY))
    for one, many in zip(alone, among, strict=True):
        torch.testing.assert_close(one[0], many[0], atol=1e-5, rtol=1e-4)


def test_partners_see_each_other_and_order_does_not_matter(regressor: Acr) -> None:
    f, d, b = features(2)
    geometry = torch.randn(2, GEOMETRY)
    with torch.no_grad():
        alone = regressor(f, d, b, torch.tensor([-1, -1]), geometry)
        both = regressor(f, d, b, torch.tensor([1, 0]), geometry)
        turned = regressor(f.flip(0), d.flip(0), b.flip(0), torch.tensor([1, 0]), geometry.flip(0))
    assert (alone.joints_m - both.joints_m).abs().max() > 1e-5
    torch.testing.assert_close(both.joints_m, turned.joints_m.flip(0), atol=1e-5, rtol=1e-4)


def test_output_is_rooted_at_the_wrist_and_starts_unturned() -> None:
    f, d, b = features(4)
    out = Acr().eval()(f, d, b, torch.full((4,), -1), torch.zeros(4, GEOMETRY))
    assert out.joints_m[:, 0].abs().max() == 0
    eye = torch.eye(3)[:, :2].T.reshape(6)
    assert (out.pose6d - eye).abs().max() < 1.0
    read, _ = read_beliefs(b)
    assert np.isfinite(out.log_sigma_px.detach().numpy()).all()
    assert (out.points_px - read).norm(dim=-1).mean() < 40
