"""Centred smoothing of a stream equals smoothing each whole trajectory."""

import numpy as np
import pytest
from scipy.signal import savgol_filter

from hand_recon_ros.camera import Camera
from hand_recon_ros.temporal.recording import smooth_recording
from hand_recon_ros.types import Hand, HandFrame, ManoParameters

CAMERA = Camera.from_fov(640, 480)


def hand(joints: np.ndarray, track_id: int) -> Hand:
    zero = np.zeros
    return Hand(
        side="right",
        track_id=track_id,
        state="tracked",
        score=1.0,
        box_px=zero(4),
        joints_px=zero((21, 2)),
        joint_confidence=zero(21),
        joints_m=joints,
        mano=ManoParameters("right", zero(3), zero(45), zero(10), zero(3)),
        wrist_rotation=np.eye(3),
        joint_velocities=zero((21, 3)),
        wrist_velocity=zero(6),
        wrist_covariance=np.eye(6),
    )


def recording(lives: dict[int, range], joints: np.ndarray) -> list[HandFrame]:
    """Frames at 30 Hz; track i lives in the frames of lives[i]."""
    return [
        HandFrame(
            index=k,
            source="",
            stamp=100 + k / 30,
            camera=CAMERA,
            hands=tuple(hand(joints[k] + i, i) for i, life in lives.items() if k in life),
        )
        for k in range(len(joints))
    ]


@pytest.fixture
def joints() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(40, 21, 3)).cumsum(axis=0) * 1e-3


@pytest.mark.parametrize(("window", "order"), [(5, 2), (7, 3)])
def test_stream_equals_the_whole_trajectory(joints: np.ndarray, window: int, order: int):
    lives = {1: range(40), 2: range(6, 23)}
    smooth = list(smooth_recording(recording(lives, joints), window, order))
    assert [f.index for f in smooth] == list(range(40))
    for track, life in lives.items():
        got = [h.joints_m for f in smooth for h in f.hands if h.track_id == track]
        expected = savgol_filter(joints[life] + track, window, order, axis=0, mode="interp")
        np.testing.assert_allclose(got, expected, atol=1e-9)


def test_only_a_window_is_held_back(joints: np.ndarray):
    frames = iter(recording({1: range(40)}, joints))
    stream = smooth_recording(frames, 5, 2)
    assert next(stream).index == 0
    assert next(frames).index == 5


def test_a_jump_back_in_time_starts_another_recording(joints: np.ndarray):
    first = recording({1: range(20)}, joints[:20])
    smooth = list(smooth_recording(first + first, 5, 2))
    assert len(smooth) == 40
    for once, again in zip(smooth[:20], smooth[20:], strict=True):
        np.testing.assert_array_equal(once.hands[0].joints_m, again.hands[0].joints_m)
