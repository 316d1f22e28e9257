"""``hands.jsonl``: one JSON object a frame.

Units: pixels, metres (camera optical frame), radians, seconds. ``joints_m`` is ``Hand.joints_m``.
Values that are not finite are written as null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.types import Array, Hand, HandFrame, ManoParameters

_PIXEL, _RATIO, _FINE = 3, 4, 7
"""Decimals: 0.001 px, 0.0001 of a score, 0.1 um and 0.1 urad (so that 1e-6 survives)."""


class RecordError(ValueError):
    """A results file cannot be read; the message names the file and line."""


class RecordWriter(Closing):
    """Writes ``hands.jsonl``; every line is complete on disk before the next frame.

    Args:
        path: file to write; an old one is replaced.
        append: go on at the end of an old one instead.
    """

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        """Open the file."""
        mode = "a" if append else "w"
        self._file = open(path, mode, encoding="utf-8", buffering=1)  # noqa: SIM115 (closed below)

    def write(self, frame: HandFrame) -> None:
        """Append one frame."""
        self._file.write(json.dumps(frame_to_record(frame), allow_nan=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def frame_to_record(frame: HandFrame) -> dict[str, Any]:
    """A frame as plain JSON data."""
    return {
        "frame": frame.index,
        "source": frame.source,
        "stamp": _plain(frame.stamp, 6),
        "width": frame.camera.width,
        "height": frame.camera.height,
        "K": _plain(frame.camera.K, 6),
        "timings_ms": {stage: _plain(ms, 3) for stage, ms in frame.timings_ms.items()},
        "hands": [_hand_to_record(hand) for hand in frame.hands],
    }


def _hand_to_record(hand: Hand) -> dict[str, Any]:
    return {
        "side": hand.side,
        "track_id": hand.track_id,
        "state": hand.state,
        "score": _plain(hand.score, _RATIO),
        "box_px": _plain(hand.box_px, _PIXEL),
        "joints_px": _plain(hand.joints_px, _PIXEL),
        "joint_confidence": _plain(hand.joint_confidence, _RATIO),
        "joints_m": _plain(hand.joints_m, _FINE),
        "mano": {
            "model": hand.mano.model,
            "global_orient": _plain(hand.mano.global_orient, _FINE),
            "hand_pose": _plain(hand.mano.hand_pose, _FINE),
            "betas": _plain(hand.mano.betas, _FINE),
            "transl": _plain(hand.mano.transl, _FINE),
        },
    }


def _plain(value: ArrayLike, decimals: int) -> Any:
    """Nested lists of rounded floats, with None for what is not finite."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim:
        return [_plain(item, decimals) for item in array]
    number = float(array)
    return round(number, decimals) if math.isfinite(number) else None


def read_records(path: str | Path) -> Iterator[HandFrame]:
    """Read a file that ``RecordWriter`` wrote.

    What the file does not hold comes back as NaN (velocities, covariance) or none (distortion).
    A last line that was cut off is skipped.

    Raises:
        RecordError: the file is missing, or a line is not a frame.
    """
    path = Path(path)
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise RecordError(f"results file '{path}' cannot be read: {error.strerror}") from None
    with file:
        for number, line in enumerate(file, start=1):
            try:
                yield record_to_frame(json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                if not line.endswith("\n"):
                    return
                raise RecordError(f"{path}:{number}: not a frame of hands: {error!r}") from None


def record_to_frame(record: dict[str, Any]) -> HandFrame:
    """The inverse of ``frame_to_record``, as far as the record goes."""
    return HandFrame(
        index=record["frame"],
        source=record["source"],
        stamp=_number(record["stamp"]),
        camera=Camera(record["width"], record["height"], np.array(record["K"])),
        hands=tuple(_record_to_hand(hand) for hand in record["hands"]),
        timings_ms={stage: _number(ms) for stage, ms in record["timings_ms"].items()},
    )


def _record_to_hand(record: dict[str, Any]) -> Hand:
    orient = _array(record["mano"]["global_orient"])
    return Hand(
        side=record["side"],
        track_id=record["track_id"],
        state=record["state"],
        score=_number(record["score"]),
        box_px=_array(record["box_px"]),
        joints_px=_array(record["joints_px"]),
        joint_confidence=_array(record["joint_confidence"]),
        joints_m=_array(record["joints_m"]),
        mano=ManoParameters(
            side=record["side"],
            global_orient=orient,
            hand_pose=_array(record["mano"]["hand_pose"]),
            betas=_array(record["mano"]["betas"]),
            transl=_array(record["mano"]["transl"]),
            model=record["mano"]["model"],
        ),
        wrist_rotation=np.asarray(cv2.Rodrigues(orient)[0], dtype=np.float64),
        joint_velocities=np.full((21, 3), np.nan),
        wrist_velocity=np.full(6, np.nan),
        wrist_covariance=np.full((6, 6), np.nan),
    )


def _array(value: Any) -> Array:
    return np.array(value, dtype=np.float64)  # None becomes NaN


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
