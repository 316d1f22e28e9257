"""A batch of frames for the detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

NOTHING: Final = 0
"""``DetectorBatch.kinds`` of rows without a hand; left and right hands are 1 and 2 (``SIDES``)."""
IGNORED: Final = 3
"""``DetectorBatch.kinds`` of hands too hidden, cut or uncertain to be learned from."""


@dataclass(frozen=True)
class DetectorBatch:
    """N frames with at most M hands each; all tensors on one device.

    Attributes:
        image: (N, 3, H, W) float RGB, 0..1, sides multiples of 32 px.
        boxes: (N, M, 4) x0, y0, x1, y1 px: box of the 21 key points grown by
            ``ssd_rpn.BOX_MARGIN``; may leave the frame.
        kinds: (N, M) int64: ``NOTHING``, 1 left, 2 right, or ``IGNORED``.
        directions: (N, M, 2) unit vectors, wrist to middle MCP in the image.
    """

    image: Tensor
    boxes: Tensor
    kinds: Tensor
    directions: Tensor

    @property
    def hands(self) -> Tensor:
        """(N, M) bool: the row is a hand to be found."""
        return (self.kinds != NOTHING) & (self.kinds != IGNORED)

    def __len__(self) -> int:
        """Number of frames."""
        return int(self.image.shape[0])

    def to(self, device: torch.device | str) -> DetectorBatch:
        """The batch on another device."""
        return DetectorBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def mirrored(batch: DetectorBatch, which: Tensor) -> DetectorBatch:
    """Frames for which ``which`` (N,) is true in a mirror: left hands become right ones."""
    width = batch.image.shape[3]
    x0, y0, x1, y1 = batch.boxes.unbind(-1)
    boxes = torch.stack([width - 1 - x1, y0, width - 1 - x0, y1], dim=-1)
    swapped = torch.tensor([NOTHING, 2, 1, IGNORED], device=batch.kinds.device)[batch.kinds]
    turned = batch.directions * batch.directions.new_tensor([-1.0, 1.0])
    return replace(
        batch,
        image=torch.where(which[:, None, None, None], batch.image.flip(3), batch.image),
        boxes=torch.where(which[:, None, None], boxes, batch.boxes),
        kinds=torch.where(which[:, None], swapped, batch.kinds),
        directions=torch.where(which[:, None, None], turned, batch.directions),
    )


def joined(batches: Sequence[DetectorBatch]) -> DetectorBatch:
    """One batch of several of the same picture size.

    Raises:
        ValueError: there is nothing to join.
    """
    if not batches:
        raise ValueError("no batch was given to join")
    rows = max(batch.kinds.shape[1] for batch in batches)
    return DetectorBatch(
        image=torch.cat([batch.image for batch in batches]),
        boxes=torch.cat([_longer(batch.boxes, rows) for batch in batches]),
        kinds=torch.cat([_longer(batch.kinds[..., None], rows)[..., 0] for batch in batches]),
        directions=torch.cat([_longer(batch.directions, rows) for batch in batches]),
    )


def _longer(values: Tensor, rows: int) -> Tensor:
    return pad(values, (0, 0, 0, rows - values.shape[1]))
