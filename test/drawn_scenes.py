"""A learned front end over drawn scenes, with stand-in networks that read them exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from drawn_hands import DotReader, Drawn, DrawnBoxes, RigidRegressor, frame

from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.learned import LearnedHands
from hand_recon_ros.types import Keypoints

LEFT = Drawn("left", at=(-0.15, 0.06, 0.6))
RIGHT = Drawn("right", at=(0.15, 0.06, 0.6))
PIXEL = 1.0
"""Dots are read to a window pixel or so."""


class Stand:
    """A learned front end over scenes, with its stand-ins at hand."""

    def __init__(
        self,
        scenes: Sequence[Sequence[Drawn]],
        *,
        static: bool = False,
        boxes: DrawnBoxes | None = None,
        reader: DotReader | None = None,
        **options: object,
    ) -> None:
        self.scenes = list(scenes)
        self.boxes = boxes or DrawnBoxes({})
        self.boxes.scenes = dict(enumerate(self.scenes))
        self.reader = reader or DotReader()
        self.regressor = RigidRegressor()
        config = replace(DetectorConfig(), **options)
        self.stage = LearnedHands(self.boxes, self.reader, self.regressor, config, static=static)

    def see(self, index: int) -> list[Keypoints]:
        seen = frame(self.scenes[index], index)
        found = self.stage.estimate(seen, self.stage.detect(seen, ()))
        return sorted(self.stage.regress(seen, found), key=lambda k: k.points_px[0, 0])

    def run(self) -> list[list[Keypoints]]:
        return [self.see(index) for index in range(len(self.scenes))]


def check(found: Keypoints, truth: Drawn, tolerance_m: float = 0.012) -> None:
    assert found.side == truth.side
    error = np.linalg.norm(found.points_px - truth.points_px, axis=1)
    assert error.max() < 3 * PIXEL, error
    assert found.relative_m is not None
    assert (found.relative_m[0] == 0).all()
    off = np.linalg.norm(found.relative_m - truth.relative_m, axis=1)
    assert off.max() < tolerance_m, off
