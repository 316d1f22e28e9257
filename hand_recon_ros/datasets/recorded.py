"""Any ``hands.jsonl`` as the truth for another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import torch

from hand_recon_ros.datasets.common import DataSetError
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.io.records import read_records
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import HandFrame

_Key = Callable[[HandFrame], Hashable]


class RecordedPairs:
    """Frames of two files that show the same moment.

    Frames belong together by source and index; where the files name no common source and each has
    only one (a video and a bag of it), by index alone.

    Args:
        truth: file of the hands that count as true.
        found: file of the hands to be judged.
        models: meshes are compared where both files were made with these.

    Attributes:
        length: frames of ``found``.
        without_truth: frames of ``found`` that the other file has not; known after iterating.
        not_found: frames of ``truth`` that ``found`` has not.
        recording: frames of one source follow each other in time.

    Raises:
        RecordError: a file cannot be read.
        DataSetError: they have no frame in common.
    """

    def __init__(self, truth: Path, found: Path, models: Mapping[Side, HandModelData]) -> None:
        """Read the true frames and match the others."""
        self._found = found
        self._models = {side: HandModel(data, torch.float64) for side, data in models.items()}
        true = list(read_records(truth))
        times = [(frame.source, frame.index, frame.stamp) for frame in read_records(found)]
        keys = [(source, index) for source, index, _ in times]
        self.length = len(keys)
        self.recording = any(
            one[0] == other[0] and one[2] < other[2] for one, other in pairwise(times)
        )
        self._key: _Key = _full_key
        if not set(keys) & {(f.source, f.index) for f in true}:
            one_each = len({source for source, _ in keys}) == len({f.source for f in true}) == 1
            if not one_each or not {k for _, k in keys} & {f.index for f in true}:
                raise DataSetError(
                    f"'{found}' and '{truth}' have no frame in common (source and number): are "
                    "they of the same recording?"
                )
            self._key = _index
        self._true = {self._key(frame): frame for frame in true}
        own = {key if self._key is _full_key else key[1] for key in keys}
        self.not_found = len(self._true.keys() - own)
        self.without_truth = 0

    def __iter__(self) -> Iterator[tuple[TrueFrame, HandFrame]]:
        """Yield (truth, found) in the order of ``found``."""
        self.without_truth = 0
        for frame in read_records(self._found):
            true = self._true.get(self._key(frame))
            if true is None:
                self.without_truth += 1
                continue
            yield self._truth(true), frame

    def _truth(self, frame: HandFrame) -> TrueFrame:
        hands = []
        for hand in frame.hands:
            vertices, faces = None, None
            model = self._models.get(hand.side)
            if model is not None and model.data.name == hand.mano.model:
                vertices, faces = model.forward_parameters(hand.mano)[0], model.data.faces
            hands.append(
                TrueHand(hand.side, hand.joints_m, vertices, faces, hand.joints_px, hand.track_id)
            )
        return TrueFrame(frame.index, frame.source, frame.stamp, frame.camera, tuple(hands))


def _full_key(frame: HandFrame) -> Hashable:
    return frame.source, frame.index


def _index(frame: HandFrame) -> Hashable:
    return frame.index
