"""Priors of the detector: where they lie, how boxes are told relative to them, which hand is whose.

Source: Liu et al., "SSD: Single shot multibox detector", 2016, section 2.2, which 000 section 3.2.1
names; facts A4.2. Boxes are (x0, y0, x1, y1) in px of the network's input, priors (cx, cy, w, h);
whole numbers are pixel centres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor


@dataclass(frozen=True)
class Level:
    """A feature map: its stride and the sides (root of the area) of its priors, input px."""

    stride: int
    sides: tuple[float, ...]


LEVELS: Final = (Level(16, (32.0, 54.0)), Level(32, (90.0, 140.0)), Level(64, (205.0, 280.0)))
"""For inputs of 320 px: hands of 8 % to 95 % of the long side. Neighbours differ by at most 1.7, so
that some prior of a centred square hand always has an IoU of 0.6."""
RATIOS: Final = (1.0, 1.4, 1 / 1.4)
"""Width over height: fists and open hands are square, single fingers and edges of hands longer."""
PRIORS_A_CELL: Final = len(LEVELS[0].sides) * len(RATIOS)

CENTRE_VARIANCE: Final = 0.1
SIZE_VARIANCE: Final = 0.2
MATCH_IOU: Final = 0.5
BACKGROUND: Final = -1
_LARGEST_DELTA: Final = math.log(8.0) / SIZE_VARIANCE
"""Keeps sizes of untrained networks finite: eight times the prior."""


def make_priors(shapes: Sequence[tuple[int, int]], device: torch.device | str = "cpu") -> Tensor:
    """(P, 4) cx, cy, w, h px: level by level, row by row, column by column, side by side, ratio.

    They are made once for each size: a recorded CUDA graph must not copy from the host.

    Args:
        shapes: (rows, columns) of the feature map of each level.
        device: where they shall lie.
    """
    with torch.inference_mode(False):  # those made while running serve in training, too
        return _priors(tuple(shapes), torch.device(device))


@lru_cache(maxsize=64)
def _priors(shapes: tuple[tuple[int, int], ...], device: torch.device) -> Tensor:
    levels = []
    for level, (rows, columns) in zip(LEVELS, shapes, strict=True):
        shape = [
            (side * math.sqrt(ratio), side / math.sqrt(ratio))
            for side in level.sides
            for ratio in RATIOS
        ]
        sizes = torch.tensor(shape, device=device)
        y = (torch.arange(rows, device=device) + 0.5) * level.stride - 0.5
        x = (torch.arange(columns, device=device) + 0.5) * level.stride - 0.5
        centres = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 1, 2)
        cells = torch.cat(
            [centres.expand(-1, len(shape), 2), sizes.expand(centres.shape[0], -1, 2)], dim=-1
        )
        levels.append(cells.reshape(-1, 4))
    return torch.cat(levels)


def corners(centred: Tensor) -> Tensor:
    """(..., 4) cx, cy, w, h to x0, y0, x1, y1."""
    half = centred[..., 2:] / 2
    return torch.cat([centred[..., :2] - half, centred[..., :2] + half], dim=-1)


def centred(boxes: Tensor) -> Tensor:
    """(..., 4) x0, y0, x1, y1 to cx, cy, w, h."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def encode(boxes: Tensor, priors: Tensor) -> Tensor:
    """(..., 4) what a head must say so that ``decode`` gives the boxes."""
    box = centred(boxes)
    shift = (box[..., :2] - priors[..., :2]) / priors[..., 2:] / CENTRE_VARIANCE
    growth = torch.log((box[..., 2:] / priors[..., 2:]).clamp(min=1e-3)) / SIZE_VARIANCE
    return torch.cat([shift, growth], dim=-1)


def decode(deltas: Tensor, priors: Tensor) -> Tensor:
    """(..., 4) boxes of a head's deltas relative to the priors."""
    centre = priors[..., :2] + CENTRE_VARIANCE * deltas[..., :2] * priors[..., 2:]
    growth = SIZE_VARIANCE * deltas[..., 2:].clamp(-_LARGEST_DELTA, _LARGEST_DELTA)
    return corners(torch.cat([centre, priors[..., 2:] * torch.exp(growth)], dim=-1))


def iou(first: Tensor, second: Tensor) -> Tensor:
    """(..., A, B) intersection over union of boxes (..., A, 4) with boxes (..., B, 4)."""
    a, b = first[..., :, None, :], second[..., None, :, :]
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    area_a = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(dim=-1)
    area_b = (b[..., 2:] - b[..., :2]).clamp(min=0).prod(dim=-1)
    return shared / (area_a + area_b - shared).clamp(min=1e-9)


def match(overlaps: Tensor, valid: Tensor, threshold: float = MATCH_IOU) -> Tensor:
    """(N, P) which hand each prior is responsible for, or ``BACKGROUND``.

    A prior takes the hand that it overlaps most where that is at least ``threshold``; besides, each
    hand gets the prior that overlaps it most, whatever the overlap (where hands share that prior,
    the later one keeps it).

    Args:
        overlaps: (N, P, M) IoU of the priors with the hands.
        valid: (N, M) bool: the hand is one; False = padding.
        threshold: least IoU.
    """
    seen = torch.where(valid[:, None, :], overlaps, -1.0)
    best, hand = seen.max(dim=2)
    result = torch.where(best >= threshold, hand, BACKGROUND)
    strongest, prior = seen.max(dim=1)
    for m in range(seen.shape[2]):
        own = valid[:, m] & (strongest[:, m] > 0)
        place = prior[:, m : m + 1]
        kept = torch.gather(result, 1, place)
        result = result.scatter(1, place, torch.where(own[:, None], m, kept))
    return result
