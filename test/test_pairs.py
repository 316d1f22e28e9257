"""What the regressor is told of the other hand is what it was trained with."""

from __future__ import annotations

import numpy as np
import pytest

from hand_recon_ros.acr.pairs import pair_geometry
from hand_recon_ros.camera import Camera
from hand_recon_ros.keypoints.crops import crop_round
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
