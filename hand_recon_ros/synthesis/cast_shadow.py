"""The soft shadow that a hand throws on a wall or a table close behind it."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

Picture = NDArray[np.uint8]
_COARSE: Final = 4
"""Shadows are soft: they are made in a picture this many times smaller."""
_SHARE: Final = {"wall": 0.6, "clutter": 0.3}
"""How often what is behind the hands is near, by the kind of background."""
_BEHIND_M: Final = (0.008, 0.15)
_LEAST_FRONT: Final = 0.25
"""Cosine between lamp and line of sight: a lamp behind the surface throws no shadow on it."""
_PENUMBRA: Final = 0.22
"""Width of the shadow's edge over the distance that it is thrown: a lamp of about 12 degrees."""


def with_cast_shadow(
    background: Picture,
    kind: str,
    alpha: Picture,
    to_lamp: Array,
    px_per_m: float,
    rng: np.random.Generator,
) -> Picture:
    """The background, sometimes with the shadow of what stands before it.

    The surface is taken to be square to the line of sight and to receive the same lamp as the
    hand, so that the outline, shifted and softened, is its shadow.

    Args:
        background: (H, W, 3) uint8.
        kind: of ``backgrounds.Background``.
        alpha: (H, W) uint8 cover of the hands.
        to_lamp: (3,) unit vector towards the strongest lamp, camera axes.
        px_per_m: scale of the picture at the hands' distance.
        rng: source of randomness.
    """
    behind, strength = np.exp(rng.uniform(*np.log(_BEHIND_M))), rng.uniform(0.25, 0.75)
    if rng.random() >= _SHARE.get(kind, 0.0) or to_lamp[2] > -_LEAST_FRONT:
        return background
    height, width = alpha.shape
    small = (-(-width // _COARSE), -(-height // _COARSE))
    thrown = to_lamp[:2] / to_lamp[2] * behind * px_per_m
    shift = np.column_stack([np.eye(2), thrown / _COARSE]).astype(np.float32)
    cover = cv2.resize(alpha, small, interpolation=cv2.INTER_AREA)
    shadow = cv2.warpAffine(cover, shift, small, borderMode=cv2.BORDER_REPLICATE)
    contact = 0.3 + _PENUMBRA * behind * px_per_m / _COARSE
    shadow = cv2.GaussianBlur(shadow, (0, 0), contact)
    light = cv2.resize(255 - strength * shadow.astype(np.float32), (width, height))
    three = cv2.cvtColor(light.astype(np.uint8), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.multiply(background, three, scale=1 / 255), dtype=np.uint8)
