"""Centred smoothing of recorded results: frames come out a few frames later, without lag."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from hand_recon_ros.temporal.smoothing import SavitzkyGolay
from hand_recon_ros.types import Hand, HandFrame


def smooth_recording(
    frames: Iterable[HandFrame], window: int = 5, order: int = 2
) -> Iterator[HandFrame]:
    """Replace the joints of every track by the centred Savitzky-Golay filter (000 section 3.5.2).

    Equal to smoothing each track's whole trajectory at once; only ``window - 1`` frames are held
    back, so that a recording of any length streams through.

    Args:
        frames: results with unsmoothed joints, in the order of their stamps.
        window: samples, odd.
        order: degree of the polynomial.
    """
    smoother = SavitzkyGolay(window, order)
    reach = window - 1
    past: deque[HandFrame] = deque(maxlen=reach)
    ahead: deque[HandFrame] = deque()
    for frame in frames:
        if ahead and frame.stamp <= ahead[-1].stamp:  # time jumped back: another recording
            yield from _drain(smoother, past, ahead)
            past.clear()
        ahead.append(frame)
        if len(ahead) > reach:
            yield _smooth_first(smoother, past, ahead)
    yield from _drain(smoother, past, ahead)


def _drain(
    smoother: SavitzkyGolay, past: deque[HandFrame], ahead: deque[HandFrame]
) -> Iterator[HandFrame]:
    while ahead:
        yield _smooth_first(smoother, past, ahead)


def _smooth_first(
    smoother: SavitzkyGolay, past: deque[HandFrame], ahead: deque[HandFrame]
) -> HandFrame:
    """Take the first frame off ``ahead`` and smooth it among its neighbours."""
    frame = ahead[0]
    nearby = [*past, *ahead]
    hands = tuple(_smooth_hand(smoother, hand, frame.stamp, nearby) for hand in frame.hands)
    past.append(ahead.popleft())
    return replace(frame, hands=hands)


def _smooth_hand(
    smoother: SavitzkyGolay, hand: Hand, stamp: float, nearby: Iterable[HandFrame]
) -> Hand:
    samples = [
        (frame.stamp, other.joints_m)
        for frame in nearby
        for other in frame.hands
        if other.track_id == hand.track_id
        and other.side == hand.side
        # a prediction says nothing of where the hand is in other frames
        and (other.state == "tracked" or frame.stamp == stamp)
    ]
    stamps = np.array([sample[0] for sample in samples])
    smooth = smoother.smooth(np.stack([sample[1] for sample in samples]), stamps)
    here = int(np.flatnonzero(stamps == stamp)[0])
    return replace(hand, joints_m=smooth.joints_m[here], joint_velocities=smooth.velocities[here])
