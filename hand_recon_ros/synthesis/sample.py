"""One labelled picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, ManoParameters


@dataclass(frozen=True)
class HandLabel:
    """The truth about one hand.

    Attributes:
        side: which hand.
        number: of its pixels in ``Sample.instance``.
        box_px: (4,) x, y, width, height of its whole mesh, hidden parts too; may leave the image.
        joints_px: (21, 2) projected joints; may lie outside the image.
        joints_m: (21, 3) camera's optical frame.
        visible: (21,) bool: in the image, and the skin over the joint is what is seen there.
        mano: parameters of the hand; its ``model`` names the mesh that is drawn.
        pose_kind: see ``poses.POSE_KINDS``.
        tone: see ``appearance.TONES``.
        seen: share of the hand's outline that is seen, 0..1: not hidden and not cut off.
    """

    side: Side
    number: int
    box_px: Array
    joints_px: Array
    joints_m: Array
    visible: NDArray[np.bool_]
    mano: ManoParameters
    pose_kind: str
    tone: str
    seen: float


@dataclass(frozen=True)
class Sample:
    """A picture with its labels; height H, width W.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        camera: K and distortion of this very picture.
        hands: left and right in no order.
        instance: (H, W) uint8: 0 = no hand, else ``HandLabel.number``. Forearms are no hand.
        part: (H, W) uint8: 0 = no hand, else 1 + MANO's joint number (16 parts).
        depth_m: (H, W) float32 distance along the optical axis of everything that was rendered;
            inf = the backdrop.
        meta: how the picture was made: ``scene``, ``view``, ``background``, ``held``,
            ``occluder``, ``cut``, ``grey`` and the like.
    """

    image: NDArray[np.uint8]
    camera: Camera
    hands: tuple[HandLabel, ...]
    instance: NDArray[np.uint8]
    part: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    meta: dict[str, str | int | float | bool] = field(default_factory=dict)
