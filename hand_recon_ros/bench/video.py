"""The chain on a real video of one hand: found, side, agreement with key points, jitter, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.rows import Row, at_least, at_most
from hand_recon_ros.config import Config, DetectorConfig
from hand_recon_ros.config_io import config_from_mapping
from hand_recon_ros.front_end import FrontEnd, build_front_end
from hand_recon_ros.io.cameras import load_cameras
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.temporal.recording import smooth_recording
from hand_recon_ros.types import Detection, Frame, HandFrame, Keypoints

SECOND = 30
"""Frames of the stretch that is searched for the stillest hand, at 30 fps."""
_UNFILTERED = {"filter.kalman": False, "filter.smoothing": "none"}


@dataclass
class Recorded:
    """A front end that repeats what another one saw, so that variants see the same."""

    hands: dict[int, list[Keypoints]] = field(default_factory=dict)

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        """The boxes of this frame."""
        seen = self.hands.get(frame.index, [])
        return [Detection(k.side, k.score, k.box_px, hint=k) for k in seen]

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        """The key points of these boxes."""
        return [d.hint for d in detections if isinstance(d.hint, Keypoints)]

    def reset(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Nothing to free."""


def bench_video(path: Path) -> list[Row]:
    """Measure the chain on a video with one right hand in every frame."""
    recorded, frames = record_front_end(path)
    live = run(Config(), recorded, frames)
    raw = run(config_from_mapping(_UNFILTERED), recorded, frames)
    unsmoothed = run(config_from_mapping({"filter.smoothing": "none"}), recorded, frames)
    video = list(smooth_recording(unsmoothed))
    hands = [hand for frame in video for hand in frame.hands]
    still = stillest(raw)
    shaking = still_jitter(raw, still)
    fit_ms = np.array([f.timings_ms["fit"] for f in live if f.hands])
    name = path.name
    return [
        at_least(f"{name}: frames with a hand", sum(bool(f.hands) for f in video), 615, "of 621"),
        at_most(f"{name}: hands of the wrong side", sum(h.side != "right" for h in hands), 0, ""),
        at_most(
            f"{name}: joints_m to key points, mean, as hand_recon video writes them",
            reprojection_px(video),
            3,
            "px",
        ),
        at_most(f"{name}: the same of the live node's joints", reprojection_px(live), 3, "px"),
        at_least(
            f"{name}: jitter of the stillest second, unfiltered / as hand_recon video writes it",
            shaking / still_jitter(video, still),
            5,
            "times",
        ),
        at_least(
            f"{name}: the same, unfiltered / live", shaking / still_jitter(live, still), 5, "times"
        ),
        Row(f"{name}: fit, median of one hand", f"{np.median(fit_ms):.2f} ms", "at most 4 ms"),
    ]


def record_front_end(path: Path) -> tuple[Recorded, list[Frame]]:
    """Run the learned front end; the frames returned carry no pixels any more."""
    recorded, frames = Recorded(), []
    front_end = build_front_end(DetectorConfig(front_end="learned"), static=False)
    with open_video(str(path), load_cameras(None)) as source:
        for frame in tqdm(source, total=source.length, unit="frame", desc="front end"):
            recorded.hands[frame.index] = front_end.see(frame)
            frames.append(_without_pixels(frame))
    front_end.close()
    return recorded, frames


def run(config: Config, recorded: Recorded, frames: Sequence[Frame]) -> list[HandFrame]:
    """Run the chain behind a recorded front end."""
    chain = HandReconstructor(config, front_end=FrontEnd(recorded, recorded))
    return [chain.process(frame) for frame in frames]


def reprojection_px(frames: Sequence[HandFrame]) -> float:
    """Mean distance of projected joints to the front end's key points, px."""
    apart = [
        np.linalg.norm(frame.camera.project(hand.joints_m) - hand.joints_px, axis=1).mean()
        for frame in frames
        for hand in frame.hands
        if hand.state == "tracked"
    ]
    return float(np.mean(apart))


def stillest(frames: Sequence[HandFrame]) -> int:
    """First frame of the second in which the key points move least."""
    points = np.array(
        [f.hands[0].joints_px if f.hands else np.full((21, 2), np.nan) for f in frames]
    )
    speed = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean(axis=1)
    means = np.convolve(speed, np.ones(SECOND - 1) / (SECOND - 1), "valid")
    return int(np.nanargmin(means))


def still_jitter(frames: Sequence[HandFrame], first: int) -> float:
    """RMS second difference of the joints in the second that begins at ``first``, m."""
    joints = np.array([f.hands[0].joints_m for f in frames[first : first + SECOND]])
    return float(np.sqrt((np.diff(joints, 2, axis=0) ** 2).sum(axis=-1).mean()))


def _without_pixels(frame: Frame) -> Frame:
    height, width = frame.image.shape[:2]
    empty = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (height, width, 3))
    return replace(frame, image=empty)
