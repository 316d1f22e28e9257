"""Where is drawn to: colour, labels, and the shadow map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.gl.context import finish_drawing


class ColourTarget:
    """Colour of (at least) a given size; ``samples`` a pixel, 0 = one without smoothing."""

    def __init__(self, context: Any, size: tuple[int, int], samples: int) -> None:
        """Allocate the buffers."""
        ctx = context
        self.size = size
        self._context = context
        colour = ctx.renderbuffer(size, 4, samples=samples)
        depth = ctx.depth_renderbuffer(size, samples=samples)
        self.draw = self._read = ctx.framebuffer([colour], depth)
        self._owned = [self.draw, colour, depth]
        if samples:
            one = ctx.renderbuffer(size, 4)
            self._read = ctx.framebuffer([one])
            self._owned += [self._read, one]

    def read(self, width: int, height: int) -> NDArray[np.uint8]:
        """The lower corner as (height, width, 4)."""
        if self._read is not self.draw:
            self._context.copy_framebuffer(self._read, self.draw)
        return _pixels(self._read, (width, height), 0, 4, np.uint8)

    def release(self) -> None:
        """Free the buffers."""
        for item in self._owned:
            item.release()


class LabelTarget:
    """Labels and distance at the centres of the pixels."""

    def __init__(self, context: Any, size: tuple[int, int]) -> None:
        """Allocate the buffers."""
        self.size = size
        textures = [context.texture(size, 2), context.texture(size, 1, dtype="f4")]
        depth = context.depth_renderbuffer(size)
        self.draw = context.framebuffer(textures, depth)
        self._owned = [self.draw, *textures, depth]

    def read(
        self, width: int, height: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]]:
        """Instance, part and depth of the lower corner, (height, width) each."""
        labels = _pixels(self.draw, (width, height), 0, 2, np.uint8)
        nearness = _pixels(self.draw, (width, height), 1, 1, np.float32)[..., 0]
        with np.errstate(divide="ignore"):
            depth = np.reciprocal(nearness)
        return labels[..., 0], labels[..., 1], depth

    def release(self) -> None:
        """Free the buffers."""
        for item in self._owned:
            item.release()


def _pixels(
    source: Any, size: tuple[int, int], attachment: int, channels: int, dtype: type
) -> NDArray[Any]:
    width, height = size
    result: NDArray[Any] = np.empty((height, width, channels), dtype)
    finish_drawing()
    kind = "f4" if dtype is np.float32 else "f1"
    source.read_into(
        result,
        viewport=(0, 0, width, height),
        components=channels,
        attachment=attachment,
        dtype=kind,
    )
    return result


class ShadowMap:
    """Depth as seen from lamps."""

    def __init__(self, context: Any, size: tuple[int, int]) -> None:
        """Allocate the map."""
        self.size = size
        self.texture = context.depth_texture(size)
        self.texture.compare_func = "<="
        self.texture.filter = (context.LINEAR, context.LINEAR)
        self.texture.repeat_x = self.texture.repeat_y = False
        self.draw = context.framebuffer(depth_attachment=self.texture)

    def release(self) -> None:
        """Free the map."""
        self.draw.release()
        self.texture.release()
