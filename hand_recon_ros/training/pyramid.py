"""Pictures at full, half and quarter size in one row of pixels: what crops are sampled from.

A crop that shows a picture smaller than it is takes a coarser level, so that nothing is skipped
(Williams, "Pyramidal Parametrics", 1983). A pixel is four bytes, read as one 32-bit number.
Producers use this module, too, and have no need of torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

LEVELS: Final = 3


def texels(size: int) -> int:
    """Pixels of all levels of a square picture.

    Raises:
        ValueError: the size cannot be halved twice.
    """
    if size < 8 or size % 2 ** (LEVELS - 1):
        raise ValueError(f"size {size} px must be a multiple of {2 ** (LEVELS - 1)}, at least 8")
    return sum((size >> level) ** 2 for level in range(LEVELS))


def pyramid(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(T, 4) all levels of a square picture (S, S, 4), finest first."""
    size = rgba.shape[0]
    levels = np.empty((texels(size), 4), np.uint8)
    at = 0
    for level in range(LEVELS):
        side = size >> level
        small = rgba if level == 0 else cv2.resize(rgba, (side, side), interpolation=cv2.INTER_AREA)
        levels[at : at + side * side] = small.reshape(-1, 4)
        at += side * side
    return levels


def level_of(step: NDArray[np.float64]) -> NDArray[np.int64]:
    """The level to sample where neighbouring samples lie ``step`` px of the picture apart."""
    wanted = np.round(np.log2(np.maximum(step, 1e-6)))
    return np.clip(wanted, 0, LEVELS - 1).astype(np.int64)


def level_of_similarity(to_picture: NDArray[np.float64]) -> NDArray[np.int64]:
    """The level to sample through similarities (N, 3, 3) to px of the picture."""
    return level_of(np.sqrt(np.abs(np.linalg.det(to_picture[:, :2, :2]))))


def starts(size: int) -> list[int]:
    """Where each level of a pyramid begins."""
    return [sum((size >> k) ** 2 for k in range(level)) for level in range(LEVELS)]


def sampled(
    pixels: Tensor,
    size: int,
    number: NDArray[np.int64],
    level: NDArray[np.int64],
    to_picture: NDArray[np.float64],
    crop: int,
) -> Tensor:
    """Crops of N pictures through homographies, bilinear; beyond a picture its border goes on.

    A GPU does it with tensors, a CPU with OpenCV, which is five times quicker there; they agree
    to OpenCV's 1/32 px.

    Args:
        pixels: (n, T) int32, the pyramids.
        size: S, px.
        number: (N,) the picture of each crop.
        level: (N,) of its pyramid.
        to_picture: (N, 3, 3) crop px to px of the full picture.
        crop: side of the crops, px.

    Returns:
        (N, 4, crop, crop) float, 0..255.
    """
    half = 0.5 ** level[:, None]
    shrink = np.zeros((len(number), 3, 3))  # pixel centres: x' = (x + 0.5) half - 0.5
    shrink[:, [0, 1], [0, 1]] = half
    shrink[:, [0, 1], 2] = 0.5 * half - 0.5
    shrink[:, 2, 2] = 1.0
    to_level = shrink @ to_picture
    how = _sampled_by_opencv if pixels.device.type == "cpu" else _sampled_by_tensors
    return how(pixels, size, number, level, to_level, crop)


def _sampled_by_opencv(
    pixels: Tensor,
    size: int,
    number: NDArray[np.int64],
    level: NDArray[np.int64],
    to_level: NDArray[np.float64],
    crop: int,
) -> Tensor:
    import torch

    source = pixels.numpy().view(np.uint8).reshape(len(pixels), -1, 4)
    first = starts(size)
    planes = np.empty((len(number), 4, crop, crop), np.uint8)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for out, k, at, matrix in zip(planes, number, level, to_level, strict=True):
        side = size >> int(at)
        flat = source[k, first[at] : first[at] + side * side]
        picture = cv2.warpPerspective(
            flat.reshape(side, side, 4),
            matrix,
            (crop, crop),
            flags=flags,
            borderMode=cv2.BORDER_REPLICATE,
        )
        cv2.split(picture, list(out))
    return torch.from_numpy(planes).float()


def _sampled_by_tensors(
    pixels: Tensor,
    size: int,
    number: NDArray[np.int64],
    level: NDArray[np.int64],
    to_level: NDArray[np.float64],
    crop: int,
) -> Tensor:
    import torch

    device = pixels.device
    line = torch.arange(crop, device=device, dtype=torch.float32)
    y, x = torch.meshgrid(line, line, indexing="ij")
    places = torch.stack([x.reshape(-1), y.reshape(-1), torch.ones_like(x).reshape(-1)])
    moved = torch.from_numpy(to_level.astype(np.float32)).to(device) @ places
    width_of = size >> level
    base_of = number * pixels.shape[1] + np.array(starts(size))[level]
    width = torch.from_numpy(width_of).to(device)[:, None]
    base = torch.from_numpy(base_of).to(device)[:, None]
    last = (width - 1).float()
    u = torch.minimum((moved[:, 0] / moved[:, 2]).clamp(min=0.0), last)
    v = torch.minimum((moved[:, 1] / moved[:, 2]).clamp(min=0.0), last)
    left, top = u.long(), v.long()
    right, low = torch.minimum(left + 1, width - 1), torch.minimum(top + 1, width - 1)

    def tap(row: Tensor, column: Tensor) -> Tensor:
        return taken(pixels, base + row * width + column)

    across, down = u - left, v - top
    upper = torch.lerp(tap(top, left), tap(top, right), across)
    lower = torch.lerp(tap(low, left), tap(low, right), across)
    mixed = torch.lerp(upper, lower, down)
    return mixed.permute(1, 0, 2).reshape(len(number), 4, crop, crop)


def taken(pixels: Tensor, at: Tensor) -> Tensor:
    """Whole pixels: (4, ...) float, 0..255, of the flat places ``at`` (...)."""
    import torch

    packed = pixels.reshape(-1)[at]
    return torch.stack([((packed >> shift) & 255).float() for shift in (0, 8, 16, 24)])
