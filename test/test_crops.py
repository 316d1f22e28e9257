"""Windows on hands: exact geometry, mirrored left hands, no aliasing."""

import cv2
import numpy as np
import pytest

from hand_recon_ros.camera import Camera
from hand_recon_ros.keypoints.crops import CROP_SIZE, FRAMING, crop_at, crop_round

RNG = np.random.default_rng(4)
PLAIN = Camera(1280, 720, np.array([[900.0, 0, 650], [0, 905.0, 350], [0, 0, 1]]))
BENT = Camera(1280, 720, PLAIN.K, np.array([-0.2, 0.05, 0.001, -0.001, 0.0]))


def hand(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    middle = np.array([*RNG.uniform(-0.15, 0.15, 2), RNG.uniform(0.35, 0.9)])
    joints = RNG.uniform(-0.06, 0.06, (21, 3)) + middle
    return joints, camera.project(joints)


@pytest.mark.parametrize("mirrored", [False, True])
def test_window_is_a_camera_that_looks_at_the_hand(mirrored: bool) -> None:
    for _ in range(20):
        joints, points = hand(PLAIN)
        crop = crop_round(PLAIN, points, mirrored=mirrored)
        seen = crop.to_window(joints)
        projected = crop.focal * seen[:, :2] / seen[:, 2:] + (CROP_SIZE - 1) / 2
        np.testing.assert_allclose(projected, crop.to_crop(points), atol=0.02)
        np.testing.assert_allclose(crop.to_camera(seen), joints, atol=1e-12)
        np.testing.assert_allclose(crop.to_image(crop.to_crop(points)), points, atol=1e-3)


def test_fingers_point_up_and_the_hand_is_framed() -> None:
    for _ in range(20):
        _, points = hand(PLAIN)
        inside = crop_round(PLAIN, points, mirrored=False).to_crop(points)
        up = inside[9] - inside[0]
        assert abs(up[0]) < 0.06 * np.linalg.norm(up)
        assert up[1] < 0
        longer = np.ptp(inside, axis=0).max()
        assert CROP_SIZE / longer == pytest.approx(FRAMING, rel=0.12)


def test_distorted_camera_agrees_within_a_pixel() -> None:
    for _ in range(20):
        joints, points = hand(BENT)
        crop = crop_round(BENT, points, mirrored=False)
        seen = crop.to_window(joints)
        projected = crop.focal * seen[:, :2] / seen[:, 2:] + (CROP_SIZE - 1) / 2
        assert np.abs(projected - crop.to_crop(points)).max() < 1.5


def test_pixels_follow_the_matrix() -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    cv2.circle(image, (700, 300), 9, (255, 255, 255), -1, cv2.LINE_AA)
    for side, mirrored in ((120, False), (300, True), (700, False), (1500, True)):
        crop = crop_at(PLAIN, (680, 330), side, (0.5, -1.0), mirrored=mirrored)
        seen = crop.cut(image)[..., 0].astype(float)
        ys, xs = np.indices(seen.shape)
        centre = [(seen * xs).sum() / seen.sum(), (seen * ys).sum() / seen.sum()]
        np.testing.assert_allclose(centre, crop.to_crop((700.0, 300.0)), atol=0.15)


def test_mirrored_window_is_the_flipped_one() -> None:
    image = RNG.integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    plain = crop_at(PLAIN, (600, 300), 200, (1.0, -1.0)).cut(image)
    flipped = crop_at(PLAIN, (600, 300), 200, (1.0, -1.0), mirrored=True).cut(image)
    assert np.abs(plain[:, ::-1].astype(int) - flipped).max() <= 2


@pytest.mark.parametrize("step", [1.7, 2.4, 3.1, 5.0])
def test_shrinking_averages_pixels(step: float) -> None:
    stripes = np.zeros((720, 1280, 3), np.uint8)
    stripes[:, ::2] = 200
    seen = crop_at(PLAIN, (640, 360), 128 * step).cut(stripes)
    assert seen.std() < 5
    assert seen.mean() == pytest.approx(100, abs=3)


@pytest.mark.parametrize("side", [0.0, -3.0, float("nan"), float("inf")])
def test_senseless_windows_are_refused(side: float) -> None:
    with pytest.raises(ValueError, match="no window of side"):
        crop_at(PLAIN, (600, 300), side)


def test_window_at_a_corner_and_of_a_wide_camera() -> None:
    wide = Camera.from_fov(640, 480, 150.0)
    for at in ((0, 0), (639, 479), (-100, 240)):
        crop = crop_at(wide, at, 600)
        assert np.isfinite(crop.matrix).all()
        assert crop.cut(np.zeros((480, 640, 3), np.uint8)).shape == (128, 128, 3)
