"""Features of recorded hands as the rows of a table: one row for each hand of each frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from hand_recon_ros.io.records import read_records
from hand_recon_ros.retarget.features import GraspClassifier, GraspThresholds, hand_features
from hand_recon_ros.retarget.hand_angles import JOINT_NAMES
from hand_recon_ros.skeleton import FINGERS
from hand_recon_ros.types import Hand, HandFrame

Cell = str | int | float | None
"""None: not told by the joints."""

COLUMNS: Final[dict[str, type]] = {
    **{"recording": str, "frame": int, "stamp_s": float, "side": str, "track_id": int},
    **{"state": str, "score": float, "confidence": float, "grasp": str},
    **{f"{name}_rad": float for name in JOINT_NAMES},
    **{f"{finger}_flexion_rad": float for finger in FINGERS},
    **{f"{finger}_flexion": float for finger in FINGERS},
    **{"spread_rad": float, "openness": float},
    **{f"pinch_{finger}_m": float for finger in FINGERS[1:]},
    **{f"palm_{axis}_m": float for axis in "xyz"},
    **{f"palm_normal_{axis}": float for axis in "xyz"},
}
"""Names and types, in order. ``confidence`` is the mean of the hand's key points (003's
``avg_confidence``), the palm is told in the camera's optical frame, and the rest is as in
``features.HandFeatures`` and ``hand_angles``."""

_DECIMALS: Final = 6


def read_features(
    path: Path, recording: str, thresholds: GraspThresholds | None = None
) -> Iterator[list[list[Cell]]]:
    """Yield the rows of each frame of a ``hands.jsonl`` (none for a frame without hands).

    Args:
        path: the file.
        recording: its name in the table.
        thresholds: of the classes of grasp.

    Raises:
        RecordError: the file cannot be read, or one of its lines is not a frame; the rows of the
            frames before it have been yielded.
    """
    classifiers: dict[int, GraspClassifier] = {}
    for frame in read_records(path):
        rows = []
        for hand in frame.hands:
            classifier = classifiers.setdefault(hand.track_id, GraspClassifier(thresholds))
            rows.append(_row(recording, frame, hand, classifier))
        yield rows


def _row(recording: str, frame: HandFrame, hand: Hand, classifier: GraspClassifier) -> list[Cell]:
    features = hand_features(hand.joints_m, hand.side, classifier)
    numbers = np.concatenate(
        (
            features.angles.values,
            features.flexion_rad,
            features.flexion,
            (features.spread_rad, features.openness),
            features.pinch_m,
            features.palm_centre_m,
            features.palm_normal,
        )
    )
    return [
        recording,
        frame.index,
        _number(frame.stamp),
        hand.side,
        hand.track_id,
        hand.state,
        _number(hand.score),
        _number(float(np.mean(hand.joint_confidence))),
        features.grasp,
        *map(_number, numbers.tolist()),
    ]


def _number(value: float) -> float | None:
    return round(value, _DECIMALS) if math.isfinite(value) else None
