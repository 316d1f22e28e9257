"""Whether a trained key point network may run in 8 bits, and with which ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

from hand_recon_ros.keypoints.beliefs import read_beliefs
from hand_recon_ros.keypoints.network import Cpm
from hand_recon_ros.networks.int8 import activation_ranges, in_int8
from hand_recon_ros.training.batch import CropBatch
from hand_recon_ros.training.scores import pixel_errors

_MOST: Final = 1.03
"""Error in 8 bits over that in full precision beyond which 8 bits are not offered."""
_BATCHES: Final = 4
"""Of each exam: half of them give the ranges, the others judge."""


@torch.no_grad()
def int8_facts(network: Cpm, exams: Mapping[str, Sequence[CropBatch]]) -> dict[str, Any]:
    """Facts for the weights' file: ``int8_ranges`` (see ``networks.int8``) and what they cost.

    Empty where 8 bits cost too much or there is nothing to judge by.

    Args:
        network: in evaluation mode.
        exams: fixed batches.
    """
    chosen = [batch for batches in exams.values() for batch in batches[:_BATCHES]]
    ranges = activation_ranges(network, (batch.image for batch in chosen[::2]))
    judged = chosen[1::2]
    if not judged:
        return {}
    ranges = {name: (round(low, 5), round(high, 5)) for name, (low, high) in ranges.items()}
    full = _error_px(network, judged)
    coarse = _error_px(in_int8(network, ranges), judged)
    if not coarse <= _MOST * full:
        return {}
    return {
        "int8_ranges": ranges,
        "int8_cost": {"error_px": round(full, 3), "error_int8_px": round(coarse, 3)},
    }


def _error_px(network: torch.nn.Module, batches: Sequence[CropBatch]) -> float:
    errors = []
    for batch in batches:
        points, _ = read_beliefs(network(batch.image).beliefs[:, -1].float())
        known = batch.inside & (batch.presence > 0.5)[:, None]
        errors.append(pixel_errors(points, batch.points_px, known, batch.image.shape[-1]))
    return float(torch.cat(errors).mean())
