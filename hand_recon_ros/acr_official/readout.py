"""From dense maps to hands: centres, parameters there, what one hand adds to the other.

Facts: the published network tells of one left and one right hand at most. ``Reader`` runs on the
device of the network, so that a few hundred numbers come back instead of its maps; what needs
judgement is done on these, in ``hands_of``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hand_recon_ros.acr_official.network import (
    CAMERA_SIZE,
    POSE_AND_SHAPE,
    AcrMaps,
    HandMaps,
    OfficialAcr,
)
from hand_recon_ros.rotations import log_so3, matrix_from_columns
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Array

CENTRE_THRESHOLD: Final = 0.35
"""A centre counts above it (the published default)."""
COLLABORATION_REACH: Final = 32.0
"""Hands whose centres are farther apart, map pixels, do not heed each other."""
_POSE: Final = slice(CAMERA_SIZE, CAMERA_SIZE + 6 * 16)
_BETAS: Final = slice(CAMERA_SIZE + 6 * 16, CAMERA_SIZE + POSE_AND_SHAPE)


class Readings(NamedTuple):
    """What the maps say at the centres; left hand first.

    Attributes:
        scores: (N, 2) of the centres.
        centres: (N, 2, 2) x, y on the maps.
        parameters: (N, 2, 109) of each hand at its own centre.
        priors: (N, 2, 106) what each gains if the other hand is there: its prior at the other's
            centre.
    """

    scores: Any
    centres: Any
    parameters: Any
    priors: Any


def read_maps(left: HandMaps, right: HandMaps) -> Readings:
    """The readings as tensors.

    Of the maxima of a centre map only the highest counts. It needs no search for the others: the
    best of those that survive 5 x 5 non-maximum suppression is the best of all pixels.
    """
    hands = (left, right)
    peaks = [hand.centre.flatten(1).max(dim=1) for hand in hands]
    width = left.centre.shape[-1]
    places = [indices for _, indices in peaks]
    return Readings(
        torch.stack([values for values, _ in peaks], 1),
        torch.stack([torch.stack([p % width, p // width], -1) for p in places], 1),
        torch.stack([_at(h.parameters, p) for h, p in zip(hands, places, strict=True)], 1),
        torch.stack([_at(h.prior, p) for h, p in zip(hands, places[::-1], strict=True)], 1),
    )


class Reader(nn.Module):
    """The network with its readings: pictures (N, 512, 512, 3) to ``Readings``."""

    def __init__(self, network: OfficialAcr) -> None:
        """Wrap it."""
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Readings:
        """See the class."""
        maps: AcrMaps = self.network(pictures)
        return read_maps(maps.left, maps.right)


@dataclass(frozen=True, slots=True, eq=False)
class HandReading:
    """One hand as the network tells of it.

    Attributes:
        side: which.
        score: of its centre.
        centre: (2,) x, y on the map.
        parameters: (109,) camera, 16 rotations of 6, 10 betas.
    """

    side: Side
    score: float
    centre: Array
    parameters: Array

    @property
    def camera(self) -> Array:
        """(3,) s, tx, ty: s (X, Y) + (tx, ty) lies in -1..1 on the picture."""
        return self.parameters[:CAMERA_SIZE]

    @property
    def poses(self) -> Array:
        """(48,) axis-angle vectors of MANO's joints, global first, rad; add the mean pose."""
        return log_so3(rotations_of(self.parameters[_POSE].reshape(16, 6))).reshape(48)

    @property
    def betas(self) -> Array:
        """(10,) shape."""
        return self.parameters[_BETAS]


def hands_of(readings: Readings, threshold: float = CENTRE_THRESHOLD) -> list[HandReading]:
    """The hands of one picture.

    Args:
        readings: arrays of a batch of one.
        threshold: least score of a centre, itself not enough.
    """
    scores, centres, parameters, priors = (np.asarray(a[0], np.float64) for a in readings)
    seen = scores > threshold
    if seen.all() and np.linalg.norm(centres[0] - centres[1]) <= COLLABORATION_REACH:
        parameters = parameters.copy()
        parameters[:, CAMERA_SIZE:] += priors
    return [
        HandReading(
            side=side,
            score=float(scores[i]),
            centre=centres[i],
            parameters=parameters[i],
        )
        for i, side in enumerate(SIDES)
        if seen[i] and np.isfinite(parameters[i]).all()
    ]


def rotations_of(numbers: Array) -> Array:
    """Rotation matrices (..., 3, 3) of six numbers each, their first two columns interleaved."""
    return matrix_from_columns(np.concatenate([numbers[..., 0::2], numbers[..., 1::2]], axis=-1))


def _at(map_: Tensor, place: Tensor) -> Tensor:
    """(N, C) what (N, C, H, W) holds at a flat index (N,)."""
    flat = map_.flatten(2)
    index = place[:, None, None].expand(-1, flat.shape[1], 1)
    return flat.gather(2, index)[..., 0]
