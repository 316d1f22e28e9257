"""Lays hands that were cut out of photographs beside others, so that real hands come in pairs.

Photographs with labels for both hands of a pair are few, and peers find hands that touch seldom.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.training.pyramid import level_of_similarity, sampled
from hand_recon_ros.types import Array

OTHER_SIDE_SHARE: Final = 0.8
"""Of two hands side by side, as many as that look like a left and a right one; the rest are two
people's."""
_SIZE: Final = (0.7, 1.3)
"""Size of the cut-out hand over the box of the other."""


def places_beside(
    hands: Array,
    others: Array,
    turned_over: NDArray[np.bool_],
    way: tuple[float, float],
    rng: np.random.Generator,
) -> Array:
    """(N, 3, 3) similarities that put hands beside or partly over some hands.

    Args:
        hands: (N, 21, 2) points of those that are there.
        others: (N, 21, 2) points of those that come beside them, in px of their pictures.
        turned_over: (N,) show them in a mirror.
        way: least and most way between the middles, over the box of the hand that is there.
        rng: source of randomness.
    """
    count = len(hands)
    box, own = (np.ptp(points, axis=1).max(axis=1) for points in (hands, others))
    scale = rng.uniform(*_SIZE, count) * box / np.maximum(own, 1.0)
    turn = rng.normal(0, 0.7, count)
    linear = np.empty((count, 2, 2))
    linear[:, 0] = np.column_stack([np.cos(turn), -np.sin(turn)])
    linear[:, 1] = np.column_stack([np.sin(turn), np.cos(turn)])
    linear *= scale[:, None, None]
    linear[turned_over, :, 0] *= -1
    heading = rng.uniform(0, 2 * np.pi, count)
    apart = (rng.uniform(*way, count) * box)[:, None]
    middle = hands.mean(axis=1) + apart * np.column_stack([np.cos(heading), np.sin(heading)])
    places = np.tile(np.eye(3), (count, 1, 1))
    places[:, :2, :2] = linear
    places[:, :2, 2] = middle - np.einsum("nij,nj->ni", linear, others.mean(axis=1))
    return places


def lay_cut_outs(
    image: Tensor, pixels: Tensor, size: int, numbers: NDArray[np.int64], places: Array
) -> Tensor:
    """Lay cut-out pictures over square images.

    Args:
        image: (N, 3, S, S) 0..1, is changed.
        pixels: (n, T) int32 pyramids of pictures.
        size: side of the pictures, px.
        numbers: (N,) which pictures.
        places: (N, 3, 3) px of a picture to px of the image.

    Returns:
        (N, S, S) their opacities, 0..255.
    """
    back = np.linalg.inv(places)
    over = sampled(pixels, size, numbers, level_of_similarity(back), back, image.shape[-1])
    image.mul_(1 - over[:, 3:] / 255.0).add_(over[:, :3] / 255.0)
    return over[:, 3]
