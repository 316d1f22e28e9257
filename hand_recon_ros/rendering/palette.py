"""Colours that tell the side and the confidence, RGB 0..1, display values."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hand_recon_ros.skeleton import Side

SIDE_COLOURS: Final[dict[Side, tuple[float, float, float]]] = {
    "left": (0.25, 0.61, 1.0),
    "right": (1.0, 0.55, 0.26),
}
TIP_COLOUR: Final = (1.0, 0.9, 0.35)
_UNSURE = np.array([0.5, 0.5, 0.52])


def confidence_colours(colour: ArrayLike, confidence: ArrayLike) -> NDArray[np.float64]:
    """(..., 3): the colour where it is certain, grey where it is a guess.

    Args:
        colour: (3,) or (..., 3) RGB.
        confidence: (...) 0..1.
    """
    share = np.clip(np.asarray(confidence, np.float64), 0, 1)[..., None]
    return np.asarray(_UNSURE + share * (np.asarray(colour) - _UNSURE))


def linear_light(display: ArrayLike) -> tuple[float, float, float]:
    """A display colour (3,) in linear light, for materials (sRGB, IEC 61966-2-1)."""
    c = np.asarray(display, np.float64)
    r, g, b = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).tolist()
    return r, g, b
