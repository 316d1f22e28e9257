"""The network of 004: two stacked hourglasses, a residual network, and a perceptron to 63 numbers.

It is no stage of the chain; it is here to compare losses as 004's table 1 does (``loss_table``).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

from hand_recon_ros.keypoints.network import evened
from hand_recon_ros.networks.blocks import ConvNorm, Residual
from hand_recon_ros.skeleton import NUM_JOINTS

_STACKS: Final = 2
_LEVELS: Final = 3


class BaselineOutput(NamedTuple):
    """Maps (N, 2, 21, S/4, S/4) of both hourglasses, and joints (N, 21, 3), wrist at the origin."""

    beliefs: Tensor
    joints: Tensor


class HourglassBaseline(nn.Module):
    """See the module.

    Args:
        width: channels of the hourglasses.
        hidden: widths of the perceptron (004 figure 3 names none; facts: 1024 and 512).
        dropout: share that is left out at each of its layers.
    """

    def __init__(
        self, width: int = 64, hidden: tuple[int, int] = (1024, 512), dropout: float = 0.2
    ) -> None:
        """Build the layers."""
        super().__init__()
        self.stem = nn.Sequential(
            ConvNorm(3, width // 2, 7, stride=2), Residual(width // 2, width, 2)
        )
        self.glasses = nn.ModuleList(_Hourglass(width, _LEVELS) for _ in range(_STACKS))
        self.after = nn.ModuleList(ConvNorm(width, width, 1) for _ in range(_STACKS))
        self.maps = nn.ModuleList(nn.Conv2d(width, NUM_JOINTS, 1) for _ in range(_STACKS))
        self.back = nn.ModuleList(nn.Conv2d(width + NUM_JOINTS, width, 1) for _ in range(_STACKS))
        self.latent = nn.Sequential(
            Residual(width, 96, 2), Residual(96, 128, 2), Residual(128, 192, 2),
            nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        )  # fmt: skip
        layers: list[nn.Module] = []
        last = 192 * 4
        for size in hidden:
            layers += [nn.Linear(last, size), nn.BatchNorm1d(size), nn.ReLU(), nn.Dropout(dropout)]
            last = size
        self.perceptron = nn.Sequential(*layers, nn.Linear(last, 3 * NUM_JOINTS))

    def forward(self, crops: Tensor) -> BaselineOutput:
        """(N, 3, S, S) RGB 0..1."""
        x = self.stem(evened(crops))
        maps = []
        for glass, after, head, back in zip(
            self.glasses, self.after, self.maps, self.back, strict=True
        ):
            inner = after(glass(x))
            maps.append(head(inner))
            x = x + back(torch.cat([inner, maps[-1]], 1))
        # In mixed precision, a difference of rounded joints would be off by a millimetre.
        joints = self.perceptron(self.latent(x)).float().unflatten(1, (NUM_JOINTS, 3))
        return BaselineOutput(torch.stack(maps, 1), joints - joints[:, :1])


class _Hourglass(nn.Module):
    """Down to a few cells and up again, with a short cut on every level (Newell et al., 2016)."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.beside = Residual(width, width)
        self.down = Residual(width, width)
        self.inner: nn.Module = (
            _Hourglass(width, levels - 1) if levels > 1 else Residual(width, width)
        )
        self.up = Residual(width, width)

    def forward(self, x: Tensor) -> Tensor:
        low = self.up(self.inner(self.down(max_pool2d(x, 2))))
        result: Tensor = self.beside(x) + interpolate(low, scale_factor=2.0, mode="nearest")
        return result
