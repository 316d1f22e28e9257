"""Hides parts of crops: behind things, and beyond the border of the camera's picture.

And tells which points lie behind what is laid over them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its usual name)
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.training.appearance import some
from hand_recon_ros.training.batch import CROP_MIDDLE, CROP_SIZE
from hand_recon_ros.training.grounds import GroundBank
from hand_recon_ros.types import Array

_OPAQUE: Final = 128.0
"""Opacity from which a point is hidden, of 255."""


def hidden_by(alpha: Tensor, which: NDArray[np.int64], points: Array) -> NDArray[np.bool_]:
    """(L, ...) which points pictures hide; points outside are as the border next to them.

    Args:
        alpha: (n, H, W) opacities of pictures, 0..255.
        which: (L,) of them lies over the points.
        points: (L, ..., 2) px.
    """
    height, width = alpha.shape[1:]
    x = np.clip(np.round(points[..., 0]), 0, width - 1).astype(np.int64)
    y = np.clip(np.round(points[..., 1]), 0, height - 1).astype(np.int64)
    first = which.reshape(-1, *[1] * (x.ndim - 1)) * (height * width)
    at = torch.from_numpy(first + y * width + x).to(alpha.device)
    return np.asarray(alpha.reshape(-1)[at].cpu().numpy() >= _OPAQUE)


def occlude(
    image: Tensor, points: Array, share: float, grounds: GroundBank, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Lay a rectangle or ellipse over some crops; (N, 21) which points it hides.

    Args:
        image: (N, 3, 128, 128), is changed.
        points: (N, 21, 2) px.
        share: of the crops.
        grounds: of which some of them show a part.
        rng: source of randomness.
    """
    n = len(image)
    hidden = np.zeros(points.shape[:2], bool)
    chosen = some(share, n, rng)
    k = len(chosen)
    if not k:
        return hidden
    turn = rng.uniform(0, np.pi, k)
    half = CROP_SIZE * rng.uniform(0.04, 0.2, (k, 2)) * np.array([1.0, 2.0])
    centre = points[chosen, rng.integers(21, size=k)] + rng.normal(0, 8, (k, 2))
    axes = np.stack(
        [np.column_stack([np.cos(turn), np.sin(turn)]),
         np.column_stack([-np.sin(turn), np.cos(turn)])], axis=1,
    )  # fmt: skip
    axes /= half[:, :, None]
    offset = np.einsum("kij,kj->ki", axes, centre)
    place = np.einsum("kij,kpj->kpi", axes, points[chosen]) - offset[:, None]
    round_ = rng.random(k) < 0.5
    reach = np.where(round_[:, None], np.hypot(place[..., 0], place[..., 1]),
                     np.abs(place).max(axis=2))  # fmt: skip
    hidden[chosen] = reach < 1
    line = torch.arange(CROP_SIZE, device=image.device, dtype=torch.float32)
    a, o = _on(image, axes), _on(image, offset)
    u = (a[:, 0, 0, None, None] * line + a[:, 0, 1, None, None] * line[:, None]) - o[
        :, 0, None, None
    ]
    v = (a[:, 1, 0, None, None] * line + a[:, 1, 1, None, None] * line[:, None]) - o[
        :, 1, None, None
    ]
    oval = _on(image, round_).view(k, 1, 1)
    distance = oval * torch.hypot(u, v) + (1 - oval) * torch.maximum(u.abs(), v.abs())
    edge = _on(image, half.min(axis=1) / rng.uniform(0.7, 2.0, k)).view(k, 1, 1)
    mask = ((1 - distance) * edge + 0.5).clamp_(0, 1)[:, None]
    plain = _on(image, rng.random(k) < 0.4).view(k, 1, 1, 1)
    colour = _on(image, rng.uniform(0, 1, (k, 3)))[:, :, None, None]
    cover = torch.lerp(grounds.draw(k, rng), colour.expand(k, 3, CROP_SIZE, CROP_SIZE), plain)
    at = torch.from_numpy(chosen).to(image.device)
    image[at] = torch.lerp(image[at], cover, mask)
    return hidden


def end_picture(
    image: Tensor, points: Array, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Let the camera's picture end inside some crops; (N, 21) which points lie beyond.

    Args:
        image: (N, 3, 128, 128), is changed.
        points: (N, 21, 2) px.
        share: of the crops.
        rng: source of randomness.
    """
    n = len(image)
    beyond = np.zeros(points.shape[:2], bool)
    chosen = some(share, n, rng)
    k = len(chosen)
    if not k:
        return beyond
    heading = rng.uniform(-np.pi, np.pi, k)
    normal = np.column_stack([np.cos(heading), np.sin(heading)])
    limit = normal.sum(axis=1) * CROP_MIDDLE + rng.uniform(0.12, 0.45, k) * CROP_SIZE
    along = np.einsum("ki,kpi->kp", normal, points[chosen])
    beyond[chosen] = along > limit[:, None]
    line = torch.arange(CROP_SIZE, device=image.device, dtype=torch.float32)
    across, down = _on(image, normal).T[:, :, None, None]
    over = (across * line + down * line[:, None] - _on(image, limit).view(k, 1, 1)).clamp_(min=0)
    x, y = line - over * across, line[:, None] - over * down
    grid = torch.stack([x, y], dim=-1).add_(0.5).mul_(2 / CROP_SIZE).sub_(1.0)
    at = torch.from_numpy(chosen).to(image.device)
    image[at] = F.grid_sample(
        image[at], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return beyond


def _on(image: Tensor, values: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(image.device)
