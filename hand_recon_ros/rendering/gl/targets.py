"""Where is drawn to: a multisampled target with its resolved copy, and a shadow map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl import shaders

SAMPLES = 4


class Target:
    """Colour, labels and depth of (at least) a given size, four samples a pixel."""

    def __init__(self, context: Any, size: tuple[int, int], labels: bool) -> None:
        """Allocate the buffers."""
        self.size = size
        self._labels = labels
        self._context = context
        ctx = context
        self._sampled = [ctx.texture(size, 4, samples=SAMPLES)] if labels else []
        colours = list(self._sampled)
        if labels:
            self._sampled.append(ctx.texture(size, 2, samples=SAMPLES))
            depth = ctx.depth_texture(size, samples=SAMPLES)
            colours.append(self._sampled[1])
            resolved = [ctx.texture(size, 4), ctx.texture(size, 2), ctx.texture(size, 1, dtype="f4")]
            self._sampled.append(depth)
            self._resolve = ctx.program(
                shaders.HEADER + shaders.RESOLVE_VERTEX,
                fragment_shader=shaders.HEADER + shaders.RESOLVE_FRAGMENT,
            )
            for unit, name in enumerate(("colours", "labels", "depths")):
                self._resolve[name] = unit
            self._whole = ctx.vertex_array(self._resolve, [])
        else:
            colours = [ctx.renderbuffer(size, 4, samples=SAMPLES)]
            depth = ctx.depth_renderbuffer(size, samples=SAMPLES)
            resolved = [ctx.renderbuffer(size, 4)]
        self.draw = ctx.framebuffer(colours, depth)
        self._read = ctx.framebuffer(resolved)
        self._owned = [*colours, depth, *resolved, self.draw, self._read]

    def read(self, width: int, height: int, depth_range: tuple[float, float]) -> list[Any]:
        """Resolve and read the lower corner: RGBA, and with labels (h, w, 2) and depth."""
        area = (0, 0, width, height)
        if not self._labels:
            self._context.copy_framebuffer(self._read, self.draw)
            return [self._pixels(area, 0, 4, "f1", np.uint8)]
        ctx = self._context
        self._read.use()
        ctx.viewport = area
        ctx.disable(ctx.DEPTH_TEST | ctx.BLEND | ctx.CULL_FACE)
        for unit, texture in enumerate(self._sampled):
            texture.use(unit)
        self._resolve["depth_range"] = depth_range
        self._whole.render(vertices=3)
        return [
            self._pixels(area, 0, 4, "f1", np.uint8),
            self._pixels(area, 1, 2, "f1", np.uint8),
            self._pixels(area, 2, 1, "f4", np.float32)[..., 0],
        ]

    def _pixels(
        self, area: tuple[int, int, int, int], attachment: int, channels: int, kind: str, dtype: Any
    ) -> NDArray[Any]:
        result = np.empty((area[3], area[2], channels), dtype)
        self._read.read_into(
            result, viewport=area, components=channels, attachment=attachment, dtype=kind
        )
        return result

    def release(self) -> None:
        """Free the buffers."""
        for item in reversed(self._owned):
            item.release()
        if self._labels:
            self._whole.release()
            self._resolve.release()


class ShadowMap:
    """Depth as seen from the lamp; square tiles side by side, one a view."""

    def __init__(self, context: Any, tile: int, tiles: int) -> None:
        """Allocate a map of ``tiles`` squares of ``tile`` texels."""
        self.tile = tile
        self.columns = int(np.ceil(np.sqrt(tiles)))
        self.rows = -(-tiles // self.columns)
        self.tiles = self.columns * self.rows
        size = (self.columns * tile, self.rows * tile)
        self.texture = context.depth_texture(size)
        self.texture.compare_func = "<="
        self.texture.filter = (context.LINEAR, context.LINEAR)
        self.texture.repeat_x = self.texture.repeat_y = False
        self.draw = context.framebuffer(depth_attachment=self.texture)

    def place(self, number: int) -> tuple[int, int]:
        """Lower corner of a tile, texels."""
        return number % self.columns * self.tile, number // self.columns * self.tile

    def release(self) -> None:
        """Free the map."""
        self.draw.release()
        self.texture.release()
