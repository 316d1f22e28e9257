"""Closed meshes, penetration and outlines on boxes, spheres and the hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.metrics.closing import sealed
from hand_recon_ros.metrics.penetration import inside, penetration, surface_distances
from hand_recon_ros.metrics.silhouettes import outline, silhouette_iou
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import SIDES, Side

SEEDS = st.integers(0, 2**32 - 1)
BOX_FACES = np.array(
    [
        (0, 2, 1), (1, 2, 3), (4, 5, 6), (5, 7, 6), (0, 1, 4), (1, 5, 4),
        (2, 6, 3), (3, 6, 7), (0, 4, 2), (2, 4, 6), (1, 3, 5), (3, 7, 5),
    ]
)  # fmt: skip
"""Outwards, for corners in binary order z, y, x."""


def box(size: tuple[float, ...], at: tuple[float, ...] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """(8, 3) corners of a box of this size, m, with its first corner at ``at``."""
    corners = [(x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    return np.array(corners) * size + at


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Of a closed mesh, by the divergence theorem, m^3; positive when the faces look outwards."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def sphere(radius: float, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A closed ball of 960 triangles."""
    rings, around = 21, 24
    polar, turn = np.pi * np.arange(1, rings) / rings, 2 * np.pi * np.arange(around) / around
    ring = [(np.sin(p) * np.cos(t), np.sin(p) * np.sin(t), np.cos(p)) for p in polar for t in turn]
    faces = []
    for r in range(rings - 2):
        for k in range(around):
            a, b = r * around + k, r * around + (k + 1) % around
            faces += [(a, a + around, b), (b, a + around, b + around)]
    return np.array(ring) * radius + at, sealed(np.array(faces))


@pytest.mark.parametrize("side", SIDES)
def test_the_hand_is_closed_with_its_faces_outwards(side: Side) -> None:
    model = load_hand_model(side)
    faces = sealed(model.faces)
    assert len(faces) == len(model.faces) + 14  # a rim of 16 vertices
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert {tuple(e) for e in edges.tolist()} == {tuple(e[::-1]) for e in edges.tolist()}
    assert 200e-6 < volume(model.v_template, faces) < 500e-6


def test_a_closed_mesh_stays_and_a_branching_rim_is_refused() -> None:
    assert len(sealed(BOX_FACES)) == 12
    lid_off = sealed(BOX_FACES[:-2])
    assert volume(box((0.1, 0.2, 0.3)), lid_off) == pytest.approx(0.006)
    with pytest.raises(ValueError, match="branches"):
        sealed(np.array([(0, 1, 2), (0, 3, 4)]))


def test_boxes_by_hand() -> None:
    left = box((0.04, 0.04, 0.04))
    right = box((0.04, 0.04, 0.04), (0.03, 0.02, 0.015))
    found = penetration(right, BOX_FACES, left, BOX_FACES)
    # only the corner (30, 20, 15) mm is inside; the nearest side, x = 40 mm, is 10 mm off
    assert found.depth_m == pytest.approx(0.010)
    assert found.volume_m3 == pytest.approx(0.01 * 0.02 * 0.025, rel=0.02)
    assert penetration(left, BOX_FACES, right, BOX_FACES).depth_m == pytest.approx(0.010)


def test_boxes_that_do_not_meet() -> None:
    left = box((0.04, 0.04, 0.04))
    away = box((0.04, 0.04, 0.04), (0.05, 0.0, 0.0))
    assert penetration(away, BOX_FACES, left, BOX_FACES) == (0.0, 0.0)
    turned = (left - 0.02) @ exp_so3(np.array([0, 0, np.pi / 4])).T + (0.06, 0.06, 0.02)
    touching_boxes = penetration(turned, BOX_FACES, left, BOX_FACES)  # the bounds overlap
    assert touching_boxes == (0.0, 0.0)


def test_a_bar_through_a_box_has_volume_without_depth() -> None:
    left = box((0.04, 0.04, 0.04))
    bar = box((0.2, 0.01, 0.01), (-0.08, 0.015, 0.015))
    found = penetration(bar, BOX_FACES, left, BOX_FACES)
    assert found.depth_m == 0.0  # no vertex is inside: the measure of paper 001 sees vertices only
    assert found.volume_m3 == pytest.approx(0.04 * 0.01 * 0.01, rel=0.02)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.floats(0.2, 0.8))
def test_spheres_have_a_lens_in_common(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    radius, middle = 0.03, rng.normal(0, 0.1, 3)
    way = rng.normal(size=3)
    apart = 2 * radius * share
    a, faces = sphere(radius, middle)
    b, _ = sphere(radius, middle + apart * way / np.linalg.norm(way))
    turn = exp_so3(rng.normal(0, 2, 3))
    found = penetration(a @ turn.T, faces, b @ turn.T, faces)
    lens = np.pi * (4 * radius + apart) * (2 * radius - apart) ** 2 / 12
    assert found.volume_m3 == pytest.approx(lens, rel=0.1)  # flat faces cut off a little
    deepest = radius - abs(apart - radius)
    assert deepest - 0.0045 < found.depth_m < deepest + 0.0001  # vertices lie 8 mm apart


@settings(max_examples=3, deadline=None)
@given(SEEDS)
def test_depth_and_volume_do_not_depend_on_the_view(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model, other = load_hand_model("right"), load_hand_model("left")
    faces, other_faces = sealed(model.faces), sealed(other.faces)
    a = model.v_template
    apart = a.mean(axis=0) - other.v_template.mean(axis=0)
    b = other.v_template + apart + rng.uniform(-0.01, 0.01, 3)
    here = penetration(a, faces, b, other_faces)
    turn, shift = exp_so3(rng.normal(0, 2, 3)), rng.normal(0, 1, 3)
    there = penetration(a @ turn.T + shift, faces, b @ turn.T + shift, other_faces)
    assert here.volume_m3 > 0
    assert there.depth_m == pytest.approx(here.depth_m, abs=1e-9)
    assert there.volume_m3 == pytest.approx(here.volume_m3, rel=0.02, abs=2e-8)


def test_inside_the_hand() -> None:
    model = load_hand_model("right")
    faces = sealed(model.faces)
    bones = model.j_regressor @ model.v_template
    assert inside(bones[1:], model.v_template, faces).all()
    far = np.add(bones[1:], (0, 0.05, 0))
    assert not inside(far, model.v_template, faces).any()
    np.testing.assert_allclose(
        surface_distances(model.v_template[:50], model.v_template, faces), 0, atol=1e-12
    )


def test_distance_to_a_box_by_hand() -> None:
    points = np.array([(0.5, 0.5, 0.9), (0.5, 0.5, 1.5), (2.0, 2.0, 0.5), (1.0, 2.0, 3.0)])
    away = surface_distances(points, box((1, 1, 1)), BOX_FACES)
    np.testing.assert_allclose(away, [0.1, 0.5, np.sqrt(2), np.sqrt(5)])


SQUARE = np.array([(0, 1, 2), (0, 2, 3)])


def square(x: float, y: float, side: float) -> np.ndarray:
    """(4, 2) corners, px."""
    return np.array([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], float)


@pytest.mark.parametrize("faces", [SQUARE, SQUARE[:, ::-1]])
def test_iou_of_squares_by_hand(faces: np.ndarray) -> None:
    a, b = square(100, 100, 40), square(120, 100, 40)
    assert silhouette_iou(a, faces, b, SQUARE, (640, 480)) == pytest.approx(1 / 3, abs=0.01)
    assert silhouette_iou(a, faces, a, SQUARE, (640, 480)) == 1.0
    assert silhouette_iou(a, faces, square(300, 100, 40), SQUARE, (640, 480)) == 0.0


def test_what_lies_outside_the_picture_does_not_count() -> None:
    a, b = square(-20, 0, 40), square(-0.5, 0, 20.5)
    assert silhouette_iou(a, SQUARE, b, SQUARE, (640, 480)) == pytest.approx(20.5 / 40, abs=0.02)
    left, right = square(-100, 0, 40), square(-90, 0, 40)
    assert np.isnan(silhouette_iou(left, SQUARE, right, SQUARE, (640, 480)))
    behind = np.full((4, 2), np.nan)
    assert np.isnan(silhouette_iou(behind, SQUARE, behind, SQUARE, (640, 480)))
    assert silhouette_iou(behind, SQUARE, a, SQUARE, (640, 480)) == 0.0


def test_an_open_wrist_leaves_no_hole() -> None:
    model = load_hand_model("right")
    along_the_arm = 1500 * (model.v_template[:, [2, 1]] - model.v_template[:, [2, 1]].min(axis=0))
    size = np.ceil(along_the_arm.max(axis=0)).astype(int)
    shape = int(size[1]) + 2, int(size[0]) + 2
    open_mask = outline(along_the_arm, model.faces, shape)
    closed_mask = outline(along_the_arm, sealed(model.faces), shape)
    assert np.count_nonzero(open_mask ^ closed_mask) < 0.002 * np.count_nonzero(closed_mask)
