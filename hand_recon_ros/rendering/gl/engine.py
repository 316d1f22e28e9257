"""The renderer: views of scenes in, pictures out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl.context import create_context
from hand_recon_ros.rendering.gl.layout import Layout, pack
from hand_recon_ros.rendering.gl.lens import columns, lens_uniforms
from hand_recon_ros.rendering.gl.mesh import VERTEX
from hand_recon_ros.rendering.gl.noise import noise_volume
from hand_recon_ros.rendering.gl.programs import Programs
from hand_recon_ros.rendering.gl.scene import MAX_LIGHTS, Instance, Picture, View
from hand_recon_ros.rendering.gl.shadow import Shadow, fit_shadow
from hand_recon_ros.rendering.gl.targets import ShadowMap, Target

NEAR_M, FAR_M = 0.02, 50.0
_ALBEDO, _DETAIL, _NOISE, _SHADOW = 0, 1, 2, 3


@dataclass(frozen=True)
class _Piece:
    """Where an instance lies in the uploaded buffers."""

    instance: Instance
    first: int
    count: int


class Renderer:
    """Draws views; belongs to the thread that made it.

    Args:
        labels: also give instance, part and depth.
        shadow_texels: side of each view's shadow map.

    Raises:
        RendererUnavailableError: there is no OpenGL.
    """

    def __init__(self, *, labels: bool = True, shadow_texels: int = 512) -> None:
        """Make a context and compile nothing yet: shader variants are compiled when first used."""
        self._thread = threading.get_ident()
        self._context = create_context()
        self._labels = labels
        self._shadow_texels = shadow_texels
        self._programs = Programs(self._context)
        self._target: Target | None = None
        self._shadows: ShadowMap | None = None
        self._textures: list[Any] = []
        self._context.front_face = "cw"  # rows run downwards: what turns left outside turns right

    @cached_property
    def device(self) -> str:
        """Name of what renders."""
        return str(self._context.info["GL_RENDERER"])

    def texture(self, image: NDArray[np.uint8]) -> Any:
        """Upload an image (H, W, 3) for a ``Material``; the first row belongs to v = 0."""
        self._enter()
        height, width, channels = image.shape
        texture = self._context.texture(
            (width, height), channels, np.ascontiguousarray(image).tobytes()
        )
        texture.build_mipmaps()
        texture.filter = (self._context.LINEAR_MIPMAP_NEAREST, self._context.LINEAR)
        texture.repeat_x = texture.repeat_y = True
        self._textures.append(texture)
        return texture

    def drop_texture(self, texture: Any) -> None:
        """Free a texture that no later view uses."""
        self._textures.remove(texture)
        texture.release()

    def render(self, views: Sequence[View]) -> list[Picture]:
        """Draw all views together; many small ones at once are quicker than one by one.

        Raises:
            RuntimeError: called from another thread than the renderer was made in.
        """
        self._enter()
        if not views:
            return []
        layout = pack([(view.camera.width, view.camera.height) for view in views])
        target = self._sized(layout)
        pieces = self._upload([view.instances for view in views])
        shadows = self._draw_shadows(views, pieces)
        target.draw.use()
        target.draw.clear(viewport=(0, 0, layout.width, layout.height))
        for view, mine, shadow, (x, y) in zip(views, pieces, shadows, layout.places, strict=True):
            self._context.viewport = (x, y, view.camera.width, view.camera.height)
            self._draw_view(view, mine, shadow)
        images = target.read(layout.width, layout.height, (NEAR_M, FAR_M))
        return [
            _cut(images, x, y, view.camera.width, view.camera.height)
            for view, (x, y) in zip(views, layout.places, strict=True)
        ]

    def close(self) -> None:
        """Free everything; call it in the renderer's thread."""
        self._enter()
        for item in (self._target, self._shadows, self._programs, *self._textures):
            if item is not None:
                item.release()
        if "_noise" in self.__dict__:
            self._noise.release()
        self._context.release()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Free everything."""
        self.close()

    def _enter(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError("a Renderer may be used only in the thread that made it")
        self._context.__enter__()  # another renderer of this thread may be current

    def _sized(self, layout: Layout) -> Target:
        if self._target is not None:
            width, height = self._target.size
            if layout.width <= width and layout.height <= height:
                return self._target
            self._target.release()
            layout = Layout(max(width, layout.width), max(height, layout.height), [])
        self._target = Target(self._context, (layout.width, layout.height), self._labels)
        return self._target

    @cached_property
    def _noise(self) -> Any:
        volume = noise_volume()
        texture = self._context.texture3d(volume.shape[2::-1], 2, volume.tobytes())
        texture.build_mipmaps()
        texture.filter = (self._context.LINEAR_MIPMAP_NEAREST, self._context.LINEAR)
        return texture

    def _upload(self, scenes: Iterable[Sequence[Instance]]) -> list[list[_Piece]]:
        """Pack all meshes into one vertex and one index buffer.

        An instance that several views show is packed once.
        """
        vertices: list[NDArray[np.void]] = []
        indices: list[NDArray[np.uint32]] = []
        known: dict[int, _Piece] = {}
        pieces: list[list[_Piece]] = []
        base = first = 0
        for scene in scenes:
            pieces.append([])
            for instance in scene:
                piece = known.get(id(instance))
                if piece is None:
                    packed = instance.mesh.packed(instance.vertices, instance.normals)
                    vertices.append(packed)
                    indices.append((instance.mesh.indices + np.uint32(base)).reshape(-1))
                    piece = _Piece(instance, first, indices[-1].size)
                    known[id(instance)] = piece
                    base += len(packed)
                    first += piece.count
                pieces[-1].append(piece)
        if vertices:
            self._programs.upload(np.concatenate(vertices), np.concatenate(indices))
        return pieces

    def _draw_shadows(
        self, views: Sequence[View], pieces: Sequence[Sequence[_Piece]]
    ) -> list[Shadow | None]:
        shadows: list[Shadow | None] = []
        for view, mine in zip(views, pieces, strict=True):
            casters = [p.instance.vertices for p in mine if p.instance.casts_shadow]
            wanted = view.shadow_softness_m is not None and view.lights and casters
            shadows.append(
                fit_shadow(view.lights[0].direction, casters, self._shadow_texels)
                if wanted
                else None
            )
        if not any(shadows):
            return shadows
        if self._shadows is None or self._shadows.tiles < len(views):
            if self._shadows is not None:
                self._shadows.release()
            self._shadows = ShadowMap(self._context, self._shadow_texels, len(views))
        ctx, program = self._context, self._programs.shadow
        self._shadows.draw.use()
        ctx.enable_only(ctx.DEPTH_TEST)
        used_rows = -(-len(views) // self._shadows.columns) * self._shadow_texels
        width = self._shadows.texture.size[0]
        self._shadows.draw.clear(viewport=(0, 0, width, used_rows))
        for number, (shadow, mine) in enumerate(zip(shadows, pieces, strict=True)):
            if shadow is None:
                continue
            x, y = self._shadows.place(number)
            ctx.viewport = (x, y, self._shadow_texels, self._shadow_texels)
            program.set("clip_from_world", columns(shadow.clip_from_world))
            shadow.locate(x, y, self._shadows.texture.size)
            for piece in mine:
                if piece.instance.casts_shadow:
                    program.draw(piece.first, piece.count)
        return shadows

    def _draw_view(self, view: View, pieces: Sequence[_Piece], shadow: Shadow | None) -> None:
        ctx = self._context
        shared = lens_uniforms(view.camera) | {"depth_range": (NEAR_M, FAR_M)}
        scene = shared | _scene_uniforms(view)
        if shadow is not None and self._shadows is not None:
            softness = view.shadow_softness_m or 0.0
            scene |= shadow.uniforms(softness)
            self._shadows.texture.use(_SHADOW)
        prepared: set[int] = set()
        for piece in sorted(pieces, key=lambda p: p.instance.material.wireframe):
            material = piece.instance.material
            program = self._programs.surface(material, shadow is not None)
            if id(program) not in prepared:
                prepared.add(id(program))
                program.set_all(scene)
            program.set_material(material, piece.instance.number)
            ctx.enable_only(
                ctx.DEPTH_TEST if material.double_sided else ctx.DEPTH_TEST | ctx.CULL_FACE
            )
            if material.texture is not None:
                material.texture.use(_ALBEDO)
            if material.detail is not None:
                material.detail.use(_DETAIL)
            if program.noisy:
                self._noise.use(_NOISE)
            ctx.wireframe = material.wireframe
            program.draw(piece.first, piece.count)
        ctx.wireframe = False
        if view.drawing is not None and view.drawing.points_px.size:
            ctx.enable_only(ctx.DEPTH_TEST | ctx.BLEND)
            ctx.blend_func = ctx.ONE, ctx.ONE_MINUS_SRC_ALPHA
            self._programs.draw_flat(view.drawing, shared)


def _scene_uniforms(view: View) -> dict[str, Any]:
    lights = list(view.lights)
    if len(lights) > MAX_LIGHTS:
        raise ValueError(f"{len(lights)} lights; at most {MAX_LIGHTS}")
    directions = np.zeros((MAX_LIGHTS, 3))
    colours = np.zeros((MAX_LIGHTS, 3))
    for k, light in enumerate(lights):
        directions[k] = np.array(light.direction) / np.linalg.norm(light.direction)
        colours[k] = light.colour
    rotation, shift = view.pose[:3, :3], view.pose[:3, 3]
    return {
        "pose": columns(view.pose),
        "eye": tuple((-rotation.T @ shift).tolist()),
        "ambient": [tuple(row) for row in np.asarray(view.ambient).tolist()],
        "lights": len(lights),
        "light_direction": [tuple(row) for row in directions.tolist()],
        "light_colour": [tuple(row) for row in colours.tolist()],
    }


def _cut(images: Sequence[Any], x: int, y: int, width: int, height: int) -> Picture:
    parts = [image[y : y + height, x : x + width] for image in images]
    if len(parts) == 1:
        return Picture(parts[0])
    rgba, labels, depth = parts
    return Picture(rgba, labels[..., 0], labels[..., 1], depth)
