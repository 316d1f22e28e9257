"""The hands that the losses of 004 are compared on, kept in a file so that a run can go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import count, repeat
from pathlib import Path
from typing import Final

import torch
from tqdm import tqdm

from hand_recon_ros import manifest
from hand_recon_ros.training.batch import CROP_SIZE, CropBatch, concatenate
from hand_recon_ros.training.cpm_task import half_size
from hand_recon_ros.training.data import DataConfig, view_batches
from hand_recon_ros.training.replay import next_views
from hand_recon_ros.training.trainer import DAMAGES, TrainingError, replace_saved
from hand_recon_ros.training.view_set import ViewSet
from hand_recon_ros.training.views import RenderedViews, ViewRing

HANDS_FILE: Final = "lone_hands.pt"
_AT_ONCE: Final = 400
"""Views that are rendered before their hands are taken."""
_GROUNDS: Final = 200
"""Backgrounds of so many views."""


@contextmanager
def views_to_come(config: DataConfig, file: Path | None) -> Iterator[Iterator[ViewSet]]:
    """Endless rendered views, some at a time.

    Args:
        config: seed, producers, and what is rendered.
        file: of views that are shown again and again where there are no producers.

    Raises:
        ProducerError: nothing can be rendered (while iterating, too).
        PictureFileError: the file is missing or damaged.
        ValueError: there is neither a producer nor a file.
    """
    if config.producers < 0:
        if file is None:
            raise ValueError("no producers and no file of views: nothing would be rendered")
        yield repeat(ViewSet.load(file))
        return
    source = RenderedViews(config.synthesis, config.seed)
    with ViewRing(source, _AT_ONCE, config.workers) as ring:
        yield (next_views(ring, _AT_ONCE) for _ in count())


def lone_hands(
    views: Iterator[ViewSet], config: DataConfig, number: int, *, half: bool
) -> CropBatch:
    """Hands of scenes with one hand, in the standard framing: what 004's pictures show.

    Args:
        views: where they come from; endless.
        config: batch size, seed, and where backgrounds come from.
        number: of hands; those of views that come again get another background.
        half: show windows of half the side, which is four times quicker.

    Raises:
        TrainingError: some views show none, or they come to an end.
    """
    found: list[CropBatch] = []
    missing = number
    with tqdm(total=number, desc="hands", unit="hand") as bar:
        for turn, some in enumerate(views):
            alone = some.labels["hands"] == 1
            if not alone.any():
                raise TrainingError(f"none of {len(some)} rendered views shows a hand alone")
            some = ViewSet(some.pixels[alone], some.labels[alone], some.size)
            fixed = replace(config, seed=config.seed + turn, grounds=min(config.grounds, _GROUNDS))
            for batch in view_batches(some, fixed, "cpu"):
                good = (batch.presence > 0.5) & batch.has_3d
                part = part_of(batch, good.nonzero()[:missing, 0])
                found.append(half_size(part) if half else part)
                missing -= len(part)
                bar.update(len(part))
                if not missing:
                    return concatenate(found)
    raise TrainingError(f"the views came to an end: {missing} of {number} hands are missing")


def save_hands(hands: CropBatch, path: Path) -> None:
    """Write hands to a file, their pictures in 8 bits."""
    tensors = {f.name: getattr(hands, f.name) for f in fields(hands)}
    pixels = (hands.image * 255).round().to(torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_saved({**tensors, "image": pixels}, path)


def load_hands(path: Path, number: int, *, half: bool) -> CropBatch:
    """Read them back.

    Raises:
        TrainingError: the file is damaged, or other hands are wanted.
    """
    side = CROP_SIZE // 2 if half else CROP_SIZE
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        hands = CropBatch(**{**tensors, "image": tensors["image"].float() / 255})
    except DAMAGES as error:
        raise TrainingError(f"'{path}' is damaged ({error}): delete it") from error
    if len(hands) != number or hands.image.shape[-1] != side:
        raise TrainingError(
            f"'{path}' holds {len(hands)} hands of {hands.image.shape[-1]} px, wanted are {number} "
            f"of {side} px: use another folder, or delete it"
        )
    return hands


def digest(hands: CropBatch) -> str:
    """Tells these hands from others."""
    content = [values.cpu().numpy().tobytes() for values in (hands.joints_m, hands.image)]
    return manifest.digest(b"".join(content))[:16]


def part_of(batch: CropBatch, rows: torch.Tensor | slice) -> CropBatch:
    """Some hands of a batch."""
    return CropBatch(**{name: value[rows] for name, value in vars(batch).items()})
