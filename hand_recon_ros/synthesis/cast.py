"""What one hand model brings to the scenes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.scene import Instance, Material
from hand_recon_ros.skeleton import Side
from hand_recon_ros.synthesis.appearance import SkinLook, draw_skin, skin_detail
from hand_recon_ros.synthesis.body import SmoothHand
from hand_recon_ros.synthesis.hands import HandSource
from hand_recon_ros.synthesis.placing import PlacedHand, Placer
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.synthesis.skin_maps import SkinMaps, skin_layout, skin_maps
from hand_recon_ros.types import Array

PEOPLE: Final = 64
"""Skins of a seed; light and camera make many looks of each."""
_PALMS: Final = 6
"""Patterns of creases that they share."""


class Cast:
    """What one hand model brings to the scenes: poses, meshes, skins.

    Args:
        right: the right hand's model.
        recorded: (n, 15, 3) angles of real motion.
        config: what the pictures are made of.
        seed: of the skins.
        renderer: keeps the textures.

    Attributes:
        placer: draws scenes of hands.
        bodies: smooth mesh of each side.
        skin: look, texture and detail of person 0 .. ``PEOPLE`` - 1; painted when first asked for.
    """

    def __init__(
        self,
        right: HandModelData,
        recorded: Array,
        config: SynthesisConfig,
        seed: int,
        renderer: Renderer,
    ) -> None:
        """Prepare the meshes."""
        models: dict[Side, HandModelData] = {"right": right, "left": right.mirrored()}
        self.placer = Placer(HandSource(right, recorded, config.poses), models)
        self.bodies: dict[Side, SmoothHand] = {s: SmoothHand(m) for s, m in models.items()}
        self._coarse: dict[Side, SmoothHand] = {
            s: SmoothHand(m, smooth=False) for s, m in models.items()
        }
        layout = skin_layout(right)

        @lru_cache(maxsize=_PALMS)
        def creased(palm: int) -> tuple[SkinMaps, Any]:
            maps = skin_maps(layout, np.random.default_rng((seed, 405, palm)))
            return maps, renderer.texture(skin_detail(maps))

        def painted(person: int) -> tuple[SkinLook, Any, Any]:
            maps, detail = creased(person % _PALMS)
            look = draw_skin(layout, maps, np.random.default_rng((seed, 404, person)))
            return look, renderer.texture(look.texture), detail

        self.skin = lru_cache(maxsize=PEOPLE)(painted)

    def paint(self) -> None:
        """Paint all skins."""
        for person in range(PEOPLE):
            self.skin(person)

    def instance(
        self,
        placed: PlacedHand,
        number: int,
        look: SkinLook,
        textures: tuple[Any, Any],
        shift: Array,
        coarse: bool,
        rng: np.random.Generator,
    ) -> Instance:
        """A placed hand in a skin with its detail; ``coarse`` = with the model's own triangles."""
        body = (self._coarse if coarse else self.bodies)[placed.side]
        vertices = body.vertices(placed.vertices, placed.rotation, placed.to_elbow)
        red, green, blue = shift.tolist()
        skin, detail = textures
        material = Material(
            texture=skin,
            detail=detail,
            bump=float(rng.uniform(0.0, 0.0004)),
            roughness=float(rng.uniform(0.33, 0.62)),
            specular=0.028,
            wrap=look.wrap,
            mottle=look.mottle,
            grain=float(rng.uniform(0.0, 0.035)),
            noise_frequency=float(rng.uniform(8, 22)),
            noise_shift=(red, green, blue),
            rim=float(rng.uniform(0.0, 0.4)),
        )
        return Instance(body.shaded_mesh(placed.vertices), vertices, material, number)
