"""The front end on real photographs, framed as synthetic ones are: what it can be expected to find.

The labels of these photographs are the front end's own, kept where it agreed with itself, so the
share in colour is near 100 % by choice; what counts is how far it falls without colour.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand_recon_ros.bench.matching import best_match
from hand_recon_ros.bench.rows import Row
from hand_recon_ros.camera import Camera
from hand_recon_ros.front_end import MEDIAPIPE_DETECTOR, build_front_end
from hand_recon_ros.types import Array, Frame

Picture = NDArray[np.uint8]
_NUMBER: Final = 300
_LEAST_HAND_PX: Final = 100
"""Smaller hands would be blown up, which is no photograph of ``--size`` any more."""
_FLESH: Final = 1.12
"""Length of a hand's box over that of its key points."""
_FRAMING: Final = (1.3, 2.4)
"""Side of the picture over the hand's box, as in ``synthesis.viewing``."""


def photograph_rows(folder: Path, size: int) -> list[Row]:
    """Found shares in colour and in grey.

    Args:
        folder: with ``labels.jsonl``: a line for each hand with ``file``, ``joints_px`` (21, 2) and
            ``hands_seen_in_file``.
        size: side of the pictures, px.

    Raises:
        FileNotFoundError: the labels are missing.
    """
    path = folder / "labels.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no labels; name a folder of labelled photographs")
    lines = path.read_text().splitlines()
    front_end = build_front_end(MEDIAPIPE_DETECTOR, static=True)
    errors: dict[str, list[float]] = {"in colour": [], "without colour": []}
    rng = np.random.default_rng(0)
    progress = tqdm(total=_NUMBER, unit="photograph")
    camera = Camera.from_fov(size, size, 60)
    for index in rng.permutation(len(lines)).tolist():
        framed = _framed(folder, json.loads(lines[index]), size, rng)
        if framed is None:
            continue
        picture, joints = framed
        grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        extent = _FLESH * float(np.ptp(joints, axis=0).max())
        for what, image in (("in colour", picture), ("without colour", grey)):
            frame = Frame(np.asarray(image, dtype=np.uint8), 0.0, camera, 0)
            errors[what].append(best_match(front_end, frame, joints, extent)[0])
        progress.update()
        if len(errors["in colour"]) == _NUMBER:
            break
    front_end.close()
    return [
        Row(f"real photographs {what}: found, of {len(all_of)}",
            f"{100 * float(np.isfinite(all_of).mean()):.0f} %")
        for what, all_of in errors.items()
    ]  # fmt: skip


def _framed(
    folder: Path, label: dict[str, Any], size: int, rng: np.random.Generator
) -> tuple[Picture, Array] | None:
    """A square picture round the only hand of a photograph, and its key points."""
    joints = np.array(label["joints_px"])
    low, high = joints.min(axis=0), joints.max(axis=0)
    extent = _FLESH * float((high - low).max())
    if label["hands_seen_in_file"] != 1 or extent < _LEAST_HAND_PX:
        return None
    bgr = cv2.imread(str(folder / label["file"]))
    if bgr is None:
        return None
    height, width = bgr.shape[:2]
    side = min(extent * rng.uniform(*_FRAMING), width, height)
    room = max(0.5 * (side - 1.06 * extent), 0.0)
    half = 0.5 * side
    centre = (low + high) / 2 + rng.uniform(-room, room, 2)
    centre = np.clip(centre, half, np.array([width, height]) - half)
    scale = size / side
    matrix = np.column_stack([scale * np.eye(2), size / 2 - scale * centre])
    picture = cv2.warpAffine(bgr, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    placed = joints * scale + matrix[:, 2]
    if placed.min() < 0 or placed.max() > size - 1:
        return None
    return np.ascontiguousarray(picture[..., ::-1]), placed
