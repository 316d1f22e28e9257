"""Draw reconstructed hands over the camera image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.raster import Fragments, Shader, render, vertex_normals
from hand_recon_ros.skeleton import BONES, TIPS, Side
from hand_recon_ros.types import Array, Hand, HandFrame

_COLOURS: dict[Side, tuple[int, int, int]] = {"left": (64, 156, 255), "right": (255, 140, 66)}
_OPACITY = {"tracked": 0.62, "predicted": 0.3}
_MAX_SAMPLES = 40_000
"""Keeps a hand that fills the image within a few milliseconds."""
_LIGHT = np.array([-0.35, -0.55, -0.76], dtype=np.float32)
"""Towards the lamp, camera axes: above the camera's left shoulder."""


def draw_overlay(
    image: NDArray[np.uint8],
    frame: HandFrame,
    meshes: Mapping[int, Array],
    faces: Mapping[Side, NDArray[np.int64]],
) -> NDArray[np.uint8]:
    """Return a copy of the image with mesh, skeleton and label of every hand.

    Args:
        image: (H, W, 3) uint8 RGB, the image that ``frame`` speaks of.
        frame: its hands.
        meshes: (778, 3) vertices by track id, metres, camera's optical frame; may lack some.
        faces: (1538, 3) triangles of each side's mesh.
    """
    canvas: NDArray[np.uint8] = np.array(image, dtype=np.uint8, order="C")
    far_to_near = sorted(frame.hands, key=lambda hand: -float(hand.joints_m[0, 2]))
    for hand in far_to_near:
        vertices = meshes.get(hand.track_id)
        if vertices is not None and np.isfinite(vertices).all():
            patch = render(
                vertices,
                faces[hand.side],
                frame.camera,
                _shader(vertices, faces[hand.side], _COLOURS[hand.side]),
                supersample=1.0,
                max_samples=_MAX_SAMPLES,
            )
            if patch is not None:
                patch.blend(canvas, _OPACITY[hand.state])
    for hand in far_to_near:
        _draw_skeleton(canvas, hand, frame.camera)
        _draw_label(canvas, hand)
    return canvas


def _shader(vertices: Array, faces: NDArray[np.int64], colour: tuple[int, int, int]) -> Shader:
    normals = vertex_normals(vertices, faces)
    diffuse = np.clip(normals @ _LIGHT, 0, 1)
    facing = np.clip(-normals[:, 2], 0, 1)
    # Darker towards the outline, so that fingers stand out against the palm.
    tone = 0.25 + 0.35 * facing + 0.5 * diffuse
    lit = tone[:, None] * np.array(colour, dtype=np.float32) + 70 * (diffuse**8)[:, None]

    def shade(fragments: Fragments) -> NDArray[np.float32]:
        return fragments.interpolate(lit)

    return shade


def _draw_skeleton(canvas: NDArray[np.uint8], hand: Hand, camera: Camera) -> None:
    points = camera.project(hand.joints_m)
    scale = max(1.0, min(canvas.shape[:2]) / 720)
    thick, dot = round(2 * scale), round(3 * scale)
    pixels: list[Any] = [
        tuple(np.round(point).astype(int).tolist()) if _drawable(point, canvas) else None
        for point in points
    ]
    for parent, joint in BONES:
        if pixels[parent] and pixels[joint]:
            cv2.line(canvas, pixels[parent], pixels[joint], (245, 245, 245), thick, cv2.LINE_AA)
    for joint, pixel in enumerate(pixels):
        if pixel:
            colour = (255, 230, 90) if joint in TIPS else _COLOURS[hand.side]
            cv2.circle(canvas, pixel, dot, colour, -1, cv2.LINE_AA)


def _drawable(point: Array, canvas: NDArray[np.uint8]) -> bool:
    """OpenCV draws with 16-bit fixed point: points far outside would wrap round."""
    limit = 2 * max(canvas.shape)
    return bool(np.isfinite(point).all() and (np.abs(point) < limit).all())


def _draw_label(canvas: NDArray[np.uint8], hand: Hand) -> None:
    if not np.isfinite(hand.box_px).all():
        return
    text = f"{hand.side} #{hand.track_id}"
    if hand.state == "predicted":
        text += " predicted"
    scale = 0.55 * max(1.0, min(canvas.shape[:2]) / 720)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), below = cv2.getTextSize(text, font, scale, 1)
    x = int(np.clip(hand.box_px[0], 0, max(canvas.shape[1] - width - 8, 0)))
    y = int(np.clip(hand.box_px[1] - 4, height + 6, canvas.shape[0] - below))
    corner, opposite = (x, y - height - 6), (x + width + 8, y + below - 1)
    cv2.rectangle(canvas, corner, opposite, _COLOURS[hand.side], -1)
    cv2.putText(canvas, text, (x + 4, y - 2), font, scale, (20, 20, 20), 1, cv2.LINE_AA)
