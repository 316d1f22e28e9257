"""Room around pictures that a hand fills.

Detectors look for hands in a scene; in a crop of the hand alone (FreiHAND: 224 px) they find few. A
user would step back. So the chain sees the crop with a border that repeats its edge, enlarged, and
with the K of that larger picture; its pixels are then taken back to the data set's own picture, so
that 2D errors are told in the data set's pixels. Metres need no way back: border and scale change K
only, not the camera's optical frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.types import Array, Frame, HandFrame

_SIDE: Final = 480
"""Longer side of an enlarged picture, px: a common camera's height."""


@dataclass(frozen=True, slots=True)
class Enlarging:
    """The way from a picture to the larger one: large = scale (small + room).

    Pixel centres lie at whole numbers in both.
    """

    scale: float
    room: float

    @staticmethod
    def of(camera: Camera, border: float) -> Enlarging:
        """For pictures of this camera; ``border`` is a share of the longer side."""
        longer = max(camera.width, camera.height)
        return Enlarging(_SIDE / (longer * (1 + 2 * border)), border * longer)

    def frame(self, small: Frame) -> Frame:
        """The larger picture and its camera."""
        camera, scale, room = small.camera, self.scale, self.room
        to_large = np.array(
            [[scale, 0.0, scale * room], [0.0, scale, scale * room], [0.0, 0.0, 1.0]]
        )
        width, height = (round(scale * (n + 2 * room)) for n in (camera.width, camera.height))
        image = cv2.warpAffine(
            small.image, to_large[:2], (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        large = Camera(width, height, to_large @ camera.K, camera.D, camera.model)
        return replace(small, image=np.asarray(image, dtype=np.uint8), camera=large)

    def back(self, found: HandFrame, camera: Camera) -> HandFrame:
        """What was found in the larger picture, in pixels of the small one with this camera."""
        hands = tuple(
            replace(hand, joints_px=self._small(hand.joints_px), box_px=self._box(hand.box_px))
            for hand in found.hands
        )
        return replace(found, camera=camera, hands=hands)

    def _small(self, points_px: Array) -> Array:
        return points_px / self.scale - self.room

    def _box(self, box_px: Array) -> Array:
        return np.concatenate([self._small(box_px[:2]), box_px[2:] / self.scale])
