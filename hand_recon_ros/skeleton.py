"""Names and orders of hand joints: the 21-joint skeleton and MANO's 16-joint tree."""

from __future__ import annotations

from typing import Final, Literal

Side = Literal["left", "right"]
SIDES: Final[tuple[Side, Side]] = ("left", "right")

FINGERS: Final = ("thumb", "index", "middle", "ring", "little")

JOINT_NAMES: Final[tuple[str, ...]] = (
    "wrist",
    *(f"{finger}{segment}" for finger in FINGERS for segment in (1, 2, 3, 4)),
)
"""The 21 joints in the order used everywhere (wrist first; 4 is the tip)."""

NUM_JOINTS: Final = len(JOINT_NAMES)
WRIST: Final = 0
TIPS: Final = (4, 8, 12, 16, 20)
KNUCKLES: Final = (1, 5, 9, 13, 17)
"""Thumb CMC and the four finger MCPs: the joints that hang directly on the wrist."""
PALM_JOINTS: Final = (0, 5, 9, 13, 17)
"""Joints that move rigidly with the wrist; they define the palm's frame."""

JOINT_PARENTS: Final = (-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19)
BONES: Final = tuple((parent, joint) for joint, parent in enumerate(JOINT_PARENTS) if parent >= 0)

MANO_JOINT_NAMES: Final[tuple[str, ...]] = (
    "wrist",
    *(
        f"{finger}{k}"
        for finger in ("index", "middle", "little", "ring", "thumb")
        for k in (1, 2, 3)
    ),
)
"""MANO's own joint order (note: little before ring, thumb last)."""
MANO_PARENTS: Final = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)

MANO_TO_JOINTS: Final = (
    0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20,
)  # fmt: skip
"""Take MANO's 16 joints followed by the five tips (thumb first) to the 21-joint order."""
JOINTS_TO_MANO: Final = (0, 5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3)
"""The 16 MANO joints as indices into the 21-joint order."""


def other_side(side: Side) -> Side:
    """Return the opposite side."""
    return "left" if side == "right" else "right"
