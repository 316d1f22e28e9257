"""The OpenGL engine against independent projection, silhouettes and ray casting."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from gl_scenes import models, need_opengl, shots

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.context import RendererUnavailableError, create_context
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.layout import pack
from hand_recon_ros.rendering.gl.mesh import Mesh, hand_mesh, quad, texture_layout
from hand_recon_ros.rendering.gl.scene import (
    Drawing,
    Instance,
    Light,
    Material,
    View,
    ambient_light,
)
from hand_recon_ros.rendering.raster import vertex_normals
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import SIDES

need_opengl()
UNLIT = Material(unlit=True, double_sided=True)
K = np.array([[310.0, 0, 161], [0, 305, 118], [0, 0, 1]])
LENSES = {
    "none": ("plumb_bob", []),
    "plumb_bob": ("plumb_bob", [-0.31, 0.12, 0.002, -0.0015, -0.02]),
    "rational": ("rational_polynomial", [0.4, -0.3, 0.001, 0.002, 0.05, 0.7, -0.2, 0.02]),
    "tilted": (
        "rational_polynomial",
        [-0.2, 0.05, 0.001, -0.002, 0, 0.1, 0, 0, 0.003, -0.001, 0.002, 0.001, 0.04, -0.03],
    ),
    "equidistant": ("equidistant", [-0.05, 0.02, -0.01, 0.003]),
}


def lens(name: str) -> Camera:
    model, coefficients = LENSES[name]
    return Camera(320, 240, K, np.array(coefficients), model)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def renderer():
    with Renderer() as made:
        yield made


def project(camera: Camera, points: np.ndarray) -> np.ndarray:
    """OpenCV's own projection, not ours."""
    flat, zero = points.reshape(-1, 1, 3), np.zeros(3)
    if camera.model == "equidistant":
        pixels, _ = cv2.fisheye.projectPoints(flat, zero, zero, camera.K, camera.D)
    else:
        pixels, _ = cv2.projectPoints(flat, zero, zero, camera.K, camera.D)
    return pixels.reshape(*points.shape[:-1], 2)


def hands_before(camera: Camera) -> list[tuple[Mesh, np.ndarray]]:
    """Two hands that overlap in the image, the left one partly before the right one."""
    _, frame, meshes = shots(1, 320, 240)[0]
    placed = []
    for k, hand in enumerate(frame.hands):
        vertices = meshes[hand.track_id]
        turn = exp_so3([0.25 * (-1) ** k, 0.9 * (-1) ** k, 0.5 * (-1) ** k])
        vertices = (vertices - vertices.mean(axis=0)) @ turn.T + ((-1) ** k * 0.02, 0, 0.33)
        placed.append((hand_mesh(models()[hand.side]), vertices))
    return placed


# --- projection and silhouette --------------------------------------------------------------


@pytest.mark.parametrize("name", LENSES)
def test_projected_vertices_agree_with_opencv(renderer: Renderer, name: str) -> None:
    """Small squares round points all over the image: their centres of gravity."""
    camera = lens(name)
    grid = np.stack(np.meshgrid(np.linspace(12, 308, 9), np.linspace(12, 228, 7)), axis=-1)
    rays = camera.normalize(grid.reshape(-1, 2))
    depth = np.linspace(0.3, 1.2, len(rays))
    points = np.concatenate([rays, np.ones((len(rays), 1))], axis=1) * depth[:, None]
    half = 0.008 * depth[:, None, None]
    corners = points[:, None] + half * np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    faces = np.concatenate([4 * k + np.array([[0, 1, 2], [0, 2, 3]]) for k in range(len(points))])
    mesh = Mesh.of(faces, 4 * len(points))
    picture = renderer.render([View(camera, [Instance(mesh, corners.reshape(-1, 3), UNLIT, 1)])])[0]
    alpha = picture.rgba[..., 3].astype(float)
    y, x = np.mgrid[: camera.height, : camera.width]
    for expected in project(camera, points):
        near = (np.abs(x - expected[0]) < 7) & (np.abs(y - expected[1]) < 7)
        weight = alpha * near
        found = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
        assert np.linalg.norm(found - expected) < 0.15


@pytest.mark.parametrize("name", LENSES)
def test_silhouette_agrees_with_filled_polygons(renderer: Renderer, name: str) -> None:
    camera = lens(name)
    mesh, vertices = hands_before(camera)[0]
    picture = renderer.render([View(camera, [Instance(mesh, vertices, UNLIT, 1)])])[0]
    drawn = picture.rgba[..., 3] > 127
    fine = np.zeros((8 * camera.height, 8 * camera.width), np.uint8)
    corners = (project(camera, vertices) + 0.5) * 8 - 0.5
    for face in mesh.faces:
        cv2.fillConvexPoly(fine, np.round(corners[face] * 16).astype(np.int32), 255, shift=4)
    share = cv2.resize(fine, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    expected = share > 127
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    outer, inner = (f(expected.astype(np.uint8), cross) > 0 for f in (cv2.dilate, cv2.erode))
    assert expected.sum() > 3000
    assert not (drawn & ~outer).any()
    assert not (inner & ~drawn).any()
    assert np.abs(picture.rgba[..., 3] - share.astype(float)).mean() < 0.6


def test_a_lens_that_folds_back_does_not_draw_what_lies_beyond_it(renderer: Renderer) -> None:
    camera = Camera(320, 240, K, np.array([-0.6, 0, 0, 0]))  # turns round at r = 0.75
    mesh, corners = quad([[1.15, -0.1, 1], [1.25, -0.1, 1], [1.25, 0.1, 1], [1.15, 0.1, 1]])
    assert 0 < project(camera, corners).min(axis=0)[0] < 320, "the bare polynomial shows it"
    picture = renderer.render([View(camera, [Instance(mesh, corners, UNLIT, 1)])])[0]
    assert not picture.rgba.any()


def test_a_mesh_through_the_camera_is_clipped(renderer: Renderer) -> None:
    for name in ("none", "plumb_bob"):
        mesh, corners = quad([[-0.1, 0.1, 0.5], [0.1, 0.1, 0.5], [0.1, 0.1, -1], [-0.1, 0.1, -1]])
        picture = renderer.render([View(lens(name), [Instance(mesh, corners, UNLIT, 1)])])[0]
        assert picture.instance is not None
        assert (picture.instance[200:, 161] == 1).all(), "up to the lower border"
        assert not picture.instance[:175].any()


# --- hidden surfaces ------------------------------------------------------------------------


def first_hits(
    origin_rays: np.ndarray, vertices: np.ndarray, faces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Depth (inf = none) and face of the first triangle on each ray (x/z, y/z)."""
    rays = np.concatenate([origin_rays, np.ones((len(origin_rays), 1))], axis=1)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    u, v = b - a, c - a
    normal = np.cross(u, v)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (a * normal).sum(axis=1) / (rays @ normal.T)
        hit = z[..., None] * rays[:, None]
        to = hit - a
        area = (normal**2).sum(axis=1)
        s = np.einsum("rfk,fk->rf", np.cross(to, v), normal) / area
        t = np.einsum("rfk,fk->rf", np.cross(u, to), normal) / area
        inside = (s >= 0) & (t >= 0) & (s + t <= 1) & (z > 0)
    z = np.where(inside, z, np.inf)
    face = z.argmin(axis=1)
    return z[np.arange(len(rays)), face], face


@pytest.mark.parametrize("name", ["none", "plumb_bob"])
def test_the_nearest_surface_wins_and_depth_is_its_distance(renderer: Renderer, name: str) -> None:
    """Against casting a ray through sampled pixels."""
    camera = lens(name)
    hands = hands_before(camera)
    instances = [Instance(mesh, v, Material(), k + 1) for k, (mesh, v) in enumerate(hands)]
    picture = renderer.render([View(camera, instances)])[0]
    assert picture.instance is not None
    assert picture.part is not None
    assert picture.depth_m is not None
    rng = np.random.default_rng(0)
    inside = np.argwhere(picture.instance > 0)
    chosen = np.concatenate(
        [inside[rng.choice(len(inside), 400)], rng.integers(0, (240, 320), (100, 2))]
    )
    rays = camera.normalize(chosen[:, ::-1].astype(float))
    hits = [first_hits(rays, v, mesh.faces) for mesh, v in hands]
    depths = np.stack([depth for depth, _ in hits])
    both = np.isfinite(depths).all(axis=0)
    assert both.sum() > 60, "the hands overlap"
    nearest = depths.argmin(axis=0)
    assert set(nearest[both]) == {0, 1}, "each is in front somewhere"
    expected = np.where(np.isfinite(depths.min(axis=0)), nearest + 1, 0)
    found = picture.instance[chosen[:, 0], chosen[:, 1]]
    # A ray along an edge may go either way.
    assert (found == expected).mean() > 0.98
    agree = (found == expected) & (expected > 0)
    measured = picture.depth_m[chosen[:, 0], chosen[:, 1]]
    off = np.abs(measured[agree] - depths.min(axis=0)[agree])
    assert np.quantile(off, 0.95) < 2e-3
    assert np.median(off) < 1e-4
    parts = []
    for k, (mesh, _) in enumerate(hands):
        part = models()[SIDES[k]].weights.argmax(axis=1)
        parts.append(part[mesh.faces[hits[k][1]]])
    corners = np.stack(parts)[np.maximum(expected, 1) - 1, np.arange(len(chosen))]
    shown = picture.part[chosen[:, 0], chosen[:, 1]]
    assert (corners == shown[:, None]).any(axis=1)[agree].mean() > 0.98
    assert np.isinf(picture.depth_m[picture.instance == 0]).all()


def test_back_faces_are_not_drawn(renderer: Renderer) -> None:
    """The palm of a right hand, fingers up, has its thumb on the image's left side."""
    model = models()["right"]
    mesh = hand_mesh(model)
    camera = Camera.from_fov(200, 200, 40)
    upright = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], float)  # palm to the camera
    vertices = (model.v_template - model.v_template.mean(axis=0)) @ upright.T + (0, 0, 0.4)
    picture = renderer.render([View(camera, [Instance(mesh, vertices, Material(), 1)])])[0]
    assert picture.part is not None
    assert picture.instance is not None
    columns = np.broadcast_to(np.arange(200), (200, 200))
    middle = columns[picture.instance > 0].mean()
    thumb = columns[(picture.part == 15) & (picture.instance > 0)].mean()
    seen = vertex_normals(vertices, model.faces)[:, 2] < 0  # looks at the camera
    assert picture.depth_m is not None
    pixels = np.round(camera.project(vertices[seen])).astype(int)
    before = picture.depth_m[pixels[:, 1], pixels[:, 0]] - vertices[seen][:, 2]
    assert np.median(np.abs(before[np.isfinite(before)])) < 1e-3, "the near side is what is seen"
    assert abs(thumb - middle) > 20
    expected = np.sign(vertices[model.tips[0], 0])
    assert np.sign(thumb - middle) == expected


# --- light ----------------------------------------------------------------------------------


def plate(z: float, half: float, x: float = 0.0) -> tuple[Mesh, np.ndarray]:
    return quad(
        [[x - half, -half, z], [x + half, -half, z], [x + half, half, z], [x - half, half, z]]
    )


def test_shadow_falls_where_geometry_says(renderer: Renderer) -> None:
    floor, floor_at = plate(1.0, 0.6)
    block, block_at = plate(0.8, 0.05)
    camera = Camera.from_fov(300, 300, 50)
    towards = np.array([0.5, 0.0, -1.0])  # the lamp stands to the right: the shadow moves left
    view = View(
        camera,
        [Instance(floor, floor_at, Material()), Instance(block, block_at, UNLIT)],
        lights=[Light(tuple(towards), (0.8, 0.8, 0.8))],
        ambient=ambient_light((0.1,) * 3, (0.1,) * 3),
        shadow_softness_m=0.002,
    )
    picture = renderer.render([view])[0].rgba[..., 0].astype(float)
    # The block's shadow lies 0.2 m further along -towards.
    centre = np.array([-0.1, 0.0, 1.0])
    for shift, dark in ((0.0, True), (0.035, True), (-0.035, True), (0.07, False), (-0.07, False)):
        x, y = np.round(camera.project(centre + np.array([0, shift, 0]))).astype(int)
        lit = picture[y, x] > 0.7 * picture[10, 10]
        assert lit != dark, shift
    unshaded = renderer.render([View(camera, view.instances, shadow_softness_m=None)])[0]
    x, y = np.round(camera.project(centre)).astype(int)
    assert abs(int(unshaded.rgba[y, x, 0]) - int(unshaded.rgba[y, 299 - x, 0])) < 12


def test_no_surface_shades_itself(renderer: Renderer) -> None:
    """A lit ball has a smooth bright side: no stripes of false shadow."""
    polar, turn = np.meshgrid(np.linspace(0, np.pi, 40), np.linspace(0, 2 * np.pi, 80))
    points = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=-1
    )
    index = np.arange(80 * 40).reshape(80, 40)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, c, b), (a, d, c))])
    mesh = Mesh.of(faces, 3200)
    vertices = 0.08 * points.reshape(-1, 3) + (0, 0, 0.4)
    camera = Camera.from_fov(256, 256, 40)
    matt = Material(specular=0.0, roughness=1.0)
    with_shadow, without = (
        renderer.render(
            [
                View(
                    camera,
                    [Instance(mesh, vertices, matt, 1)],
                    lights=[Light((0.3, -0.5, -0.8))],
                    shadow_softness_m=soft,
                )
            ]
        )[0]
        .rgba[..., 0]
        .astype(float)
        for soft in (0.003, None)
    )
    lit = without > 150
    assert lit.sum() > 5000
    assert np.abs(with_shadow - without)[lit].max() < 6


def test_light_ambience_texture_and_colour_multiply(renderer: Renderer) -> None:
    wall, at = plate(1.0, 0.5)
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8] = (255, 0, 0)
    image[8:] = (0, 255, 0)
    texture = renderer.texture(image)
    camera = Camera.from_fov(64, 64, 40)

    def shown(material: Material, lights: list[Light], ambient: np.ndarray) -> np.ndarray:
        view = View(camera, [Instance(wall, at, material)], np.eye(4), lights, ambient, None)
        return renderer.render([view])[0].rgba

    dark = np.zeros((9, 3))
    flat = Material(specular=0.0)
    lit = shown(flat, [Light((0, 0, -1), (0.5, 0.25, 0.0))], dark)[32, 32]
    np.testing.assert_allclose(lit, (188, 137, 0, 255), atol=3)  # sRGB of 0.5 and 0.25
    ambient = shown(flat, [], ambient_light((0, 0, 0), (0.25,) * 3, (0, 0, 1)))[32, 32]
    np.testing.assert_allclose(ambient, (137, 137, 137, 255), atol=3)
    painted = shown(Material(texture=texture, unlit=True), [], dark)
    assert painted[5, 32].tolist() == [255, 0, 0, 255], "row 0 of the image is at the top"
    assert painted[58, 32].tolist() == [0, 255, 0, 255]
    renderer.drop_texture(texture)
    with pytest.raises(ValueError, match="5 lights"):
        shown(flat, [Light((0, 0, -1))] * 5, dark)


# --- engine ---------------------------------------------------------------------------------


def test_many_views_at_once_are_the_same_as_one_by_one(renderer: Renderer) -> None:
    views = []
    for k, (width, height) in enumerate([(64, 48), (100, 80), (33, 90), (64, 64), (120, 20)]):
        camera = Camera.from_fov(width, height, 50 + k)
        placed = hands_before(camera)
        instances = [Instance(mesh, v, Material(), i + 1) for i, (mesh, v) in enumerate(placed)]
        views.append(View(camera, instances))
    together = renderer.render(views)
    for view, picture in zip(views, together, strict=True):
        alone = renderer.render([view])[0]
        assert picture.rgba.shape == (view.camera.height, view.camera.width, 4)
        assert picture.rgba.any()
        np.testing.assert_allclose(picture.rgba.astype(int), alone.rgba, atol=2)
        np.testing.assert_array_equal(picture.instance, alone.instance)
        np.testing.assert_allclose(picture.depth_m, alone.depth_m, atol=1e-5)
    assert renderer.render([]) == []


def test_places_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = [tuple(s) for s in rng.integers(1, 300, (rng.integers(1, 40), 2)).tolist()]
        layout = pack(sizes)
        used = np.zeros((layout.height, layout.width), int)
        for (x, y), (width, height) in zip(layout.places, sizes, strict=True):
            used[y : y + height, x : x + width] += 1
        assert used.max() == 1
        assert used.sum() == sum(width * height for width, height in sizes)


def test_flat_drawings_blend_in_order_and_hide_behind_meshes(renderer: Renderer) -> None:
    wall, at = plate(1.0, 0.1)
    camera = Camera.from_fov(64, 64, 40)
    square = np.array([[[0, 0], [64, 0], [64, 64]], [[0, 0], [64, 64], [0, 64]]], float)
    red, green = np.array([0.5, 0, 0, 0.5]), np.array([0, 0.5, 0, 0.5])
    points = np.concatenate([square, square])
    colours = np.stack([red, red, green, green])[:, None].repeat(3, axis=1)
    for depth, middle in ((2.0, (255, 255, 255, 255)), (0.0, (127, 191, 64, 255))):
        drawing = Drawing(points, colours, np.full((4, 3), depth))
        view = View(camera, [Instance(wall, at, UNLIT)], drawing=drawing)
        rgba = renderer.render([view])[0].rgba
        np.testing.assert_allclose(rgba[4, 4], (64, 128, 0, 191), atol=2)
        np.testing.assert_allclose(rgba[32, 32], middle, atol=2)


def test_two_renderers_of_a_thread_do_not_disturb_each_other(renderer: Renderer) -> None:
    camera = Camera.from_fov(48, 48, 50)
    wall, at = plate(1.0, 0.2)
    view = View(camera, [Instance(wall, at, UNLIT, 7)])
    first = renderer.render([view])[0].rgba
    with Renderer(labels=False) as other:
        np.testing.assert_array_equal(other.render([view])[0].rgba, first)
        np.testing.assert_array_equal(renderer.render([view])[0].rgba, first)
    np.testing.assert_array_equal(renderer.render([view])[0].rgba, first)


def test_a_renderer_stays_in_its_thread(renderer: Renderer) -> None:
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            renderer.render([])
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "thread" in str(errors[0])


def test_missing_egl_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libEGL-that-is-not-there.so")
    with pytest.raises(RendererUnavailableError, match=r"libegl1 .*libgl1-mesa-dri"):
        create_context()


# --- meshes ---------------------------------------------------------------------------------


def test_normals_are_those_of_the_software_renderer() -> None:
    model = models()["left"]
    expected = vertex_normals(model.v_template, model.faces)
    np.testing.assert_allclose(hand_mesh(model).normals(model.v_template), expected, atol=2e-4)


def test_a_model_without_texture_coordinates_gets_two_sheets() -> None:
    from dataclasses import replace

    model = replace(models()["right"], uv=None, uv_faces=None)
    uv, faces = texture_layout(model)
    assert ((uv >= 0) & (uv <= 1)).all()
    corners = uv[faces]
    assert ((corners[..., 0] < 0.5).all(axis=1) | (corners[..., 0] > 0.5).all(axis=1)).all()
    up = vertex_normals(model.v_template, model.faces)[model.faces][..., 1].mean(axis=1) > 0
    np.testing.assert_array_equal(corners[:, 0, 0] > 0.5, up)
    assert len(hand_mesh(model).source) > 778
