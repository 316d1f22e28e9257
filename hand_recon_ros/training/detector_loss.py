"""Losses of the detector.

Sources: Liu et al., "SSD", 2016, section 2.2 (cross entropy with three hard negatives a positive,
smooth L1 of the deltas); Ren et al., "Faster R-CNN", 2015, section 3.1.2 (objectness and deltas of
the proposals); facts A4.2. Objectness is taught the IoU that the refined box has, not 0 or 1, so
that the best-scoring proposal is the best-fitting one.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, smooth_l1_loss

from hand_recon_ros.detection.anchors import (
    BACKGROUND,
    centred,
    corners,
    encode,
    iou,
    match,
)
from hand_recon_ros.detection.network import CLASSES, SsdRpnOutput
from hand_recon_ros.training.detector_batch import IGNORED, NOTHING, DetectorBatch

NEGATIVES_A_POSITIVE: Final = 3
_LEAST_NEGATIVES: Final = 8
"""Of a frame: those without hands teach, too."""
_RPN_NEGATIVE_IOU: Final = 0.3
_SPARED_IOU: Final = 0.3
"""Priors that overlap a hand that is not to be learned by more are no negatives."""


def detector_losses(output: SsdRpnOutput, batch: DetectorBatch) -> dict[str, Tensor]:
    """The losses by name: ``class``, ``box``, ``objectness``, ``refined``, ``direction``.

    All but ``direction`` (1 - cosine, mean) are sums over priors for each prior with a hand.
    """
    hands = batch.hands
    spared = _overlap_with(corners(output.priors)[None], batch, batch.kinds == IGNORED)
    overlaps = iou(corners(output.priors)[None], batch.boxes)
    matched = match(overlaps, hands)
    positive = matched != BACKGROUND
    kinds = torch.where(positive, _taken(batch.kinds[..., None], matched)[..., 0], NOTHING)
    errors = cross_entropy(
        output.class_logits.reshape(-1, CLASSES), kinds.reshape(-1), reduction="none"
    ).reshape(kinds.shape)
    counted = positive | hard_negatives(errors, positive, ~positive & (spared <= _SPARED_IOU))
    number = positive.sum().clamp(min=1)
    deltas = encode(_taken(batch.boxes, matched), output.priors)
    box = _summed(output.ssd_deltas, deltas, positive)
    return {
        "class": (errors * counted).sum() / number,
        "box": box / number,
        **_rpn_losses(output, batch),
    }


def hard_negatives(errors: Tensor, positive: Tensor, candidates: Tensor) -> Tensor:
    """(N, P) bool: the candidates of each frame with the largest errors.

    There are ``NEGATIVES_A_POSITIVE`` times as many as positives, but at least some.

    Args:
        errors: (N, P) loss of each prior.
        positive: (N, P) bool.
        candidates: (N, P) bool.
    """
    wanted = (NEGATIVES_A_POSITIVE * positive.sum(dim=1)).clamp(min=_LEAST_NEGATIVES)
    hardness = torch.where(candidates, errors.detach(), -1.0)
    order = hardness.argsort(dim=1, descending=True)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )
    return candidates & (rank < wanted[:, None])


def _rpn_losses(output: SsdRpnOutput, batch: DetectorBatch) -> dict[str, Tensor]:
    anchors = output.ssd_boxes.detach()
    overlaps = iou(anchors, batch.boxes)
    matched = match(overlaps, batch.hands)
    positive = matched != BACKGROUND
    number = positive.sum().clamp(min=1)
    truth = _taken(batch.boxes, matched)
    with torch.no_grad():
        quality = iou(output.boxes[:, :, None], truth[:, :, None])[..., 0, 0] * positive
    errors = binary_cross_entropy_with_logits(output.objectness, quality, reduction="none")
    far = torch.where(batch.kinds[:, None] != NOTHING, overlaps, 0.0).amax(dim=2)
    chosen = positive | hard_negatives(errors, positive, ~positive & (far < _RPN_NEGATIVE_IOU))
    aligned = (output.directions * _taken(batch.directions, matched)).sum(dim=-1)
    return {
        "objectness": (errors * chosen).sum() / number,
        "refined": _summed(output.rpn_deltas, encode(truth, centred(anchors)), positive) / number,
        "direction": ((1 - aligned) * positive).sum() / number,
    }


def _taken(values: Tensor, matched: Tensor) -> Tensor:
    """(N, P, C) rows (N, M, C) of the hands that priors (N, P) belong to; any row for none."""
    index = matched.clamp(min=0)[..., None].expand(-1, -1, values.shape[-1])
    return values.gather(1, index)


def _overlap_with(boxes: Tensor, batch: DetectorBatch, which: Tensor) -> Tensor:
    """(N, P) largest IoU with the rows of the batch for which ``which`` (N, M) is true."""
    overlaps = iou(boxes, batch.boxes)
    return torch.where(which[:, None], overlaps, 0.0).amax(dim=2)


def _summed(deltas: Tensor, wanted: Tensor, positive: Tensor) -> Tensor:
    """Sum of the smooth L1 errors of the positives; the rest may be anything."""
    safe = torch.where(positive[..., None], wanted, deltas.detach())
    return smooth_l1_loss(deltas, safe, reduction="sum")
