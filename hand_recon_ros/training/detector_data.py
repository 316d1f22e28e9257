"""Endless batches of frames for the detector, rendered and photographed ones mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import torch

from hand_recon_ros.detection.ssd_rpn import LONG_SIDE
from hand_recon_ros.training.detector_batch import DetectorBatch, joined
from hand_recon_ros.training.frame_composer import FrameComposer
from hand_recon_ros.training.photo_frames import PhotoComposer
from hand_recon_ros.training.replay import Replay

SHAPES: Final = {
    (LONG_SIDE, 180): 0.45,
    (LONG_SIDE, 240): 0.25,
    (LONG_SIDE, LONG_SIDE): 0.15,
    (180, LONG_SIDE): 0.1,
    (240, LONG_SIDE): 0.05,
}
"""Width and height of frames, px, with their shares of batches: 16:9, 4:3, squares, upright."""

Frames = Callable[[int, int, int, np.random.Generator], DetectorBatch]
"""(count, width and height of the content in px, random numbers) -> a batch."""


def detector_batches(
    views: Replay,
    composer: FrameComposer,
    photos: PhotoComposer | None,
    *,
    batch: int,
    real_share: float,
    seed: int,
    refresh: Callable[[], None] | None = None,
) -> Iterator[DetectorBatch]:
    """Endless batches; all frames of a batch have one shape.

    Args:
        views: rendered views; they may be replaced meanwhile.
        composer: of rendered views.
        photos: of photographs; None = there are none.
        batch: frames of a batch.
        real_share: share of photographs.
        seed: of the choice.
        refresh: called before each batch, to take in new views.
    """
    rng = np.random.default_rng((seed, 707))
    shapes = list(SHAPES)
    share = real_share if photos is not None else 0.0
    while True:
        if refresh is not None:
            refresh()
        width, height = shapes[int(rng.choice(len(shapes), p=list(SHAPES.values())))]
        real = int(share * batch + rng.random())
        parts = []
        if real < batch:
            parts.append(composer.frames(views, batch - real, width, height, rng))
        if real and photos is not None:
            parts.append(photos.frames(real, width, height, rng))
        yield joined(parts)


def fixed_frames(frames: Frames, *, batch: int, number: int, seed: int) -> list[DetectorBatch]:
    """Always the same batches for examinations; shapes take turns.

    Args:
        frames: makes a batch: (count, width, height, random numbers).
        batch: frames of a batch.
        number: of batches.
        seed: of the choice.
    """
    rng = np.random.default_rng((seed, 808))
    shapes = list(SHAPES)
    with torch.random.fork_rng():  # sensor noise is torch's
        torch.manual_seed(seed)
        return [frames(batch, *shapes[k % len(shapes)], rng) for k in range(number)]
