"""Overlays of single frames of a data set, for its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import RenderConfig
from hand_recon_ros.datasets.common import DataSet, Picture, PictureError
from hand_recon_ros.evaluation.results import FrameNumbers
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.io.records import read_records
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import HandFrame


class FoundHands(Closing):
    """Draws what was found in a frame over its picture.

    Args:
        data_set: where the pictures are.
        records: ``hands.jsonl`` of the run.
        models: hand model of each side.
        config: styles of the overlay.
    """

    def __init__(
        self,
        data_set: DataSet,
        records: Path,
        models: Mapping[Side, HandModelData],
        config: RenderConfig,
    ) -> None:
        """Prepare the drawing."""
        self._data_set = data_set
        self._records = records
        self._meshes = {side: HandModel(data) for side, data in models.items()}
        self._overlay = Overlay(models, config)

    def __call__(self, numbers: FrameNumbers) -> NDArray[np.uint8] | None:
        """The overlay of a frame, (H, W, 3) RGB; None where its picture is gone."""
        found = next((f for f in read_records(self._records) if _is(f, numbers)), None)
        picture = next((p for p in self._data_set.pictures() if _is(p, numbers)), None)
        if found is None or picture is None:
            return None
        try:
            image = picture.read()
        except PictureError:
            return None
        meshes = {
            hand.track_id: self._meshes[hand.side].forward_parameters(hand.mano)[0]
            for hand in found.hands
        }
        return self._overlay.draw(image, found, meshes)

    def close(self) -> None:
        """Free the drawing's context."""
        self._overlay.close()


def _is(one: HandFrame | Picture, numbers: FrameNumbers) -> bool:
    return (one.source, one.index) == (numbers.source, numbers.index)
