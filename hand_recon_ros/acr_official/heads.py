"""What sits on the trunk: part segmentation, dense heads, attention to the parts of the hands.

Source: Yu et al., "ACR: Attention Collaboration-based Regressor for Arbitrary Two-Hand
Reconstruction", CVPR 2023, section 3. Attribute names are those of the published weights.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand_recon_ros.acr_official.hrnet import WIDTHS, BasicBlock

PARTS: Final = 16
"""Of a hand: its MANO joints."""
SEGMENTS: Final = 1 + 2 * PARTS
"""Background, the parts of the right hand, those of the left."""
POSE_SIZE: Final = 6
"""Numbers of a rotation."""
SHAPE_SIZE: Final = 10
_LOCATED: Final = WIDTHS[0] + 2
_INNER: Final = 64


class PartSegmentation(nn.Module):
    """Which part of which hand a pixel shows: (N, 32, H, W) to logits (N, 33, 2 H, 2 W)."""

    def __init__(self) -> None:
        """Build the layers; their nesting is the published weights'."""
        super().__init__()
        up = nn.Sequential(*_norm_conv(WIDTHS[0], 16), *_norm_conv(16, 64))
        classify = nn.Sequential(*_norm_conv(64, SEGMENTS), nn.Conv2d(SEGMENTS, SEGMENTS, 3, 1, 1))
        first = nn.ModuleDict({"conv": nn.ModuleDict({"double_conv": up})})
        self.segm_head = nn.ModuleDict(
            {
                "upsampler": nn.ModuleDict({"up1": first}),
                "segm_net": nn.ModuleDict({"double_conv": classify}),
            }
        )
        self._layers = (up, classify)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        up, classify = self._layers
        large = functional.interpolate(
            features, scale_factor=2, mode="bilinear", align_corners=True
        )
        logits: Tensor = classify(up(large))
        return logits


def located(features: Tensor) -> Tensor:
    """(N, C, H, W) with two more channels that tell the column and the row, -1..1."""
    count, _, height, width = features.shape
    column = _ramp(width, features).expand(count, 1, height, width)
    row = _ramp(height, features)[:, None].expand(count, 1, height, width)
    return torch.cat([features, column, row], dim=1)


def dense_head(outputs: int) -> nn.Sequential:
    """From located features (N, 34, H, W) to maps (N, outputs, H / 2, W / 2)."""
    return nn.Sequential(
        nn.Sequential(*_norm_conv(_LOCATED, _INNER, stride=2)),
        nn.Sequential(*(nn.Sequential(BasicBlock(_INNER)) for _ in range(2))),
        nn.Conv2d(_INNER, outputs, 1),
    )


def part_features(outputs: int) -> nn.Sequential:
    """From located features (N, 34, H, W) to what parts are judged by, (N, outputs, H, W)."""
    return nn.Sequential(*_norm_conv(_LOCATED, outputs))


def part_attention(logits: Tensor) -> Tensor:
    """(N, 33, 2 H, 2 W) to (N, 32, H W): where each part is looked at; sums to 1 over the pixels.

    In single precision at least: shared out over so many pixels, half precision would round the
    weights to nothing.
    """
    parts = logits[:, 1:, ::2, ::2].flatten(2)
    return parts.float().softmax(dim=-1)


def pooled(features: Tensor, attention: Tensor) -> Tensor:
    """(N, C, H, W) features to (N, C, 32), one vector a part: the mean under its attention."""
    seen = features.flatten(2).to(attention.dtype) @ attention.transpose(1, 2)
    return seen.to(features.dtype)


class PartPose(nn.Module):
    """A linear layer of its own for each part: (N, C, 16) to (N, 16, 6)."""

    def __init__(self, inputs: int) -> None:
        """Start from small random numbers."""
        super().__init__()
        scale = inputs**-0.5
        self.weight = nn.Parameter(scale * torch.randn(1, POSE_SIZE, inputs, PARTS, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        return torch.einsum("ocp,ncp->npo", self.weight[0, ..., 0, 0], features)


def _norm_conv(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    """A 3x3 convolution with bias, normalised, with ReLU."""
    return (
        nn.Conv2d(inputs, outputs, 3, stride, 1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _ramp(steps: int, like: Tensor) -> Tensor:
    return torch.linspace(-1.0, 1.0, steps, dtype=like.dtype, device=like.device)
