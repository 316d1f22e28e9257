"""What the regressor is told of the other hand is what it was trained with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand_recon_ros.acr.network import Acr
from hand_recon_ros.acr.pairs import PairNetwork, pair_geometry
from hand_recon_ros.camera import Camera
from hand_recon_ros.keypoints.crops import crop_round
from hand_recon_ros.keypoints.network import Cpm
from hand_recon_ros.keypoints.windows import WindowNetwork
from hand_recon_ros.training.framing import STILL, framed
from hand_recon_ros.training.framing import pair_geometry as trained_geometry

CAMERA = Camera.from_fov(640, 480, 70)


@pytest.mark.parametrize("mirrored", [(False, True), (True, False), (True, True)])
def test_geometry_is_that_of_the_training(mirrored: tuple[bool, bool]) -> None:
    random = np.random.default_rng(5)
    points = np.array([(200, 300), (450, 200)])[:, None] + random.uniform(-60, 60, (2, 21, 2))
    first, second = (
        crop_round(CAMERA, hand, mirrored=flag) for hand, flag in zip(points, mirrored, strict=True)
    )
    crops = framed(np.stack([CAMERA.K] * 2), points, np.array(mirrored), STILL, random)
    truth = trained_geometry(crops, np.array([1, 0]))
    np.testing.assert_allclose(pair_geometry(first, second), truth[0], atol=1e-6)
    np.testing.assert_allclose(pair_geometry(second, first), truth[1], atol=1e-6)


@pytest.mark.parametrize("count", [1, 2])
def test_windows_go_through_both_networks_as_in_training(count: int) -> None:
    """What is handed from one to the other means the same there."""
    torch.manual_seed(0)
    cpm, acr = Cpm().eval(), Acr().eval()
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (count, 128, 128, 3), np.uint8)
    places = np.array([(200, 300), (450, 200)])[:count, None] + random.uniform(-60, 60, (21, 2))
    crops = [crop_round(CAMERA, p, mirrored=k == 1) for k, p in enumerate(places)]
    reader = WindowNetwork(cpm)
    readings = reader(list(pixels))
    estimates = PairNetwork(acr, readings[0])(list(zip(crops, readings, strict=True)))
    partner, geometry = torch.full((count,), -1), torch.zeros(count, 6)
    if count == 2:
        partner = torch.tensor([1, 0])
        told = [pair_geometry(*crops), pair_geometry(*crops[::-1])]
        geometry = torch.tensor(np.array(told), dtype=torch.float32)
    with torch.no_grad():
        seen = cpm(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)
        truth = acr(seen.features, seen.deep, seen.beliefs[:, -1], partner, geometry)
    for k, estimate in enumerate(estimates):
        np.testing.assert_allclose(estimate.joints_m, truth.joints_m[k], atol=1e-5)
        np.testing.assert_allclose(estimate.points_px, truth.points_px[k], atol=2e-2)
        assert (estimate.other_wrist_m is None) == (count == 1)
