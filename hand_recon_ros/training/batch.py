"""A batch of crops with everything that the losses may ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import torch
from torch import Tensor

CROP_SIZE: Final = 128
"""Side of a crop, px."""
CROP_MIDDLE: Final = (CROP_SIZE - 1) / 2
"""Both coordinates of its middle, px."""
FRAMING: Final = 1.7
"""Side of a crop over the longer side of the box of the 21 joints."""
SYNTHETIC: Final = 0
"""``CropBatch.source`` of rendered hands; photographs count from 1."""


@dataclass(frozen=True)
class CropBatch:
    """N hands; all tensors on one device.

    A crop is what a virtual camera sees that looks at the hand, its principal point in the middle
    of the crop, ``(CROP_SIZE - 1) / 2``. Left hands are mirrored in x, pictures and labels alike,
    so that all look like right hands: "virtual frame" means the frame of that mirrored picture.
    Whole pixel coordinates are pixel centres.

    Attributes:
        image: (N, 3, 128, 128) float RGB, 0..1.
        points_px: (N, 21, 2) crop px; may lie outside.
        inside: (N, 21) bool: the point is labelled and lies in the crop.
        visible: (N, 21) bool: nothing hides it.
        joints_m: (N, 21, 3) wrist at the origin, virtual frame.
        has_3d: (N,) bool.
        rotations: (N, 16, 3, 3) MANO's global rotation (virtual frame) and 15 joints, MANO order.
        betas: (N, 10).
        has_mano: (N,) bool: ``rotations`` and ``betas`` are known.
        wrist_m: (N, 3) of the wrist in the virtual frame.
        focal: (N,) of the virtual camera, px.
        partner: (N,) int64 place of the other hand of the picture in this batch, or -1.
        geometry: (N, 6) of the partner's crop, see ``framing.pair_geometry``; zeros without one.
        other_wrist_m: (N, 3) from the own wrist to the partner's, own virtual frame.
        has_other: (N,) bool: ``other_wrist_m`` is known.
        presence: (N,) float: 1 = shows a hand of the expected side; 0 = does not.
        weight: (N,) float trust in the labels, 0..1.
        source: (N,) int8: ``SYNTHETIC``, or the number of a photo source.
    """

    image: Tensor
    points_px: Tensor
    inside: Tensor
    visible: Tensor
    joints_m: Tensor
    has_3d: Tensor
    rotations: Tensor
    betas: Tensor
    has_mano: Tensor
    wrist_m: Tensor
    focal: Tensor
    partner: Tensor
    geometry: Tensor
    other_wrist_m: Tensor
    has_other: Tensor
    presence: Tensor
    weight: Tensor
    source: Tensor

    def __len__(self) -> int:
        """Number of hands."""
        return int(self.image.shape[0])

    def to(self, device: torch.device | str) -> CropBatch:
        """The batch on another device."""
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self)}
        return CropBatch(**moved)


def concatenate(batches: Sequence[CropBatch]) -> CropBatch:
    """One batch of several on the same device; partners stay together.

    Raises:
        ValueError: there is nothing to join.
    """
    if not batches:
        raise ValueError("no batch was given to join")
    joined = {
        f.name: torch.cat([getattr(batch, f.name) for batch in batches]) for f in fields(CropBatch)
    }
    partners, start = [], 0
    for batch in batches:
        partners.append(torch.where(batch.partner >= 0, batch.partner + start, -1))
        start += len(batch)
    joined["partner"] = torch.cat(partners)
    return CropBatch(**joined)
