"""Searches parts of an image for hands that are too small in the whole one.

The network sees an image 320 px wide: the hands of a person who stands a few metres away have 10 to
15 px there. Parts of half its width and height show them twice as large. Of 157 hands in 110
photographs of whole people 140 are found so, 112 without; 3 things more are taken for hands. The
search takes ten times as long, the whole chain twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.detection.both_ways import Search, without_overlaps
from hand_recon_ros.detection.ssd_rpn import LONG_SIDE, FoundHand
from hand_recon_ros.types import Array

_GRID: Final = 3
"""Parts along each side; each overlaps half of the next."""
_ENLARGED: Final = 1.5
"""Least gain of detail at which parts are worth their time."""
_LARGE: Final = 0.25
"""Share of the image's longer side beyond which a hand has no partner too small to be found."""
_SMALL: Final = 0.4
"""Share of a part's longer side beyond which a hand would have been found in the whole image."""
_LEAST: Final = 0.6
"""Score of a hand of a part, over that of a hand that is sure."""
_BORDER: Final = 0.02
"""Share of the image's longer side by which a hand may lie nearer to another part's middle: its box
is not the same to a pixel in both."""


class Part(NamedTuple):
    """Upper left corner and size of a part of an image, px."""

    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> Array:
        """(2,) its centre, px of the image."""
        return np.array((self.x + self.width / 2, self.y + self.height / 2))

    def of(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(height, width, 3) what the part shows."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]


def parts_of(width: int, height: int, least_px: int = 1) -> list[Part]:
    """Parts of half an image's width and height that overlap by half, row by row.

    Args:
        width, height: of the image, px.
        least_px: sides of parts, where the image has them; if all of it, there are no parts.
    """
    wide, high = (max(side // 2, min(side, least_px)) for side in (width, height))
    if (wide, high) == (width, height):
        return []
    xs = np.unique(np.linspace(0, width - wide, _GRID).astype(int))
    ys = np.unique(np.linspace(0, height - high, _GRID).astype(int))
    return [Part(int(x), int(y), wide, high) for y in ys for x in xs]


def found_in_parts(
    search: Search,
    image: NDArray[np.uint8],
    found: Sequence[FoundHand],
    *,
    max_hands: int,
    sure: float,
) -> list[FoundHand]:
    """Hands that were found in an image and the small ones that its parts show, best first.

    Args:
        search: finds hands in an image.
        image: (H, W, 3) uint8, to be searched in parts.
        found: hands of the whole image, doubtful ones as well; where enough of them are sure, the
            parts are not searched.
        max_hands: enough hands.
        sure: score from which on a hand of the whole image counts as found.
    """
    height, width = image.shape[:2]
    known = [hand for hand in found if hand.score >= sure]
    if not _worth_it(known, max(width, height), max_hands):
        return list(found)
    parts = parts_of(width, height)
    hands = list(found)
    for part in parts:
        for hand in search(part.of(image)):
            small = max(hand.box_px[2:]) <= _SMALL * max(part.width, part.height)
            box = hand.box_px + np.array((part.x, part.y, 0, 0))
            # Other parts may cut what is centred on this one.
            if hand.score >= _LEAST * sure and small and _is_centred_on(box, part, parts):
                hands.append(replace(hand, box_px=box))
    return without_overlaps(hands)


def _worth_it(hands: Sequence[FoundHand], long_side: int, max_hands: int) -> bool:
    """Whether small hands may be missing: too few were found, and none of them is large."""
    if long_side < _ENLARGED * LONG_SIDE or len(hands) >= max_hands:
        return False
    return all(max(hand.box_px[2:]) <= _LARGE * long_side for hand in hands)


def _is_centred_on(box: Array, part: Part, parts: Sequence[Part]) -> bool:
    """Whether no other part's middle is nearer to that of a box."""
    middle = box[:2] + box[2:] / 2
    nearest = min(float(np.linalg.norm(other.middle - middle)) for other in parts)
    tolerance = 2 * _BORDER * max(part.width, part.height)
    return float(np.linalg.norm(part.middle - middle)) <= nearest + tolerance
