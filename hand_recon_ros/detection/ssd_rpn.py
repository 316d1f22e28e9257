"""Finds hands in a frame with the SSD + RPN network, whatever runs it (000 section 3.2.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.detection.suppression import overlap, suppressed
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Array

Floats = NDArray[np.float32]

LONG_SIDE: Final = 320
"""Of the network's input, px."""
STRIDE_PX: Final = 32
"""Both sides of the input are multiples of it."""
BOX_MARGIN: Final = 0.15
"""Boxes are those of the 21 key points, grown on all sides by this share of their longer side."""
PADDING: Final = 0.5
"""Grey of the input beyond the frame."""
REPLACING_IOU: Final = 0.5
"""Least IoU of an SSD box with the RPN's box that replaces it (facts A4.2)."""


@dataclass(frozen=True, slots=True)
class FoundHand:
    """A hand in a frame.

    Attributes:
        side: physical side (in an unmirrored frame).
        score: probability that there is a hand, 0..1.
        side_score: probability that the side is right, 0.5..1.
        box_px: (4,) x, y, width, height, see ``BOX_MARGIN``; may leave the image.
        direction: (2,) unit vector in the image from the wrist to the middle MCP.
    """

    side: Side
    score: float
    side_score: float
    box_px: Array
    direction: Array


@dataclass(frozen=True, slots=True)
class Letterbox:
    """A frame as the network sees it.

    Attributes:
        image: (1, 3, H, W) float32 RGB 0..1, the frame in the upper left corner.
        scale: (2,) input px for each raw px, along x and y.
    """

    image: Floats
    scale: Array

    def to_raw(self, points: Array) -> Array:
        """(..., 2) input px to raw px; whole numbers are pixel centres."""
        return np.asarray((points + 0.5) / self.scale - 0.5)


def input_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the network's input for frames of this size, px."""
    content = _content_size(width, height)
    padded = [-(-side // STRIDE_PX) * STRIDE_PX for side in content]
    return padded[0], padded[1]


def letterbox(image: NDArray[np.uint8]) -> Letterbox:
    """Scale a frame (H, W, 3) to a long side of 320 px and pad it to multiples of 32 px.

    Raises:
        ValueError: the image is not (H, W, 3) uint8.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(
            f"the detector needs a (H, W, 3) uint8 RGB image, got {image.dtype} {image.shape}"
        )
    height, width = image.shape[:2]
    size = _content_size(width, height)
    shrinks = size[0] < width or size[1] < height
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=how)
    wide, high = input_size(width, height)
    canvas = np.full((1, 3, high, wide), PADDING, np.float32)
    canvas[0, :, : size[1], : size[0]] = small.transpose(2, 0, 1) * np.float32(1 / 255)
    return Letterbox(canvas, np.array(size) / (width, height))


def box_round(points_px: Array) -> Array:
    """(..., 4) x, y, width, height of the boxes of key points (..., 21, 2), see ``BOX_MARGIN``."""
    low, high = points_px.min(axis=-2), points_px.max(axis=-2)
    margin = BOX_MARGIN * (high - low).max(axis=-1, keepdims=True)
    return np.concatenate([low - margin, high - low + 2 * margin], axis=-1)


def find_hands(
    outputs: Sequence[NDArray[Any]], *, min_score: float = 0.5, picture: int = 0
) -> list[FoundHand]:
    """Hands among the network's proposals, best first; places are in px of its input.

    SSD boxes above the bar are thinned out; the RPN's best-scoring box with enough IoU replaces
    each; what then lies on the same hand is thinned out again.

    Args:
        outputs: of ``network.RunningSsdRpn``, as arrays.
        min_score: least probability that there is a hand.
        picture: which one of the batch.
    """
    scores, ssd_boxes, objectness, boxes, directions = (
        np.asarray(array[picture], dtype=np.float32) for array in outputs
    )
    total = scores.sum(axis=1)
    likely = np.flatnonzero(total >= min_score)
    sides = scores.argmax(axis=1)
    kept = likely[suppressed(ssd_boxes[likely], sides[likely], total[likely])]
    if not len(kept):
        return []
    best = np.array([_replacement(ssd_boxes[k], boxes, objectness) for k in kept])
    final = np.where((best >= 0)[:, None], boxes[best], ssd_boxes[kept])
    pointing = directions[np.where(best >= 0, best, kept)]
    return [
        FoundHand(
            side=SIDES[int(sides[kept[n]])],
            score=min(float(total[kept[n]]), 1.0),
            side_score=min(float(scores[kept[n]].max() / max(total[kept[n]], 1e-9)), 1.0),
            box_px=np.concatenate([final[n, :2], final[n, 2:] - final[n, :2]]).astype(np.float64),
            direction=pointing[n].astype(np.float64),
        )
        for n in suppressed(final, sides[kept], total[kept])
    ]


class SsdRpnDetector:
    """Finds hands in whole frames; remembers nothing.

    Args:
        run: the network as ``network.RunningSsdRpn``: (1, 3, H, W) float32 to its five arrays; H
            and W follow from the frame's size, see ``input_size``.
        min_score: least probability that there is a hand, 0..1.
    """

    def __init__(
        self, run: Callable[[Floats], tuple[NDArray[Any], ...]], min_score: float = 0.5
    ) -> None:
        """Keep the network."""
        self._run = run
        self._min_score = min_score

    def find(self, image: NDArray[np.uint8]) -> list[FoundHand]:
        """Hands in an RGB image (H, W, 3), best first.

        Raises:
            ValueError: the image is not (H, W, 3) uint8.
        """
        seen = letterbox(image)
        found = find_hands(self._run(seen.image), min_score=self._min_score)
        return [_in_raw(seen, hand) for hand in found]


def _content_size(width: int, height: int) -> tuple[int, int]:
    scale = LONG_SIDE / max(width, height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _replacement(box: Floats, boxes: Floats, objectness: Floats) -> int:
    """The RPN's box that replaces an SSD box, or -1."""
    near = np.flatnonzero(overlap(box, boxes) >= REPLACING_IOU)
    return int(near[objectness[near].argmax()]) if len(near) else -1


def _in_raw(seen: Letterbox, hand: FoundHand) -> FoundHand:
    """A hand in px of the network's input in px of the frame."""
    direction = hand.direction / seen.scale
    return replace(
        hand,
        box_px=np.concatenate([seen.to_raw(hand.box_px[:2]), hand.box_px[2:] / seen.scale]),
        direction=direction / np.linalg.norm(direction),
    )
