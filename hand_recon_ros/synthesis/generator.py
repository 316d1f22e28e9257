"""Makes labelled pictures: an endless, repeatable stream for training, or a fixed number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.io.closing import Closing
from hand_recon_ros.synthesis.augment import mirrored
from hand_recon_ros.synthesis.camera_effects import CameraEffects
from hand_recon_ros.synthesis.cast_shadow import with_cast_shadow
from hand_recon_ros.synthesis.labels import ProjectedHand, masks
from hand_recon_ros.synthesis.sample import Sample
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.synthesis.takes import Box, draw_take, straight_take
from hand_recon_ros.synthesis.views import VIEWS_AT_ONCE, HandView, ViewFactory, blocks_of

_MIRRORED_SHARE: Final = 0.5


def synthetic_samples(
    config: SynthesisConfig, seed: int, *, worker: int = 0, workers: int = 1
) -> Iterator[Sample]:
    """Endless labelled pictures for training, with no files.

    Args:
        config: what the pictures are made of.
        seed: the same seed gives the same labels.
        worker: 0 .. workers - 1, see ``views.synthetic_views``.
        workers: how many there are.

    Raises:
        RendererUnavailableError: there is no OpenGL.
        ValueError: there is no such worker.
    """
    with SampleFactory(config, seed) as factory:
        for block in blocks_of(worker, workers):
            yield from factory.block(block)


def take_samples(config: SynthesisConfig, seed: int, number: int) -> Iterator[Sample]:
    """The first ``number`` pictures of a seed."""
    return islice(synthetic_samples(config, seed), number)


def block_size(config: SynthesisConfig) -> int:
    """Pictures of a block: whole scenes, at least ``VIEWS_AT_ONCE`` renderings."""
    scenes = -(-VIEWS_AT_ONCE // config.views_per_scene)
    return scenes * config.views_per_scene * config.takes_per_view


class SampleFactory(Closing):
    """Makes pictures of rendered views; belongs to one thread.

    Args:
        config: what the pictures are made of.
        seed: see ``synthetic_samples``.
    """

    def __init__(self, config: SynthesisConfig, seed: int) -> None:
        """Prepare renderer and camera effects."""
        self._config = config
        self._seed = seed
        self._views = ViewFactory(config, seed)
        self._effects = CameraEffects(seed, config.grey_share)

    def close(self) -> None:
        """Free the renderer."""
        self._views.close()

    def prepare(self) -> None:
        """Make now what is else made when first needed, see ``ViewFactory.prepare``."""
        self._views.prepare()

    def block(self, number: int) -> Iterator[Sample]:
        """The pictures of one block, the same for the same number."""
        rng = np.random.default_rng((self._seed, 2, number))
        made: list[Sample] = []
        for view in self._views.block(number):
            hands, drawn = view.projected(), view.drawn()
            made += [
                self._taken(view, hands, drawn, k, rng) for k in range(self._config.takes_per_view)
            ]
        # Takes of one view must not follow each other in training.
        yield from (made[k] for k in rng.permutation(len(made)))

    def _taken(
        self,
        view: HandView,
        hands: tuple[ProjectedHand, ...],
        drawn: Box,
        number: int,
        rng: np.random.Generator,
    ) -> Sample:
        """A picture of a rendering; the first is straight and has the background of its light."""
        c = self._config
        if number:
            take = draw_take(view.camera, view.pose, c.size, rng)
            background = self._views.backgrounds.draw(c.size, rng)
        else:
            take = straight_take(view.camera, view.pose, c.size)
            background = view.background
        reach = take.reach(drawn)
        picture = take.cut(view.picture, reach)
        behind = with_cast_shadow(
            background.image,
            background.kind,
            picture.rgba[..., 3],
            take.pose[:3, :3] @ view.to_lamp,
            float(take.camera.K[0, 0]) / float(view.meta["distance_m"]),
            rng,
        )
        image = behind.copy() if behind is background.image else behind
        image[reach] = over(picture.rgba[reach], image[reach])
        grey = False
        if c.effects:
            image, grey = self._effects.apply(image, rng)
        instance, part = masks(picture)
        assert picture.depth_m is not None
        labels = tuple(hand.label(take, picture) for hand in hands)
        meta = {**view.meta, "background": background.kind, "take": number, "grey": grey}
        sample = Sample(image, take.camera, labels, instance, part, picture.depth_m, meta)
        return mirrored(sample) if number and rng.random() < _MIRRORED_SHARE else sample


def over(rgba: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Premultiplied RGBA (H, W, 4) over a picture (H, W, 3)."""
    if not rgba.size:
        return background
    rest = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(rgba, 3)), cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(background, rest, scale=1 / 255)
    return np.asarray(cv2.add(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), behind), dtype=np.uint8)
