"""Named hand poses, from which the hard and the everyday ones are varied.

Angles are told as in ``mano.embedded.poses`` (bend, spread, twist; degrees) and turned into the
anatomical angles of ``mano.priors``, which fit any hand model of MANO's layout.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from hand_recon_ros.mano.embedded.anatomy import MANO_DIGITS
from hand_recon_ros.mano.embedded.anatomy import Anatomy as EmbeddedAnatomy
from hand_recon_ros.mano.embedded.poses import NAMED_POSES, Angles, axis_angles, joint_axes
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.priors import LOWER_LIMITS, UPPER_LIMITS, Anatomy, angles_of
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array

_FAN: Final = {"index": 7.0, "middle": 1.0, "ring": -5.0, "little": -11.0}
_CURL: Final[dict[str, Angles]] = {
    name: ((86, spread, 0), (106, 0, 0), (72, 0, 0))
    for name, spread in (("index", -2), ("middle", 0), ("ring", 2), ("little", 6))
}
"""Tighter than fingers can close: contact with the palm sets how far they go."""
_RELAXED: Final = NAMED_POSES["relaxed"]
_HOOKED: Final[Angles] = ((5, 0, 0), (95, 0, 0), (60, 0, 0))

_THUMB_OUT: Final[Angles] = ((-14, 4, 0), (-4, 0, 0), (-8, 0, 0))
_THUMB_SIDE: Final[Angles] = ((6, -8, 0), (4, 0, 0), (4, 0, 0))
_THUMB_OVER: Final[Angles] = ((33, 22, -22), (26, 0, 0), (45, 0, 0))
_THUMB_PALM: Final[Angles] = ((42, 26, -20), (38, 0, 0), (40, 0, 0))
_THUMB_MEETS: Final[Angles] = ((46, 20, -29), (3, 0, 0), (-4, 0, 0))
_THUMB_OPPOSED: Final[Angles] = ((22, 42, -20), (8, 0, 0), (14, 0, 0))


def _straight(*names: str) -> dict[str, Angles]:
    return {name: ((-4, _FAN[name], 0), (3, 0, 0), (2, 0, 0)) for name in names}


def _bent(mcp: float, pip: float, dip: float) -> dict[str, Angles]:
    return {
        name: ((mcp, 0.3 * spread, 0), (pip, 0, 0), (dip, 0, 0)) for name, spread in _FAN.items()
    }


_OTHERS: Final = ("middle", "ring", "little")
GESTURES: Final[dict[str, dict[str, Angles]]] = {
    "relaxed": _RELAXED,
    "flat": {"thumb": _THUMB_SIDE},
    "spread": {**_straight(*_FAN), "thumb": _THUMB_OUT},
    "fist": {**_CURL, "thumb": _THUMB_OVER},
    "thumb_in_fist": {**_CURL, "thumb": _THUMB_PALM},
    "thumbs_up": {**_CURL, "thumb": ((-18, -8, 0), (-5, 0, 0), (-12, 0, 0))},
    "thumb_beside_fist": {**_CURL, "thumb": ((10, -4, 0), (8, 0, 0), (8, 0, 0))},
    "point": {**_CURL, **_straight("index"), "thumb": _THUMB_OVER},
    "gun": {**_CURL, **_straight("index"), "thumb": _THUMB_OUT},
    "victory": {
        **_CURL,
        "index": ((-2, 12, 0), (3, 0, 0), (2, 0, 0)),
        "middle": ((-2, -9, 0), (3, 0, 0), (2, 0, 0)),
        "thumb": _THUMB_OVER,
    },
    "three": {**_CURL, **_straight("index", "middle", "ring"), "thumb": _THUMB_PALM},
    "three_thumb": {**_CURL, **_straight("index", "middle"), "thumb": _THUMB_OUT},
    "four": {**_straight(*_FAN), "thumb": _THUMB_PALM},
    "little": {**_CURL, **_straight("little"), "thumb": _THUMB_OVER},
    "shaka": {**_CURL, **_straight("little"), "thumb": _THUMB_OUT},
    "horns": {**_CURL, **_straight("index", "little"), "thumb": _THUMB_OVER},
    "pinch": NAMED_POSES["pinch"],
    "ok": {
        **NAMED_POSES["pinch"],
        **_straight("ring", "little"),
        "middle": ((10, 0, 0), (12, 0, 0), (6, 0, 0)),
    },
    "pinch_middle": {
        "index": ((24, 0, 0), (20, 0, 0), (10, 0, 0)),
        "middle": ((66, -4, 0), (40, 0, 0), (6, 0, 0)),
        "ring": ((30, 0, 0), (30, 0, 0), (15, 0, 0)),
        "little": ((22, 0, 0), (24, 0, 0), (12, 0, 0)),
        "thumb": ((48, 30, -28), (8, 0, 0), (4, 0, 0)),
    },
    "o_shape": {**_bent(46, 44, 22), "thumb": _THUMB_MEETS},
    "key": {**_bent(50, 78, 38), "thumb": ((16, -2, 0), (14, 0, 0), (20, 0, 0))},
    "crossed": {
        **_CURL,
        "index": ((4, -18, 0), (6, 0, 0), (3, 0, 0)),
        "middle": ((30, 14, 0), (22, 0, 0), (10, 0, 0)),
        "thumb": _THUMB_OVER,
    },
    "grasp": {**_bent(32, 42, 22), "thumb": _THUMB_OPPOSED},
    "grasp_small": {**_bent(58, 66, 30), "thumb": ((36, 36, -24), (12, 0, 0), (22, 0, 0))},
    "claw": {**_bent(-8, 62, 38), "thumb": ((0, 14, 0), (22, 0, 0), (36, 0, 0))},
    "hook": {**dict.fromkeys(_FAN, _HOOKED), "thumb": _THUMB_SIDE},
    "table": {**_bent(78, 6, 3), "thumb": ((10, 10, 0), (4, 0, 0), (4, 0, 0))},
}


@cache
def gesture(name: str) -> Array:
    """(15, 3) twist, spread and bend of a gesture, rad, within the limits; MANO's joint order."""
    straight: Angles = ((0, 0, 0), (0, 0, 0), (0, 0, 0))
    digits = GESTURES[name]
    degrees = np.array([digits.get(digit, straight) for digit in MANO_DIGITS], dtype=float)
    turns = axis_angles(joint_axes(EmbeddedAnatomy()), np.radians(degrees.reshape(15, 3)))
    angles = angles_of(_axes(), exp_so3(turns))
    return np.clip(angles, LOWER_LIMITS, UPPER_LIMITS)


@cache
def _axes() -> Array:
    return Anatomy.of(load_hand_model("right")).axes[0]
