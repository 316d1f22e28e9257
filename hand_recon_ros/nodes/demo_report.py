"""What the demo leaves behind: records, overlay video, picture and a page of figures."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand_recon_ros.config import RenderConfig
from hand_recon_ros.io.frames import FrameSource
from hand_recon_ros.io.records import RecordWriter
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.nodes.demo_input import Truth
from hand_recon_ros.nodes.recorder import Received, hand_frame
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.types import Frame, HandFrame

_HELD_FRAMES = 6
"""So long the overlay shows the last result where images were dropped."""


@dataclass(frozen=True)
class Flow:
    """How the stream went.

    Attributes:
        frames_in: images published by the camera.
        results_out: ``HandArray`` messages that came back.
        with_hands: those that hold a hand.
        hands: hands in them.
        fps: results a second.
        latency_p50_ms: age of an image when its hands arrive.
        latency_p95_ms: the same, 95th percentile.
        dropped: images without a result.
    """

    frames_in: int
    results_out: int
    with_hands: int
    hands: int
    fps: float
    latency_p50_ms: float
    latency_p95_ms: float
    dropped: int


@dataclass(frozen=True)
class Accuracy:
    """Error against the clip's truth.

    Attributes:
        seen: true hands that were found, a share of all.
        wrong_side: hands reported nearest to a true hand of the other side.
        joints_mm: median over hands of the mean joint error, wrists laid upon each other.
        wrist_mm: median error of the wrist's position in the camera's frame.
        hand_length_m: known length that the node was given.
    """

    seen: float
    wrong_side: int
    joints_mm: float
    wrist_mm: float
    hand_length_m: float


def read_log(path: Path) -> dict[int, int]:
    """Stamp (ns) -> frame index, as written by the camera player."""
    with open(path, newline="") as file:
        return {int(stamp): int(index) for index, stamp in (r for r in csv.reader(file) if r[1:])}


def measure_flow(received: Sequence[Received], indices: dict[int, int]) -> Flow:
    """Count what came back for the images of the log."""
    ours = [r for r in received if r.stamp_ns in indices]
    latencies = [r.latency_ms for r in ours] or [float("nan")]
    seconds = (ours[-1].receipt_ns - ours[0].receipt_ns) * 1e-9 if len(ours) > 1 else 0.0
    return Flow(
        frames_in=len(indices),
        results_out=len(ours),
        with_hands=sum(bool(r.message.hands) for r in ours),
        hands=sum(len(r.message.hands) for r in ours),
        fps=(len(ours) - 1) / seconds if seconds else 0.0,
        latency_p50_ms=float(np.percentile(latencies, 50)),
        latency_p95_ms=float(np.percentile(latencies, 95)),
        dropped=len(indices) - len(ours),
    )


def measure_accuracy(results: Iterable[HandFrame], truth: Truth) -> Accuracy:
    """Compare results, by frame index, with the truth."""
    joints_mm, wrists_mm = [], []
    wrong = frames = 0
    for result in results:
        frames += 1
        true = truth.joints_m[result.index]
        for hand in result.hands:
            nearest = np.linalg.norm(true[:, 0] - hand.joints_m[0], axis=-1).argmin()
            if SIDES[nearest] != hand.side:
                wrong += 1
                continue
            error = hand.joints_m - true[nearest]
            wrists_mm.append(1e3 * float(np.linalg.norm(error[0])))
            joints_mm.append(1e3 * float(np.linalg.norm(error - error[0], axis=-1).mean()))
    none = [float("nan")]
    return Accuracy(
        seen=len(joints_mm) / max(1, 2 * frames),
        wrong_side=wrong,
        joints_mm=float(np.median(joints_mm or none)),
        wrist_mm=float(np.median(wrists_mm or none)),
        hand_length_m=truth.hand_length_m,
    )


class Report:
    """Writes everything into the demo's folder."""

    def __init__(self, folder: Path) -> None:
        """Write into ``folder``."""
        self.folder = folder
        models = {side: load_hand_model(side) for side in SIDES}
        self._models = {side: HandModel(model) for side, model in models.items()}
        self._overlay = Overlay(models, RenderConfig(styles="mesh,skeleton,trails"))

    def frames(
        self, source: FrameSource, received: Sequence[Received], indices: dict[int, int]
    ) -> list[HandFrame]:
        """Write hands.jsonl, overlay.mp4 and overlay.jpg; return the results by frame index."""
        by_index = {indices[r.stamp_ns]: r for r in received if r.stamp_ns in indices}
        last = max(indices.values(), default=-1)
        results: list[HandFrame] = []
        picture: NDArray[np.uint8] | None = None
        with (
            RecordWriter(self.folder / "hands.jsonl") as records,
            VideoWriter(self.folder / "overlay.mp4", source.fps or Fraction(30)) as video,
        ):
            shown: HandFrame | None = None
            for frame in tqdm(source, "drawing the overlay", last + 1, unit="frame"):
                if frame.index > last:
                    break
                if frame.index in by_index:
                    got = by_index[frame.index]
                    shown = hand_frame(got, frame.camera, frame.index, frame.source)
                    records.write(shown)
                    results.append(shown)
                elif shown is not None and frame.index - shown.index > _HELD_FRAMES:
                    shown = None
                # An image without a result shows the last one, as it would in RViz.
                image = frame.image if shown is None else self._draw(frame, shown)
                video.write(image)
                if (
                    shown is not None
                    and shown.hands
                    and (picture is None or frame.index <= last // 2)
                ):
                    picture = image
            if picture is not None:
                _save_picture(self.folder / "overlay.jpg", picture)
        return results

    def _draw(self, frame: Frame, result: HandFrame) -> NDArray[np.uint8]:
        meshes = {
            hand.track_id: self._models[hand.side].forward_parameters(hand.mano)[0]
            for hand in result.hands
        }
        return self._overlay.draw(frame.image, result, meshes)

    def summary(self, source: str, flow: Flow, accuracy: Accuracy | None) -> str:
        """Write summary.json and summary.md; return the page."""
        figures = {"source": source, **asdict(flow)}
        rows = [
            ("frames in", f"{flow.frames_in}"),
            ("results out", f"{flow.results_out}"),
            ("dropped", f"{flow.dropped}"),
            ("results with a hand", f"{flow.with_hands}"),
            ("hands", f"{flow.hands}"),
            ("rate", f"{flow.fps:.1f} a second"),
            ("latency, image stamp to receipt, p50", f"{flow.latency_p50_ms:.1f} ms"),
            ("latency, p95", f"{flow.latency_p95_ms:.1f} ms"),
        ]
        if accuracy is not None:
            figures["accuracy"] = asdict(accuracy)
            rows += [
                ("true hands found", f"{100 * accuracy.seen:.1f} %"),
                ("wrong side", f"{accuracy.wrong_side}"),
                ("joint error, wrist at the origin, median", f"{accuracy.joints_mm:.1f} mm"),
                ("wrist error, median", f"{accuracy.wrist_mm:.1f} mm"),
                ("known hand length", f"{1e3 * accuracy.hand_length_m:.0f} mm"),
            ]
        (self.folder / "summary.json").write_text(json.dumps(figures, indent=2) + "\n")
        table = "\n".join(f"| {name} | {value} |" for name, value in rows)
        page = f"# Demo: {source}\n\n| what | figure |\n|---|---|\n{table}\n\n{_FILES}"
        (self.folder / "summary.md").write_text(page)
        return page


def _save_picture(path: Path, image: NDArray[np.uint8]) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


_FILES = """\
| file | what it is |
|---|---|
| `overlay.mp4` | the input with the hands that came back from the node |
| `overlay.jpg` | one picture of it |
| `hands.jsonl` | the hands, one line for each result |
| `bag/` | rosbag2 (MCAP) of the node's topics, by time of receipt |
| `summary.json` | these figures |
| `node.log`, `camera.log` | what the two processes said |
"""
