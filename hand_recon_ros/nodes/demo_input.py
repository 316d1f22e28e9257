"""The demo's own input: a rendered clip as a video file, with the truth behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rendering.clip import render_clip
from hand_recon_ros.skeleton import SIDES, TIPS, WRIST
from hand_recon_ros.types import Array, ManoParameters

FPS = 30


@dataclass(frozen=True)
class Truth:
    """What the clip shows.

    Attributes:
        joints_m: (N, 2, 21, 3) left and right joints, camera's optical frame.
        hand_length_m: wrist to middle finger tip of the flat hand.
    """

    joints_m: Array
    hand_length_m: float


@dataclass(frozen=True)
class Clip:
    """A video to play, its calibration, and the truth."""

    video: Path
    camera: Path
    truth: Truth


def own_clip(folder: Path, frames: int, width: int = 640, height: int = 480) -> Clip:
    """Return the rendered clip of so many frames, from ``folder`` if it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"clip_{width}x{height}_{frames}"
    video, camera = folder / f"{name}.mp4", folder / f"{name}.json"
    truth = folder / f"{name}.npz"  # written last: while it is missing the clip is not complete
    if not truth.exists():
        _render(video, camera, truth, frames, width, height)
    stored = np.load(truth)
    return Clip(video, camera, Truth(stored["joints_m"], float(stored["hand_length_m"])))


def _render(
    video: Path, camera_file: Path, truth_file: Path, frames: int, width: int, height: int
) -> None:
    joints = np.empty((frames, 2, 21, 3))
    pictures = render_clip(frames, width, height, FPS)
    with VideoWriter(video, Fraction(FPS)) as writer:
        for index, (image, camera, hands) in enumerate(
            tqdm(pictures, "rendering the clip", frames, unit="frame")
        ):
            writer.write(image)
            for hand in hands:
                joints[index, SIDES.index(hand.side)] = hand.joints_m
            if index == 0:  # neither changes
                camera_file.write_text(json.dumps({"K": camera.K.tolist(), "D": camera.D.tolist()}))
                length = _flat_length(hands[0].mano)
    np.savez(truth_file, joints_m=joints, hand_length_m=length)


def _flat_length(mano: ManoParameters) -> float:
    flat = mano.replace(hand_pose=np.zeros(45))
    joints = HandModel(load_hand_model(mano.side)).forward_parameters(flat)[1]
    return float(np.linalg.norm(joints[TIPS[2]] - joints[WRIST]))
