"""Colours taken at the corners of pixels: smooth edges that stay in their place."""

from __future__ import annotations

import numpy as np
import pytest
from gl_scenes import need_opengl

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.mesh import quad
from hand_recon_ros.rendering.gl.scene import Instance, Material, Picture, View

need_opengl()

CAMERA = Camera.from_fov(120, 90, 60)


def turned_square(angle: float) -> np.ndarray:
    """Return the corners (4, 3) of a square 0.2 m wide, 0.4 m before the camera."""
    along, down = (
        np.array([np.cos(angle), np.sin(angle)]),
        np.array([-np.sin(angle), np.cos(angle)]),
    )
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    flat = [0.1 * (p * along + q * down) + (0.01, -0.007) for p, q in signs]
    return np.column_stack([flat, np.full(4, 0.4)])


def drawn(corners: np.ndarray, *, averaged: bool) -> Picture:
    mesh, vertices = quad(corners)
    plate = Instance(mesh, vertices, Material(unlit=True), 1)
    with Renderer(labels=True, samples=0, corners=averaged) as renderer:
        return renderer.render([View(CAMERA, [plate]), View(CAMERA, [])])[0]


@pytest.mark.parametrize("angle", [0.1, 0.2, 0.7])
def test_coverage_has_the_area_and_the_middle_of_what_is_projected(angle: float) -> None:
    corners = turned_square(angle)
    alpha = drawn(corners, averaged=True).rgba[..., 3] / 255
    assert alpha.shape == (90, 120)
    x, y = CAMERA.project(corners).T
    area = 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    assert alpha.sum() == pytest.approx(area, rel=0.02)
    rows, columns = np.mgrid[:90, :120]
    middle = (alpha * columns).sum() / alpha.sum(), (alpha * rows).sum() / alpha.sum()
    assert middle == pytest.approx((x.mean(), y.mean()), abs=0.06)


def test_edges_get_smooth_and_labels_stay() -> None:
    corners = turned_square(0.2)
    hard, soft = drawn(corners, averaged=False), drawn(corners, averaged=True)
    assert set(np.unique(hard.rgba[..., 3])) == {0, 255}
    assert len(np.unique(soft.rgba[..., 3])) >= 4
    assert np.array_equal(hard.instance, soft.instance)
    assert np.array_equal(hard.depth_m, soft.depth_m)
    assert ((soft.rgba[..., 3] > 127) == (hard.instance == 1)).mean() > 0.98
