"""Hands drawn as three dots, and front ends that find them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.types import Detection, Frame, Keypoints

GROUND = 40
WRIST, TIP, THUMB = 0, 12, 4
DOTS = ((255, 0, 0), (0, 0, 255), (0, 255, 0))  # wrist, middle finger's tip, thumb's tip


def palm() -> np.ndarray:
    """(21, 2) a right hand's back, upright: the thumb to the left, middle finger straight up."""
    turn = np.deg2rad([-50, -20, 0, 20, 40])
    tips = np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    reach = np.array([0.4, 0.6, 0.8, 1.0])
    return np.concatenate([np.zeros((1, 2)), (tips[:, None] * reach[:, None]).reshape(20, 2)])


def picture(at: tuple[float, float] = (160, 200), length: float = 120, left: bool = False,
            turned: float = 10.0) -> np.ndarray:  # fmt: skip
    """A hand as three dots."""
    image = np.full((300, 340, 3), 40, np.uint8)
    points = palm() * ((-1, 1) if left else (1, 1))
    a = np.deg2rad(turned)
    points = points @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) * length + at
    for joint, colour in zip((WRIST, TIP, THUMB), DOTS, strict=True):
        cv2.circle(image, np.round(points[joint]).astype(int).tolist(), 7, colour, -1)
    return image


class DotReader:
    """Finds the hand by its dots, so it sees copies alike.

    ``off`` px to the right in every picture is an error that a mirror image brings to light;
    a hand that is ``longer`` is one that it does not.
    """

    def __init__(self, off: float = 0.0, longer: float = 1.0) -> None:
        self.off, self.longer = off, longer
        self.closed = False

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        return [Detection("right", 0.9, np.zeros(4))]

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        seen = []
        for colour in DOTS:
            near = np.abs(frame.image.astype(int) - colour).sum(axis=2) < 120
            if not near.any():
                return []
            seen.append(np.argwhere(near).mean(axis=0)[::-1])
        wrist, tip, thumb = seen
        along, side = tip - wrist, thumb - wrist
        left = along[0] * side[1] - along[1] * side[0] > 0
        across = np.array([-along[1], along[0]]) * (-1 if left else 1)
        points = wrist + self.longer * palm() @ np.stack([across, -along]) + (self.off, 0)
        relative = np.column_stack([points - points[0], np.arange(21.0)]) * 1e-3
        return [Keypoints("left" if left else "right", 0.9, points, np.ones(21),
                          np.zeros(4), relative_m=relative)]  # fmt: skip

    def reset(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def reader(off: float = 0.0, longer: float = 1.0) -> FrontEnd:
    dots = DotReader(off, longer)
    return FrontEnd(detector=dots, estimator=dots)


class NearSighted(DotReader):
    """Finds all hands, but only those of a tenth of a picture."""

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        spots = [_spots(frame.image, colour) for colour in DOTS]
        found = []
        for wrist in spots[0] if all(spots) else ():
            parts = [wrist] + [min(spot, key=lambda s: _way(s, wrist)) for spot in spots[1:]]
            image = np.where(sum(part for part in parts)[..., None] > 0, frame.image, GROUND)
            found += super().estimate(replace(frame, image=image.astype(np.uint8)), detections)
        least = 0.1 * max(frame.image.shape)
        return [k for k in found if np.ptp(k.points_px, axis=0).max() >= least]


def near_sighted() -> FrontEnd:
    dots = NearSighted()
    return FrontEnd(detector=dots, estimator=dots)


def _spots(image: np.ndarray, colour: tuple[int, int, int]) -> list[np.ndarray]:
    near = (np.abs(image.astype(int) - colour).sum(axis=2) < 120).astype(np.uint8)
    count, places, stats, _ = cv2.connectedComponentsWithStats(near)
    return [(places == k).astype(np.uint8) for k in range(1, count) if stats[k, 4] >= 4]


def _way(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (np.argwhere(spot).mean(axis=0) for spot in (one, other))
    return float(np.linalg.norm(a - b))
