"""Skin of the fingers and the thumb: cross sections along the bones.

A section is two half ellipses on the bone's axis: half breadth, dorsal and palmar depth. Their
profiles give the knuckles, the creases, the pads and the flat of the nail.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.interpolate import PchipInterpolator

from hand_recon_ros.mano.data import FloatArray
from hand_recon_ros.mano.embedded.anatomy import DIGITS, Anatomy, Chain

# Bone coordinate (0..1 first bone, 1..2 second, 2..3 third), half breadth, dorsal, palmar (mm).
_FINGER: Final = np.array(
    [
        (-0.60, 9.0, 9.0, 12.0),
        (0.00, 9.8, 10.5, 12.5),
        (0.42, 9.5, 8.8, 10.6),
        (0.70, 9.2, 7.9, 9.8),
        (1.00, 9.7, 8.7, 8.0),
        (1.26, 9.0, 7.5, 8.6),
        (1.55, 8.7, 6.7, 8.7),
        (1.84, 8.5, 6.9, 7.5),
        (2.00, 8.5, 6.9, 6.9),
        (2.12, 8.4, 6.8, 7.1),
        (2.27, 8.3, 6.4, 7.4),
        (2.45, 8.1, 5.2, 7.7),
        (2.68, 7.6, 4.5, 7.0),
        (2.76, 7.1, 4.2, 6.3),
        (2.93, 4.5, 2.8, 3.8),
        (3.00, 2.5, 1.5, 2.0),
    ]
)
_THUMB: Final = np.array(
    [
        (0.00, 12.0, 13.0, 14.0),
        (0.55, 11.0, 10.0, 12.0),
        (0.80, 11.0, 10.0, 11.8),
        (1.00, 11.8, 11.2, 11.8),
        (1.20, 11.3, 10.2, 11.2),
        (1.50, 10.4, 8.6, 10.4),
        (1.85, 10.9, 9.0, 9.4),
        (2.00, 11.2, 9.0, 8.8),
        (2.20, 11.0, 8.3, 9.2),
        (2.50, 10.6, 6.0, 9.4),
        (2.79, 8.8, 4.6, 7.4),
        (2.94, 5.2, 3.0, 4.2),
        (3.00, 3.0, 1.8, 2.5),
    ]
)
_FINGER_PROFILE: Final = PchipInterpolator(_FINGER[:, 0], _FINGER[:, 1:])
_THUMB_PROFILE: Final = PchipInterpolator(_THUMB[:, 0], _THUMB[:, 1:])
FINGER_STATIONS: Final = (0.40, 0.66, 0.86, 1.00, 1.20, 1.50, 1.79, 2.00, 2.27, 2.68)
"""Bone coordinates of a finger's rings, base first; three rings bracket each joint."""
LITTLE_STATIONS: Final = (0.40, 0.75, 0.89, *FINGER_STATIONS[3:])
"""The little finger's web reaches further along its short first bone."""
THUMB_STATIONS: Final = (0.60, 0.84, 0.97, 1.10, 1.28, 1.52, 1.78, 2.00, 2.22, 2.50, 2.79)
STATIONS: Final = {
    "thumb": THUMB_STATIONS,
    **dict.fromkeys(("index", "middle", "ring"), FINGER_STATIONS),
    "little": LITTLE_STATIONS,
}
CAP_STATION: Final = 2.93
_NAIL_START: Final = 2.3
_NAIL_CUT: Final = 0.8


def sections(anatomy: Anatomy, name: str, bone: FloatArray) -> FloatArray:
    """(n, 3) half breadth, dorsal and palmar depth in mm at bone coordinates ``bone``."""
    profile = _THUMB_PROFILE if name == "thumb" else _FINGER_PROFILE
    radii = profile(np.clip(bone, profile.x[0], 3.0))
    radii = radii * DIGITS[name].size
    breadth, depth = anatomy.girth_factors(name)
    slope = 1.0 + (anatomy.taper - 1.0) * (1.5 - np.clip(bone, 0.0, 3.0)) / 1.5
    return np.asarray(radii * np.array([breadth, depth, depth]) * slope[:, None])


def bone_coordinate(chain: Chain, along: FloatArray) -> FloatArray:
    """Arc length along a digit in mm to the bone coordinate 0..3 (linear beyond the root)."""
    lengths = np.diff(chain.stations)
    inside = np.interp(along, chain.stations, np.arange(4.0))
    return np.where(along < 0, along / lengths[0], inside)


def centre_line(chain: Chain, bone: float) -> tuple[FloatArray, FloatArray]:
    """Point (3,) and axes (3, 3) at a bone coordinate; axes are blended across the joints."""
    index = min(int(bone), 2)
    point = chain.points[index] + (bone - index) * (chain.points[index + 1] - chain.points[index])
    nearest = round(bone)
    blend = 0.5 + np.clip((bone - nearest) / 0.25, -1.0, 1.0) / 2.0
    if not 1 <= nearest <= 2:
        return point, chain.frames[index]
    axes = (1.0 - blend) * chain.frames[nearest - 1] + blend * chain.frames[nearest]
    u, _, v = np.linalg.svd(axes)
    return point, u @ v


def ring(anatomy: Anatomy, name: str, chain: Chain, bone: float, turn: FloatArray) -> FloatArray:
    """Vertices (n, 3) of a section at angles ``turn`` (rad, radial 0, dorsal pi/2)."""
    point, axes = centre_line(chain, bone)
    half, dorsal, palmar = sections(anatomy, name, np.array([bone]))[0]
    # The nail is flat: cut the top off the dorsal arch.
    up = np.minimum(np.sin(turn), _NAIL_CUT if bone > _NAIL_START else 1.0)
    depth = np.where(up > 0, dorsal, palmar)
    return np.asarray(
        point + np.outer(half * np.cos(turn), axes[:, 2]) + np.outer(depth * up, axes[:, 1])
    )
