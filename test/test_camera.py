"""Intrinsics: projection against OpenCV, its inverse, and refused input."""

import cv2
import numpy as np
import pytest

from hand_recon_ros.camera import Camera, CameraError

K = np.array([[900.0, 0, 640], [0, 910.0, 350], [0, 0, 1]])
CAMERAS = {
    "pinhole": Camera(1280, 720, K),
    "plumb_bob": Camera(1280, 720, K, np.array([-0.3, 0.1, 0.001, -0.002, 0.01])),
    "rational": Camera(
        1280,
        720,
        K,
        np.array([0.1, -0.05, 0.001, 0.0, 0.01, 0.2, -0.04, 0.02]),
        "rational_polynomial",
    ),
    "fisheye": Camera(1280, 720, K, np.array([0.02, -0.01, 0.003, 0.0]), "equidistant"),
}


@pytest.fixture
def points() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform((-0.2, -0.1, 0.4), (0.2, 0.1, 0.9), (50, 3))


@pytest.mark.parametrize("name", CAMERAS)
def test_normalize_undoes_project(name: str, points: np.ndarray):
    camera = CAMERAS[name]
    rays = camera.normalize(camera.project(points))
    np.testing.assert_allclose(rays, points[:, :2] / points[:, 2:], atol=1e-6)


def test_pinhole_projection_equals_opencv(points: np.ndarray):
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), K, None)
    np.testing.assert_allclose(CAMERAS["pinhole"].project(points), expected[:, 0], atol=1e-9)


@pytest.mark.parametrize("name", CAMERAS)
def test_points_behind_the_camera_have_no_pixel(name: str):
    pixels = CAMERAS[name].project([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    assert np.isnan(pixels[0]).all()
    np.testing.assert_allclose(pixels[1], (640, 350), atol=1e-6)


def test_assumed_field_of_view():
    camera = Camera.from_fov(1280, 720, 60.0)
    assert camera.assumed
    edge = camera.project([np.tan(np.deg2rad(30)), 0, 1.0])
    np.testing.assert_allclose(edge, (1280, 360))


def test_resized_camera_scales_pixels(points: np.ndarray):
    small = CAMERAS["plumb_bob"].resized(640, 360)
    np.testing.assert_allclose(small.project(points), CAMERAS["plumb_bob"].project(points) / 2)


@pytest.mark.parametrize("name", CAMERAS)
def test_mirrored_camera_sees_the_mirrored_world_in_the_flipped_image(
    name: str, points: np.ndarray
):
    camera = CAMERAS[name]
    flipped = camera.project(points)
    flipped[:, 0] = camera.width - 1 - flipped[:, 0]
    mirrored_world = points * (-1, 1, 1)
    np.testing.assert_allclose(camera.mirrored().project(mirrored_world), flipped, atol=1e-9)


def test_any_number_of_zeros_and_other_names_are_no_distortion():
    assert Camera(1280, 720, K, np.zeros(7), "none").D.size == 0
    assert Camera(1280, 720, K, np.full(4, 0.1), "fisheye").model == "equidistant"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"K": np.zeros((3, 3))}, "not calibrated"),
        ({"K": np.full((3, 3), np.nan)}, "NaN"),
        ({"K": np.eye(4)}, "3x3"),
        ({"K": np.diag([-1.0, 1, 1])}, "positive focal"),
        ({"D": np.array([0.1, 0.2])}, "coefficients"),
        ({"model": "magic"}, "magic"),
        ({"width": 0}, "positive"),
    ],
)
def test_unusable_intrinsics_are_refused(changes: dict, word: str):
    arguments = {"width": 1280, "height": 720, "K": K, **changes}
    with pytest.raises(CameraError, match=word):
        Camera(**arguments)
