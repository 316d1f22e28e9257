"""Pictures of a robot hand made of simple shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.mesh import Mesh
from hand_recon_ros.rendering.raster import Fragments, render, vertex_normals
from hand_recon_ros.retarget.robot_model import RobotModel, Shape
from hand_recon_ros.synthesis import primitives
from hand_recon_ros.types import Array

if TYPE_CHECKING:
    from hand_recon_ros.rendering.gl.engine import Renderer

_BACKGROUND = np.array([206, 211, 219], dtype=np.uint8)
_LIGHT = np.array([-0.35, -0.55, -0.76], dtype=np.float32)
_FOV_DEG = 24.0


@dataclass(frozen=True)
class _Part:
    """A shape's surface.

    Attributes:
        link: that carries it.
        vertices: (V, 3) link's frame, m.
        colour: RGB, 0..1.
    """

    link: str
    mesh: Mesh
    vertices: Array
    colour: tuple[float, float, float]


class RobotView:
    """Draws one robot hand in any pose, with OpenGL where there is one.

    An OpenGL context belongs to its thread: draw and close in the same one.

    Args:
        model: the hand.
        camera_from_base: (4, 4) where it is seen from, camera's optical axes.
        width, height: of the pictures, px.
        opengl: False = always by the software rasteriser.
    """

    def __init__(
        self,
        model: RobotModel,
        camera_from_base: Array,
        width: int = 480,
        height: int = 480,
        *,
        opengl: bool = True,
    ) -> None:
        """Build the surfaces."""
        self._model = model
        self._pose = camera_from_base
        self._camera = Camera.from_fov(width, height, _FOV_DEG)
        self._parts = [_part(link, s) for link, shapes in model.shapes.items() for s in shapes]
        self._renderer: Renderer | None = None
        self._opengl = opengl

    def draw(self, positions: Mapping[str, float]) -> NDArray[np.uint8]:
        """(height, width, 3) RGB of the hand with its joints at ``positions``, rad or m."""
        poses = self._model.forward(positions)
        placed = [_moved(part.vertices, self._pose @ poses[part.link]) for part in self._parts]
        canvas = np.empty((self._camera.height, self._camera.width, 3), np.uint8)
        canvas[:] = _BACKGROUND
        if not placed:
            return canvas
        if self._opengl and self._renderer is None:
            self._renderer = _renderer()
            self._opengl = self._renderer is not None
        if self._renderer is None:
            self._draw_cpu(canvas, placed)
            return canvas
        return self._drawn_gl(self._renderer, canvas, placed)

    def close(self) -> None:
        """Free the OpenGL context."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _drawn_gl(
        self, renderer: Renderer, canvas: NDArray[np.uint8], placed: Sequence[Array]
    ) -> NDArray[np.uint8]:
        from hand_recon_ros.rendering.gl.scene import Instance, Light, Material, View

        instances = []
        for part, vertices in zip(self._parts, placed, strict=True):
            red, green, blue = (c**2.2 for c in part.colour)  # linear light
            material = Material(colour=(red, green, blue), roughness=0.45)
            instances.append(Instance(part.mesh, vertices, material))
        light = Light((float(_LIGHT[0]), float(_LIGHT[1]), float(_LIGHT[2])))
        (picture,) = renderer.render([View(self._camera, instances, lights=(light,))])
        cover = picture.rgba[..., 3:].astype(np.uint16)
        behind = canvas * (255 - cover) // 255
        return np.clip(picture.rgba[..., :3] + behind, 0, 255).astype(np.uint8)

    def _draw_cpu(self, canvas: NDArray[np.uint8], placed: Sequence[Array]) -> None:
        """One patch for each shape, far to near: right enough for shapes side by side."""
        drawn = sorted(
            zip(self._parts, placed, strict=True), key=lambda pair: -float(pair[1][:, 2].mean())
        )
        for part, vertices in drawn:
            faces = part.mesh.faces
            lit = _lit(vertices, faces, np.array(part.colour))

            def shade(fragments: Fragments, lit: NDArray[np.float32] = lit) -> NDArray[np.float32]:
                return fragments.interpolate(lit)

            patch = render(vertices, faces, self._camera, shade, supersample=2.0)
            if patch is not None:
                patch.blend(canvas)


def seen_from(eye: Array, target: Array, up: Array) -> Array:
    """(4, 4) optical camera at ``eye`` from the frame that all three are given in, metres."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = -pose[:3, :3] @ eye
    return pose


def _renderer() -> Renderer | None:
    from hand_recon_ros.rendering.gl.context import RendererUnavailableError

    try:
        from hand_recon_ros.rendering.gl.engine import Renderer

        return Renderer(labels=False)
    except RendererUnavailableError:
        return None


def _part(link: str, shape: Shape) -> _Part:
    if shape.kind == "box":
        mesh, vertices = primitives.box(np.zeros(3), np.diag(shape.size) / 2)
    elif shape.kind == "cylinder":
        radius, length, _ = shape.size
        ends = np.array([[0, 0, -length / 2], [0, 0, length / 2]])
        mesh, vertices = primitives.cylinder(ends[0], ends[1], radius)
    else:
        mesh, vertices = primitives.ellipsoid(np.zeros(3), shape.size[0] * np.eye(3))
    return _Part(link, mesh, _moved(vertices, shape.pose), shape.colour)


def _moved(vertices: Array, pose: Array) -> Array:
    return np.asarray(vertices @ pose[:3, :3].T + pose[:3, 3])


def _lit(vertices: Array, faces: NDArray[np.integer], colour: Array) -> NDArray[np.float32]:
    normals = vertex_normals(vertices, faces)
    diffuse = np.clip(normals @ _LIGHT, 0, 1)
    facing = np.clip(-normals[:, 2], 0, 1)
    tone = 0.30 + 0.25 * facing + 0.5 * diffuse
    lit = 255 * tone[:, None] * colour + 50 * (diffuse**10)[:, None]
    return np.asarray(lit, dtype=np.float32)
