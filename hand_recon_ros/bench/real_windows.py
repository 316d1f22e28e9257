"""Key points alone: windows framed from labels, so that no detector has a part in it.

A window of the other side shows the hand mirrored without saying so. A network that knows hands is
far worse there; one that learned from pictures that are inside out is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hand_recon_ros.bench.rows import Row, at_least
from hand_recon_ros.detection.learned import LearnedParts
from hand_recon_ros.keypoints.crops import HandCrop, crop_round
from hand_recon_ros.training.real_exam import KnownHand
from hand_recon_ros.types import Array, Frame

_REFERENCE: Final = 256.0
"""Distances are told in px of windows of this side."""
_NEAR: Final = 12.8
"""Px of such a window within which a point counts as right."""
_FAR_WORSE: Final = 2.0
"""Factor by which unsaid mirror images must be worse."""


@dataclass
class WindowErrors:
    """Distances of every key point to its label, px of a 256 px window.

    Attributes:
        told: (n, 21) by the key point network.
        refined: (n, 21) by the regressor.
        mirrored: (n, 21) by the key point network, of the hand mirrored without saying so.
        side_told: whether the network rather sees a hand in the window of the right side.
    """

    told: list[Array] = field(default_factory=list)
    refined: list[Array] = field(default_factory=list)
    mirrored: list[Array] = field(default_factory=list)
    side_told: list[bool] = field(default_factory=list)

    def add(self, parts: LearnedParts, frame: Frame, known: KnownHand) -> None:
        """Read the windows of a hand whose points and side are known."""
        assert known.points_px is not None
        left = known.side == "left"
        right_one, other = (
            crop_round(frame.camera, known.points_px, mirrored=mirrored)
            for mirrored in (left, not left)
        )
        reading, unsaid = parts.reader([crop.cut(frame.image) for crop in (right_one, other)])
        estimate = parts.regressor([(right_one, reading)])[0]
        self.told.append(_apart(right_one, reading.points_px, known.points_px))
        self.refined.append(_apart(right_one, estimate.points_px, known.points_px))
        self.mirrored.append(_apart(other, unsaid.points_px, known.points_px))
        self.side_told.append(bool(reading.presence > unsaid.presence))

    def rows(self, name: str) -> list[Row]:
        """What was measured on pictures called ``name``; empty where nothing was."""
        if not self.told:
            return []
        name = f"{name}, {len(self.told)} windows from labels"
        told, mirrored = float(np.mean(self.told)), float(np.mean(self.mirrored))
        return [
            _row(f"{name}: key points to labels, px of 256", self.told),
            _row(f"{name}: the same after the regressor", self.refined),
            _row(f"{name}: key points of unsaid mirror images", self.mirrored),
            at_least(
                f"{name}: mirror images are worse by",
                mirrored / max(told, 1e-9),
                _FAR_WORSE,
                "times",
            ),
            Row(
                f"{name}: side told by presence alone",
                f"{100 * np.mean(self.side_told):.1f} % right",
                value=float(np.mean(self.side_told)),
            ),
        ]


def _apart(crop: HandCrop, points_px: Array, known_px: Array) -> Array:
    """(21,) distances in a window, px of 256."""
    apart = np.linalg.norm(points_px - crop.to_crop(known_px), axis=1)
    return np.asarray(apart * (_REFERENCE / crop.size))


def _row(what: str, errors: Sequence[Array]) -> Row:
    all_of = np.array(errors)
    mean, near = float(all_of.mean()), 100 * float((all_of <= _NEAR).mean())
    told = f"mean {mean:.1f}, median {np.median(all_of):.1f}, {near:.0f} % within {_NEAR}"
    return Row(what, told, value=mean)
