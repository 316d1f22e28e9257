"""Marks that OpenCV draws quicker than any renderer: a hand's skeleton and its name tag."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.palette import SIDE_COLOURS, TIP_COLOUR, confidence_colours
from hand_recon_ros.skeleton import BONES, NUM_JOINTS, TIPS, Side
from hand_recon_ros.types import Array, Hand

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (20, 20, 20)
_BONE, _OUTLINE = (245, 245, 245), (40, 40, 46)
_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws with."""
_BONES = np.array(BONES)


def mark_scale(image: NDArray[np.uint8]) -> float:
    """Size of marks in an image; 1 suits 720 lines."""
    return max(min(image.shape[:2]) / 720, 0.5)


def draw_skeleton(
    canvas: NDArray[np.uint8], hand: Hand, points_px: Array, scale: float = 1.0
) -> None:
    """Draw bones and joints, in place; a joint is grey where its key point was unsure.

    Args:
        canvas: (H, W, 3) RGB.
        hand: whose confidence and side are shown.
        points_px: (21, 2) joints in this picture; those that are not finite are left out.
        scale: size of the marks, see ``mark_scale``.
    """
    # OpenCV draws with 32-bit fixed point: points far outside would wrap round.
    good = np.isfinite(points_px).all(axis=1)
    good &= (np.abs(np.where(good[:, None], points_px, 0)) < 2 * max(canvas.shape)).all(axis=1)
    places = np.round(np.where(good[:, None], points_px, 0) * 2**_SHIFT).astype(np.int32)
    seen = hand.joint_confidence if hand.state == "tracked" else np.zeros(NUM_JOINTS)
    seen = np.where(np.isfinite(seen), seen, 0)
    tints = np.round(255 * confidence_colours(_joint_colours(hand.side), seen)).tolist()
    thin = max(round(2 * scale), 1)
    wide = thin + 2
    small = round(3.0 * scale * 2**_SHIFT)
    bones = [*places[_BONES][good[_BONES].all(axis=1)]]
    cv2.polylines(canvas, bones, False, _OUTLINE, wide, cv2.LINE_AA, _SHIFT)
    cv2.polylines(canvas, bones, False, _BONE, thin, cv2.LINE_AA, _SHIFT)
    rim = small + round(1.2 * 2**_SHIFT)
    for at, tint, drawn in zip(places.tolist(), tints, good.tolist(), strict=True):
        if drawn:
            cv2.circle(canvas, at, rim, _OUTLINE, -1, cv2.LINE_AA, _SHIFT)
            cv2.circle(canvas, at, small, tint, -1, cv2.LINE_AA, _SHIFT)


def draw_bones(
    canvas: NDArray[np.uint8], points_px: Array, colour: tuple[int, int, int], thickness: int
) -> None:
    """Draw the bones of a hand as plain lines, in place.

    Args:
        canvas: (H, W, 3) RGB.
        points_px: (21, 2) joints in this picture.
        colour: RGB, 0..255.
        thickness: of the lines, px.
    """
    most = max(canvas.shape)
    places = np.round(np.clip(points_px, -most, 2 * most) * 2**_SHIFT).astype(np.int32)
    cv2.polylines(canvas, [*places[_BONES]], False, colour, thickness, cv2.LINE_AA, _SHIFT)


@functools.cache
def _joint_colours(side: Side) -> NDArray[np.float64]:
    colours = np.tile(SIDE_COLOURS[side], (NUM_JOINTS, 1))
    colours[list(TIPS)] = TIP_COLOUR
    return colours


def draw_label(canvas: NDArray[np.uint8], hand: Hand) -> None:
    """Write side, track and state above the hand's box, in place."""
    if not np.isfinite(hand.box_px).all():
        return
    text = f"{hand.side} #{hand.track_id}"
    if hand.state == "predicted":
        text += " predicted"
    scale = 0.55 * max(mark_scale(canvas), 0.7)
    (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
    x = int(np.clip(hand.box_px[0], 0, max(canvas.shape[1] - width - 8, 0)))
    y = int(np.clip(hand.box_px[1] - 4, height + 6, canvas.shape[0] - below))
    corner, opposite = (x, y - height - 6), (x + width + 8, y + below - 1)
    colour = [round(255 * c) for c in SIDE_COLOURS[hand.side]]
    cv2.rectangle(canvas, corner, opposite, colour, -1)
    cv2.putText(canvas, text, (x + 4, y - 2), _FONT, scale, _INK, 1, cv2.LINE_AA)
