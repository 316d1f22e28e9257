"""Single-shot hand detector whose boxes a region proposal head refines.

Sources: 000 section 3.2.1 (modified SSD, then RPN); Liu et al., "SSD", 2016; Ren et al., "Faster
R-CNN", 2015, section 3.1 (sliding 3x3 convolution, objectness and deltas of the boxes of a place);
facts A4.2. 000 leaves the backbone and how the two heads meet open: here the RPN's boxes at a place
are the SSD's boxes of that place, and what the SSD says of them is part of what its convolution
sees. Besides, the RPN tells where the hand points to, which the key point crop needs for its roll.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from hand_recon_ros.detection.anchors import PRIORS_A_CELL, centred, decode, make_priors
from hand_recon_ros.detection.ssd_rpn import STRIDE_PX
from hand_recon_ros.networks.blocks import ConvNorm, Residual

CLASSES: Final = 3
"""Background, left, right (``SIDES`` from 1)."""
_WIDTHS: Final = (16, 24, 48, 96, 128, 96)
_SHARED: Final = 64
"""Channels of the maps that the heads see."""
_RARE: Final = 4.0
"""Logit by which heads prefer "no hand" at first: nearly all priors show none."""


class SsdRpnOutput(NamedTuple):
    """What the network says of N pictures with P priors; boxes are x0, y0, x1, y1 in input px.

    Attributes:
        priors: (P, 4) cx, cy, w, h px.
        class_logits: (N, P, 3) background, left, right.
        ssd_deltas: (N, P, 4) relative to the priors.
        ssd_boxes: (N, P, 4).
        objectness: (N, P) logit that the RPN's box fits a hand.
        rpn_deltas: (N, P, 4) relative to the SSD's boxes.
        boxes: (N, P, 4) of the RPN.
        directions: (N, P, 2) unit vectors in the image, wrist to middle MCP.
    """

    priors: Tensor
    class_logits: Tensor
    ssd_deltas: Tensor
    ssd_boxes: Tensor
    objectness: Tensor
    rpn_deltas: Tensor
    boxes: Tensor
    directions: Tensor


class Proposals(NamedTuple):
    """What is needed to run the detector; see ``SsdRpnOutput``.

    Attributes:
        scores: (N, P, 2) probability of a left and of a right hand.
        ssd_boxes: (N, P, 4).
        objectness: (N, P) 0..1.
        boxes: (N, P, 4).
        directions: (N, P, 2).
    """

    scores: Tensor
    ssd_boxes: Tensor
    objectness: Tensor
    boxes: Tensor
    directions: Tensor


class SsdRpn(nn.Module):
    """See the module. Input (N, 3, H, W) float RGB 0..1, sides multiples of 32 px."""

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        half, quarter, eighth, fine, middle, coarse = _WIDTHS
        self.stem = nn.Sequential(
            ConvNorm(3, half, stride=2),
            ConvNorm(half, quarter, stride=2),
            ConvNorm(quarter, eighth, stride=2),
            _Bottleneck(eighth, eighth // 3),
        )
        self.fine = nn.Sequential(ConvNorm(eighth, fine, stride=2), _Bottleneck(fine, fine // 2))
        self.middle = nn.Sequential(ConvNorm(fine, middle, stride=2), Residual(middle, middle))
        self.coarse = nn.Sequential(
            ConvNorm(middle, coarse, stride=2), _Bottleneck(coarse, coarse // 2)
        )
        self.fine_in = ConvNorm(fine, _SHARED, 1, active=False)
        self.middle_in = ConvNorm(middle, _SHARED, 1, active=False)
        self.coarse_in = ConvNorm(coarse, _SHARED, 1)
        self.fine_out = nn.Sequential(nn.ReLU(), ConvNorm(_SHARED, _SHARED))
        self.middle_out = nn.Sequential(nn.ReLU(), ConvNorm(_SHARED, _SHARED))
        self.ssd = nn.ModuleList(_SsdHead() for _ in range(3))
        self.rpn = nn.ModuleList(_RpnHead() for _ in range(3))

    def forward(self, x: Tensor) -> SsdRpnOutput:
        """Find hands.

        Raises:
            ValueError: the sides are not multiples of 32 px.
        """
        if x.shape[2] % STRIDE_PX or x.shape[3] % STRIDE_PX:
            raise ValueError(
                f"input of {x.shape[3]} x {x.shape[2]} px: the detector needs multiples of "
                f"{STRIDE_PX} px (ssd_rpn.letterbox pads)"
            )
        maps = self._maps(x)
        priors = make_priors([(int(m.shape[2]), int(m.shape[3])) for m in maps], x.device)
        told = [head(m) for head, m in zip(self.ssd, maps, strict=True)]
        refined = [head(m, t.detach()) for head, m, t in zip(self.rpn, maps, told, strict=True)]
        ssd = torch.cat([_by_prior(t) for t in told], dim=1).float()
        rpn = torch.cat([_by_prior(t) for t in refined], dim=1).float()
        logits, ssd_deltas = ssd[..., :CLASSES], ssd[..., CLASSES:]
        ssd_boxes = decode(ssd_deltas, priors)
        rpn_deltas = rpn[..., 1:5]
        return SsdRpnOutput(
            priors=priors,
            class_logits=logits,
            ssd_deltas=ssd_deltas,
            ssd_boxes=ssd_boxes,
            objectness=rpn[..., 0],
            rpn_deltas=rpn_deltas,
            boxes=decode(rpn_deltas, centred(ssd_boxes.detach())),
            directions=normalize(rpn[..., 5:], dim=-1, eps=1e-4),
        )

    def _maps(self, x: Tensor) -> list[Tensor]:
        """Three maps (N, 64, ...) at strides 16, 32, 64; finer ones have seen the coarser."""
        fine = self.fine(self.stem(x - 0.5))
        middle = self.middle(fine)
        coarse = self.coarse_in(self.coarse(middle))
        middle = self.middle_out(self.middle_in(middle) + _grown(coarse, middle))
        fine = self.fine_out(self.fine_in(fine) + _grown(middle, fine))
        return [fine, middle, coarse]


class RunningSsdRpn(nn.Module):
    """What is exported and run: pictures to ``Proposals``."""

    def __init__(self, network: nn.Module) -> None:
        """Wrap a trained ``SsdRpn``."""
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Proposals:
        """(N, 3, H, W) float RGB 0..1 to proposals."""
        out = self.network(x)
        return Proposals(
            scores=torch.softmax(out.class_logits, dim=-1)[..., 1:],
            ssd_boxes=out.ssd_boxes,
            objectness=torch.sigmoid(out.objectness),
            boxes=out.boxes,
            directions=out.directions,
        )


class _Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 ones, beside a short cut."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ConvNorm(channels, inner, 1),
            ConvNorm(inner, inner),
            ConvNorm(inner, channels, 1, active=False),
        )
        self.active = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.active(x + self.body(x))
        return result


class _SsdHead(nn.Module):
    """Class logits and deltas of the priors of each cell."""

    def __init__(self) -> None:
        super().__init__()
        bias = torch.zeros(CLASSES + 4)
        bias[0] = _RARE
        self.out = _last(nn.Conv2d(_SHARED, PRIORS_A_CELL * (CLASSES + 4), 3, padding=1), bias)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(x)
        return result


class _RpnHead(nn.Module):
    """Objectness, deltas and direction of the SSD's boxes of each cell."""

    def __init__(self) -> None:
        super().__init__()
        told = PRIORS_A_CELL * (CLASSES + 4)
        self.slide = ConvNorm(_SHARED + told, _SHARED)
        bias = torch.zeros(7)
        bias[0], bias[6] = -_RARE, -0.1  # no hand; up in the picture
        self.out = _last(nn.Conv2d(_SHARED, PRIORS_A_CELL * 7, 1), bias)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        result: Tensor = self.out(self.slide(torch.cat([x, told], dim=1)))
        return result


def _last(layer: nn.Conv2d, bias: Tensor) -> nn.Conv2d:
    """A head's last layer, which says little at first but ``bias`` of each prior."""
    nn.init.normal_(layer.weight, std=0.01)
    layer.bias = nn.Parameter(bias.repeat(PRIORS_A_CELL))
    return layer


def _grown(small: Tensor, like: Tensor) -> Tensor:
    """``small`` at the size of the finer map."""
    return interpolate(small, size=like.shape[2:], mode="nearest")


def _by_prior(x: Tensor) -> Tensor:
    """(N, A * C, H, W) to (N, H * W * A, C), the order of ``make_priors``."""
    channels = x.shape[1] // PRIORS_A_CELL
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, channels)
