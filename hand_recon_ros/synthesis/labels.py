"""Reads the labels of a picture off the scene and the depth that was rendered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.gl.scene import Picture
from hand_recon_ros.skeleton import FINGERS, TIPS
from hand_recon_ros.synthesis.body import ARM_PART
from hand_recon_ros.synthesis.placing import PlacedHand
from hand_recon_ros.synthesis.sample import HandLabel
from hand_recon_ros.synthesis.takes import Take
from hand_recon_ros.types import Array

_FLESH_M: Final = np.array(
    [0.022, 0.022, 0.016, 0.013, 0.008, *(4 * (0.018, 0.0135, 0.0115, 0.008))]
)
"""Most flesh between a joint and the skin over it; tips lie on the skin."""
_SLACK_M = 0.004
_TIPS: Final = np.array(TIPS)
_INSET: Final = 0.2
"""Tips are looked at a little inwards: at the very end a pixel may show what lies behind."""


def _covers() -> NDArray[np.bool_]:
    """(21, 17) which parts' skin may lie over each joint."""
    parts_of = {"palm": [0], "arm": [ARM_PART]}
    for k, finger in enumerate(("index", "middle", "little", "ring", "thumb")):
        parts_of[finger] = [1 + 3 * k, 2 + 3 * k, 3 + 3 * k]
    allowed = np.zeros((21, ARM_PART + 1), dtype=np.bool_)
    allowed[0, [*parts_of["palm"], *parts_of["arm"]]] = True
    for k, finger in enumerate(FINGERS):
        for level in range(1, 5):
            allowed[4 * k + level, parts_of[finger]] = True
        allowed[4 * k + 1, 0] = True  # knuckles lie in the palm, too
    allowed[1:3, [0, *parts_of["thumb"]]] = True
    return allowed


_MAY_COVER: Final = _covers()


def masks(picture: Picture) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Instance and part masks: forearms are no hand, parts count from 1."""
    assert picture.instance is not None
    assert picture.part is not None
    is_hand = ((picture.instance > 0) & (picture.part < ARM_PART)).view(np.uint8)
    return picture.instance * is_hand, (picture.part + np.uint8(1)) * is_hand


def visible_joints(
    joints_px: Array, joints_m: Array, number: int, picture: Picture
) -> NDArray[np.bool_]:
    """(21,) whether the pixel of each joint shows this hand's skin just before the joint.

    Args:
        joints_px: (21, 2).
        joints_m: (21, 3) camera's optical frame.
        number: of the hand in the picture.
        picture: with labels.
    """
    assert picture.instance is not None
    assert picture.part is not None
    assert picture.depth_m is not None
    inset = joints_px.copy()
    inset[_TIPS] += _INSET * (joints_px[_TIPS - 1] - joints_px[_TIPS])
    column, row, inside = _pixels(inset, picture)
    inside &= _pixels(joints_px, picture)[2]
    own = picture.instance[row, column] == number
    fitting = _MAY_COVER[np.arange(21), np.minimum(picture.part[row, column], ARM_PART)]
    before = joints_m[:, 2] - picture.depth_m[row, column]
    return np.asarray(inside & own & fitting & (before < _FLESH_M + _SLACK_M))


@dataclass(frozen=True)
class ProjectedHand:
    """Where a rendering shows a hand: projected once for all windows of the rendering.

    Attributes:
        placed: the hand in the scene.
        number: of its instance.
        tone: of its skin.
        joints_m: (21, 3) the rendering camera's optical frame.
        joints_px: (21, 2) in the rendering.
        outline_px: (778, 2) the mesh's vertices in the rendering.
    """

    placed: PlacedHand
    number: int
    tone: str
    joints_m: Array
    joints_px: Array
    outline_px: Array

    @classmethod
    def of(
        cls, placed: PlacedHand, number: int, camera: Camera, pose: Array, tone: str
    ) -> ProjectedHand:
        """Project a hand; ``pose`` is (4, 4) camera from scene."""
        joints = placed.joints @ pose[:3, :3].T + pose[:3, 3]
        outline = camera.project(placed.vertices @ pose[:3, :3].T + pose[:3, 3])
        return cls(placed, number, tone, joints, camera.project(joints), outline)

    def label(self, take: Take, picture: Picture) -> HandLabel:
        """The truth about the hand in a window of the rendering.

        Turning and scaling a picture are maps of the plane, whatever the lens.

        Args:
            take: the window.
            picture: the window's picture, with labels.
        """
        joints_m = self.joints_m @ take.rotation.T
        joints_px, outline = take.points(self.joints_px), take.points(self.outline_px)
        low, high = np.fmin.reduce(outline), np.fmax.reduce(outline)  # vertices behind are NaN
        return HandLabel(
            side=self.placed.side,
            number=self.number,
            box_px=np.concatenate([low, high - low]),
            joints_px=joints_px,
            joints_m=joints_m,
            visible=visible_joints(joints_px, joints_m, self.number, picture),
            mano=self.placed.parameters(take.pose),
            pose_kind=self.placed.hand.kind,
            tone=self.tone,
            seen=_seen_share(outline, self.number, picture),
        )


def _seen_share(outline: Array, number: int, picture: Picture) -> float:
    """Share of the mesh's vertices whose pixel shows this hand."""
    column, row, inside = _pixels(outline, picture)
    assert picture.instance is not None
    return float((inside & (picture.instance[row, column] == number)).mean())


def _pixels(
    points: Array, picture: Picture
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Column and row of points (n, 2), 0 outside, and whether they lie in the picture."""
    assert picture.instance is not None
    height, width = picture.instance.shape
    rounded = np.rint(points)
    x, y = rounded.T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # not where NaN
    column, row = np.where(inside, rounded.T, 0.0).astype(np.intp)
    return column, row, inside
