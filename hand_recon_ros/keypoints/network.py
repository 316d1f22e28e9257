"""Convolutional pose machine: six stages of belief maps over shared image features.

Source: Wei et al., "Convolutional Pose Machines", 2016, sections 3.1-3.3; 000 section 3.2.2; facts
A4.1 (a light network of six stages). Instead of a deep VGG trunk, features come from a small
down-and-up trunk, whose coarse end sees the whole hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hand_recon_ros.networks.blocks import ConvNorm, Residual
from hand_recon_ros.skeleton import NUM_JOINTS

STAGES: Final = 6
_SPREAD: Final = 1.0
_LEAST_DEVIATION: Final = 0.04


@dataclass(frozen=True)
class CpmShape:
    """Widths of the network.

    Attributes:
        widths: channels of the trunk at 1/2, 1/4, 1/8 and 1/16 of the crop.
        features: channels of the features that the stages see, at 1/4 of the crop.
        stage: channels inside a stage.
    """

    widths: tuple[int, int, int, int] = (24, 48, 80, 128)
    features: int = 64
    stage: int = 32


class CpmOutput(NamedTuple):
    """What the network says of N crops of S x S px.

    Attributes:
        beliefs: (N, T, 21, S/4, S/4) of all T = 6 stages when training, else of the last only.
        features: (N, C, S/4, S/4).
        deep: (N, D, S/16, S/16) features of the whole hand.
        presence: (N,) logit that the crop shows a hand of the expected side.
    """

    beliefs: Tensor
    features: Tensor
    deep: Tensor
    presence: Tensor


class Cpm(nn.Module):
    """See the module. Crops show right hands: left ones are mirrored before."""

    def __init__(self, shape: CpmShape | None = None) -> None:
        """Build the layers."""
        super().__init__()
        self.shape = s = shape or CpmShape()
        half, quarter, eighth, deep = s.widths
        self.stem = ConvNorm(3, half, stride=2)
        self.fine = nn.Sequential(Residual(half, quarter, 2), Residual(quarter, quarter))
        self.middle = nn.Sequential(Residual(quarter, eighth, 2), Residual(eighth, eighth))
        self.coarse = nn.Sequential(
            Residual(eighth, deep, 2), Residual(deep, deep), Residual(deep, deep)
        )
        self.coarse_up = ConvNorm(deep, eighth, 1, active=False)
        self.middle_out = Residual(eighth, eighth)
        self.middle_up = ConvNorm(eighth, s.features, 1, active=False)
        self.fine_out = ConvNorm(quarter, s.features, 1, active=False)
        self.features = nn.Sequential(nn.ReLU(), ConvNorm(s.features, s.features))
        self.first = nn.Sequential(
            ConvNorm(s.features, s.features, 1), nn.Conv2d(s.features, NUM_JOINTS, 1)
        )
        self.later = nn.ModuleList(_Stage(s) for _ in range(STAGES - 1))
        self.presence = nn.Sequential(nn.Linear(deep, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, crops: Tensor) -> CpmOutput:
        """Run all stages.

        Args:
            crops: (N, 3, S, S) RGB, 0..1; S a multiple of 16.
        """
        fine = self.fine(self.stem(evened(crops)))
        middle = self.middle(fine)
        deep = self.coarse(middle)
        middle = self.middle_out(middle + _doubled(self.coarse_up(deep)))
        features = self.features(self.fine_out(fine) + _doubled(self.middle_up(middle)))
        beliefs = [self.first(features)]
        for stage in self.later:
            beliefs.append(stage(features, beliefs[-1]))
        presence = self.presence(deep.mean((2, 3)))[:, 0]
        told = torch.stack(beliefs, 1) if self.training else beliefs[-1][:, None]
        return CpmOutput(told, features, deep, presence)


class _Stage(nn.Module):
    """Corrects the maps of the stage before, seeing the image features too (CPM eq. 3)."""

    def __init__(self, shape: CpmShape) -> None:
        super().__init__()
        width = shape.stage
        self.enter = ConvNorm(shape.features + NUM_JOINTS, width, 1)
        # Spread taps let a stage see neighbouring joints, as the large kernels of the original do.
        self.body = nn.Sequential(ConvNorm(width, width, dilation=2), ConvNorm(width, width))
        self.leave = nn.Conv2d(width, NUM_JOINTS, 1)

    def forward(self, features: Tensor, beliefs: Tensor) -> Tensor:
        x = self.enter(torch.cat([features, beliefs], 1))
        result: Tensor = self.leave(x + self.body(x))
        return result


def evened(crops: Tensor) -> Tensor:
    """Each crop about zero, with one contrast (000 section 3.1.2; see ``augment.normalized``)."""
    centred = crops - crops.mean((2, 3), keepdim=True)
    deviation = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
    return centred * (_SPREAD / deviation.clamp(min=_LEAST_DEVIATION))


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="nearest")
