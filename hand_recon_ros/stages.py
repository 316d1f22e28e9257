"""The slots of the chain: what a detector, a key point estimator and a 3D regressor promise.

A stage gets plain data and returns plain data. It may remember earlier frames (tracking); ``reset``
makes it forget them, after a jump in time or a change of the image size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hand_recon_ros.types import Detection, Frame, Keypoints


@runtime_checkable
class Detector(Protocol):
    """Finds hands in a frame."""

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        """Return the boxes of all hands; ``previous`` are the hands of the frame before."""

    def reset(self) -> None:
        """Forget earlier frames."""

    def close(self) -> None:
        """Free the models."""


@runtime_checkable
class KeypointEstimator(Protocol):
    """Finds the 21 key points inside each box."""

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        """Return key points for those detections that do show a hand (may be fewer)."""

    def reset(self) -> None:
        """Forget earlier frames."""

    def close(self) -> None:
        """Free the models."""


@runtime_checkable
class Regressor(Protocol):
    """Reads relative 3D from the image, all hands of the frame together."""

    def regress(self, frame: Frame, keypoints: Sequence[Keypoints]) -> list[Keypoints]:
        """Return the same hands with ``relative_m`` set."""

    def reset(self) -> None:
        """Forget earlier frames."""

    def close(self) -> None:
        """Free the models."""
