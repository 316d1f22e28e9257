"""Lines and patches of the skin by anatomy, drawn on a flat picture of the palm or the back."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.types import Array

Layer = NDArray[np.float32]
_FINGER_HALF_WIDTH_M: Final = (0.0095, 0.0085, 0.0088, 0.0083, 0.0072)
"""Half a finger's breadth, thumb first."""
_SHIFT: Final = 4
"""Fractional bits of the coordinates that OpenCV draws with."""


def palm_features(
    joints: Array, shape: tuple[int, int], px_per_m: float, rng: np.random.Generator | None = None
) -> tuple[Layer, Layer]:
    """Creases of palm and fingers, and the pads: tips, balls and heel.

    Args:
        joints: (21, 2) in the picture, px.
        shape: height and width of the picture.
        px_per_m: scale of the picture.
        rng: draws somebody's own creases; without it they are the usual ones.
    """
    wrist, index, middle, ring, little = joints[[0, 5, 9, 13, 17]]
    breadth = float(np.linalg.norm(index - little))
    radial = (index - little) / breadth

    def at(knuckle: Array, towards_wrist: float, outwards: float = 0.0) -> Array:
        place = knuckle + towards_wrist * (wrist - knuckle) + outwards * breadth * radial
        return place if rng is None else place + rng.normal(0, 0.045 * breadth, 2)

    heart = [at(little, 0.22, -0.3), at(ring, 0.2), at(middle, 0.14), at(middle, 0.0, 0.17)]
    head = [at(index, 0.2, 0.3), at(index, 0.26), at(middle, 0.38), at(ring, 0.5), at(little, 0.6)]
    life = [at(index, 0.22, 0.3), at(index, 0.33), at(middle, 0.55, 0.05), at(middle, 0.95, 0.05)]
    cuff = [at(wrist, 0.0, -0.2), at(wrist, 0.0), at(wrist, 0.0, 0.2)]
    creases = np.zeros(shape, np.float32)
    for line in (heart, head, life, cuff):
        stroke(creases, smooth_curve(line), 3)
    if rng is not None:
        fine = np.zeros(shape, np.float32)
        for _ in range(int(rng.integers(2, 9))):
            start = at(middle, rng.uniform(0.15, 0.8), rng.uniform(-0.4, 0.3))
            stroke(fine, np.stack([start, start + rng.normal(0, 0.2 * breadth, 2)]), 2)
        creases = np.maximum(rng.uniform(0.6, 1.0) * creases, rng.uniform(0.2, 0.6) * fine)
    pads = np.zeros(shape, np.float32)
    for finger, (chain, half) in enumerate(_digits(joints, px_per_m)):
        for k in (1, 2):
            stroke_across(creases, chain[k], chain[k] - chain[k - 1], half, 3)
        if finger:
            for share in (0.42, 0.5):
                base = chain[0] + share * (chain[1] - chain[0])
                stroke_across(creases, base, chain[1] - chain[0], half, 2)
        stroke(pads, np.stack([0.5 * (chain[2] + chain[3]), chain[3]]), round(half))
    for knuckle in (index, middle, ring, little):
        towards = wrist - knuckle
        stroke(pads, np.stack([knuckle + 0.06 * towards, knuckle + 0.1 * towards]),
               round(0.2 * breadth))  # fmt: skip
    stroke(pads, joints[1:3], round(0.34 * breadth))
    heel = np.array([[0.45], [0.8]]) * (wrist - little) + little
    stroke(pads, heel, round(0.26 * breadth))
    return creases, pads


def back_features(joints: Array, shape: tuple[int, int], px_per_m: float) -> dict[str, Layer]:
    """Features of the back by name.

    Wrinkles over the knuckles, their flush, tendons, the valleys between them, nails, half moons
    and nail folds.

    Args:
        joints, shape, px_per_m: see ``palm_features``.
    """
    names = ("wrinkles", "flush", "tendons", "valleys", "nails", "lunula", "nail_edges")
    layers = {name: np.zeros(shape, np.float32) for name in names}
    for finger, (chain, half) in enumerate(_digits(joints, px_per_m)):
        for k, spacing in ((1, 0.3), (2, 0.2)):
            along = chain[k] - chain[k - 1]
            step = spacing * half * along / np.linalg.norm(along)
            for shift in (-1.5, -0.5, 0.5, 1.5):
                stroke_across(layers["wrinkles"], chain[k] + shift * step, along, 0.65 * half, 2)
            stroke(layers["flush"], chain[[k, k]], round(1.5 * half))
        if finger:
            stroke(layers["flush"], chain[[0, 0]], round(2.2 * half))
            ridge = np.stack([chain[0], joints[0] + 0.35 * (chain[0] - joints[0])])
            stroke(layers["tendons"], ridge, 7)
        _nail(layers, chain[2], chain[3], half)
    knuckles = joints[[5, 9, 13, 17]]
    between = 0.5 * (knuckles[1:] + knuckles[:-1])
    width = round(0.3 * float(np.linalg.norm(knuckles[0] - knuckles[1])))
    for place in between:
        towards = joints[0] - place
        stroke(layers["valleys"], np.stack([place - 0.1 * towards, place + 0.4 * towards]), width)
    return layers


def _digits(joints: Array, px_per_m: float) -> list[tuple[Array, float]]:
    """Joints (4, 2) and half the breadth, px, of each digit."""
    return [
        (joints[1 + 4 * finger : 5 + 4 * finger], half * px_per_m)
        for finger, half in enumerate(_FINGER_HALF_WIDTH_M)
    ]


def _nail(layers: dict[str, Layer], joint: Array, tip: Array, half: float) -> None:
    bone = tip - joint
    length = float(np.linalg.norm(bone))
    axes = (0.3 * length, 0.64 * half)
    angle = float(np.degrees(np.arctan2(bone[1], bone[0])))
    for name, along, size, width in (
        ("nails", 0.68, axes, -1),
        ("nail_edges", 0.68, axes, 2),
        ("lunula", 0.46, (0.07 * length, 0.34 * half), -1),
        ("lunula", 0.965, (0.035 * length, 0.42 * half), -1),
    ):
        centre = np.round((joint + along * bone) * 2**_SHIFT).astype(int).tolist()
        fixed = [round(a * 2**_SHIFT) for a in size]
        cv2.ellipse(layers[name], centre, fixed, angle, 0, 360, (1.0,), width, cv2.LINE_8, _SHIFT)


def smooth_curve(points: list[Array]) -> Array:
    """A smooth line near the points (Chaikin's corner cutting)."""
    line = np.stack(points)
    for _ in range(3):
        cut = np.stack([0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]], 1)
        line = np.concatenate([line[:1], cut.reshape(-1, 2), line[-1:]])
    return line


def stroke(picture: Layer, line: Array, width: int) -> None:
    """Draw a line (n, 2), px."""
    fixed = np.round(np.asarray(line) * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [fixed], False, (1.0,), max(width, 1), cv2.LINE_8, _SHIFT)


def stroke_across(picture: Layer, at: Array, along: Array, half: float, width: int) -> None:
    """Draw a line of ``half`` px to both sides of a place (2,), square to a direction (2,)."""
    side = np.array([-along[1], along[0]]) / np.linalg.norm(along) * half
    stroke(picture, np.stack([at - side, at + side]), width)


def blurred(picture: Layer, sigma: float) -> Layer:
    """Soften by a Gaussian of ``sigma`` px."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), dtype=np.float32)
