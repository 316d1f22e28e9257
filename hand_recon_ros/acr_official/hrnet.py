"""HRNet-W32: four resolutions side by side, joined again and again.

Source: Wang et al., "Deep High-Resolution Representation Learning for Visual Recognition", 2020,
section 3. Attribute names are those of the published weights: the state dict must match them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from hand_recon_ros.networks.blocks import ConvNorm

WIDTHS: Final = (32, 64, 128, 256)
"""Channels at 1/4, 1/8, 1/16 and 1/32 of the input's size."""
_STEM: Final = 64
_BLOCKS: Final = 4
_EXPANDED: Final = 256


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2016, figure 5 left)."""

    def __init__(self, channels: int) -> None:
        """Build the layers."""
        super().__init__()
        self.conv1 = _conv3(channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(x + self.bn2(self.conv2(inner)))


class Bottleneck(nn.Module):
    """Three convolutions, the middle one 3x3 and narrow (He et al. 2016, figure 5 right)."""

    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        """Build the layers; the short cut has weights only where the channels differ."""
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = _conv3(inner, inner)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Module = (
            nn.Identity() if inputs == outputs else ConvNorm(inputs, outputs, 1, active=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        inner = functional.relu(self.bn1(self.conv1(x)))
        inner = functional.relu(self.bn2(self.conv2(inner)))
        return functional.relu(self.downsample(x) + self.bn3(self.conv3(inner)))


class Exchange(nn.Module):
    """One module of a stage: blocks at each resolution, then every one hears of all others.

    Args:
        branches: number of resolutions.
        outputs: how many of them go on, from the highest.
    """

    def __init__(self, branches: int, outputs: int) -> None:
        """Build branches and the ways between them."""
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(_BLOCKS)))
            for width in WIDTHS[:branches]
        )
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_way(source, target) for source in range(branches))
            for target in range(outputs)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps of each resolution, the highest first, to the joined ones."""
        own = [branch(x) for branch, x in zip(self.branches, maps, strict=True)]
        return [self._joined(target, own) for target in range(len(self.fuse_layers))]

    def _joined(self, target: int, maps: Sequence[Tensor]) -> Tensor:
        """All maps at one resolution."""
        total = maps[target]
        for source, x in enumerate(maps):
            if source != target:
                way: nn.Module = self.fuse_layers[target][source]  # type: ignore[index]
                total = total + _enlarged(way(x), 2 ** max(source - target, 0))
        return functional.relu(total)


class HrNet(nn.Module):
    """The trunk: (N, 3, H, W) scaled to -1..1 to (N, 32, H / 4, W / 4)."""

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.conv1 = _conv3(3, _STEM, stride=2)
        self.bn1 = nn.BatchNorm2d(_STEM)
        self.conv2 = _conv3(_STEM, _STEM, stride=2)
        self.bn2 = nn.BatchNorm2d(_STEM)
        self.layer1 = nn.Sequential(
            *(Bottleneck(_EXPANDED if k else _STEM, _STEM, _EXPANDED) for k in range(_BLOCKS))
        )
        first = ConvNorm(_EXPANDED, WIDTHS[0])
        self.transition1 = nn.ModuleList([first, _lower(_EXPANDED, WIDTHS[1])])
        self.stage2 = nn.Sequential(Exchange(2, 2))
        self.transition2 = _one_more(2)
        self.stage3 = nn.Sequential(*(Exchange(3, 3) for _ in range(4)))
        self.transition3 = _one_more(3)
        self.stage4 = nn.Sequential(Exchange(4, 4), Exchange(4, 4), Exchange(4, 1))

    def features(self, x: Tensor) -> Tensor:
        """See the class."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer1(functional.relu(self.bn2(self.conv2(x))))
        maps = self.stage2([way(x) for way in self.transition1])
        for transition, stage in (
            (self.transition2, self.stage3),
            (self.transition3, self.stage4),
        ):
            maps = stage([*maps, transition[-1](maps[-1])])
        highest: Tensor = maps[0]
        return highest


def _conv3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)


def _lower(inputs: int, outputs: int) -> nn.Sequential:
    """To half the resolution."""
    return nn.Sequential(ConvNorm(inputs, outputs, stride=2))


def _one_more(branches: int) -> nn.ModuleList:
    """A further, lower resolution; the others pass through."""
    lower = _lower(WIDTHS[branches - 1], WIDTHS[branches])
    return nn.ModuleList([*(nn.Identity() for _ in range(branches)), lower])


def _way(source: int, target: int) -> nn.Module:
    """From one resolution to another, but for enlarging."""
    if source == target:
        return nn.Identity()
    if source > target:
        return ConvNorm(WIDTHS[source], WIDTHS[target], 1, active=False)
    width, steps = WIDTHS[source], target - source
    return nn.Sequential(
        *(ConvNorm(width, width, stride=2) for _ in range(steps - 1)),
        ConvNorm(width, WIDTHS[target], stride=2, active=False),
    )


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return x if factor == 1 else functional.interpolate(x, scale_factor=factor, mode="nearest")
