"""The key point network on windows: pixels in, points, beliefs and features out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.keypoints.crops import CROP_SIZE
from hand_recon_ros.networks.runtime import Network, compile_network
from hand_recon_ros.types import Array

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH: Final = 2
"""Windows that are read in one go: two hands."""
READ: Final = ("points", "peaks", "presence", "beliefs", "features", "deep")
_KEPT: Final = (3, 4, 5)


@dataclass(frozen=True, slots=True, eq=False)
class WindowReading:
    """What the network says of one window.

    Attributes:
        points_px: (21, 2) window px.
        peaks: (21,) height of each belief map, 0..1.
        presence: logit that the window shows a hand, upright, right after mirroring.
        beliefs: (21, H, H) for the regressor (array, or tensor on the GPU).
        features, deep: the same, (H, H, C) and (H/4, H/4, D): channels come last in the network,
            and stay so, since to put them first takes some hundredths of its time.
    """

    points_px: Array
    peaks: Array
    presence: float
    beliefs: Any
    features: Any
    deep: Any


WindowReader = Callable[[Sequence[NDArray[np.uint8]]], list[WindowReading]]
"""Takes (S, S, 3) uint8 windows, returns a reading of each."""


class WindowNetwork:
    """A ``WindowReader`` around a trained ``Cpm``.

    Args:
        cpm: the network, ready to run.
        device: "cpu" or "cuda".
        threads: of the CPU.
    """

    def __init__(self, cpm: nn.Module, device: str = "cpu", threads: int = 1) -> None:
        """Compile it for one window and for two."""
        module = readable(cpm)
        self._networks: dict[int, Network] = {
            count: compile_network(
                module,
                [np.zeros((count, CROP_SIZE, CROP_SIZE, 3), np.uint8)],
                device=device,
                threads=threads,
                keep=_KEPT,
            )
            for count in range(1, BATCH + 1)
        }

    def __call__(self, windows: Sequence[NDArray[np.uint8]]) -> list[WindowReading]:
        """Read windows, ``BATCH`` at a time."""
        found: list[WindowReading] = []
        for first in range(0, len(windows), BATCH):
            part = np.stack(windows[first : first + BATCH])
            told = dict(zip(READ, self._networks[len(part)](part), strict=True))
            found += [_reading(told, row) for row in range(len(part))]
        return found


class ReadWindows(NamedTuple):
    """Outputs of ``readable``, in the order of ``READ``."""

    points: Tensor
    peaks: Tensor
    presence: Tensor
    beliefs: Tensor
    features: Tensor
    deep: Tensor


def readable(cpm: nn.Module) -> nn.Module:
    """A ``Cpm`` that takes (N, S, S, 3) uint8 windows and reads its maps: gives ``ReadWindows``."""
    import torch
    from torch import nn

    from hand_recon_ros.keypoints.beliefs import read_beliefs

    class Readable(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cpm = cpm
            self.register_buffer("_white", torch.tensor(255.0))  # tells the precision to run in
            self._white: Tensor

        def forward(self, windows: Tensor) -> ReadWindows:
            image = windows.permute(0, 3, 1, 2).to(self._white.dtype) / self._white
            told = self.cpm(image)
            beliefs = told.beliefs[:, -1]
            points, peaks = read_beliefs(beliefs.float())
            last = (m.permute(0, 2, 3, 1).contiguous() for m in (told.features, told.deep))
            return ReadWindows(points, peaks, told.presence, beliefs, *last)

    return Readable()


def _reading(told: dict[str, Any], row: int) -> WindowReading:
    return WindowReading(
        points_px=np.asarray(told["points"][row], np.float64),
        peaks=np.asarray(told["peaks"][row], np.float64),
        presence=float(told["presence"][row]),
        beliefs=told["beliefs"][row],
        features=told["features"][row],
        deep=told["deep"][row],
    )
