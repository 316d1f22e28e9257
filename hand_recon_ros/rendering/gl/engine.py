"""The renderer: views of scenes in, pictures out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.io.closing import Closing
from hand_recon_ros.rendering.gl.context import create_context, is_software
from hand_recon_ros.rendering.gl.corners import at_corners, mean_of_corners
from hand_recon_ros.rendering.gl.layout import Layout, pack
from hand_recon_ros.rendering.gl.mesh import VERTEX, Mesh
from hand_recon_ros.rendering.gl.noise import noise_volume
from hand_recon_ros.rendering.gl.programs import Programs
from hand_recon_ros.rendering.gl.scene import Instance, Material, Picture, View
from hand_recon_ros.rendering.gl.shadow import Shadow, fit_shadow, shadow_key
from hand_recon_ros.rendering.gl.targets import ColourTarget, LabelTarget, ShadowMap
from hand_recon_ros.rendering.gl.uniforms import columns, light_uniforms, view_uniforms

_Target = TypeVar("_Target", ColourTarget, LabelTarget, ShadowMap)
_ALBEDO, _DETAIL, _NOISE, _SHADOW = 0, 1, 2, 3


@dataclass(frozen=True)
class _Piece:
    """Where an instance lies in the uploaded buffers."""

    instance: Instance
    first: int
    count: int


class Renderer(Closing):
    """Draws views; belongs to the thread that made it.

    Args:
        labels: also give instance, part and depth.
        samples: 4 = smooth edges; 0 = not, which halves the time on a processor; None = 4 on a
            GPU, 0 on a processor.
        corners: with 0 samples, colours are taken where pixels' corners meet and each pixel is
            the mean of its four: edges are smooth at no more cost, and the picture a little soft.

    Attributes:
        software: a processor draws: every pixel counts.

    Raises:
        RendererUnavailableError: there is no OpenGL.
    """

    def __init__(
        self, *, labels: bool = True, samples: int | None = 4, corners: bool = False
    ) -> None:
        """Make a context and compile nothing yet: shader variants are compiled when first used."""
        self._thread = threading.get_ident()
        self._context = create_context()
        self._labels = labels
        self.software = is_software(self._context)
        self._samples = (0 if self.software else 4) if samples is None else samples
        self._corners = corners and self._samples == 0
        self._programs = Programs(self._context)
        self._colour: ColourTarget | None = None
        self._label: LabelTarget | None = None
        self._shadows: ShadowMap | None = None
        self._textures: list[Any] = []
        self._meshes: list[Mesh] = []
        self._vertices = np.empty(0, VERTEX)
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
        pieces = self._upload([view.instances for view in views])
        shadows = self._draw_shadows(views, pieces)
        coloured = [at_corners(view) for view in views] if self._corners else views
        layout = _layout(coloured)
        cut = layout.cut(self._draw_colours(coloured, pieces, shadows, layout))
        colours = [mean_of_corners(rgba) if self._corners else rgba for (rgba,) in cut]
        if not self._labels:
            return [Picture(rgba) for rgba in colours]
        layout = _layout(views)
        labels = layout.cut(*self._draw_labels(views, pieces, layout))
        return [Picture(rgba, *rest) for rgba, rest in zip(colours, labels, strict=True)]

    def close(self) -> None:
        """Free everything; call it in the renderer's thread."""
        self._enter()
        for item in (self._colour, self._label, self._shadows, self._programs, *self._textures):
            if item is not None:
                item.release()
        if "_noise" in self.__dict__:
            self._noise.release()
        self._context.release()

    def _enter(self) -> None:
        if threading.get_ident() != self._thread:
            raise RuntimeError("a Renderer may be used only in the thread that made it")
        self._context.__enter__()  # another renderer of this thread may be current

    @cached_property
    def _noise(self) -> Any:
        volume = noise_volume()
        depth, height, width, _ = volume.shape
        texture = self._context.texture3d((width, height, depth), 2, volume.tobytes())
        texture.build_mipmaps()
        texture.filter = (self._context.LINEAR_MIPMAP_NEAREST, self._context.LINEAR)
        return texture

    def _upload(self, scenes: Iterable[Sequence[Instance]]) -> list[list[_Piece]]:
        """Pack all meshes into one vertex and one index buffer.

        What several views or materials show is packed once.
        """
        distinct: list[Instance] = []
        known: dict[tuple[int, int, int], tuple[int, int]] = {}
        pieces: list[list[_Piece]] = []
        end = 0
        for scene in scenes:
            pieces.append([])
            for instance in scene:
                key = id(instance.mesh), id(instance.vertices), id(instance.normals)
                if key not in known:
                    distinct.append(instance)
                    known[key] = end, instance.mesh.indices.size
                    end += instance.mesh.indices.size
                pieces[-1].append(_Piece(instance, *known[key]))
        if distinct:
            indices = self._laid_out([instance.mesh for instance in distinct])
            base = 0
            for instance in distinct:
                after = base + len(instance.mesh.template)
                instance.mesh.place(self._vertices[base:after], instance.vertices, instance.normals)
                base = after
            self._programs.upload(self._vertices, indices)
        return pieces

    def _laid_out(self, meshes: list[Mesh]) -> NDArray[np.uint32] | None:
        """What stays the same while these meshes move; None = the indices are uploaded already."""
        if meshes == self._meshes:
            return None
        self._meshes = meshes
        self._vertices = np.concatenate([mesh.template for mesh in meshes])
        starts = np.cumsum([0, *(len(mesh.template) for mesh in meshes[:-1])]).astype(np.uint32)
        return np.concatenate(
            [(m.indices + start).reshape(-1) for m, start in zip(meshes, starts, strict=True)]
        )

    def _draw_shadows(
        self, views: Sequence[View], pieces: Sequence[Sequence[_Piece]]
    ) -> list[dict[str, Any] | None]:
        """Draw the shadow maps; return each view's uniforms. Equal scenes share a map."""
        keys = [shadow_key(view) for view in views]
        shadows: dict[Any, tuple[Shadow, Sequence[_Piece]]] = {}
        for key, view, mine in zip(keys, views, pieces, strict=True):
            casting = [piece for piece in mine if piece.instance.casts_shadow]
            if key is None or key in shadows or not casting:
                continue
            places = [piece.instance.vertices for piece in casting]
            softness = view.shadow_softness_m or 0.0
            shadows[key] = fit_shadow(view.lights[0].direction, places, softness), casting
        if not shadows:
            return [None] * len(views)
        layout = pack([(shadow.texels, shadow.texels) for shadow, _ in shadows.values()])
        size = layout.grown(self._shadows)
        if size is not None:
            self._shadows = _replaced(self._shadows, ShadowMap(self._context, size))
        assert self._shadows is not None
        ctx, program = self._context, self._programs.shadow
        self._shadows.draw.use()
        self._shadows.draw.clear(viewport=(0, 0, layout.width, layout.height))
        uniforms = {}
        for (key, (shadow, casters)), place in zip(shadows.items(), layout.places, strict=True):
            ctx.viewport = (*place, shadow.texels, shadow.texels)
            program.set("clip_from_world", columns(shadow.clip_from_world))
            for piece in casters:
                self._cull(piece.instance.material)
                program.draw(piece.first, piece.count)
            uniforms[key] = shadow.uniforms(place, self._shadows.size)
        return [uniforms.get(key) for key in keys]

    def _draw_colours(
        self,
        views: Sequence[View],
        pieces: Sequence[Sequence[_Piece]],
        shadows: Sequence[dict[str, Any] | None],
        layout: Layout,
    ) -> NDArray[np.uint8]:
        size = layout.grown(self._colour)
        if size is not None:
            self._colour = _replaced(self._colour, ColourTarget(self._context, size, self._samples))
        assert self._colour is not None
        target = self._colour.draw
        target.use()
        target.clear(viewport=(0, 0, layout.width, layout.height))
        for view, mine, shadow, (x, y) in zip(views, pieces, shadows, layout.places, strict=True):
            self._context.viewport = (x, y, view.camera.width, view.camera.height)
            self._draw_view(target, view, mine, shadow)
        return self._colour.read(layout.width, layout.height)

    def _draw_labels(
        self, views: Sequence[View], pieces: Sequence[Sequence[_Piece]], layout: Layout
    ) -> tuple[NDArray[Any], ...]:
        size = layout.grown(self._label)
        if size is not None:
            self._label = _replaced(self._label, LabelTarget(self._context, size))
        assert self._label is not None
        ctx, program = self._context, self._programs.label
        self._label.draw.use()
        self._label.draw.clear(viewport=(0, 0, layout.width, layout.height))
        for view, mine, (x, y) in zip(views, pieces, layout.places, strict=True):
            ctx.viewport = (x, y, view.camera.width, view.camera.height)
            program.set_all(view_uniforms(view))
            for piece in mine:
                if not piece.instance.material.wireframe:
                    self._cull(piece.instance.material)
                    program.set("number", piece.instance.number / 255)
                    program.draw(piece.first, piece.count)
        return self._label.read(layout.width, layout.height)

    def _cull(self, material: Material) -> None:
        ctx = self._context
        ctx.enable_only(ctx.DEPTH_TEST if material.double_sided else ctx.DEPTH_TEST | ctx.CULL_FACE)

    def _draw_view(
        self, target: Any, view: View, pieces: Sequence[_Piece], shadow: dict[str, Any] | None
    ) -> None:
        ctx = self._context
        shared = view_uniforms(view)
        scene = shared | light_uniforms(view)
        if shadow is not None and self._shadows is not None:
            scene |= shadow
            self._shadows.texture.use(_SHADOW)
        prepared: set[int] = set()
        for piece in sorted(pieces, key=lambda p: p.instance.material.wireframe):
            material = piece.instance.material
            program = self._programs.surface(
                material, len(view.lights), shadow is not None, view.coarse_light
            )
            if id(program) not in prepared:
                prepared.add(id(program))
                program.set_all(scene)
            program.set_material(material)
            self._cull(material)
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
            target.depth_mask = False  # later marks go over earlier ones
            self._programs.draw_flat(view.drawing, shared)
            target.depth_mask = True


def _layout(views: Sequence[View]) -> Layout:
    return pack([(view.camera.width, view.camera.height) for view in views])


def _replaced(old: _Target | None, new: _Target) -> _Target:
    if old is not None:
        old.release()
    return new
