"""Finds the small hands of people who are shown whole, and cuts out what is round each.

A detector that shrinks pictures to some 200 px misses hands of people who stand a few metres away;
in parts of the picture it sees them. They are the hands that hang down, rest on thighs and hold
things: photographs of gestures show none of those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.detection.parts import parts_of
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.temporal.association import hand_size
from hand_recon_ros.training.agreement import found_hands
from hand_recon_ros.training.photo_packing import scaled
from hand_recon_ros.types import Array

_PART_PX: Final = 200
"""Least side of a part, where the picture has it."""
_SEARCHED_PX: Final = 640
"""Longer side of what is searched."""
_LEAST_PX: Final = 20.0
"""Size of a hand below which too little is seen of it."""
_SAME: Final = 0.5
"""Distance of the middles, in hand sizes, up to which two findings are one hand, whatever their
sides: parts may cut it."""
_REACH: Final = 2.7
"""From a hand's middle to the sides of its cut-out, over its size."""
_WELL_INSIDE: Final = 0.7
"""Share of that reach within which another hand needs no cut-out of its own."""
_LIKE_SIZE: Final = 2.0
"""Ratio of sizes up to which it does not."""
_CUT_PX: Final = 320
"""Longer side to which smaller cut-outs are enlarged."""

Image = NDArray[np.uint8]


class _Hand(NamedTuple):
    """Score, middle of the box (2,) and its longer side, px of the picture."""

    score: float
    middle: Array
    size: float


def cut_round_hands(front_end: FrontEnd, image: Image) -> list[Image]:
    """Cut-outs (h, w, 3) that show all hands which are seen in a picture or in parts of it.

    Hands side by side share one.

    Args:
        front_end: for photographs (``static``).
        image: (H, W, 3) RGB.
    """
    hands: list[_Hand] = []
    centres: list[_Hand] = []
    # Where a part cuts a hand, another part or the picture shows it better.
    for hand in sorted(_found(front_end, image), key=lambda hand: -hand.score):
        if any(_apart(hand, known) < _SAME for known in hands):
            continue
        hands.append(hand)
        if not any(_shown_with(hand, centre) for centre in centres):
            centres.append(hand)
    return [_cut(image, centre.middle, _REACH * centre.size) for centre in centres]


def _found(front_end: FrontEnd, image: Image) -> Iterator[_Hand]:
    for part, corner in _views(image):
        scale = _SEARCHED_PX / max(part.shape[:2])
        for found in found_hands(front_end, scaled(part, scale)):
            points = (found.points_px + 0.5) / scale - 0.5 + corner
            middle = (points.min(axis=0) + points.max(axis=0)) / 2
            hand = _Hand(found.score, middle, hand_size(points))
            if hand.size >= _LEAST_PX:
                yield hand


def _views(image: Image) -> Iterator[tuple[Image, Array]]:
    """The picture and parts of it, with their upper left corners, px."""
    yield image, np.zeros(2)
    height, width = image.shape[:2]
    for part in parts_of(width, height, _PART_PX):
        yield part.of(image), np.array((part.x, part.y))


def _apart(a: _Hand, b: _Hand) -> float:
    """Distance of the middles in sizes of the larger hand."""
    return float(np.linalg.norm(a.middle - b.middle)) / max(a.size, b.size)


def _shown_with(hand: _Hand, centre: _Hand) -> bool:
    """Whether the cut-out round another hand shows this one, no smaller and no larger."""
    ends = float(np.abs(hand.middle - centre.middle).max()) + hand.size / 2
    ratio = max(hand.size / centre.size, centre.size / hand.size)
    return ends < _WELL_INSIDE * _REACH * centre.size and ratio < _LIKE_SIZE


def _cut(image: Image, middle: Array, reach: float) -> Image:
    """The square (px) round a place, as far as it is in the picture."""
    height, width = image.shape[:2]
    x0, y0 = np.maximum(middle - reach, 0).astype(int)
    x1, y1 = np.minimum(middle + reach + 1, (width, height)).astype(int)
    cut = image[y0:y1, x0:x1]
    return scaled(cut, max(1.0, _CUT_PX / max(cut.shape[:2])))
