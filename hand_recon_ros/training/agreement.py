"""Hands that a front end sees alike in a picture, in its mirror image and in turned copies.

What agrees becomes a label (self-training): a network that is wrong seldom is so in the same way on
every copy. Agreement measures stability, not correctness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.skeleton import Side, other_side
from hand_recon_ros.types import Array, Frame, Keypoints

DISAGREEING: Final = 0.05
"""Most mean distance between key points of two copies, over the hand's box."""
_MIRROR: Final = np.array([-1.0, 1.0, 1.0])

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class AgreedHand:
    """What all copies of a picture tell of one hand: their mean.

    Attributes:
        side: which hand it is.
        points_px: (21, 2) px of the picture.
        relative_m: (21, 3) wrist at the origin, picture's axes; None where the front end has none.
        disagreement: mean distance between the key points of two copies, over the hand's box.
    """

    side: Side
    points_px: Array
    relative_m: Array | None
    disagreement: float


_Hand = TypeVar("_Hand", AgreedHand, Keypoints)


@dataclass(frozen=True)
class AgreedPicture:
    """The hands of a picture that all copies tell alike, and how many the picture itself shows."""

    hands: tuple[AgreedHand, ...]
    seen: int


def agreed_hands(
    front_end: FrontEnd, image: Image, turned_deg: Sequence[float] = ()
) -> AgreedPicture:
    """Look at a picture, at its mirror image and at turned copies.

    Args:
        front_end: for photographs (``static``).
        image: (H, W, 3) RGB.
        turned_deg: further copies, counter-clockwise.
    """
    plain = found_hands(front_end, image)
    copies = [_mirrored(front_end, image)]
    copies += [_turned(front_end, image, degrees) for degrees in turned_deg]
    agreed = (_agreed(hand, copies) for hand in plain)
    return AgreedPicture(tuple(hand for hand in agreed if hand is not None), len(plain))


def found_hands(front_end: FrontEnd, image: Image) -> list[Keypoints]:
    """All hands of a picture (H, W, 3) RGB of a camera that nothing is known of."""
    height, width = image.shape[:2]
    return front_end.see(Frame(image, 0.0, Camera.from_fov(width, height)))


def apart(one: Array, other: Array) -> float:
    """Mean distance between points (n, 2) of two hands, over the box of the first."""
    box = float(np.ptp(one, axis=0).max())
    return float(np.linalg.norm(one - other, axis=1).mean() / max(box, 1e-9))


def nearest(hand: AgreedHand | Keypoints, others: Sequence[_Hand]) -> _Hand | None:
    """The hand of the same side that lies nearest, if there is one."""
    return min(
        (other for other in others if other.side == hand.side),
        key=lambda other: apart(hand.points_px, other.points_px),
        default=None,
    )


def _agreed(hand: Keypoints, copies: Sequence[Sequence[Keypoints]]) -> AgreedHand | None:
    told = [hand]
    for copy in copies:
        same = nearest(hand, copy)
        if same is None:
            return None
        told.append(same)
    distances = [apart(a.points_px, b.points_px) for a, b in combinations(told, 2)]
    if max(distances) > DISAGREEING:
        return None
    depths = [one.relative_m for one in told if one.relative_m is not None]
    return AgreedHand(
        side=hand.side,
        points_px=np.mean([one.points_px for one in told], axis=0),
        relative_m=np.mean(depths, axis=0) if len(depths) == len(told) else None,
        disagreement=float(np.mean(distances)),
    )


def _mirrored(front_end: FrontEnd, image: Image) -> list[Keypoints]:
    """The hands of the mirror image, mirrored back."""
    width = image.shape[1]
    return [
        replace(
            hand,
            side=other_side(hand.side),
            points_px=hand.points_px * (-1.0, 1.0) + (width - 1, 0.0),
            relative_m=None if hand.relative_m is None else hand.relative_m * _MIRROR,
        )
        for hand in found_hands(front_end, np.ascontiguousarray(image[:, ::-1]))
    ]


def _turned(front_end: FrontEnd, image: Image, degrees: float) -> list[Keypoints]:
    """The hands of a copy that is turned about its middle, turned back."""
    height, width = image.shape[:2]
    there = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    copy = cv2.warpAffine(image, there, (width, height), borderMode=cv2.BORDER_REPLICATE)
    back = cv2.invertAffineTransform(there)
    turn = np.eye(3)
    turn[:2, :2] = back[:, :2]
    return [
        replace(
            hand,
            points_px=hand.points_px @ back[:, :2].T + back[:, 2],
            relative_m=None if hand.relative_m is None else hand.relative_m @ turn.T,
        )
        for hand in found_hands(front_end, np.asarray(copy, dtype=np.uint8))
    ]
