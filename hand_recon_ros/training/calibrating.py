"""What is measured on the exam's pictures and shipped with the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.acr.network import AcrOutput
from hand_recon_ros.keypoints.beliefs import read_beliefs
from hand_recon_ros.keypoints.calibration import calibration_table, fit_calibration
from hand_recon_ros.training.batch import CropBatch

Run = Callable[[CropBatch], tuple[Tensor, AcrOutput]]
"""Belief maps (N, 21, H, W) and regression of a batch."""


@torch.no_grad()
def calibration_facts(run: Run, batches: Sequence[CropBatch]) -> dict[str, Any]:
    """Confidence against error: the fit, and a table of expected and observed errors.

    Fitted to one half of the hands and tabled on the other. Empty where too little is labelled.

    Args:
        run: the networks.
        batches: with true key points.
    """
    parts: list[list[NDArray[np.float64]]] = []
    for batch in batches:
        beliefs, out = run(batch)
        _, peaks = read_beliefs(beliefs.float())
        known = batch.inside & (batch.presence > 0.5)[:, None]
        low = torch.where(known[..., None], batch.points_px, torch.inf).amin(1)
        high = torch.where(known[..., None], batch.points_px, -torch.inf).amax(1)
        box = (high - low).amax(1)[:, None].expand_as(peaks)
        errors = (out.points_px.float() - batch.points_px).norm(dim=-1)
        columns = (peaks, out.log_sigma_px.float(), box, errors)
        half = torch.arange(len(batch), device=known.device)[:, None].expand_as(known) % 2
        parts.append([c[known].cpu().numpy().astype(float) for c in (*columns, half)])
    if not parts:
        return {}
    peaks, log_sigma, box, errors, half = (np.concatenate(c) for c in zip(*parts, strict=True))
    fitted, judged = half == 0, half == 1
    if fitted.sum() < 100 or judged.sum() < 100:
        return {}
    calibration = fit_calibration(peaks[fitted], log_sigma[fitted], box[fitted], errors[fitted])
    table = calibration_table(
        calibration, peaks[judged], log_sigma[judged], box[judged], errors[judged]
    )
    return {
        "calibration": calibration.to_facts(),
        "expected_against_observed": [[round(a, 4), round(b, 4)] for a, b in table],
    }
