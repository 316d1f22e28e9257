"""Batches for training and validation: rendered hands and photographs, mixed by share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch

from hand_recon_ros.io.closing import Closing
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.batch import CropBatch, concatenate
from hand_recon_ros.training.compositor import PLAIN, Compositor, CompositorConfig
from hand_recon_ros.training.grounds import GroundBank
from hand_recon_ros.training.hand_labels import hands_of
from hand_recon_ros.training.photographs import HELD_OUT, Photographs
from hand_recon_ros.training.replay import Refill, Replay, fill
from hand_recon_ros.training.view_set import ViewSet
from hand_recon_ros.training.views import VIEW_SIZE, RenderedViews, ViewRing

WAITING: Final = 512
"""Views that may wait for the trainer while it validates or saves."""


@dataclass(frozen=True)
class DataConfig:
    """Where batches come from.

    Attributes:
        batch: crops in a batch.
        seed: of views, windows and appearance.
        real_share: share of photographs; 0 = none are read.
        producers: processes that render; 0 = one less than the cores, -1 = none: ``views`` only.
        slots: views that are kept and used again and again; each takes 0.34 MB.
        first_fill: views to wait for before the first batch.
        uses: crops that are made of a view on average; where rendering is slower, more.
        grounds: pictures behind the hands.
        views: file of views that were rendered before (``ViewSet.save``), to begin with, or for
            machines without OpenGL; missing = none.
        photos: file that ``photo_packing`` made.
        without: photo sources that are kept out of training.
        real_3d: train on the photographs' relative 3D, too.
        synthesis: what is rendered; its ``data_dir`` also gives the backgrounds.
        compositor: how crops vary.
    """

    batch: int = 64
    seed: int = 1
    real_share: float = 0.25
    producers: int = 0
    slots: int = 3000
    first_fill: int = 300
    uses: float = 5.0
    grounds: int = 1000
    views: Path | None = None
    photos: Path = Path("out/photographs.npz")
    without: tuple[str, ...] = HELD_OUT
    real_3d: bool = False
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    compositor: CompositorConfig = field(default_factory=CompositorConfig)

    @property
    def workers(self) -> int:
        """Processes that render, where any do."""
        return self.producers or max(1, (os.cpu_count() or 2) - 1)


class TrainingData(Closing):
    """An endless iterator of batches; use it in a ``with`` block, which ends the producers.

    Args:
        config: where they come from.
        device: where they lie.
    """

    def __init__(self, config: DataConfig, device: torch.device | str) -> None:
        """Start the producers and wait for the first views.

        Raises:
            ProducerError: there is no OpenGL, or another trouble with rendering.
            PictureFileError: a packed file is missing or damaged.
            ValueError: there is neither a producer nor a file of views.
        """
        self._config = config
        self._rng = np.random.default_rng((config.seed, 606))
        self._replay = Replay(config.slots, VIEW_SIZE, device)
        self._ring: ViewRing | None = None
        self._photos: Photographs | None = None
        self._refill: Refill | None = None
        if config.producers < 0 and config.views is None:
            raise ValueError("no producers and no file of views: nothing would be rendered")
        with ExitStack() as undo:
            if config.producers >= 0:
                source = RenderedViews(config.synthesis, config.seed)
                self._ring = undo.enter_context(ViewRing(source, WAITING, config.workers))
            if config.views is not None:
                self._replay.add(ViewSet.load(config.views))
            if config.real_share > 0:
                self._photos = Photographs.load(
                    config.photos, device, without=config.without, cut_outs=True
                )
            folders = config.synthesis.backgrounds_dirs
            bank = GroundBank(device, config.seed, folders, config.grounds)
            self._compositor = Compositor(bank, device, config.compositor)
            if self._ring is not None:
                fill(self._replay, self._ring, config.first_fill)
                self._refill = Refill(self._replay, self._ring, config.uses)
            undo.pop_all()

    @property
    def views(self) -> int:
        """Views rendered so far."""
        return self._ring.produced if self._ring is not None else self._replay.added

    @property
    def views_per_second(self) -> float:
        """Views rendered a second."""
        return self._ring.views_per_second if self._ring is not None else 0.0

    def __iter__(self) -> Iterator[CropBatch]:
        """Return self."""
        return self

    def __next__(self) -> CropBatch:
        """The next batch; rendered hands first.

        Raises:
            ProducerError: a producer died.
        """
        config, rng = self._config, self._rng
        real = int(config.real_share * config.batch + rng.random()) if self._photos else 0
        if self._refill is not None:
            self._refill.used(config.batch - real)
        parts = []
        if real < config.batch:
            slots = self._replay.draw(config.batch - real, rng)
            hands = hands_of(self._replay.labels, slots, config.batch - real)
            parts.append(self._compositor.crops(self._replay.pixels, VIEW_SIZE, hands, rng))
        if real and self._photos is not None:
            parts.append(_photo_crops(self._photos, self._compositor, config, real, rng))
        return concatenate(parts)

    def close(self) -> None:
        """End the producers; may be called again."""
        if self._ring is not None:
            self._ring.close()


def batches(config: DataConfig, device: torch.device | str) -> Iterator[CropBatch]:
    """Endless batches; producers end when the iterator is closed or forgotten.

    Raises:
        ProducerError: a producer died.
    """
    with TrainingData(config, device) as data:
        yield from data


def view_batches(
    views: ViewSet, config: DataConfig, device: torch.device | str, still: bool = True
) -> Iterator[CropBatch]:
    """Every hand of a fixed set once, the same each time: for validation.

    Args:
        views: what to show.
        config: batch size, seed, and where backgrounds come from.
        device: where batches lie.
        still: standard framing and plain appearance; else as in training.
    """
    rng = np.random.default_rng((config.seed, 707))
    store = Replay.of(views, device)
    folders = config.synthesis.backgrounds_dirs
    bank = GroundBank(device, config.seed + 1, folders, config.grounds)
    compositor = Compositor(bank, device, PLAIN if still else config.compositor)
    step = max(1, config.batch // 2)  # a view has up to two hands
    for first in range(0, len(views), step):
        slots = np.arange(first, min(first + step, len(views)))
        yield compositor.crops(store.pixels, store.size, hands_of(store.labels, slots), rng)


def photo_batches(
    photos: Photographs, config: DataConfig, device: torch.device | str
) -> Iterator[CropBatch]:
    """Every photographed hand once, in the standard framing: for validation."""
    rng = np.random.default_rng(0)
    compositor = Compositor(GroundBank(device, 0, (), 1), device, PLAIN)
    for first in range(0, len(photos), config.batch):
        hands = photos.hands(np.arange(first, min(first + config.batch, len(photos))))
        yield compositor.crops(photos.pixels, photos.size, hands, rng)


def _photo_crops(
    photos: Photographs,
    compositor: Compositor,
    config: DataConfig,
    count: int,
    rng: np.random.Generator,
) -> CropBatch:
    hands = photos.hands(photos.draw(count, rng), config.real_3d)
    numbers = np.flatnonzero(photos.cut_out)
    cut_outs = photos.hands(rng.choice(numbers, count)) if len(numbers) else None
    return compositor.crops(photos.pixels, photos.size, hands, rng, cut_outs)
