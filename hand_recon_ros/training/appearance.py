"""What cameras do to a picture, on batches of crops and any device; labels stay as they are.

Random numbers come from a numpy generator on the host, a few for each crop, so that every device
does the same. Effects that cost time touch only their share of a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.synthesis.camera_effects import motion_kernel

_LUMA: Final = np.array([0.299, 0.587, 0.114])
_KERNEL: Final = 9
_KERNELS: Final = 400
_NOISE_ROWS: Final = 1024
_BLOCK: Final = 8
_QUANTA: Final = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""Steps of luminance at quality 50: ITU-T T.81, table K.1."""
GREY_NOISE: Final = 0.5
"""Share of the noise that is of luminance only: cameras' own filters leave that, and grey ones have
no other."""
_LEAST_LIGHT: Final = 0.3


@dataclass(frozen=True)
class Strength:
    """How strong appearance varies; shares are of the crops of a batch.

    Attributes:
        grey_share: without colour.
        blur_share: out of focus, moved, or sharpened.
        coarse_share: seen at half the resolution.
        noise_share: with sensor noise.
        block_share: with the blocks of JPEG.
        tone: factor on the spread of exposure, colours and curves.
        dim_share: in little light.
    """

    grey_share: float = 0.12
    blur_share: float = 0.3
    coarse_share: float = 0.12
    noise_share: float = 0.8
    block_share: float = 0.25
    tone: float = 1.0
    dim_share: float = 0.15


NONE: Final = Strength(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Leaves pictures as they are."""


class Appearance:
    """Draws and applies camera effects.

    Args:
        device: of the batches.
        strength: of the effects.
    """

    def __init__(self, device: torch.device | str, strength: Strength | None = None) -> None:
        """Make noise and kernels once: crops get random windows of the noise."""
        self.strength = strength or Strength()
        self._device = torch.device(device)
        rng = np.random.default_rng(202)
        fine = torch.from_numpy(rng.normal(0, 1, (1, 1, _NOISE_ROWS, 128)).astype(np.float32))
        soft = F.avg_pool2d(F.pad(fine, (1, 1, 1, 1), mode="circular"), 3, stride=1)
        both = torch.cat([fine, soft / soft.std()])[:, 0]
        self._noise = both.to(self._device)
        self._kernels = self._tensor(np.stack([_kernel(rng) for _ in range(_KERNELS)]))
        basis = torch.tensor(_cosines(), dtype=torch.float32)
        self._cosines = basis.to(self._device)
        self._quanta = torch.tensor(_QUANTA / 255.0, dtype=torch.float32, device=self._device)

    def apply(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Pictures (N, 3, 128, 128), 0..1, as cameras give them; the given ones are overwritten."""
        n, s = len(image), self.strength
        self._soften(image, rng)
        gamma = np.exp(rng.normal(0, 0.2, n) * s.tone)
        image.clamp_(min=1e-4).pow_(self._tensor(gamma).view(n, 1, 1, 1))
        dim = some(s.dim_share, n, rng)
        if len(dim):  # before the noise, which does not get less with the light
            light = np.exp(rng.uniform(np.log(_LEAST_LIGHT), np.log(0.7), len(dim)))
            image[self._index(dim)] *= self._tensor(light).view(-1, 1, 1, 1)
        self._add_noise(image, rng)
        matrix, lift = self._colours(n, rng)
        mixed = torch.baddbmm(
            self._tensor(lift)[:, :, None], self._tensor(matrix), image.view(n, 3, -1)
        )
        image = mixed.view(image.shape)
        chosen = some(s.block_share, n, rng)
        if len(chosen):
            self._block(image, chosen, rng)
        return image.clamp_(0.0, 1.0)

    def _soften(self, image: Tensor, rng: np.random.Generator) -> None:
        n, s = len(image), self.strength
        coarse = some(s.coarse_share, n, rng)
        if len(coarse):
            at = self._index(coarse)
            small = F.avg_pool2d(image[at], 2)
            size = list(image.shape[2:])
            image[at] = F.interpolate(small, size, mode="bilinear", align_corners=False)
        blurred = some(s.blur_share, n, rng)
        if len(blurred):
            at = self._index(blurred)
            chosen = self._index(rng.integers(_KERNELS, size=len(blurred)))
            weight = self._kernels[chosen].repeat_interleave(3, 0)[:, None]
            edge = _KERNEL // 2
            padded = F.pad(image[at], (edge,) * 4, mode="replicate")
            done = F.conv2d(padded.reshape(1, -1, *padded.shape[2:]), weight, groups=len(weight))
            image[at] = done.view(len(at), *image.shape[1:])

    def _add_noise(self, image: Tensor, rng: np.random.Generator) -> None:
        n, _, height, width = image.shape
        noisy = rng.random(n) < self.strength.noise_share
        if not noisy.any():
            return
        sigma = np.where(noisy, noise_levels(n, rng), 0.0)
        # Windows of the rows that lie behind one another: three channels' worth of them.
        rows = 3 * height
        kinds, free = self._noise.shape[0], _NOISE_ROWS - rows
        windows = self._noise.as_strided(
            (kinds, free, 3, height, width), (_NOISE_ROWS * 128, 128, height * 128, 128, 1)
        )
        kind = self._index((rng.random(n) < 0.6).astype(np.int64))
        start = self._index(rng.integers(free, size=n))
        grey = torch.from_numpy(rng.random(n) < GREY_NOISE).to(self._device)
        noise = without_colour(windows[kind, start], grey)
        image.addcmul_(noise, self._tensor(sigma).view(n, 1, 1, 1))

    def _colours(
        self, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, 3, 3) and (N, 3): exposure, white balance, saturation, grey, contrast as one map."""
        s = self.strength
        exposure = np.exp(rng.normal(-0.04, 0.2, (n, 1)) * s.tone)
        balance = np.exp(rng.normal(0, 0.09, (n, 3)) * s.tone)
        saturation = np.exp(rng.normal(-0.05, 0.3, n) * s.tone)
        saturation[some(s.grey_share, n, rng)] = 0.0
        contrast = np.exp(rng.normal(0, 0.18, n) * s.tone)
        mixing = saturation[:, None, None] * np.eye(3) + (1 - saturation)[:, None, None] * _LUMA
        matrix = contrast[:, None, None] * mixing * (exposure * balance)[:, None, :]
        shift = 0.45 * (1 - contrast) + rng.normal(0, 0.03, n) * s.tone
        return matrix, np.repeat(shift[:, None], 3, axis=1)

    def _block(self, image: Tensor, chosen: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Round the cosine transform of 8 x 8 blocks, as JPEG does; colours as luminance."""
        at = self._index(chosen)
        part = image[at]
        k, channels, height, width = part.shape
        blocks = part.reshape(k * channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
        blocks = blocks.transpose(2, 3)
        coarse = self._tensor(np.exp(rng.uniform(np.log(0.3), np.log(2.2), k)))
        step = self._quanta * coarse.repeat_interleave(channels).view(-1, 1, 1, 1, 1)
        spectrum = self._cosines @ blocks @ self._cosines.T
        spectrum = torch.round(spectrum / step) * step
        blocks = self._cosines.T @ spectrum @ self._cosines
        image[at] = blocks.transpose(2, 3).reshape(part.shape)

    def _tensor(self, values: NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)

    def _index(self, values: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(values).to(self._device)


def noise_levels(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Standard deviations of sensor noise, of a range of 0..1."""
    return np.minimum(rng.gamma(1.5, 1.4, n), 10.0) / 255.0


def without_colour(noise: Tensor, chosen: Tensor) -> Tensor:
    """Noise (N, 3, H, W) with that of the first channel in all channels where ``chosen`` (N,)."""
    return torch.where(chosen.view(-1, 1, 1, 1), noise[:, :1], noise)


def some(share: float, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """About ``share`` of the numbers below n, drawn without repetition."""
    return rng.permutation(n)[: int(share * n + rng.random())]


def _kernel(rng: np.random.Generator) -> NDArray[np.float64]:
    """(9, 9): out of focus, moved, or sharpened as phones do."""
    kind = rng.random()
    if kind < 0.35:
        stroke = motion_kernel(rng.uniform(2.0, _KERNEL - 2.0), rng.uniform(0, np.pi))
        kernel = np.zeros((_KERNEL, _KERNEL))
        rest = (_KERNEL - len(stroke)) // 2
        kernel[rest : rest + len(stroke), rest : rest + len(stroke)] = stroke
        return kernel
    sharp = kind > 0.85
    sigma = 1.2 if sharp else rng.uniform(0.4, 1.9)
    line = np.exp(-0.5 * (np.arange(_KERNEL) - _KERNEL // 2) ** 2 / sigma**2)
    kernel = np.outer(line, line) / line.sum() ** 2
    if sharp:
        gain = rng.uniform(0.3, 1.0)
        kernel *= -gain
        kernel[_KERNEL // 2, _KERNEL // 2] += 1 + gain
    return kernel


def _cosines() -> NDArray[np.float64]:
    """(8, 8) orthonormal cosine transform."""
    k, x = np.mgrid[:_BLOCK, :_BLOCK]
    basis = np.cos((2 * x + 1) * k * np.pi / (2 * _BLOCK)) * np.sqrt(2 / _BLOCK)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis)
