"""A contact sheet of a batch: what the network sees, with its labels, for the eye.

Green frame: a hand of the expected side; red: a negative. Discs: visible points; rings: hidden
ones; points that are not labelled or lie outside are left out. The line runs from the wrist to the
middle knuckle. Digits: number in the batch, and after ">" the partner's.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from hand_recon_ros.skeleton import BONES, KNUCKLES
from hand_recon_ros.training.batch import CROP_SIZE, CropBatch

_SCALE: Final = 2
_SIDE: Final = _SCALE * CROP_SIZE
_GOOD: Final = (0, 200, 0)
_BAD: Final = (220, 0, 0)


def _finger_colour(joint: int) -> tuple[int, int, int]:
    if joint == 0:
        return 255, 255, 255
    red, green, blue = colorsys.hsv_to_rgb(0.18 * ((joint - 1) // 4), 1.0, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def contact_sheet(batch: CropBatch, columns: int = 8, bones: bool = True) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: all crops at twice their size.

    Args:
        batch: what to show.
        columns: crops in a row.
        bones: draw the bones, too.
    """
    rows = -(-len(batch) // columns)
    sheet = np.zeros((rows * _SIDE, columns * _SIDE, 3), np.uint8)
    for k in range(len(batch)):
        y, x = k // columns * _SIDE, k % columns * _SIDE
        sheet[y : y + _SIDE, x : x + _SIDE] = _cell(batch, k, bones)
    return sheet


def write_predictions(
    batches: Sequence[CropBatch], points: Sequence[Tensor], path: Path, each: int = 32
) -> None:
    """Write a sheet of the first crops of some batches with predicted points instead of labels.

    Args:
        batches: what was shown to a network.
        points: (N, 21, 2) px for each.
        path: of the picture.
        each: crops of a batch.
    """
    sheets = []
    for batch, found in zip(batches, points, strict=True):
        first = {name: value[:each] for name, value in vars(batch).items()}
        first["inside"] = torch.ones_like(first["inside"])
        scale = CROP_SIZE / batch.image.shape[-1]
        first["image"] = interpolate(first["image"], size=(CROP_SIZE, CROP_SIZE))
        first["points_px"] = (found[:each].detach().float() + 0.5) * scale - 0.5
        shown = CropBatch(**first)
        sheets.append(contact_sheet(shown))
    cv2.imwrite(str(path), cv2.cvtColor(np.concatenate(sheets), cv2.COLOR_RGB2BGR))


def _cell(batch: CropBatch, k: int, bones: bool) -> NDArray[np.uint8]:
    crop = (batch.image[k].float().permute(1, 2, 0).cpu().numpy() * 255 + 0.5).astype(np.uint8)
    cell = cv2.resize(crop, (_SIDE, _SIDE), interpolation=cv2.INTER_NEAREST)
    # Pixel centres of the enlarged picture.
    points = np.round((batch.points_px[k].cpu().numpy() + 0.5) * _SCALE - 0.5).astype(int)
    inside, visible = batch.inside[k].cpu().numpy(), batch.visible[k].cpu().numpy()
    lines = BONES if bones else ((0, KNUCKLES[2]),)
    for a, b in lines:
        if inside[a] and inside[b]:
            cv2.line(cell, points[a].tolist(), points[b].tolist(), _finger_colour(b), 1)
    for joint in np.flatnonzero(inside):
        thickness = -1 if visible[joint] else 1
        cv2.circle(cell, points[joint].tolist(), 3, _finger_colour(int(joint)), thickness)
    frame = _GOOD if float(batch.presence[k]) > 0.5 else _BAD
    cv2.rectangle(cell, (0, 0), (_SIDE - 1, _SIDE - 1), frame, 2)
    partner = int(batch.partner[k])
    text = f"{k}" + (f">{partner}" if partner >= 0 else "")
    cv2.putText(cell, text, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1, cv2.LINE_AA)
    return np.asarray(cell, dtype=np.uint8)
