"""The overlay without OpenGL: plain surface and skeleton, drawn by the software rasteriser."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import RenderConfig
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.marks import draw_label, draw_skeleton, mark_scale
from hand_recon_ros.rendering.palette import SIDE_COLOURS
from hand_recon_ros.rendering.raster import Fragments, Shader, render, vertex_normals
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, Hand, HandFrame

_COLOURS: dict[Side, tuple[int, ...]] = {
    side: tuple(round(255 * c) for c in colour) for side, colour in SIDE_COLOURS.items()
}
_PREDICTED = 0.5
"""Share of the opacity that a hand has while it is only predicted."""
_MAX_SAMPLES = 40_000
"""Keeps a hand that fills the image within a few milliseconds."""
_LIGHT = np.array([-0.35, -0.55, -0.76], dtype=np.float32)
"""Towards the lamp, camera axes: above the camera's left shoulder."""


class CpuOverlay:
    """Draws overlays; see ``Overlay`` for the rules."""

    def __init__(self, models: Mapping[Side, HandModelData], config: RenderConfig) -> None:
        """Remember the meshes."""
        self._faces = {side: model.faces for side, model in models.items()}
        self._alpha = config.alpha
        self._surface = bool(config.style_set & {"mesh", "textured", "wireframe"})
        self._skeleton = "skeleton" in config.style_set

    def draw(
        self, image: NDArray[np.uint8], frame: HandFrame, meshes: Mapping[int, Array]
    ) -> NDArray[np.uint8]:
        """See ``Overlay.draw``."""
        canvas: NDArray[np.uint8] = np.array(image, dtype=np.uint8, order="C")
        scale = mark_scale(canvas)
        far_to_near = sorted(frame.hands, key=lambda hand: -float(hand.joints_m[0, 2]))
        for hand in far_to_near:
            vertices = meshes.get(hand.track_id)
            if self._surface and vertices is not None and np.isfinite(vertices).all():
                self._draw_surface(canvas, hand, vertices, frame.camera)
        for hand in far_to_near:
            if self._skeleton:
                draw_skeleton(canvas, hand, frame.camera.project(hand.joints_m), scale)
            draw_label(canvas, hand)
        return canvas

    def close(self) -> None:
        """Nothing to free."""

    def _draw_surface(
        self, canvas: NDArray[np.uint8], hand: Hand, vertices: Array, camera: Camera
    ) -> None:
        faces = self._faces[hand.side]
        patch = render(
            vertices,
            faces,
            camera,
            _shader(vertices, faces, _COLOURS[hand.side]),
            supersample=1.0,
            max_samples=_MAX_SAMPLES,
        )
        if patch is not None:
            patch.blend(canvas, self._alpha * (1.0 if hand.state == "tracked" else _PREDICTED))


def _shader(vertices: Array, faces: NDArray[np.int64], colour: tuple[int, ...]) -> Shader:
    normals = vertex_normals(vertices, faces)
    diffuse = np.clip(normals @ _LIGHT, 0, 1)
    facing = np.clip(-normals[:, 2], 0, 1)
    # Darker towards the outline, so that fingers stand out against the palm.
    tone = 0.25 + 0.35 * facing + 0.5 * diffuse
    lit = tone[:, None] * np.array(colour, dtype=np.float32) + 70 * (diffuse**8)[:, None]

    def shade(fragments: Fragments) -> NDArray[np.float32]:
        return fragments.interpolate(lit)

    return shade
