"""Hands drawn as 21 coloured dots, and stand-ins for the networks that read such drawings exactly.

So the learned chain is proven without trained weights: windows, mirroring, sides, turning back to
the camera's axes, following, losing and finding again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from hand_recon_ros.acr.pairs import HandEstimate
from hand_recon_ros.camera import Camera
from hand_recon_ros.detection.ssd_rpn import FoundHand, box_round
from hand_recon_ros.keypoints.crops import HandCrop
from hand_recon_ros.keypoints.windows import WindowReading
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import SIDES, Side, other_side
from hand_recon_ros.types import Detection, Frame, Keypoints

GREY = 128
MIDDLE = np.array([63.5, 63.5])
CAMERA = Camera.from_fov(640, 480, 70)
_LEVELS = (0, GREY, 255)
COLOURS = np.array(
    [(r, g, b) for r in _LEVELS for g in _LEVELS for b in _LEVELS if (r, g, b) != (GREY,) * 3]
)[:21]
"""Far enough from each other that no blend with the grey ground passes for another."""
_TOLERANCE = 30.0
_SURE = 7.0


def _canonical() -> np.ndarray:
    """A right hand, wrist at the origin, fingers along -y and a little bent."""
    joints = np.zeros((21, 3))
    for finger in range(5):
        x = 0.024 * (2 - finger)
        for k in range(4):
            joints[1 + 4 * finger + k] = (
                x * (1 + 0.15 * k),
                -0.085 - 0.025 * k,
                -0.012 * k * k / 3,
            )
    joints[1:5] = [
        (0.03, -0.02, -0.01),
        (0.05, -0.045, -0.02),
        (0.065, -0.07, -0.025),
        (0.075, -0.09, -0.03),
    ]
    return joints


RIGHT = _canonical()
JOINT_TURNS = np.linspace((-0.3, 0.2, 0.5), (0.4, -0.1, 0.9), 15)
"""(15, 3) what the stand-in regressor tells of a right hand's joints, rad."""


@dataclass(frozen=True)
class Drawn:
    """A hand in front of the camera: turned by an axis-angle vector, its wrist at ``at`` (m)."""

    side: Side = "right"
    at: tuple[float, float, float] = (0.0, 0.06, 0.6)
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def relative_m(self) -> np.ndarray:
        shape = RIGHT * (1.0, 1.0, 1.0) if self.side == "right" else RIGHT * (-1.0, 1.0, 1.0)
        return shape @ exp_so3(np.array(self.turn)).T

    @property
    def points_px(self) -> np.ndarray:
        return CAMERA.project(self.relative_m + self.at)


def draw(hands: Sequence[Drawn]) -> np.ndarray:
    """(480, 640, 3) picture."""
    image = np.full((CAMERA.height, CAMERA.width, 3), GREY, np.uint8)
    for hand in hands:
        radius = max(2, round(0.03 * float(np.ptp(hand.points_px, axis=0).max())))
        for point, colour in zip(hand.points_px, COLOURS, strict=True):
            centre = tuple(round(16 * float(v)) for v in point)
            cv2.circle(image, centre, 16 * radius, colour.tolist(), -1, cv2.LINE_AA, 4)
    return image


def frame(hands: Sequence[Drawn], index: int = 0) -> Frame:
    return Frame(draw(hands), index / 30, CAMERA, index)


@dataclass
class DrawnBoxes:
    """Stands in for the detector: knows where hands are in a frame, by its index.

    Attributes:
        scenes: hands of each frame; a missing frame shows none.
        confused: boxes come with the wrong side.
        sure: boxes come with a side score and direction.
        score: of the boxes.
        turned: by which the direction is wrong, degrees.
        extra: boxes in each searched frame that show no hand, or one twice.
        extra_score: of them.
        searched: frames that were searched.
    """

    scenes: dict[int, Sequence[Drawn]]
    confused: bool = False
    sure: bool = False
    score: float = 0.9
    turned: float = 0.0
    extra: Sequence[tuple[float, float, float, float]] = ()
    extra_score: float = 0.8
    searched: list[int] = field(default_factory=list)

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        self.searched.append(frame.index)
        found = []
        for hand in self.scenes.get(frame.index, ()):
            side = other_side(hand.side) if self.confused else hand.side
            box, points = box_round(hand.points_px), hand.points_px
            way = (points[9] - points[0]) / np.linalg.norm(points[9] - points[0])
            cos, sin = np.cos(np.radians(self.turned)), np.sin(np.radians(self.turned))
            way = np.array([[cos, -sin], [sin, cos]]) @ way
            hint = FoundHand(side, self.score, 0.99, box, way) if self.sure else None
            found.append(Detection(side, self.score, box, hint=hint))
        return found + [
            Detection(side, self.extra_score, np.array(b)) for b in self.extra for side in SIDES
        ]

    def reset(self) -> None: ...

    def close(self) -> None: ...


class Merged(DrawnBoxes):
    """Sees the same boxes in each frame, whatever is in it."""

    def __init__(self, *boxes: Sequence[float]) -> None:
        super().__init__({})
        self.boxes = boxes

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        self.searched.append(frame.index)
        return [Detection("right", self.score, np.array(box)) for box in self.boxes]


@dataclass
class DotReader:
    """Stands in for the key point network: finds dots; sure of upright right hands only.

    Attributes:
        blind_sides: says "a hand" whatever side is shown, right after mirroring or not.
        presence: logit that it answers for a hand.
        peak: height of the belief maps of the dots that it sees.
        reach: how far from the middle it sees each of two hands, window px.
        windows: how many were read in each call.
    """

    blind_sides: bool = False
    presence: float = _SURE
    peak: float = 0.9
    reach: float = 22.0
    windows: list[int] = field(default_factory=list)

    def __call__(self, windows: Sequence[np.ndarray]) -> list[WindowReading]:
        self.windows.append(len(windows))
        return [self._read(window) for window in windows]

    def _read(self, window: np.ndarray) -> WindowReading:
        """Of two hands about the middle of a window, the one that it is for."""
        dots = [_dots(window, colour) for colour in COLOURS]
        hands = [_nearest(dots, MIDDLE)]
        places = _two_places(dots)
        if places and max(np.linalg.norm(place - MIDDLE) for place in places) < self.reach:
            hands += [_nearest(dots, places[0], places[1]), _nearest(dots, places[1], places[0])]
        readings = [self._hand(hand) for hand in hands]
        return max(readings, key=lambda reading: reading.presence)

    def _hand(self, points: np.ndarray) -> WindowReading:
        seen = np.isfinite(points).all(axis=1)
        peaks = np.where(seen, self.peak, 0.05)
        if seen.sum() < 15 or not seen[[0, 5, 9, 17]].all():
            points = np.where(seen[:, None], points, 64.0)
            return WindowReading(points, peaks, -_SURE, None, None, None)
        points = np.where(seen[:, None], points, points[seen].mean(axis=0))
        up, to_index, to_little = (points[j] - points[0] for j in (9, 5, 17))
        turned = to_index[0] * to_little[1] - to_index[1] * to_little[0]
        upright = -up[1] > 0.25 * np.linalg.norm(up)
        good = upright and (self.blind_sides or turned < 0)
        presence = self.presence if good else -_SURE
        return WindowReading(points, peaks, presence, None, None, None)


def _dots(window: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(n, 2) middles of the dots of a colour; smaller spots of it are where others blend."""
    low, high = np.clip(colour - _TOLERANCE, 0, 255), np.clip(colour + _TOLERANCE, 0, 255)
    count, _, stats, middles = cv2.connectedComponentsWithStats(cv2.inRange(window, low, high))
    areas = stats[1:count, cv2.CC_STAT_AREA]
    return middles[1:count][areas >= max(2, 0.4 * areas.max(initial=0))]


def _nearest(
    dots: Sequence[np.ndarray], place: np.ndarray, other: np.ndarray | None = None
) -> np.ndarray:
    """(21, 2) the dot of each colour nearest to a place, and not to the other; NaN if none."""
    found = np.full((len(dots), 2), np.nan)
    for k, d in enumerate(dots):
        way = np.linalg.norm(d - place, axis=1)
        mine = d if other is None else d[way < np.linalg.norm(d - other, axis=1)]
        if len(mine):
            found[k] = mine[np.linalg.norm(mine - place, axis=1).argmin()]
    return found


def _two_places(dots: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """Middles of two hands, where colours are seen twice."""
    twice = np.array([d for d in dots if len(d) == 2])
    if len(twice) < 10:
        return None
    way = twice[:, 1] - twice[:, 0]
    swapped = (way @ way[np.linalg.norm(way, axis=1).argmax()] < 0)[:, None]
    first = np.where(swapped, twice[:, 1], twice[:, 0]).mean(0)
    second = np.where(swapped, twice[:, 0], twice[:, 1]).mean(0)
    return first, second


@dataclass
class RigidRegressor:
    """Stands in for the regressor: turns the one shape it knows onto the points.

    Attributes:
        groups: how many hands came together in each call.
    """

    groups: list[int] = field(default_factory=list)

    def __call__(self, hands: Sequence[tuple[HandCrop, WindowReading]]) -> list[HandEstimate]:
        self.groups.append(len(hands))
        return [self._estimate(crop, reading) for crop, reading in hands]

    def _estimate(self, crop: HandCrop, reading: WindowReading) -> HandEstimate:
        middle = (crop.size - 1) / 2
        K = np.array([[crop.focal, 0, middle], [0, crop.focal, middle], [0, 0, 1]])
        points = reading.points_px.astype(np.float64)
        _, turn, away = cv2.solvePnP(RIGHT, points, K, None, flags=cv2.SOLVEPNP_SQPNP)
        cv2.solvePnP(RIGHT, points, K, None, turn, away, useExtrinsicGuess=True)
        R = exp_so3(turn.ravel())
        return HandEstimate(
            RIGHT @ R.T,
            reading.points_px,
            np.zeros(21),
            rotations=np.concatenate([R[None], exp_so3(JOINT_TURNS)]),
            betas=np.zeros(10),
        )
