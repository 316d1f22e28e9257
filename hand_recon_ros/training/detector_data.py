"""Endless batches of frames for the detector, rendered and photographed ones mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import torch

from hand_recon_ros.detection.ssd_rpn import LONG_SIDE
from hand_recon_ros.training.detector_batch import DetectorBatch, joined

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
    rendered: Frames,
    others: Sequence[tuple[float, Frames]],
    *,
    batch: int,
    seed: int,
    refresh: Callable[[], None] | None = None,
) -> Iterator[DetectorBatch]:
    """Endless batches; all frames of a batch have one shape.

    Args:
        rendered: makes what the others leave of a batch.
        others: shares of the frames, 1 together at most, and what makes them.
        batch: frames of a batch.
        seed: of the choice.
        refresh: called before each batch, to take in new views.
    """
    rng = np.random.default_rng((seed, 707))
    shapes = list(SHAPES)
    ends = batch * np.cumsum([share for share, _ in others])
    makers = [*(frames for _, frames in others), rendered]
    while True:
        if refresh is not None:
            refresh()
        width, height = shapes[int(rng.choice(len(shapes), p=list(SHAPES.values())))]
        counts = np.diff([0, *(ends + rng.random()).astype(int), batch])
        yield joined(
            [
                frames(int(count), width, height, rng)
                for count, frames in zip(counts, makers, strict=True)
                if count > 0
            ]
        )


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
