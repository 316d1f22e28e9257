"""The overlay's OpenGL drawer: surfaces with light and shadow, skeleton, trails and side view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import RenderConfig
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.figures import together
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.mesh import Mesh, hand_mesh
from hand_recon_ros.rendering.gl.scene import (
    Drawing,
    Instance,
    Light,
    Material,
    View,
    ambient_light,
)
from hand_recon_ros.rendering.hand_figures import Viewpoint, trails
from hand_recon_ros.rendering.marks import draw_label, draw_skeleton, mark_scale
from hand_recon_ros.rendering.palette import SIDE_COLOURS, confidence_colours, linear_light
from hand_recon_ros.rendering.regions import Box, bounds, merged
from hand_recon_ros.rendering.side_view import Panel, SideView
from hand_recon_ros.rendering.skin_map import bake_skin, load_texture
from hand_recon_ros.rendering.trails import Trails
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, Hand, HandFrame

_LIGHTS = (Light((-0.45, -0.75, -0.5), (0.95, 0.92, 0.88)),)
"""Above the camera's left shoulder."""
_AMBIENT = ambient_light((0.38, 0.4, 0.44), (0.2, 0.18, 0.17), up=(0.3, -0.8, -0.5))
"""Brighter from above, the right and the camera's side: a fill light without its price."""
_PREDICTED = 0.5
"""Share of the opacity that a hand has while it is only predicted."""
_MARGIN_PX = 4.0
_MAX_PIXELS = 70_000
"""A processor draws larger regions more coarsely: some 100 pictures a second are worth more."""
_SKIN = Material(
    roughness=0.45,
    specular=0.028,
    wrap=(0.4, 0.22, 0.17),
    rim=0.25,
    mottle=(0.08, 0.14, 0.14),
    grain=0.1,
    noise_frequency=14.0,
)
_PLAIN = Material(roughness=0.42, wrap=(0.2, 0.2, 0.2), rim=0.55)
_WIRE = Material(unlit=True, wireframe=True)


class GlOverlay:
    """Draws overlays; see ``Overlay`` for the rules and ``RenderConfig`` for the styles."""

    def __init__(self, models: Mapping[Side, HandModelData], config: RenderConfig) -> None:
        """Make the context, meshes and textures."""
        self._config = config
        self._styles = config.style_set
        users = load_texture(config.texture) if config.texture else None
        self._renderer = Renderer(labels=False, samples=None)
        self._meshes: dict[Side, Mesh] = {side: hand_mesh(m) for side, m in models.items()}
        self._skins = self._dress(models, users) if "textured" in self._styles else {}
        self._trails = Trails(config.trail_length)
        self._side_view = SideView()

    def draw(
        self, image: NDArray[np.uint8], frame: HandFrame, meshes: Mapping[int, Array]
    ) -> NDArray[np.uint8]:
        """See ``Overlay.draw``."""
        canvas = np.array(image, dtype=np.uint8, order="C")
        if frame.hands:
            self._draw_hands(canvas, frame, meshes)
        else:
            self._trails.update(frame)
        return canvas

    def close(self) -> None:
        """Free the context."""
        self._renderer.close()

    def _draw_hands(
        self, canvas: NDArray[np.uint8], frame: HandFrame, meshes: Mapping[int, Array]
    ) -> None:
        scale = mark_scale(canvas)
        paths = self._trails.update(frame) if "trails" in self._styles else {}
        far_to_near = sorted(frame.hands, key=lambda hand: -float(hand.joints_m[0, 2]))
        instances = [i for hand in frame.hands for i in self._surface(hand, meshes)]
        ahead = Viewpoint(frame.camera, np.eye(4))
        figures = _trails_of(far_to_near, paths, ahead, scale)
        views, boxes = self._main_views(frame.camera, instances, figures)
        panel: Panel | None = None
        if "side_view" in self._styles:
            panel = self._side_view.panel(frame, canvas.shape[1], canvas.shape[0])
        if panel is not None:
            figures = _trails_of(far_to_near, paths, panel.viewpoint, 0.7 * scale)
            views.append(_side_view(panel, instances, figures, self._renderer.software))
        pictures = [picture.rgba for picture in self._renderer.render(views)]
        if self._renderer.software:
            pictures = [_smooth_outline(picture) for picture in pictures]
        for box, picture in zip(boxes, pictures, strict=False):
            _blend(box.of(canvas), picture)
        if "skeleton" in self._styles:
            for hand in far_to_near:
                draw_skeleton(canvas, hand, ahead.see(hand.joints_m)[0], scale)
        for hand in frame.hands:
            draw_label(canvas, hand)
        if panel is not None:
            inset = panel.box.of(canvas)
            panel.darken(inset)
            _blend(inset, pictures[-1])
            if "skeleton" in self._styles:
                for hand in far_to_near:
                    places, _ = panel.viewpoint.see(hand.joints_m)
                    draw_skeleton(inset, hand, places, 0.6 * scale)
            panel.caption(inset)

    def _surface(self, hand: Hand, meshes: Mapping[int, Array]) -> list[Instance]:
        """The hand's mesh in the chosen styles; nothing where it is not finite."""
        vertices = meshes.get(hand.track_id)
        if vertices is None or not np.isfinite(vertices).all():
            return []
        mesh = self._meshes[hand.side]
        tracked = hand.state == "tracked"
        alpha = self._config.alpha * (1.0 if tracked else _PREDICTED)
        side = confidence_colours(SIDE_COLOURS[hand.side], hand.score if tracked else 0.3)
        normals = mesh.normals(vertices)
        result = []
        if "textured" in self._styles:
            skin = replace(self._skins[hand.side], opacity=alpha)
            result.append(Instance(mesh, vertices, skin, 1, normals))
        elif "mesh" in self._styles:
            plain = replace(_PLAIN, colour=linear_light(side), opacity=alpha)
            result.append(Instance(mesh, vertices, plain, 1, normals))
        if "wireframe" in self._styles:
            if not result:  # edges on the far side stay hidden
                result.append(Instance(mesh, vertices, replace(_PLAIN, opacity=0.0), 1, normals))
                colour = side
            else:
                colour = 0.35 * side
            wire = replace(_WIRE, colour=linear_light(colour), opacity=max(alpha, 0.4))
            result.append(Instance(mesh, vertices, wire, 1, normals, casts_shadow=False))
        return result

    def _main_views(
        self, camera: Camera, instances: list[Instance], drawings: list[Drawing]
    ) -> tuple[list[View], list[Box]]:
        """Views of those parts of the image where something is to be seen."""
        size = camera.width, camera.height
        meshes = [(bounds(camera.project(i.vertices), _MARGIN_PX, size), i) for i in instances]
        lines = [(bounds(d.points_px, 0.0, size), d) for d in drawings]
        regions = merged(box for box, _ in (*meshes, *lines) if box is not None)
        scale = 1.0
        if self._renderer.software and regions:
            scale = min(1.0, (_MAX_PIXELS / sum(box.area for box in regions)) ** 0.5)
        views = []
        for region in regions:
            # What lies elsewhere in the image would only cost time (and widen the shadow map).
            near = [i for box, i in meshes if box is not None and box.touches(region)]
            drawing = together([d for box, d in lines if box is not None and box.touches(region)])
            if drawing is not None:
                drawing = replace(drawing, points_px=region.places(drawing.points_px, scale))
            own = region.crop(camera, scale)
            views.append(
                View(
                    own,
                    near,
                    lights=_LIGHTS,
                    ambient=_AMBIENT,
                    drawing=drawing,
                    coarse_light=self._renderer.software,
                )
            )
        return views, regions

    def _dress(
        self, models: Mapping[Side, HandModelData], users: NDArray[np.uint8] | None
    ) -> dict[Side, Material]:
        result: dict[Side, Material] = {}
        for side, model in models.items():
            skin = bake_skin(model) if users is None else users
            result[side] = replace(_SKIN, texture=self._renderer.texture(skin))
        return result


def _trails_of(
    hands: Sequence[Hand], paths: Mapping[int, Array], viewpoint: Viewpoint, scale: float
) -> list[Drawing]:
    return [
        figure
        for hand in hands
        if hand.track_id in paths
        for figure in trails(hand, paths[hand.track_id], viewpoint, scale)
    ]


def _side_view(
    panel: Panel, instances: list[Instance], figures: list[Drawing], coarse: bool
) -> View:
    """The inset; its surfaces are opaque, as there is no picture behind them."""
    solid = [
        replace(i, material=replace(i.material, opacity=float(i.material.opacity > 0)))
        for i in instances
    ]
    return View(
        panel.viewpoint.camera,
        solid,
        panel.viewpoint.pose,
        _LIGHTS,
        _AMBIENT,
        shadow_softness_m=None,
        drawing=together([panel.grid(), *figures]),
        coarse_light=coarse,
    )


def _blend(area: NDArray[np.uint8], rgba: NDArray[np.uint8]) -> None:
    """Lay a premultiplied picture over a part of the image, in place; exact where it is empty."""
    height, width = area.shape[:2]
    if rgba.shape[:2] != (height, width):
        rgba = np.asarray(cv2.resize(rgba, (width, height)), np.uint8)
    behind = cv2.bitwise_not(cv2.extractChannel(rgba, 3))
    kept = cv2.multiply(area, cv2.merge([behind, behind, behind]), scale=1 / 255)
    cv2.add(kept, cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), dst=area)


def _smooth_outline(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Soften the steps of the outline, where opacity changes from pixel to pixel.

    On a processor this costs a tenth of drawing with several samples a pixel.
    """
    rgba = np.array(rgba)
    alpha = cv2.extractChannel(rgba, 3)
    square = np.ones((3, 3), np.uint8)
    outline = cv2.compare(cv2.dilate(alpha, square), cv2.erode(alpha, square), cv2.CMP_NE)
    soft = cv2.GaussianBlur(rgba, (3, 3), 0)
    return np.asarray(cv2.copyTo(soft, outline, rgba), np.uint8)
