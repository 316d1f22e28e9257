"""The newest transforms of ``/tf``, for a wrist in another frame (tf2_ros is not on PyPI)."""

from __future__ import annotations

import numpy as np
from tf2_msgs.msg import TFMessage

from hand_recon_ros.rotations import quaternion_to_matrix
from hand_recon_ros.types import Array

_DEEPEST = 64
"""Frames from one to the root; more means a circle."""


class Frames:
    """The tree of frames, each by its newest transform; times are not looked at."""

    def __init__(self) -> None:
        """Know no frame."""
        self._parents: dict[str, tuple[str, Array, Array]] = {}

    def add(self, message: TFMessage) -> None:
        """Take transforms; those that are none (not finite, zero quaternion) are left out."""
        for item in message.transforms:
            t, q = item.transform.translation, item.transform.rotation
            translation = np.array((t.x, t.y, t.z))
            quaternion = np.array((q.x, q.y, q.z, q.w))
            norm = float(np.linalg.norm(quaternion))
            if np.isfinite(translation).all() and np.isfinite(norm) and norm > 0.5:
                rotation = quaternion_to_matrix(quaternion / norm)
                parent = item.header.frame_id.lstrip("/")
                self._parents[item.child_frame_id.lstrip("/")] = parent, rotation, translation

    def lookup(self, target: str, source: str) -> tuple[Array, Array] | None:
        """Rotation (3, 3) and translation (3,) that tell points of ``source`` in ``target``.

        None where no way leads from one to the other.
        """
        above_target = self._way_up(target)
        above_source = self._way_up(source)
        for frame, (rotation, translation) in above_source.items():
            if frame in above_target:
                R, t = above_target[frame]
                return R.T @ rotation, R.T @ (translation - t)
        return None

    def _way_up(self, frame: str) -> dict[str, tuple[Array, Array]]:
        """Every frame above (and the frame itself), with the transform into it."""
        frame = frame.lstrip("/")
        rotation, translation = np.eye(3), np.zeros(3)
        way = {frame: (rotation, translation)}
        while frame in self._parents and len(way) <= _DEEPEST:
            frame, R, t = self._parents[frame]
            rotation, translation = R @ rotation, R @ translation + t
            way[frame] = rotation, translation
        return way
