"""Draw reconstructed hands over the camera image, with OpenGL where there is one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import RenderConfig
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.overlay_cpu import CpuOverlay
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, HandFrame

_log = logging.getLogger(__name__)
_CPU_STYLES = frozenset({"mesh", "skeleton"})


class _Drawer(Protocol):
    def draw(
        self, image: NDArray[np.uint8], frame: HandFrame, meshes: Mapping[int, Array]
    ) -> NDArray[np.uint8]: ...

    def close(self) -> None: ...


class Overlay:
    """Draws the hands of one camera, frame by frame.

    What draws is made at the first picture, by the thread that asks for it: an OpenGL context
    belongs to its thread. All later calls, ``close`` too, must come from that thread.

    Args:
        models: hand model of each side.
        config: styles and engine.

    Attributes:
        warning: what a user should be told once, such as missing system packages; known after the
            first picture.
    """

    def __init__(self, models: Mapping[Side, HandModelData], config: RenderConfig) -> None:
        """Remember what to draw."""
        self._models = models
        self._config = config
        self._drawer: _Drawer | None = None
        self.warning = ""

    def draw(
        self, image: NDArray[np.uint8], frame: HandFrame, meshes: Mapping[int, Array]
    ) -> NDArray[np.uint8]:
        """Return a copy of the image with every hand in the configured styles.

        Args:
            image: (H, W, 3) uint8 RGB, the image that ``frame`` speaks of.
            frame: its hands.
            meshes: (778, 3) vertices by track id, metres, camera's optical frame; may lack some.

        Raises:
            TextureError: the texture of the configuration cannot be used.
            RendererUnavailableError: ``render.engine`` demands OpenGL and there is none.
        """
        if self._drawer is None:
            self._drawer = self._made()
        return self._drawer.draw(image, frame, meshes)

    def close(self) -> None:
        """Free what draws."""
        if self._drawer is not None:
            self._drawer.close()
            self._drawer = None

    def _made(self) -> _Drawer:
        styles = self._config.style_set
        if self._config.engine != "cpu":
            from hand_recon_ros.rendering.gl.context import RendererUnavailableError
            from hand_recon_ros.rendering.overlay_gl import GlOverlay

            try:
                return GlOverlay(self._models, self._config)
            except RendererUnavailableError as error:
                if self._config.engine == "opengl":
                    raise
                self.warning = f"{error}. Until then overlays show plain mesh and skeleton only"
        elif styles - _CPU_STYLES:
            missing = ", ".join(sorted(styles - _CPU_STYLES))
            self.warning = f"render.engine cpu cannot draw {missing}: mesh and skeleton only"
        if self.warning:
            _log.warning(self.warning)
        return CpuOverlay(self._models, self._config)
