"""Which fingers a hand extends, read from its 3D joints alone: whoever found them, one rule.

A finger (index to little) is extended if its tip is farther from the wrist than its middle joint
(PIP) by the factor ``_FINGER_REACH``. The thumb is extended if its tip is farther from the little
finger's knuckle than its own knuckle (MCP) by the factor ``_THUMB_REACH``, so it leads away from
the palm, and not opposed: out of the palm's plane by less than ``_THUMB_RISE`` palm lengths, from
the knuckle of the index finger. All are ratios of lengths: no scale, no side, no camera.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

DIGIT_FINGERS: Final = (
    (False, False, False, False, False),
    (False, True, False, False, False),
    (False, True, True, False, False),
    (True, True, True, False, False),
    (False, True, True, True, True),
    (True, True, True, True, True),
    (False, True, True, True, False),
    (False, True, True, False, True),
    (False, True, False, True, True),
    (False, False, True, True, True),
)
"""Fingers, thumb first, that the digits 0 to 9 of the sign language in ``digits`` extend: 0 is an
O of all fingers; from 6 to 9 the thumb meets the little, ring, middle and index finger."""
_FINGER_REACH: Final = 1.2
_THUMB_REACH: Final = 1.15
_THUMB_RISE: Final = 0.65
_FINGER_ROOTS: Final = np.array([5, 9, 13, 17])


def extended_fingers(joints_m: Array) -> NDArray[np.bool_]:
    """(5,) whether thumb, index, middle, ring and little finger are extended.

    Args:
        joints_m: (21, 3) joints of a hand in any frame; their unit does not matter.
    """
    joints = np.asarray(joints_m, dtype=np.float64)
    reach = np.linalg.norm(joints - joints[0], axis=1)
    fingers = reach[_FINGER_ROOTS + 3] >= _FINGER_REACH * reach[_FINGER_ROOTS + 1]
    return np.array([_thumb_extended(joints), *fingers])


def _thumb_extended(joints: Array) -> bool:
    wrist, knuckle, tip, index, middle, little = joints[[0, 2, 4, 5, 9, 17]]
    normal = np.cross(index - little, middle - wrist)
    normal /= max(float(np.linalg.norm(normal)), 1e-12)
    rise = abs(float((tip - index) @ normal))
    away = np.linalg.norm(tip - little) >= _THUMB_REACH * np.linalg.norm(knuckle - little)
    return bool(away and rise < _THUMB_RISE * np.linalg.norm(middle - wrist))
