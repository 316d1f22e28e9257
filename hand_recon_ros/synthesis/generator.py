"""Makes labelled pictures: an endless, repeatable stream for training, or a fixed number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.rendering.gl.engine import Renderer
from hand_recon_ros.rendering.gl.scene import Instance, Material, Picture, View
from hand_recon_ros.skeleton import Side
from hand_recon_ros.synthesis.appearance import SkinLook, draw_skin, skin_detail
from hand_recon_ros.synthesis.augment import mirrored
from hand_recon_ros.synthesis.backgrounds import Background, Backgrounds
from hand_recon_ros.synthesis.body import SmoothHand
from hand_recon_ros.synthesis.camera_effects import CameraEffects
from hand_recon_ros.synthesis.cast_shadow import with_cast_shadow
from hand_recon_ros.synthesis.hands import HandSource
from hand_recon_ros.synthesis.labels import hand_label, masks
from hand_recon_ros.synthesis.lighting import draw_lights
from hand_recon_ros.synthesis.motion import recorded_angles
from hand_recon_ros.synthesis.placing import PlacedHand, Placer
from hand_recon_ros.synthesis.poses import GRASPS
from hand_recon_ros.synthesis.props import cloth_texture, held, occluder, worn
from hand_recon_ros.synthesis.sample import Sample
from hand_recon_ros.synthesis.second_mesh import second_model
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.synthesis.skin_maps import SkinMaps, skin_layout, skin_maps
from hand_recon_ros.synthesis.takes import draw_take, straight_take, widened
from hand_recon_ros.synthesis.viewing import draw_viewpoint
from hand_recon_ros.types import Array

_PEOPLE: Final = 64
"""Skins of a seed; light and camera make many looks of each."""
_PALMS: Final = 6
"""Patterns of creases that they share."""
_CLOTHS: Final = 24
_MIRRORED_SHARE: Final = 0.5
_VIEWS_AT_ONCE: Final = 12
"""Pictures that are rendered together: many small ones are quicker than one by one."""


def synthetic_samples(
    config: SynthesisConfig, seed: int, *, worker: int = 0, workers: int = 1
) -> Iterator[Sample]:
    """Endless labelled pictures for training, with no files.

    The stream is cut into blocks that depend on ``seed`` and their number only; worker w of n
    makes every n-th block, so that workers together give what one alone gives.

    Args:
        config: what the pictures are made of.
        seed: the same seed gives the same labels.
        worker: 0 .. workers - 1; each lives in its own process (as OpenGL asks for).
        workers: how many there are.

    Raises:
        RendererUnavailableError: there is no OpenGL.
    """
    if not 0 <= worker < workers:
        raise ValueError(f"worker {worker} is not within 0..{workers - 1}")
    with SampleFactory(config, seed) as factory:
        for block in count(worker, workers):
            yield from factory.block(block)


def take_samples(config: SynthesisConfig, seed: int, number: int) -> Iterator[Sample]:
    """The first ``number`` pictures of a seed."""
    return islice(synthetic_samples(config, seed), number)


def block_size(config: SynthesisConfig) -> int:
    """Pictures of a block: whole scenes, at least ``_VIEWS_AT_ONCE`` renderings."""
    scenes = -(-_VIEWS_AT_ONCE // config.views_per_scene)
    return scenes * config.views_per_scene * config.takes_per_view


class SampleFactory:
    """Holds the renderer and what is shared between pictures; belongs to one thread.

    Args:
        config: what the pictures are made of.
        seed: see ``synthetic_samples``.
    """

    def __init__(self, config: SynthesisConfig, seed: int) -> None:
        """Prepare the meshes; skins are painted when first needed."""
        self._config = config
        self._seed = seed
        self._renderer = Renderer(labels=True)
        recorded = recorded_angles(config.data_dir / "motion")
        first = load_hand_model("right")
        self._casts = [_Cast(first, recorded, config, seed, self._renderer)]
        other = second_model(config.second_mesh)
        if other is not None and config.second_mesh_share > 0:
            self._casts.append(_Cast(other, recorded, config, seed, self._renderer))
        self._backgrounds = Backgrounds(seed, config.data_dir / "photos" / "backgrounds")
        self._effects = CameraEffects(seed, config.grey_share)
        rng = np.random.default_rng((seed, 303))
        self._cloths = [self._renderer.texture(cloth_texture(rng)) for _ in range(_CLOTHS)]

    def __enter__(self) -> SampleFactory:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Free the renderer."""
        self._renderer.close()

    def block(self, number: int) -> Iterator[Sample]:
        """The pictures of one block, the same for the same number."""
        rng = np.random.default_rng((self._seed, 1, number))
        planned: list[_Planned] = []
        while len(planned) < _VIEWS_AT_ONCE:
            planned += self._scene(rng)
        pictures = self._renderer.render([plan.view for plan in planned])
        made = [
            self._taken(plan, picture, take, rng)
            for plan, picture in zip(planned, pictures, strict=True)
            for take in range(self._config.takes_per_view)
        ]
        # Takes of one view must not follow each other in training.
        yield from (made[k] for k in rng.permutation(len(made)))

    def _scene(self, rng: np.random.Generator) -> list[_Planned]:
        """Several views of one scene."""
        c = self._config
        kinds = list(c.scenes)
        shares = np.array(list(c.scenes.values())) / sum(c.scenes.values())
        kind = str(rng.choice(kinds, p=shares))
        share = c.second_mesh_share if len(self._casts) > 1 else 0.0
        cast = self._casts[int(rng.random() < share)]
        hands = cast.placer.draw(kind, rng)
        look, skin, detail = cast.skin(int(rng.integers(_PEOPLE)))
        shift = rng.uniform(0, 1, 3)
        coarse = bool(rng.random() < c.coarse_share)
        instances = [
            _hand_instance(hand, k + 1, cast, look, (skin, detail), shift, coarse, rng)
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
        point = draw_viewpoint(hands, c.size, c.cut_share, rng)
        background = self._backgrounds.draw(c.size, rng)
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
        return _Planned(view, hands, background, look.tone, told)

    def _taken(
        self, plan: _Planned, wide: Picture, number: int, rng: np.random.Generator
    ) -> Sample:
        """A picture of a rendering; the first is straight and has the background of its light."""
        c = self._config
        camera, pose = plan.view.camera, plan.view.pose
        if number:
            take = draw_take(wide, camera, pose, c.size, rng)
        else:
            take = straight_take(wide, camera, pose, c.size)
        background = self._backgrounds.draw(c.size, rng) if number else plan.background
        behind = with_cast_shadow(
            background.image,
            background.kind,
            take.picture.rgba[..., 3],
            take.pose[:3, :3] @ plan.view.lights[0].direction,
            float(take.camera.K[0, 0]) / float(plan.meta["distance_m"]),
            rng,
        )
        image = over(take.picture.rgba, behind)
        grey = False
        if c.effects:
            image, grey = self._effects.apply(image, rng)
        instance, part = masks(take.picture)
        hands = tuple(
            hand_label(hand, k + 1, take.camera, take.pose, take.picture, plan.tone)
            for k, hand in enumerate(plan.hands)
        )
        assert take.picture.depth_m is not None
        depth = np.where(take.picture.depth_m > 0, take.picture.depth_m, np.inf)
        meta = {**plan.meta, "background": background.kind, "take": number, "grey": grey}
        sample = Sample(image, take.camera, hands, instance, part, depth, meta)
        return mirrored(sample) if number and rng.random() < _MIRRORED_SHARE else sample


class _Cast:
    """What one hand model brings to the scenes: poses, meshes, skins."""

    def __init__(
        self,
        right: HandModelData,
        recorded: Array,
        config: SynthesisConfig,
        seed: int,
        renderer: Renderer,
    ) -> None:
        models: dict[Side, HandModelData] = {"right": right, "left": right.mirrored()}
        self.placer = Placer(HandSource(right, recorded, config.poses), models)
        self.bodies: dict[Side, SmoothHand] = {s: SmoothHand(m) for s, m in models.items()}
        self.coarse: dict[Side, SmoothHand] = {
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

        self.skin = lru_cache(maxsize=_PEOPLE)(painted)


def _hand_instance(
    placed: PlacedHand,
    number: int,
    cast: _Cast,
    look: SkinLook,
    textures: tuple[Any, Any],
    shift: Array,
    coarse: bool,
    rng: np.random.Generator,
) -> Instance:
    body = (cast.coarse if coarse else cast.bodies)[placed.side]
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


@dataclass(frozen=True)
class _Planned:
    """A view with what its labels need."""

    view: View
    hands: list[PlacedHand]
    background: Background
    tone: str
    meta: dict[str, str | int | float | bool]


def over(rgba: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Premultiplied RGBA (H, W, 4) over a picture (H, W, 3)."""
    rest = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(rgba, 3)), cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(background, rest, scale=1 / 255)
    return np.asarray(cv2.add(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), behind), dtype=np.uint8)
