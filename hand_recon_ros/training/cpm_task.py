"""Teaches the key point network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

from hand_recon_ros.keypoints.beliefs import belief_maps, read_beliefs
from hand_recon_ros.keypoints.network import Cpm, CpmOutput
from hand_recon_ros.training.batch import CropBatch
from hand_recon_ros.training.int8_facts import int8_facts
from hand_recon_ros.training.losses import belief_loss
from hand_recon_ros.training.scores import pixel_errors
from hand_recon_ros.training.settings import TrainingConfig

_SIGMA = (1.8, 1.3)
"""Width of the belief maps at first and at last, cells: wide ones are learned at once."""
_SIGMA_SAMPLES = 300_000
_HIDDEN_WEIGHT = 0.6
_LOSSES = {"beliefs": 100.0, "presence": 0.3}


class CpmTask:
    """See ``task.Task``.

    Args:
        config: of the run.
        exams: fixed batches to be examined on, by name; their mean error is the score.
    """

    def __init__(self, config: TrainingConfig, exams: Mapping[str, Sequence[CropBatch]]) -> None:
        """Build the network."""
        self.model: nn.Module = Cpm()
        self._config = config
        self._weights = {**_LOSSES, **config.losses}
        unknown = set(self._weights) - set(_LOSSES)
        if unknown:
            raise ValueError(f"losses: {sorted(unknown)} unknown; known: {', '.join(_LOSSES)}")
        self._exams = exams
        self._half = config.half_size_samples > 0

    def start_from(self, folder: str) -> dict[str, Any]:
        """Begin with the weights ``cpm`` of a folder; returns what is told with them.

        Raises:
            WeightsError: they are missing or of another network.
        """
        from hand_recon_ros.networks.weights import load_weights, weights_path

        return load_weights(self.model, weights_path("cpm", folder))

    def size(self, batch: CropBatch) -> int:
        """Number of crops."""
        return len(batch)

    def loss(
        self, model: nn.Module, batch: CropBatch, seen: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Belief maps of all stages, and whether there is a hand."""
        self._half = seen < self._config.half_size_samples
        if self._half:
            batch = half_size(batch)
        output = model(batch.image)
        parts = cpm_losses(output, batch, seen)
        loss = torch.stack([self._weights[k] * v for k, v in parts.items()]).sum()
        return loss, {k: v.detach() for k, v in parts.items()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Key point error and presence on every fixed set."""
        result: dict[str, float] = {}
        for name, batches in self._exams.items():
            fitting = [half_size(b) for b in batches] if self._half else batches
            result |= {f"{name}_{k}": v for k, v in _examined(model, fitting).items()}
        pixels = [v for k, v in result.items() if k.endswith("_px") and "median" not in k]
        return {"score": sum(pixels) / len(pixels), **result}

    def draw(self, model: nn.Module, path: Path) -> None:
        """Crops of every exam with what was found."""
        from hand_recon_ros.training.sheet import write_predictions

        shown = [half_size(b[0]) if self._half else b[0] for b in self._exams.values()]
        write_predictions(
            shown, [read_beliefs(model(b.image).beliefs[:, -1])[0] for b in shown], path
        )

    def export(self, model: nn.Module, folder: Path, facts: dict[str, Any]) -> None:
        """Write ``cpm.safetensors``."""
        from hand_recon_ros.networks.weights import save_weights

        assert isinstance(model, Cpm)
        coarse = int8_facts(model, self._exams)
        save_weights(model, folder / "cpm.safetensors", {**facts, **coarse})


def cpm_losses(output: CpmOutput, batch: CropBatch, seen: int) -> dict[str, Tensor]:
    """The losses of the key point network by name.

    Args:
        output: of the network in training.
        batch: what it saw.
        seen: samples so far; belief maps get narrower with them.
    """
    cells = output.beliefs.shape[-1]
    share = min(seen / _SIGMA_SAMPLES, 1.0)
    sigma = _SIGMA[0] + share * (_SIGMA[1] - _SIGMA[0])
    target = belief_maps(batch.points_px, cells, sigma)
    return {
        "beliefs": belief_loss(output.beliefs, target, label_weights(batch)),
        "presence": binary_cross_entropy_with_logits(output.presence.float(), batch.presence),
    }


def label_weights(batch: CropBatch) -> Tensor:
    """(N, 21) how much each key point's label counts."""
    seen = torch.where(batch.visible, 1.0, _HIDDEN_WEIGHT)
    hand = (batch.presence > 0.5) * batch.weight
    return batch.inside * seen * hand[:, None]


def half_size(batch: CropBatch) -> CropBatch:
    """The batch with pictures of half the side; 2D labels follow."""
    return replace(
        batch,
        image=avg_pool2d(batch.image, 2),
        points_px=(batch.points_px + 0.5) / 2 - 0.5,
        focal=batch.focal / 2,
    )


def _examined(model: nn.Module, batches: Sequence[CropBatch]) -> dict[str, float]:
    errors, right = [], []
    for batch in batches:
        output = model(batch.image)
        points, _ = read_beliefs(output.beliefs[:, -1].float())
        hand = batch.presence > 0.5
        errors.append(
            pixel_errors(
                points, batch.points_px, batch.inside & hand[:, None], batch.image.shape[-1]
            )
        )
        right.append((output.presence > 0) == hand)
    error = torch.cat(errors)
    return {
        "px": float(error.mean()),
        "median_px": float(error.median()),
        "within_12.8": float((error < 12.8).float().mean()),
        "presence": float(torch.cat(right).float().mean()),
    }
