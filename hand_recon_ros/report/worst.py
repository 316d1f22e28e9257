"""The worst frames of a run, with their pictures."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.evaluation.results import Evaluation, FrameNumbers, Metric

Picture = Callable[[FrameNumbers], NDArray[np.uint8] | None]
"""Gives the overlay of a frame, (H, W, 3) uint8 RGB, or None where there is none."""
APART: Final = 5
"""Frames between two that are shown: neighbours fail together, and would fill the list."""
_SHOWN: Final = 10
_LONGEST_PX: Final = 640
_JPEG_QUALITY: Final = 80


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """A frame, its number, and its picture as a data URI (None without one)."""

    frame: FrameNumbers
    value: float
    picture: str | None


def worst_frames(
    evaluation: Evaluation, metric: Metric, picture: Picture | None
) -> list[WorstFrame]:
    """The frames with the worst values of a metric, the worst first, neighbours left out."""
    valued = [f for f in evaluation.frames if math.isfinite(f.values.get(metric.name, math.nan))]
    sign = -1 if metric.better == "higher" else 1
    valued.sort(key=lambda frame: -sign * frame.values[metric.name])
    kept: list[FrameNumbers] = []
    for frame in valued:
        if len(kept) == _SHOWN:
            break
        if not any(f.source == frame.source and abs(f.index - frame.index) < APART for f in kept):
            kept.append(frame)
    return [WorstFrame(frame, frame.values[metric.name], _uri(frame, picture)) for frame in kept]


def _uri(frame: FrameNumbers, picture: Picture | None) -> str | None:
    image = picture(frame) if picture is not None else None
    return None if image is None else data_uri(image)


def data_uri(image: NDArray[np.uint8]) -> str:
    """A picture, (H, W, 3) RGB, as a JPEG data URI, scaled down where it is large."""
    scale = _LONGEST_PX / max(image.shape[:2])
    if scale < 1:
        image = np.asarray(
            cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    _, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode("ascii")
