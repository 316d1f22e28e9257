"""What the chain is timed on: real video in three sizes, one hand and two; weights or stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.acr.pairs import HandEstimate, PairRegressor
from hand_recon_ros.camera import Camera
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.assembly import (
    LearnedNetworks,
    learned_hands,
    load_networks,
    random_networks,
)
from hand_recon_ros.detection.learned import LearnedHands
from hand_recon_ros.detection.ssd_rpn import BOX_MARGIN
from hand_recon_ros.io.cameras import load_cameras
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.keypoints.crops import CROP_SIZE, FRAMING, HandCrop
from hand_recon_ros.keypoints.windows import WindowReader, WindowReading
from hand_recon_ros.networks.weights import WeightsError
from hand_recon_ros.stages import Detector, Regressor
from hand_recon_ros.types import Array, Detection, Frame, Keypoints

SIZES: Final = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080)}
_SURE: Final = 6.0
_GREY: Final = 110


@dataclass(frozen=True)
class Scene:
    """Consecutive frames of one size with a known number of hands."""

    size: str
    hands: int
    frames: list[Frame]


def make_scenes(video: Path, frames: int, sizes: Sequence[str] = tuple(SIZES)) -> list[Scene]:
    """The first frames of a video of one hand, and composed with their mirror images."""
    with open_video(str(video), load_cameras(None)) as source:
        images = [frame.image for frame in islice(source, frames)]
    return [
        Scene(size, hands, [_frame(compose(i), k) for k, i in enumerate(images)])
        for size in sizes
        for hands, compose in (
            (1, lambda image, size=size: cv2.resize(image, SIZES[size])),
            (2, lambda image, size=size: _with_mirror_image(image, SIZES[size])),
        )
    ]


def load_or_random(folder: str = "") -> tuple[LearnedNetworks, bool]:
    """The shipped networks and True, or random ones and False where none are shipped."""
    try:
        return load_networks(folder), True
    except WeightsError:
        if folder:
            raise
        return random_networks(), False


def make_front_end(
    networks: LearnedNetworks,
    trained: bool,
    config: DetectorConfig,
    device: str,
    boxes: list[Array],
) -> LearnedHands:
    """The learned front end; untrained networks run as well, but their answers are replaced.

    Args:
        networks: which.
        trained: whether they know hands.
        config: options.
        device: "cpu" or "cuda".
        boxes: where the hands are, for untrained networks.
    """
    stage = learned_hands(networks, config, device=device)
    if trained:
        return stage
    parts = stage.parts
    return LearnedHands(
        _TellsBoxes(parts.boxes, boxes),
        _TellsHands(parts.reader),
        _TellsPoints(parts.regressor, [_upright_in(box) for box in boxes]),
        config,
    )


def _frame(image: NDArray[Any], index: int) -> Frame:
    height, width = image.shape[:2]
    return Frame(np.ascontiguousarray(image), index / 30, Camera.from_fov(width, height), index)


def _with_mirror_image(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Half as large, beside its mirror image, in the middle of a grey picture."""
    width, height = size
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), _GREY, np.uint8)
    top = height // 4
    canvas[top : top + half.shape[0], : half.shape[1]] = half
    canvas[top : top + half.shape[0], half.shape[1] : 2 * half.shape[1]] = half[:, ::-1]
    return canvas


def _steady_points() -> Array:
    """(21, 2) an upright hand that fills a window as ``crop_round`` frames it: it stays put."""
    side = CROP_SIZE / FRAMING
    columns = np.linspace(-0.4, 0.4, 5)
    rows = np.array([0.1, -0.1, -0.3, -0.5])
    fingers = [(x * (1 if row else 0.8), y) for x in columns for row, y in enumerate(rows)]
    points = np.array([(0.0, 0.5), *fingers]) * side + (CROP_SIZE - 1) / 2
    points[9:13, 0] = points[0, 0]
    return points


_STEADY: Final = _steady_points()


def _upright_in(box: Array) -> Array:
    """(21, 2) the steady hand in a detector's box, image px."""
    joints = float(max(box[2:])) / (1 + 2 * BOX_MARGIN)
    steady = (_STEADY - (CROP_SIZE - 1) / 2) * (joints * FRAMING / CROP_SIZE)
    return np.asarray(box[:2] + box[2:] / 2 + steady)


@dataclass
class _TellsBoxes:
    """A detector that runs, but finds hands where they are said to be."""

    inner: Detector
    boxes: list[Array]

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        self.inner.detect(frame, previous)
        return [Detection("right", 0.9, box) for box in self.boxes]

    def reset(self) -> None:
        self.inner.reset()

    def close(self) -> None:
        self.inner.close()


@dataclass
class _TellsHands:
    """A reader that runs, but always finds the same hand in its window."""

    inner: WindowReader

    def __call__(self, windows: Sequence[NDArray[np.uint8]]) -> list[WindowReading]:
        told = self.inner(windows)
        return [
            replace(reading, points_px=_STEADY, presence=_SURE - k)
            for k, reading in enumerate(told)
        ]


@dataclass
class _TellsPoints:
    """A regressor that runs, but puts the points back to where a hand is said to be."""

    inner: PairRegressor
    places: list[Array]

    def __call__(self, hands: Sequence[tuple[HandCrop, WindowReading]]) -> list[HandEstimate]:
        told = self.inner(hands)
        windows = [crop for crop, _ in hands]
        return [
            replace(estimate, points_px=self._in(window))
            for estimate, window in zip(told, windows, strict=True)
        ]

    def _in(self, window: HandCrop) -> Array:
        seen = [window.to_crop(place) for place in self.places]
        middle = (window.size - 1) / 2
        return min(seen, key=lambda points: float(np.abs(points.mean(axis=0) - middle).sum()))


@dataclass
class TellsPeersHands:
    """A regressor that runs, but returns what a peer saw: what comes after it needs real hands."""

    inner: Regressor
    hands: list[Keypoints] = field(default_factory=list)

    def regress(self, frame: Frame, keypoints: Sequence[Keypoints]) -> list[Keypoints]:
        """The peer's hands of this frame."""
        self.inner.regress(frame, keypoints)
        return self.hands

    def reset(self) -> None:
        """Forget earlier frames."""
        self.inner.reset()

    def close(self) -> None:
        """Free the models."""
        self.inner.close()
