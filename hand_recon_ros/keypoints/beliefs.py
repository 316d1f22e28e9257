"""Belief maps of key points: the maps that a network should give, and how points are read off.

A map cell covers STRIDE px of the crop; cell i has its centre at px (i + 0.5) STRIDE - 0.5.
Source: Wei et al., "Convolutional Pose Machines", 2016, as used in 000 section 3.2.2.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

STRIDE: Final = 4
"""Crop pixels of a map cell, along each axis."""
_WINDOW: Final = 2
"""Cells to each side of a map's peak that its centre of mass is taken over."""


def belief_maps(points_px: Tensor, cells: int, sigma: float) -> Tensor:
    """Gaussian maps, (N, J, cells, cells), with value 1 at each point.

    Args:
        points_px: (N, J, 2) x, y in crop px; NaN or far outside = an empty map.
        cells: side of the maps.
        sigma: of the Gaussian, cells.
    """
    grid = torch.arange(cells, device=points_px.device, dtype=points_px.dtype)
    at = to_cells(torch.nan_to_num(points_px, nan=-1e4))
    gap = (grid - at[..., None]).square()  # (N, J, 2, cells)
    along = (-gap / (2 * sigma**2)).exp()
    return along[..., 1, :, None] * along[..., 0, None, :]


def read_beliefs(beliefs: Tensor) -> tuple[Tensor, Tensor]:
    """Points and their belief.

    The centre of mass of the squared map round its peak: the square keeps far noise out of it. It
    consists of operations that every runtime knows, so that it is part of the exported network.

    Args:
        beliefs: (N, J, H, W) maps.

    Returns:
        (N, J, 2) crop px, and (N, J) the peaks' heights, 0..1.
    """
    height, width = beliefs.shape[-2:]
    flat = beliefs.flatten(2)
    peak, at = flat.max(-1)
    row, column = at // width, at % width
    rows = torch.arange(height, device=beliefs.device)
    columns = torch.arange(width, device=beliefs.device)
    near_row = ((rows - row[..., None]).abs() <= _WINDOW).to(beliefs.dtype)
    near_column = ((columns - column[..., None]).abs() <= _WINDOW).to(beliefs.dtype)
    mass = beliefs.clamp(min=0).square() * near_row[..., None] * near_column[..., None, :]
    total = mass.sum((-2, -1)).clamp(min=1e-9)
    x = (mass.sum(-2) * columns.to(beliefs.dtype)).sum(-1) / total
    y = (mass.sum(-1) * rows.to(beliefs.dtype)).sum(-1) / total
    return to_pixels(torch.stack([x, y], -1)), peak.clamp(0, 1)


def to_pixels(cells: Tensor) -> Tensor:
    """Map cells to crop pixels."""
    return (cells + 0.5) * STRIDE - 0.5


def to_cells(points_px: Tensor) -> Tensor:
    """Crop pixels to map cells."""
    return (points_px + 0.5) / STRIDE - 0.5
