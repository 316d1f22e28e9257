"""Rendered views of hands before any background: what pictures are made from.

``synthetic_views`` is for a trainer that puts backgrounds in and augments by itself, on a GPU for
instance; ``generator.synthetic_samples`` makes finished pictures of the same views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

import cv2
import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.scene import Instance, Picture, View
from hand_recon_ros.synthesis.appearance import SkinLook
from hand_recon_ros.synthesis.backgrounds import Background, Backgrounds
from hand_recon_ros.synthesis.cast import PEOPLE, Cast
from hand_recon_ros.synthesis.labels import ProjectedHand
from hand_recon_ros.synthesis.lighting import draw_lights
from hand_recon_ros.synthesis.motion import recorded_angles
from hand_recon_ros.synthesis.placing import PlacedHand
from hand_recon_ros.synthesis.poses import GRASPS
from hand_recon_ros.synthesis.props import cloth_texture, held, occluder, worn
from hand_recon_ros.synthesis.sample import HandLabel
from hand_recon_ros.synthesis.second_mesh import second_model
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.synthesis.takes import Box, straight_take, widened
from hand_recon_ros.synthesis.viewing import draw_viewpoint
from hand_recon_ros.types import Array

_CLOTHS: Final = 24
VIEWS_AT_ONCE: Final = 12
"""Pictures that are rendered together: many small ones are quicker than one by one."""


@dataclass(frozen=True)
class HandView:
    """A scene as rendered from one place, with what its labels need.

    Attributes:
        picture: colours premultiplied with their coverage, nothing behind them, with labels;
            parts 0..15 are MANO's joints, 16 (``body.ARM_PART``) the forearm.
        camera: of the picture, ``takes.WIDER`` times as wide as ``SynthesisConfig.size`` so that
            turned and shifted windows fit in (as wide with ``takes_per_view`` 1).
        pose: (4, 4) camera from scene.
        hands: in the scene; hand k has the number k + 1 in ``Picture.instance``.
        to_lamp: (3,) unit vector towards the strongest lamp, scene axes.
        background: what lies behind and gives the ambient light, ``SynthesisConfig.size`` wide.
        tone: of the skin.
        meta: how the view was made, see ``Sample.meta``.
    """

    picture: Picture
    camera: Camera
    pose: Array
    hands: tuple[PlacedHand, ...]
    to_lamp: Array
    background: Background
    tone: str
    meta: dict[str, str | int | float | bool]

    def drawn(self) -> Box:
        """x, y, width, height of all that is not empty, px."""
        return cv2.boundingRect(cv2.extractChannel(self.picture.rgba, 3))

    def projected(self) -> tuple[ProjectedHand, ...]:
        """The hands as this picture shows them: labels of any window of it come from there."""
        return tuple(
            ProjectedHand.of(hand, k + 1, self.camera, self.pose, self.tone)
            for k, hand in enumerate(self.hands)
        )

    def labels(self) -> tuple[HandLabel, ...]:
        """The truth about the hands in this very picture."""
        whole = straight_take(self.camera, self.pose, self.camera.width)
        return tuple(hand.label(whole, self.picture) for hand in self.projected())


def synthetic_views(
    config: SynthesisConfig, seed: int, *, worker: int = 0, workers: int = 1
) -> Iterator[HandView]:
    """Endless rendered views for a trainer that puts in backgrounds and augments by itself.

    The stream is cut into blocks that depend on ``seed`` and their number only; worker w of n
    makes every n-th block, so that workers together give what one alone gives.

    Args:
        config: what the views are made of; ``takes_per_view`` and ``effects`` do nothing here,
            except that views are not widened where ``takes_per_view`` is 1.
        seed: the same seed gives the same labels.
        worker: 0 .. workers - 1; each lives in its own process (as OpenGL asks for).
        workers: how many there are.

    Raises:
        RendererUnavailableError: there is no OpenGL.
        ValueError: there is no such worker.
    """
    with ViewFactory(config, seed) as factory:
        for block in blocks_of(worker, workers):
            yield from factory.block(block)


def blocks_of(worker: int, workers: int) -> Iterator[int]:
    """Numbers of the blocks that a worker makes.

    Raises:
        ValueError: there is no such worker.
    """
    if not 0 <= worker < workers:
        raise ValueError(f"worker {worker} is not within 0..{workers - 1}")
    return count(worker, workers)


class ViewFactory(Closing):
    """Holds the renderer and what is shared between views; belongs to one thread.

    Args:
        config: what the views are made of.
        seed: see ``synthetic_views``.

    Attributes:
        backgrounds: those that light the scenes.

    Raises:
        RendererUnavailableError: there is no OpenGL.
    """

    def __init__(self, config: SynthesisConfig, seed: int) -> None:
        """Prepare the meshes; skins are painted when first needed."""
        self._config = config
        self._seed = seed
        self._renderer = Renderer(labels=True, samples=None, corners=True)
        recorded = recorded_angles(config.data_dir / "motion")
        first = load_hand_model("right")
        self._casts = [Cast(first, recorded, config, seed, self._renderer)]
        other = second_model(config.second_mesh)
        if other is not None and config.second_mesh_share > 0:
            self._casts.append(Cast(other, recorded, config, seed, self._renderer))
        self.backgrounds = Backgrounds(seed, config.backgrounds_dirs)
        rng = np.random.default_rng((seed, 303))
        self._cloths = [self._renderer.texture(cloth_texture(rng)) for _ in range(_CLOTHS)]

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def prepare(self) -> None:
        """Paint all skins and backgrounds now instead of when first needed: some 10 s."""
        for cast in self._casts:
            cast.paint()
        self.backgrounds.paint()

    def block(self, number: int) -> list[HandView]:
        """The views of one block, the same for the same number."""
        rng = np.random.default_rng((self._seed, 1, number))
        planned: list[_Planned] = []
        while len(planned) < VIEWS_AT_ONCE:
            planned += self._scene(rng)
        pictures = self._renderer.render([plan.view for plan in planned])
        return [plan.seen(picture) for plan, picture in zip(planned, pictures, strict=True)]

    def _scene(self, rng: np.random.Generator) -> list[_Planned]:
        """Several views of one scene."""
        c = self._config
        kinds = list(c.scenes)
        shares = np.array(list(c.scenes.values())) / sum(c.scenes.values())
        kind = str(rng.choice(kinds, p=shares))
        share = c.second_mesh_share if len(self._casts) > 1 else 0.0
        cast = self._casts[int(rng.random() < share)]
        hands = cast.placer.draw(kind, rng)
        look, skin, detail = cast.skin(int(rng.integers(PEOPLE)))
        shift = rng.uniform(0, 1, 3)
        coarse = bool(rng.random() < c.coarse_share)
        instances = [
            cast.instance(hand, k + 1, look, (skin, detail), shift, coarse, rng)
            for k, hand in enumerate(hands)
        ]
        for hand in hands:
            instances += worn(hand, cast.bodies[hand.side], self._cloths, rng)
        thing = None
        if len(hands) == 1 and hands[0].hand.kind in GRASPS and rng.random() < c.held_share:
            thing = held(hands[0], self._cloths, rng)
            if thing is not None:
                instances.append(thing)
        meta: dict[str, str | int | float | bool] = {
            "scene": kind if len(hands) > 1 else "single",
            "held": thing is not None,
        }
        return [self._view(hands, instances, look, meta, rng) for _ in range(c.views_per_scene)]

    def _view(
        self,
        hands: list[PlacedHand],
        instances: list[Instance],
        look: SkinLook,
        meta: dict[str, str | int | float | bool],
        rng: np.random.Generator,
    ) -> _Planned:
        c = self._config
        point = draw_viewpoint(hands, c.size, c.cut_share, rng, c.wide)
        background = self.backgrounds.draw(c.size, rng)
        lights, ambient = draw_lights(point.pose[:3, :3], background.image, look.brightness, rng)
        hidden = bool(rng.random() < c.occluder_share)
        shown = list(instances)
        if hidden:
            shown.append(occluder(hands, point.pose, self._cloths, rng))
        view = View(
            camera=widened(point.camera) if c.takes_per_view > 1 else point.camera,
            instances=shown,
            pose=point.pose,
            lights=lights,
            ambient=ambient,
            shadow_softness_m=float(rng.uniform(0.002, 0.012)),
        )
        told = {
            **meta,
            "view": point.kind,
            "cut": point.cut,
            "distance_m": round(point.distance_m, 6),
            "occluder": hidden,
        }
        return _Planned(view, tuple(hands), background, look.tone, told)


@dataclass(frozen=True)
class _Planned:
    """A view that is still to be rendered; see ``HandView``."""

    view: View
    hands: tuple[PlacedHand, ...]
    background: Background
    tone: str
    meta: dict[str, str | int | float | bool]

    def seen(self, picture: Picture) -> HandView:
        """The view, rendered."""
        view = self.view
        # Copies: slices would keep alive what was rendered beside them, and take longer to read.
        own = Picture(*(np.ascontiguousarray(layer) for layer in vars(picture).values()))
        lamp = np.asarray(view.lights[0].direction, np.float64)
        return HandView(
            own, view.camera, view.pose, self.hands, lamp, self.background, self.tone, self.meta
        )
