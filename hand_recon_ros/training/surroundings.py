"""Finds the small hands of people who are shown whole, and cuts out what is round each.

A detector that shrinks pictures to some 200 px misses hands of people who stand a few metres away;
in parts of the picture it sees them. They are the hands that hang down, rest on thighs and hold
things: photographs of gestures show none of those.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.temporal.association import hand_size
from hand_recon_ros.training.agreement import found_hands
from hand_recon_ros.types import Array

_PARTS: Final = 3
"""Parts along each side, beside the picture itself; they overlap."""
_PART: Final = 0.4
"""Side of a part over that of the picture."""
_PART_PX: Final = 200
"""Least side of a part, where the picture has it."""
_SEARCHED_PX: Final = 640
"""Longer side of what is searched."""
_LEAST_PX: Final = 20.0
"""Size of a hand below which too little is seen of it."""
_SAME: Final = 0.5
"""Distance, in hand sizes, up to which two findings are one hand."""
_REACH: Final = 2.7
"""From a hand's middle to the sides of its cut-out, over its size."""
_CUT_PX: Final = 320
_MOST_ENLARGED: Final = 4.0
"""Longer side to which cut-outs are enlarged, and by how much at most."""

Image = NDArray[np.uint8]


def cut_round_hands(front_end: FrontEnd, image: Image) -> list[Image]:
    """Cut-outs (h, w, 3), one for each hand that is seen in a picture or in a part of it.

    Args:
        front_end: for photographs (``static``).
        image: (H, W, 3) RGB.
    """
    hands: list[tuple[Array, float]] = []
    for part, corner in _parts(image):
        scale = _SEARCHED_PX / max(part.shape[:2])
        for found in found_hands(front_end, _scaled(part, scale)):
            points = found.points_px / scale + corner
            middle, size = (points.min(axis=0) + points.max(axis=0)) / 2, hand_size(points)
            new = all(np.linalg.norm(m - middle) > _SAME * max(s, size) for m, s in hands)
            if size >= _LEAST_PX and new:
                hands.append((middle, size))
    return [_cut(image, middle, _REACH * size) for middle, size in hands]


def _parts(image: Image) -> list[tuple[Image, Array]]:
    """The picture and parts of it, with their upper left corners, px."""
    sides = np.array(image.shape[1::-1])
    part = np.maximum(_PART * sides, np.minimum(sides, _PART_PX)).astype(int)
    xs, ys = (np.linspace(0, free, _PARTS).astype(int) for free in sides - part)
    cut = [(image[y : y + part[1], x : x + part[0]], np.array((x, y))) for y in ys for x in xs]
    return [(image, np.zeros(2)), *cut]


def _cut(image: Image, middle: Array, reach: float) -> Image:
    height, width = image.shape[:2]
    x0, y0 = np.maximum(middle - reach, 0).astype(int)
    x1, y1 = np.minimum(middle + reach + 1, (width, height)).astype(int)
    cut = image[y0:y1, x0:x1]
    return _scaled(cut, min(max(1.0, _CUT_PX / max(cut.shape[:2])), _MOST_ENLARGED))


def _scaled(image: Image, scale: float) -> Image:
    size = [max(1, round(scale * length)) for length in image.shape[1::-1]]
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8)
