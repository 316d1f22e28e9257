"""A sheet of frames with labels and what the detector found, for the eye.

Labels are thin, what was found is thick; left hands are blue, right ones orange, hands that are not
to be learned grey. The line starts in the middle of a box and points from the wrist to the knuckle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.detection.ssd_rpn import FoundHand
from hand_recon_ros.rendering.tiles import in_rows
from hand_recon_ros.training.detector_batch import NOTHING, DetectorBatch
from hand_recon_ros.types import Array

_COLOURS: Final = {1: (60, 120, 255), 2: (255, 140, 0), 3: (150, 150, 150)}
_COLUMNS: Final = 4


def detector_sheet(
    batch: DetectorBatch, found: Sequence[Sequence[FoundHand]] = ()
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: all frames of a batch.

    Args:
        batch: with labels.
        found: hands of each frame, px of the network's input.
    """
    pictures = (batch.image * 255).byte().cpu().numpy().transpose(0, 2, 3, 1)
    cells = []
    for k, picture in enumerate(pictures):
        cell = np.ascontiguousarray(picture)
        for box, kind, direction in zip(
            batch.boxes[k].cpu().numpy(),
            batch.kinds[k].tolist(),
            batch.directions[k].cpu().numpy(),
            strict=True,
        ):
            if kind != NOTHING:
                _draw(cell, box, direction, _COLOURS[kind], 1)
        for hand in found[k] if found else ():
            low = hand.box_px[:2]
            box = np.concatenate([low, low + hand.box_px[2:]])
            _draw(cell, box, hand.direction, _COLOURS[1 if hand.side == "left" else 2], 2)
            place = (int(low[0]) + 2, max(int(low[1]), 0) + 12)
            cv2.putText(cell, f"{hand.score:.2f}", place, 0, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
        cells.append(cell)
    return in_rows(cells, _COLUMNS)


def _draw(
    cell: NDArray[np.uint8],
    box: Array,
    direction: Array,
    colour: tuple[int, int, int],
    thickness: int,
) -> None:
    x0, y0, x1, y1 = np.clip(box, -5000, 5000).round().astype(int).tolist()
    cv2.rectangle(cell, (x0, y0), (x1, y1), colour, thickness, cv2.LINE_AA)
    middle = (box[:2] + box[2:]) / 2
    end = middle + 0.4 * np.linalg.norm(box[2:] - box[:2]) * direction
    start_px, end_px = (np.clip(p, -5000, 5000).round().astype(int).tolist() for p in (middle, end))
    cv2.arrowedLine(cell, start_px, end_px, colour, thickness, cv2.LINE_AA)
