"""Hands and frames for tests of evaluation: small, made by hand."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, Hand, HandFrame, ManoParameters

CAMERA = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))


def open_hand(side: Side = "right", at: tuple[float, float, float] = (0.0, 0.0, 0.5)) -> Array:
    """(21, 3) flat hand, fingers up, wrist at ``at``, m; a left one is the mirror image."""
    joints = np.zeros((21, 3))
    for finger in range(5):
        for k in range(4):
            joints[1 + 4 * finger + k] = 0.02 * (finger - 2), -0.08 - 0.025 * k, 0.0
    return joints * (1 if side == "right" else -1, 1, 1) + at


def found_hand(side: Side, joints: Array, track: int = 1, **changes: object) -> Hand:
    """A found hand with these joints (21, 3), m."""
    zero = np.zeros(3)
    values: dict = {
        "side": side,
        "track_id": track,
        "state": "tracked",
        "score": 1.0,
        "box_px": np.zeros(4),
        "joints_px": CAMERA.project(joints),
        "joint_confidence": np.ones(21),
        "joints_m": joints,
        "mano": ManoParameters(side, zero, np.zeros(45), np.zeros(10), zero, "none"),
        "wrist_rotation": np.eye(3),
        "joint_velocities": np.zeros((21, 3)),
        "wrist_velocity": np.zeros(6),
        "wrist_covariance": np.eye(6),
    }
    return Hand(**(values | changes))


def pair(
    index: int,
    truth: tuple[TrueHand, ...],
    found: tuple[Hand, ...],
    *,
    fps: float = 30.0,
    complete: bool = True,
    timings_ms: dict[str, float] | None = None,
) -> tuple[TrueFrame, HandFrame]:
    """Truth and finding of a frame of a recording."""
    stamp = index / fps
    return (
        TrueFrame(index, "clip", stamp, CAMERA, truth, complete),
        HandFrame(index, "clip", stamp, CAMERA, found, timings_ms or {}),
    )


def moving_pairs(
    lag: float, count: int = 90, fps: float = 30.0
) -> list[tuple[TrueFrame, HandFrame]]:
    """A right hand that waves, found late by ``lag`` seconds."""
    hand = open_hand("right", (0.12, 0.05, 0.5))

    def joints(t: float) -> np.ndarray:
        return np.add(hand, (0.04 * np.sin(5 * t), 0.03 * np.sin(7 * t), 0.0))

    return [
        pair(
            i,
            (TrueHand("right", joints(i / fps)),),
            (found_hand("right", joints(i / fps - lag)),),
            fps=fps,
        )
        for i in range(count)
    ]
