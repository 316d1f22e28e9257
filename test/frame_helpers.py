"""Painted hands in frames for the detector, and whether labels lie where they are drawn."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from hand_recon_ros.training.detector_batch import DetectorBatch

COLOURS = {1: (255, 0, 255), 2: (0, 255, 255)}  # left, right: no background has them
GREY = (90, 90, 90)
POINTS = np.array([(0, 0)] + [(x, -40 - 12 * k) for x in (-30, -12, 0, 12, 24) for k in range(4)])


def painted(size: int, centre: tuple[int, int], left: bool) -> tuple[np.ndarray, np.ndarray]:
    """A mitten (S, S, 4), and its 21 points in px; the wrist is below."""
    points = POINTS * (1.0 if not left else np.array([-1.0, 1.0])) * (size / 256) + centre
    picture = np.zeros((size, size, 4), np.uint8)
    hull = cv2.convexHull(points.astype(np.float32)).round().astype(np.int32)
    cv2.fillPoly(picture, [hull], (*COLOURS[1 if left else 2], 255))
    return picture, points


def shown_share(batch: DetectorBatch, n: int, m: int) -> float:
    """Share of pixels at the very middle of a hand that have the colour of its side."""
    _, _, height, width = batch.image.shape
    x, y = ((batch.boxes[n, m, :2] + batch.boxes[n, m, 2:]) / 2).round().int().tolist()
    patch = batch.image[n, :, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
    if not patch.numel() or x >= width or y >= height:
        return float("nan")
    wanted = torch.tensor(COLOURS[int(batch.kinds[n, m])])[:, None, None] / 255
    return float(((patch - wanted).abs().amax(0) < 0.25).float().mean())


def check_labels(batch: DetectorBatch, least: float) -> None:
    shares = [shown_share(batch, n, m) for n, m in torch.nonzero(batch.hands).tolist()]
    known = [share for share in shares if share == share]
    assert len(known) > 20
    assert np.mean(np.array(known) > 0.5) > least
    length = batch.directions[batch.hands].norm(dim=-1)
    assert torch.allclose(length, torch.ones_like(length), atol=1e-5)


def label_mittens(
    folder: Path, name: str, hands: list[tuple[int, int, bool]], **told: object
) -> None:
    """A picture of 640 x 480 px with mittens 190 px high at wrists (x, y, left), and labels."""
    picture = np.full((640, 640, 3), GREY, np.uint8)
    lines = []
    for x, y, left in hands:
        drawn, points = painted(640, (x, y), left)
        there = drawn[..., 3] > 0
        picture[there] = drawn[there, :3]
        lines.append(
            {"file": f"{name}.png", "source": "painted", "side": "left" if left else "right",
             "joints_px": points.tolist(), "joints_rel_m": np.zeros((21, 3)).tolist(),
             "hands_seen_in_file": len(hands), "agreement_rel": 0.0,
             "terms": "drawn here, CC0", **told}
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(folder / f"{name}.png"), picture[:480, :, ::-1])
    with (folder / "labels.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
