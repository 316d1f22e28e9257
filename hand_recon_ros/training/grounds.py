"""Banks of pictures to lay behind hands, on the device of the training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.detection.ssd_rpn import LONG_SIDE
from hand_recon_ros.synthesis.backgrounds import Backgrounds
from hand_recon_ros.training.batch import CROP_SIZE

_SIZE: Final = 192


class GroundBank:
    """Photographs, walls and painted clutter; every crop gets a random window of one.

    Args:
        device: where they are kept: each takes 110 kB.
        seed: of the choice.
        folders: of photographs without hands; none = walls and clutter only.
        number: of pictures.
    """

    def __init__(
        self, device: torch.device | str, seed: int, folders: Sequence[Path], number: int = 1000
    ) -> None:
        """Cut and paint them all."""
        rng = np.random.default_rng((seed, 505))
        bank = _bank(Backgrounds(seed, folders), (number, _SIZE), (0, 1, 2, 3), rng).to(device)
        free = _SIZE - CROP_SIZE + 1
        plane = _SIZE * _SIZE
        self._windows = bank.as_strided(
            (number, free, free, 3, CROP_SIZE, CROP_SIZE), (3 * plane, _SIZE, 1, plane, _SIZE, 1)
        )

    def draw(self, count: int, rng: np.random.Generator) -> Tensor:
        """(count, 3, 128, 128) float, 0..1 and a little above: tinted windows."""
        number, free = self._windows.shape[:2]
        at = [rng.integers(limit, size=count) for limit in (number, free, free)]
        device = self._windows.device
        place, row, column = (torch.from_numpy(k).to(device) for k in at)
        tint = rng.uniform(0.7, 1.2, (count, 1)) * rng.uniform(0.92, 1.08, (count, 3))
        gain = self._gain(tint).to(device)
        return self._windows[place, row, column].float().mul_(gain)

    def _gain(self, tint: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy((tint / 255.0).astype(np.float32))[:, :, None, None]


class FrameGrounds:
    """A bank of backgrounds as large as frames.

    Args:
        device: where they are kept: each takes 300 kB.
        seed: of the choice.
        folders: of photographs without hands; none = walls and clutter only.
        number: of pictures.
    """

    def __init__(
        self, device: torch.device | str, seed: int, folders: Sequence[Path], number: int
    ) -> None:
        """Cut and paint them all."""
        rng = np.random.default_rng((seed, 606))
        source = Backgrounds(seed, folders)
        # Frames show rooms: mostly upright.
        self._bank = _bank(source, (number, LONG_SIDE), (0, 0, 0, 1, 2, 3), rng).to(device)

    def draw(
        self,
        count: int,
        width: int,
        height: int,
        rng: np.random.Generator,
        plain_share: float = 0.0,
    ) -> Tensor:
        """(count, 3, height, width) float, 0..255: windows of random ones; some white or black."""
        number = torch.from_numpy(rng.integers(len(self._bank), size=count))
        left, top = rng.integers(LONG_SIDE - width + 1), rng.integers(LONG_SIDE - height + 1)
        device = self._bank.device
        image = self._bank[:, :, top : top + height, left : left + width][number.to(device)].float()
        if not plain_share:
            return image
        plain = np.flatnonzero(rng.random(count) < plain_share)
        shade = np.where(rng.random(len(plain)) < 0.6, rng.uniform(225, 256, len(plain)), 0.0)
        at = torch.from_numpy(plain).to(device)
        image[at] = torch.from_numpy(shade).to(image)[:, None, None, None]
        return image


def _bank(
    source: Backgrounds, size: tuple[int, int], quarters: Sequence[int], rng: np.random.Generator
) -> Tensor:
    """(number, 3, side, side) uint8 for a ``size`` of number and side, by random quarter turns."""
    number, side = size
    kept = np.empty((number, 3, side, side), np.uint8)
    for picture in kept:
        drawn = np.rot90(source.draw(side, rng).image, int(rng.choice(quarters)))
        picture[:] = drawn.transpose(2, 0, 1)
    return torch.from_numpy(kept)
