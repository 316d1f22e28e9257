"""Measures of an adult hand, and the joints that follow from them.

Bone lengths are means of Buryanov and Kotiuk, "Proportions of hand segments", Int. J. Morphol.
28(3), 2010 (radiographs of adults; the last bone of a digit reaches to the skin of its tip).
Breadths and depths are rounded from hand anthropometry (Greiner, NATICK/TR-92/011, both sexes).
Wrist joint to middle finger tip, flat: 177 mm.

Millimetres; construction frame of a right hand: origin in the middle of the wrist, fingers along
-x, thumb side +z, back of the hand +y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hand_recon_ros.mano.data import FloatArray
from hand_recon_ros.skeleton import FINGERS

WRIST_MM: Final = np.array([90.0, 5.0, 5.0])
"""Where the wrist joint lies in the model's frame (near MANO's, facts A2.3)."""
MANO_DIGITS: Final = ("index", "middle", "little", "ring", "thumb")
_WRIST: Final = (-4.0, 0.0, 0.0)
"""The wrist joint: the head of the capitate, where the hand turns."""
_ROOT_SHIFT: Final = 0.14
"""The model's first joint of a digit lies this share of the bone beyond the anatomical one.

Key points that people mark, and networks learn, sit nearer to the web than the joint's centre
does (9 mm for MediaPipe on this very mesh; MANO's do so too, facts A2.3). Halfway costs little
in the look of a bent finger, and saves the fit from stretching the palm.
"""


@dataclass(frozen=True)
class Digit:
    """One finger, or the thumb (whose first bone is its metacarpal).

    Attributes:
        root: anatomical centre of the first joint (MCP of a finger, CMC of the thumb).
        lengths: the three bones.
        azimuths: direction of each bone in the palm's plane, degrees from -x towards +z.
        drops: angle of each bone below the palm's plane, degrees.
        roll: turn of the back of the digit about its axis, degrees from dorsal to radial.
        size: breadth and depth relative to the middle finger.
    """

    root: tuple[float, float, float]
    lengths: tuple[float, float, float]
    azimuths: tuple[float, float, float]
    drops: tuple[float, float, float]
    roll: float
    size: float


DIGITS: Final[dict[str, Digit]] = {
    "thumb": Digit((-21, -9, 23), (45.0, 31.6, 27.3), (44, 36, 31), (17, 8, 5), 60, 1.0),
    "index": Digit((-87, 0, 24), (39.8, 22.4, 19.7), (4, 3, 2.5), (2, 2.5, 3), 3, 0.98),
    "middle": Digit((-88.5, 2.5, 2), (44.6, 26.3, 21.3), (0.5, 0.5, 0.5), (2, 2.5, 3), 0, 1.0),
    "ring": Digit((-82.5, 0.5, -18), (41.4, 25.6, 21.2), (-4, -3.5, -3), (2, 2.5, 3), -3, 0.95),
    "little": Digit((-74, -3.5, -35.5), (32.7, 18.1, 19.7), (-10, -8, -7), (2, 2.5, 3), -7, 0.84),
}


@dataclass(frozen=True)
class Anatomy:
    """One person's hand: factors on the mean measures (1 = mean).

    ``index_ring`` lengthens the index and shortens the ring finger; ``taper`` slims the tips and
    thickens the bases of the fingers. ``thumb_thickness`` also moves the thumb outwards.
    """

    scale: float = 1.0
    palm_length: float = 1.0
    palm_width: float = 1.0
    thickness: float = 1.0
    finger_length: float = 1.0
    thumb_length: float = 1.0
    thumb_thickness: float = 1.0
    index_ring: float = 1.0
    little_length: float = 1.0
    taper: float = 1.0

    @property
    def palm_factors(self) -> FloatArray:
        """Stretch of the palm along x, y, z."""
        return self.scale * np.array([self.palm_length, self.thickness, self.palm_width])

    def length_factor(self, name: str) -> float:
        """Factor on the bones of a digit."""
        own = {
            "thumb": self.thumb_length,
            "index": self.finger_length * self.index_ring,
            "middle": self.finger_length,
            "ring": self.finger_length / self.index_ring,
            "little": self.finger_length * self.little_length,
        }
        return self.scale * own[name]

    def girth_factors(self, name: str) -> FloatArray:
        """Factors on the breadth and the depth of a digit."""
        if name == "thumb":
            return self.scale * self.thumb_thickness * np.array([1.0, self.thickness])
        return self.scale * np.array([0.5 + 0.5 * self.palm_width, self.thickness])


@dataclass(frozen=True)
class Chain:
    """Joints and bones of one digit.

    Attributes:
        points: (4, 3) three joints and the tip.
        frames: (3, 3, 3) axes of each bone as columns: distal, dorsal, radial.
        stations: (4,) arc length of the points.
    """

    points: FloatArray
    frames: FloatArray
    stations: FloatArray


def chain(anatomy: Anatomy, name: str) -> Chain:
    """Lay out the bones of one digit in the rest pose."""
    digit = DIGITS[name]
    root = np.array(digit.root) * anatomy.palm_factors
    if name == "thumb":
        root = root + np.array([0.0, 0.0, 8.0]) * (anatomy.thumb_thickness - 1.0)
    points, frames = [root], []
    lengths = np.array(digit.lengths) * anatomy.length_factor(name)
    roll = np.radians(digit.roll)
    for length, azimuth, drop in zip(lengths, digit.azimuths, digit.drops, strict=True):
        a, d = np.radians([azimuth, drop])
        distal = np.array([-np.cos(a) * np.cos(d), -np.sin(d), np.sin(a) * np.cos(d)])
        radial = np.array([np.sin(a), 0.0, np.cos(a)])
        dorsal = np.cross(distal, radial)
        frames.append(
            np.stack(
                [
                    distal,
                    np.cos(roll) * dorsal + np.sin(roll) * radial,
                    np.cos(roll) * radial - np.sin(roll) * dorsal,
                ],
                axis=1,
            )
        )
        points.append(points[-1] + length * distal)
    return Chain(np.array(points), np.array(frames), np.concatenate([[0.0], np.cumsum(lengths)]))


def chains(anatomy: Anatomy) -> dict[str, Chain]:
    """All five digits."""
    return {name: chain(anatomy, name) for name in FINGERS}


def mano_joints(anatomy: Anatomy) -> FloatArray:
    """(16, 3) joints in MANO's order, millimetres in the construction frame."""
    joints = [np.array([_WRIST]) * anatomy.palm_factors]
    for name in MANO_DIGITS:
        bones = chain(anatomy, name)
        points = bones.points[:3].copy()
        points[0] += _ROOT_SHIFT * (points[1] - points[0])
        joints.append(points)
    return np.concatenate(joints)
