"""Anatomical joint angles of a hand, read from its 21 joints alone.

Zero is the flat hand with straight fingers side by side, the thumb beside the palm. Flexion is
positive towards the palm. Abduction of a finger is positive away from the middle finger (that of
the middle finger itself: towards the thumb); abduction of the thumb is positive away from the
palm. Both hands have the same angles in the same pose: a left hand is mirrored first.

The palm's axes come from the wrist and all four knuckles, so that one joint's noise counts little.
On them stand the rest directions and flexion axes of the digits (``_REST``). As in the joint
coordinate systems of the ISB (Wu et al., J. Biomech. 38, 2005), flexion turns about an axis fixed
in the bone before, abduction about one that is carried along. So abduction keeps its meaning
however far the finger is bent: with the knuckle at 90 degrees it is the finger's sideways lean. It
then follows errors of the palm's roll instead of its yaw, and people hardly have any there (the
ligaments are taut), so that users who only want spread fingers weigh it by the cosine of the
flexion, as ``features`` does. Only a finger along its own flexion axis has no flexion at all.

Turns about a bone cannot be seen in joints of a straight digit, so that none are told. Where one
is there (an opposed thumb turns by 20 to 45 degrees), the bend beyond it is still read: see
``_hinge``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.skeleton import FINGERS, NUM_JOINTS, PALM_JOINTS, Side
from hand_recon_ros.types import Array

JOINT_NAMES: Final[tuple[str, ...]] = (
    *("thumb_cmc_flexion", "thumb_cmc_abduction", "thumb_mcp_flexion", "thumb_ip_flexion"),
    *(
        f"{finger}_{angle}"
        for finger in FINGERS[1:]
        for angle in ("mcp_flexion", "mcp_abduction", "pip_flexion", "dip_flexion")
    ),
)
"""The 20 angles, four of each digit, thumb first."""
FIRST_FLEXION: Final = 0
"""Flexion, abduction, middle and last flexion: where they stand among the four of a digit."""
ABDUCTION: Final = 1
SECOND_FLEXION: Final = 2
THIRD_FLEXION: Final = 3

_REST: Final = np.radians(
    [
        ((42.1, 20.3, 60.8), (34.2, 11.1, 61.3), (29.2, 8.0, 61.5)),
        ((2.2, 4.0, 5.7), (1.2, 4.5, 5.8), (0.7, 4.9, 5.8)),
        ((-1.3, 3.8, 2.8), (-1.3, 4.3, 2.8), (-1.3, 4.8, 2.8)),
        ((-5.8, 3.6, 0.0), (-5.3, 4.1, 0.0), (-4.8, 4.7, 0.0)),
        ((-11.8, 3.3, -3.9), (-9.8, 3.9, -3.9), (-8.8, 4.5, -3.9)),
    ]
)
"""(5, 3, 3) each bone of a flat adult hand: its direction in the palm's plane towards the thumb,
its drop towards the palm, and how far the back of the digit is turned to the thumb's side. Those
of the embedded hand (``mano.embedded.anatomy``), told in the palm's axes of this module."""
_ABDUCTION_SIGNS: Final = np.array((1.0, 1.0, 1.0, -1.0, -1.0))
"""From "towards the thumb" (of the thumb itself: out of the palm) to abduction."""
_PALM_WEIGHTS: Final = np.array((0.25, 0.5, 0.25, 0.0))
"""Knuckles that give the palm's direction, as in MediaPipe's crops (facts A4.3)."""
_SIDEWAYS: Final = 0.25
"""Sine of a bend (15 degrees) from which on its direction is believed; see ``_hinge``."""
_YZX, _ZXY = [1, 2, 0], [2, 0, 1]
_SHORTEST: Final = 1e-9
"""Metres, and sine, below which a direction is none."""


@dataclass(frozen=True)
class HandAngles:
    """The anatomical angles of one hand, rad; zero, signs and axes as this module says.

    Attributes:
        side: which hand.
        values: (20,) in the order of ``JOINT_NAMES``; NaN where the joints do not tell.
    """

    side: Side
    values: Array

    def __getitem__(self, name: str) -> float:
        """One angle by its name in ``JOINT_NAMES``, rad.

        Raises:
            KeyError: there is no such angle.
        """
        try:
            return float(self.values[_INDEX[name]])
        except KeyError:
            raise KeyError(f"no angle '{name}'; there are: {', '.join(JOINT_NAMES)}") from None

    def by_digit(self) -> Array:
        """(5, 4) flexion, abduction and the two further flexions of each digit, thumb first."""
        return self.values.reshape(5, 4)


def hand_angles(joints_m: ArrayLike, side: Side) -> HandAngles:
    """Read the angles of one hand.

    Needs no camera, no scale and no orientation. Of joints that are not finite, or fall on each
    other, those angles come out as NaN that need them (the palm: all).

    Args:
        joints_m: (21, 3) in any right-handed frame.
        side: which hand it is.

    Raises:
        ValueError: the joints have another shape.
    """
    joints = checked_joints(joints_m)
    if side == "left":
        joints = joints * (-1.0, 1.0, 1.0)
    axes = palm_axes(joints) @ _BASES[:, 0]
    points = joints[1:].reshape(5, 4, 3)
    bones = _unit(points[:, 1:] - points[:, :-1])
    angles = np.empty((5, 4))
    for k, column in enumerate((FIRST_FLEXION, SECOND_FLEXION, THIRD_FLEXION)):
        bone = bones[:, k]
        along, up, sideways = np.einsum("dij,di->jd", axes, bone)
        if k == 0:
            angles[:, column] = np.arctan2(-up, along)
            angles[:, ABDUCTION] = _ABDUCTION_SIGNS * np.arcsin(np.clip(sideways, -1.0, 1.0))
            lost = np.hypot(along, up) < _SHORTEST
            angles[lost, column] = np.nan
        else:
            angles[:, column] = _hinge(along, -up, sideways)
        if k < 2:
            axes = _carried(axes, bone) @ _STEPS[:, k]
    return HandAngles(side, angles.reshape(-1))


def palm_axes(joints_m: Array) -> Array:
    """(3, 3) columns of a right hand: towards the fingers, out of its back, towards the thumb.

    Of the mirrored joints of a left hand the same; of its own joints the second column is turned
    round and looks out of the palm. They are left-handed (det -1). NaN where the palm has no area.
    """
    wrist, *knuckles = joints_m[list(PALM_JOINTS)]
    spokes = np.array(knuckles) - wrist
    # Newell's normal of the polygon: smooth, and every joint has a say.
    back = _unit(_cross(spokes[1:], spokes[:-1]).sum(axis=0))
    distal = _PALM_WEIGHTS @ spokes
    distal = _unit(distal - (distal @ back) * back)
    return np.column_stack((distal, back, _cross(back, distal)))


def checked_joints(joints_m: ArrayLike) -> Array:
    """The joints as float64.

    Raises:
        ValueError: their shape is not (21, 3).
    """
    joints = np.asarray(joints_m, dtype=np.float64)
    if joints.shape != (NUM_JOINTS, 3):
        raise ValueError(
            f"joints have shape {joints.shape}: give (21, 3) of one hand, in the order of "
            "skeleton.JOINT_NAMES"
        )
    return joints


def _hinge(along: Array, palmwards: Array, sideways: Array) -> Array:
    """Flexion of a joint that only bends, from its bone in the axes of the bone before.

    A digit that is turned about its bone bends partly sideways in axes that know nothing of the
    turn. The sideways part is counted as bend, but only where there is a bend to speak of: small
    sideways errors of a straight digit must not become flexion.
    """
    small = palmwards**2 + _SIDEWAYS**2
    return np.asarray(np.arctan2(palmwards * np.sqrt(1.0 + sideways**2 / small), along))


def _carried(axes: Array, bones: Array) -> Array:
    """(5, 3, 3) axes turned with the bone: along it, and the flexion axis as near as it can be."""
    flexion = axes[:, :, 2]
    flexion = _unit(flexion - np.einsum("di,di->d", flexion, bones)[:, None] * bones)
    return np.stack((bones, _cross(bones, flexion), flexion), axis=-1)


def _cross(a: Array, b: Array) -> Array:
    # a quarter of the time of np.cross for a handful of vectors
    return np.asarray(a[..., _YZX] * b[..., _ZXY] - a[..., _ZXY] * b[..., _YZX])


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, length, out=np.full_like(vectors, np.nan), where=length > _SHORTEST)


def _rest_axes(rest: Array) -> Array:
    """(..., 3, 3) columns along, up, flexion axis of bones at rest, in the palm's axes."""
    azimuth, drop, roll = np.moveaxis(rest, -1, 0)
    zero = np.zeros_like(azimuth)
    along = np.stack(
        (np.cos(azimuth) * np.cos(drop), -np.sin(drop), np.sin(azimuth) * np.cos(drop)), axis=-1
    )
    level = np.stack((-np.sin(azimuth), zero, np.cos(azimuth)), axis=-1)
    # in left-handed axes the right-handed formula of the cross product gives its mirror image
    upright = _cross(level, along)
    turn = roll[..., None]
    flexion = np.cos(turn) * level - np.sin(turn) * upright
    return np.stack((along, _cross(flexion, along), flexion), axis=-1)


_BASES: Final = _rest_axes(_REST)
_STEPS: Final = _BASES[:, :-1].swapaxes(-1, -2) @ _BASES[:, 1:]
"""(5, 2, 3, 3) from each bone's axes to those in which the next joint's zero is told."""
_INDEX: Final[Mapping[str, int]] = {name: i for i, name in enumerate(JOINT_NAMES)}
