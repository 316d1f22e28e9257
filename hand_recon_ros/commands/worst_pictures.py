"""Overlays of the worst frames of a data set, for its report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import RenderConfig
from hand_recon_ros.datasets.common import DataSet, Picture, PictureError
from hand_recon_ros.evaluation.results import Evaluation, FrameNumbers
from hand_recon_ros.io.records import read_records
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.report.page import main_metrics
from hand_recon_ros.report.timeline import frame_metrics
from hand_recon_ros.report.worst import worst_frames
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import HandFrame

_Key = tuple[str, int]


class WorstPictures:
    """What was found in the worst frames, drawn over their pictures.

    Args:
        evaluation: tells which frames these are.
        data_set: where the pictures are; gone through once.
        records: ``hands.jsonl`` of the run.
        models: hand model of each side.
        config: styles of the overlay.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        data_set: DataSet,
        records: Path,
        models: Mapping[Side, HandModelData],
        config: RenderConfig,
    ) -> None:
        """Draw them all."""
        ranking = main_metrics(frame_metrics(evaluation))[:1]
        wanted = {
            _key(worst.frame)
            for metric in ranking
            for worst in worst_frames(evaluation, metric, None)
        }
        found = {_key(frame): frame for frame in read_records(records) if _key(frame) in wanted}
        self._meshes = {side: HandModel(data) for side, data in models.items()}
        self._drawn: dict[_Key, NDArray[np.uint8]] = {}
        with closing(Overlay(models, config)) as overlay:
            for picture in data_set.pictures():
                if not found:
                    break
                frame = found.pop(_key(picture), None)
                if frame is not None:
                    self._draw(overlay, picture, frame)

    def __call__(self, numbers: FrameNumbers) -> NDArray[np.uint8] | None:
        """The overlay of a frame, (H, W, 3) RGB; None where its picture is gone."""
        return self._drawn.get(_key(numbers))

    def _draw(self, overlay: Overlay, picture: Picture, frame: HandFrame) -> None:
        meshes = {
            hand.track_id: self._meshes[hand.side].forward_parameters(hand.mano)[0]
            for hand in frame.hands
        }
        try:
            self._drawn[_key(picture)] = overlay.draw(picture.read(), frame, meshes)
        except PictureError:
            return  # it was there when its hands were found


def _key(one: FrameNumbers | HandFrame | Picture) -> _Key:
    return one.source, one.index
