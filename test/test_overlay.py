"""What the overlay shows: styles, colours, trails, side view, textures; and without OpenGL."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from gl_scenes import Shot, models, need_opengl, shots

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import Config, RenderConfig
from hand_recon_ros.config_io import apply_overrides
from hand_recon_ros.options import ConfigError
from hand_recon_ros.rendering import skin_map
from hand_recon_ros.rendering.figures import ribbons
from hand_recon_ros.rendering.gl.context import RendererUnavailableError
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.rendering.palette import SIDE_COLOURS, confidence_colours
from hand_recon_ros.rendering.regions import Box, bounds, merged
from hand_recon_ros.rendering.skin_map import TextureError, bake_skin
from hand_recon_ros.rendering.trails import Trails
from hand_recon_ros.types import HandFrame

need_opengl()
GOLDEN = Path(__file__).parent / "golden"
GOLDEN_STYLES = {
    "surface": "mesh",
    "skin": "textured,skeleton",
    "motion": "mesh,trails,side_view",
}


def draw(config: RenderConfig, series: list[Shot]) -> np.ndarray:
    """The overlay of the last image."""
    overlay = Overlay(models(), config)
    try:
        for image, frame, meshes in series:
            drawn = overlay.draw(image, frame, meshes)
    finally:
        overlay.close()
    return drawn


def changed(drawn: np.ndarray, image: np.ndarray) -> np.ndarray:
    return np.abs(drawn.astype(int) - image).max(axis=2) > 8


def without_labels(frame: HandFrame) -> HandFrame:
    return replace(
        frame, hands=tuple(replace(hand, box_px=np.full(4, np.nan)) for hand in frame.hands)
    )


@pytest.fixture(scope="module")
def shot() -> Shot:
    image, frame, meshes = shots(1, 640, 360)[0]
    return image, without_labels(frame), meshes


# --- golden pictures ------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOLDEN_STYLES)
def test_pictures_look_as_they_did(name: str) -> None:
    """Blurred, as drivers differ at edges and in rounding; a wrong light or colour still shows.

    To renew them: delete test/golden/*.png and run this test twice, then look at them.
    """
    wall = np.full((180, 320, 3), (92, 104, 98), np.uint8)  # plain, so that the files stay small
    series = [(wall, frame, meshes) for _, frame, meshes in shots(6, 320, 180)]
    drawn = draw(RenderConfig(styles=GOLDEN_STYLES[name]), series)
    path = GOLDEN / f"overlay_{name}.png"
    if not path.exists():
        cv2.imwrite(str(path), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
        pytest.fail(f"{path} was missing and has been written: look at it")
    golden = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(float)
    off = np.abs(cv2.GaussianBlur(drawn.astype(float) - golden, (0, 0), 2.5))
    assert off.max() < 16
    assert off.mean() < 1.0


# --- styles ---------------------------------------------------------------------------------


def test_nothing_is_touched_where_no_hand_is(shot: Shot) -> None:
    image, frame, meshes = shot
    before = image.copy()
    drawn = draw(RenderConfig(styles="mesh,wireframe,skeleton"), [shot])
    np.testing.assert_array_equal(image, before)
    near = np.zeros(image.shape[:2], bool)
    for hand in frame.hands:
        points = np.concatenate([meshes[hand.track_id], hand.joints_m])
        box = bounds(frame.camera.project(points), 6, (640, 360))
        assert box is not None
        near[box.top : box.bottom, box.left : box.right] = True
    np.testing.assert_array_equal(drawn[~near], image[~near])
    assert changed(drawn, image).sum() > 5000
    empty = HandFrame(0, "", 0.0, frame.camera)
    np.testing.assert_array_equal(draw(RenderConfig(), [(image, empty, {})]), image)
    nothing = draw(RenderConfig(styles=""), [shot])
    np.testing.assert_array_equal(nothing, image)


def test_side_shows_in_colour_and_doubt_in_grey(shot: Shot) -> None:
    image, frame, meshes = shot
    config = RenderConfig(styles="mesh", alpha=1.0)
    drawn = draw(config, [shot]).astype(int)
    unsure = replace(frame, hands=tuple(replace(hand, score=0.1) for hand in frame.hands))
    grey = draw(config, [(image, unsure, meshes)]).astype(int)
    for hand in frame.hands:
        x, y = frame.camera.project(hand.joints_m[[0, 5, 17]].mean(axis=0)).round().astype(int)
        patch = drawn[y - 4 : y + 5, x - 4 : x + 5].mean(axis=(0, 1))
        doubtful = grey[y - 4 : y + 5, x - 4 : x + 5].mean(axis=(0, 1))
        red_over_blue = patch[0] - patch[2]
        assert red_over_blue > 60 if hand.side == "right" else red_over_blue < -60
        assert abs(doubtful[0] - doubtful[2]) < 0.4 * abs(red_over_blue)
    np.testing.assert_allclose(confidence_colours(SIDE_COLOURS["left"], 1), SIDE_COLOURS["left"])


def test_alpha_blends_and_a_predicted_hand_is_fainter(shot: Shot) -> None:
    image, frame, meshes = shot

    def strength(alpha: float, state: str) -> float:
        hands = tuple(replace(hand, state=state) for hand in frame.hands)  # type: ignore[arg-type]
        config = RenderConfig(styles="mesh", alpha=alpha)
        drawn = draw(config, [(image, replace(frame, hands=hands), meshes)])
        return float(np.abs(drawn.astype(float) - image).sum())

    full, half = strength(1.0, "tracked"), strength(0.5, "tracked")
    assert half == pytest.approx(0.5 * full, rel=0.05)
    assert strength(0.0, "tracked") == 0
    assert 0.2 * full < strength(1.0, "predicted") < 0.75 * full


def test_the_nearer_hand_hides_the_farther(shot: Shot) -> None:
    image, frame, meshes = shot
    centre = meshes[0].mean(axis=0)
    moved = {0: meshes[0], 1: meshes[1] - meshes[1].mean(axis=0) + centre + (0, 0, 0.1)}
    config = RenderConfig(styles="mesh", alpha=1.0)
    both = draw(config, [(image, frame, moved)])
    alone = draw(config, [(image, replace(frame, hands=frame.hands[:1]), moved)])
    inner = cv2.erode(changed(alone, image).astype(np.uint8), np.ones((5, 5))) > 0
    off = np.abs(both.astype(int) - alone).max(axis=2)[inner]
    assert np.quantile(off, 0.9) < 20, "only the other hand's shadow may fall on it"


def test_wireframe_alone_shows_the_picture_between_its_lines(shot: Shot) -> None:
    image, _, _ = shot
    surface = changed(draw(RenderConfig(styles="mesh"), [shot]), image)
    wire = changed(draw(RenderConfig(styles="wireframe"), [shot]), image)
    assert not (wire & ~cv2.dilate(surface.astype(np.uint8), np.ones((5, 5))).astype(bool)).any()
    assert 0.1 * surface.sum() < wire.sum() < 0.95 * surface.sum()


def test_skeleton_lies_on_the_projected_joints(shot: Shot) -> None:
    image, frame, _ = shot
    drawn = draw(RenderConfig(styles="skeleton"), [(image, frame, {})])
    for hand in frame.hands:
        for x, y in frame.camera.project(hand.joints_m).round().astype(int):
            assert changed(drawn, image)[y - 1 : y + 2, x - 1 : x + 2].all()


def test_users_texture_is_worn(shot: Shot, tmp_path: Path) -> None:
    _, frame, _ = shot
    path = tmp_path / "green.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), (20, 220, 20), np.uint8))
    config = RenderConfig(styles="textured", alpha=1.0, texture=str(path))
    drawn = draw(config, [shot]).astype(int)
    own = draw(replace(config, texture=""), [shot]).astype(int)
    x, y = frame.camera.project(frame.hands[0].joints_m[[0, 5, 17]].mean(axis=0)).astype(int)
    assert drawn[y, x, 1] > drawn[y, x, 0] + 60
    assert own[y, x, 0] > own[y, x, 1] + 20, "the project's skin is skin"
    for bad, words in ((tmp_path / "no.png", "no file"), (Path(__file__), "no image")):
        with pytest.raises(TextureError, match=words):
            draw(replace(config, texture=str(bad)), [shot])


def test_the_painted_skin_covers_every_face() -> None:
    model = models()["right"]
    assert model.uv is not None
    assert model.uv_faces is not None
    skin = bake_skin(model, 512)
    assert skin.shape == (512, 512, 3)
    centres = np.clip((model.uv[model.uv_faces].mean(axis=1) * 512).astype(int), 0, 511)
    colours = skin[centres[:, 1], centres[:, 0]].astype(int)
    assert (colours[:, 0] > colours[:, 2]).all(), "reddish everywhere"
    assert colours.min() > 20
    other = bake_skin(models()["left"], 512)
    assert np.abs(skin.astype(int) - other).mean() < 1.0, "one file serves both hands"


def test_template_of_the_skin_can_be_painted_on(tmp_path: Path) -> None:
    path = tmp_path / "new" / "skin.png"
    skin_map.main([str(path)])
    np.testing.assert_array_equal(skin_map.load_texture(path), bake_skin(models()["right"]))


# --- motion ---------------------------------------------------------------------------------


def test_trails_remember_move_and_end() -> None:
    series = shots(6, 320, 180)
    trails = Trails(4)
    for _, frame, _ in series:
        paths = trails.update(frame)
    assert {path.shape for path in paths.values()} == {(4, 22, 3)}
    np.testing.assert_array_equal(paths[0][-1, :21], series[-1][1].hands[0].joints_m)
    np.testing.assert_array_equal(paths[0][0, :21], series[2][1].hands[0].joints_m)
    last = series[-1][1]
    np.testing.assert_array_equal(trails.update(last)[0], paths[0])
    assert len(trails.update(replace(last, source="other.jpg"))[0]) == 1
    assert len(trails.update(replace(last, stamp=last.stamp + 5))[0]) == 1, "a pause cuts it"
    assert trails.update(replace(last, hands=(), stamp=last.stamp + 5.1)) == {}
    assert len(trails.update(replace(last, stamp=last.stamp + 5.2))[0]) == 1


def test_trails_are_drawn_where_the_hand_was_and_fade(shot: Shot) -> None:
    image, frame, _ = shot
    series = []
    for k in range(12):
        shift = np.array([0.012 * k, 0, 0])
        hand = replace(frame.hands[1], joints_m=frame.hands[1].joints_m + shift)
        series.append((image, replace(frame, hands=(hand,), stamp=k / 30), {}))
    drawn = draw(RenderConfig(styles="trails", trail_length=12), series)
    strength = np.abs(drawn.astype(int) - image).max(axis=2)

    def near(k: int) -> int:
        place = series[k][1].hands[0].joints_m[12]
        x, y = frame.camera.project(place).round().astype(int)
        return int(strength[y - 1 : y + 2, x - 1 : x + 2].max())

    assert near(10) > near(6) > near(3) > 0
    short = draw(RenderConfig(styles="trails", trail_length=4), series)
    x, y = frame.camera.project(series[3][1].hands[0].joints_m[12]).round().astype(int)
    assert (short[y, x] == image[y, x]).all()


def test_side_view_shows_distance(shot: Shot) -> None:
    """In the inset the camera lies to the left: what is farther is drawn farther right."""
    image, frame, meshes = shot
    right = frame.hands[1]
    columns = []
    overlay = Overlay(models(), RenderConfig(styles="mesh,side_view"))
    for shift in (0.0, 0.08):
        hand = replace(right, joints_m=right.joints_m + np.array([0, 0, shift]))
        one = replace(frame, hands=(hand,))
        drawn = overlay.draw(image, one, {1: meshes[1] + (0, 0, shift)}).astype(int)
        inset = drawn[8:120, 500:632]
        orange = inset[..., 0] - inset[..., 2] > 50
        assert orange.sum() > 200
        columns.append(np.nonzero(orange)[1].mean())
    overlay.close()
    assert columns[1] > columns[0] + 10


# --- robustness -----------------------------------------------------------------------------


def test_hands_that_cannot_be_drawn_do_no_harm(shot: Shot) -> None:
    image, frame, meshes = shot
    joints = frame.hands[0].joints_m.copy()
    joints[3], joints[4], joints[5] = (0, 0, -1), (1e6, 0, 0.01), np.nan
    broken = replace(frame.hands[0], joints_m=joints, joint_confidence=np.full(21, np.nan))
    behind = replace(frame.hands[1], joints_m=frame.hands[1].joints_m * (1, 1, -1))
    styles = RenderConfig(styles="mesh,wireframe,skeleton,trails,side_view")
    bad = replace(frame, hands=(broken, behind))
    series = [(image, replace(bad, stamp=k / 30), {0: meshes[0] * np.nan}) for k in range(3)]
    assert draw(styles, series).shape == image.shape
    through = {0: meshes[0] - (0, 0, 0.5), 1: meshes[1] * (1, 1, -1)}
    assert draw(styles, [(image, frame, through)]).shape == image.shape
    lens = Camera(640, 360, frame.camera.K, np.array([-0.5, 0.3, 0.01, 0.01, 0.1]))
    bent = replace(frame, camera=lens)
    assert draw(styles, [(image, bent, through)]).shape == image.shape


def test_without_egl_a_simple_picture_and_a_remedy(
    shot: Shot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GLCONTEXT_LINUX_LIBEGL", "libEGL-that-is-not-there.so")
    image, frame, meshes = shot
    overlay = Overlay(models(), RenderConfig(styles="mesh,trails"))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            drawn = overlay.draw(image, frame, meshes)
    assert changed(drawn, image).sum() > 5000
    assert "libegl1" in overlay.warning
    assert len(caplog.records) == 1, "said once"
    overlay.close()
    with pytest.raises(RendererUnavailableError, match="libegl1"):
        draw(RenderConfig(engine="opengl"), [shot])


def test_the_cpu_engine_says_what_it_cannot_draw(shot: Shot) -> None:
    image, frame, meshes = shot
    overlay = Overlay(models(), RenderConfig(engine="cpu", styles="mesh,side_view,trails"))
    assert changed(overlay.draw(image, frame, meshes), image).any()
    assert "side_view, trails" in overlay.warning
    plain = Overlay(models(), RenderConfig(engine="cpu"))
    plain.draw(image, frame, meshes)
    assert plain.warning == ""


def test_unknown_style_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'skelton'.*skeleton"):
        apply_overrides(Config(), ["render.styles=mesh,skelton"])
    config = apply_overrides(Config(), ["render.styles= mesh , trails"])
    assert config.render.style_set == {"mesh", "trails"}


def test_overlay_is_quick() -> None:
    """100 frames a second at 720p is the aim; this guards against a slow path (CPU time)."""
    series = shots(3, 1280, 720)
    overlay = Overlay(models(), RenderConfig())
    for one in series:
        overlay.draw(*one)
    spent = []
    for _ in range(4):
        for one in series:
            start = time.process_time()
            overlay.draw(*one)
            spent.append(time.process_time() - start)
    overlay.close()
    assert min(spent) < 0.06


# --- pieces ---------------------------------------------------------------------------------


def test_regions_cover_all_boxes_without_overlap() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        low = rng.integers(0, 90, (rng.integers(1, 8), 2))
        size = rng.integers(1, 30, low.shape)
        boxes = [Box(*a, *(a + b)) for a, b in zip(low.tolist(), size, strict=True)]
        covered = np.zeros((130, 130), int)
        for box in merged(boxes):
            covered[box.top : box.bottom, box.left : box.right] += 1
        assert covered.max() == 1
        for box in boxes:
            assert covered[box.top : box.bottom, box.left : box.right].all()
    assert bounds(np.array([[-50.0, -50], [-20, -10]]), 2, (100, 100)) is None
    assert bounds(np.full((3, 2), np.nan), 2, (100, 100)) is None
    assert bounds(np.array([[10.2, 20.7], [np.nan, 3]]), 1, (100, 100)) == Box(9, 19, 13, 23)


def area(triangles: np.ndarray) -> float:
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    u, v = b - a, c - a
    return float(np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).sum() / 2)


def test_ribbons_have_their_size() -> None:
    straight = np.array([[[0.0, 0], [10, 0], [30, 0]]])
    ribbon = ribbons(straight, 2.0, np.ones(4), 0.5)
    solid = ribbon.colours[..., 3].min(axis=1) == 1
    assert area(ribbon.points_px[solid]) == pytest.approx(30), "half a pixel fades on either side"
    assert area(ribbon.points_px) == pytest.approx(90)
    assert (ribbon.depths_m == 0.5).all()
    gap = np.array([[[0.0, 0], [10, 0], [np.nan, 0], [30, 0], [40, 0], [50, 0]]])
    assert 0 < area(ribbons(gap, 2.0, np.ones(4), 0.0).points_px) <= 60
