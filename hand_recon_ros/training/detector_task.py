"""Teaches the detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import torch
from torch import Tensor, nn

from hand_recon_ros.detection.network import SsdRpn
from hand_recon_ros.training.detector_batch import DetectorBatch
from hand_recon_ros.training.detector_exam import RUNNING_SCORE, examine, found_in
from hand_recon_ros.training.detector_loss import detector_losses
from hand_recon_ros.training.detector_sheet import detector_sheet
from hand_recon_ros.training.settings import TrainingConfig

_LOSSES: Final = {"class": 1.0, "box": 1.0, "objectness": 1.0, "refined": 1.0, "direction": 1.0}
_SHOWN: Final = 16
"""Frames of each exam on the sheet."""


class DetectorTask:
    """See ``task.Task``.

    Args:
        config: of the run.
        exams: fixed batches to be examined on, by name; what they lack of a mean AP of 1 is the
            score.

    Raises:
        ValueError: the configuration names a loss that there is not.
    """

    def __init__(
        self, config: TrainingConfig, exams: Mapping[str, Sequence[DetectorBatch]]
    ) -> None:
        """Build the network."""
        unknown = set(config.losses) - set(_LOSSES)
        if unknown:
            raise ValueError(
                f"losses: {', '.join(sorted(unknown))} unknown; known: {', '.join(_LOSSES)}"
            )
        self.model: nn.Module = SsdRpn()
        self._weights = {**_LOSSES, **config.losses}
        self._exams = exams

    def start_from(self, folder: str) -> dict[str, Any]:
        """Begin with the weights ``detector`` of a folder; returns what is told with them.

        Raises:
            WeightsError: they are missing or of another network.
        """
        from hand_recon_ros.networks.weights import load_weights, weights_path

        return load_weights(self.model, weights_path("detector", folder))

    def size(self, batch: DetectorBatch) -> int:
        """Number of frames."""
        return len(batch)

    def loss(
        self, model: nn.Module, batch: DetectorBatch, seen: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """All losses of a batch."""
        parts = detector_losses(model(batch.image), batch)
        loss = torch.stack([self._weights[name] * value for name, value in parts.items()]).sum()
        return loss, {name: value.detach() for name, value in parts.items()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on every fixed set, see ``detector_exam.Tally.metrics``."""
        result: dict[str, float] = {}
        for name, batches in self._exams.items():
            result |= {f"{name}_{k}": v for k, v in examine(model, batches).items()}
        precisions = [value for name, value in result.items() if name.endswith("_ap50")]
        return {"score": 1 - sum(precisions) / max(len(precisions), 1), **result}

    def draw(self, model: nn.Module, path: Path) -> None:
        """One sheet for each exam, its name put before the file's."""
        for name, batches in self._exams.items():
            batch = batches[0].first(_SHOWN)
            sheet = detector_sheet(batch, found_in(model, batch, RUNNING_SCORE))
            file = path.with_name(f"{name}_{path.name}")
            cv2.imwrite(str(file), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))

    def export(self, model: nn.Module, folder: Path, facts: dict[str, Any]) -> None:
        """Write ``detector.safetensors``."""
        from hand_recon_ros.networks.weights import save_weights

        save_weights(model, folder / "detector.safetensors", facts)
