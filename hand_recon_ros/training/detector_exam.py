"""What a detector is worth on frames with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from hand_recon_ros.detection.network import RunningSsdRpn
from hand_recon_ros.detection.ssd_rpn import FoundHand, find_hands
from hand_recon_ros.detection.suppression import overlap
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.training.detector_batch import IGNORED, NOTHING, DetectorBatch
from hand_recon_ros.types import Array

LEAST_SCORE: Final = 0.05
"""Of what counts for the average precision."""
RUNNING_SCORE: Final = 0.5
"""Bar at which recall, sides and ghosts are told."""
TRUE_IOU: Final = 0.5


@dataclass
class Tally:
    """What was found in some frames against what is there.

    Attributes:
        hands: number of hands that are to be found.
        frames: number of frames.
        scores: of everything found that is not an ignored hand.
        true: whether each of those is a hand that no better one had found.
        ious: with the hand, of the true ones above ``RUNNING_SCORE``.
        right_sides: of the same.
        turned_deg: error of the direction, of the same.
    """

    hands: int = 0
    frames: int = 0
    scores: list[float] = field(default_factory=list)
    true: list[bool] = field(default_factory=list)
    ious: list[float] = field(default_factory=list)
    right_sides: list[bool] = field(default_factory=list)
    turned_deg: list[float] = field(default_factory=list)

    def add(
        self, found: Sequence[FoundHand], boxes: Array, kinds: NDArray[np.int64], directions: Array
    ) -> None:
        """Count one frame.

        Args:
            found: best first.
            boxes: (M, 4) x0, y0, x1, y1, of all rows.
            kinds: (M,) see ``DetectorBatch.kinds``.
            directions: (M, 2).
        """
        self.frames += 1
        self.hands += int(((kinds != NOTHING) & (kinds != IGNORED)).sum())
        free = kinds != NOTHING
        for hand in found:
            x, y, w, h = hand.box_px
            shared = overlap(np.array([x, y, x + w, y + h], np.float32), boxes.astype(np.float32))
            shared = np.where(kinds != NOTHING, shared, 0.0)
            best = int(np.where(free, shared, 0.0).argmax())
            if shared[best] >= TRUE_IOU and free[best] and kinds[best] != IGNORED:
                free[best] = False
                self._hit(hand, float(shared[best]), int(kinds[best]), directions[best])
            elif not (shared[kinds == IGNORED] > 0.3).any():
                self.scores.append(hand.score)
                self.true.append(False)

    def _hit(self, hand: FoundHand, shared: float, kind: int, direction: Array) -> None:
        self.scores.append(hand.score)
        self.true.append(True)
        if hand.score >= RUNNING_SCORE:
            self.ious.append(shared)
            self.right_sides.append(SIDES[kind - 1] == hand.side)
            cosine = float(np.clip(hand.direction @ direction, -1, 1))
            self.turned_deg.append(float(np.degrees(np.arccos(cosine))))

    def metrics(self) -> dict[str, float]:
        """``ap50``; at the running bar ``recall``, ``iou``, ``side`` (share of right ones),
        ``turned_deg`` (median) and ``ghosts`` (false ones a frame)."""
        false = [s for s, true in zip(self.scores, self.true, strict=True) if not true]
        return {
            "ap50": average_precision(self.scores, self.true, self.hands),
            "recall": len(self.ious) / max(self.hands, 1),
            "iou": _mean(self.ious),
            "side": _mean(self.right_sides),
            "turned_deg": float(np.median(self.turned_deg)) if self.turned_deg else 180.0,
            "ghosts": sum(s >= RUNNING_SCORE for s in false) / max(self.frames, 1),
        }


def average_precision(scores: Sequence[float], true: Sequence[bool], hands: int) -> float:
    """Area under the curve of precision over recall, made monotone (PASCAL VOC 2010).

    Args:
        scores: of everything found.
        true: whether each is right.
        hands: how many there are to be found.
    """
    if not hands or not scores:
        return 0.0
    hits = np.asarray(true)[np.argsort(-np.asarray(scores), kind="stable")]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best_from_here[hits].sum() / hands)


def examine(model: nn.Module, batches: Sequence[DetectorBatch]) -> dict[str, float]:
    """Metrics of a network in evaluation mode, see ``Tally.metrics``."""
    tally = Tally()
    for batch in batches:
        boxes = batch.boxes.cpu().numpy().astype(np.float64)
        kinds = batch.kinds.cpu().numpy()
        directions = batch.directions.cpu().numpy().astype(np.float64)
        for k, found in enumerate(found_in(model, batch, LEAST_SCORE)):
            tally.add(found, boxes[k], kinds[k], directions[k])
    return tally.metrics()


def found_in(model: nn.Module, batch: DetectorBatch, min_score: float) -> list[list[FoundHand]]:
    """Hands of each frame, px of the network's input."""
    outputs = [array.float().cpu().numpy() for array in RunningSsdRpn(model)(batch.image)]
    return [find_hands(outputs, min_score=min_score, picture=k) for k in range(len(batch))]


def _mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
