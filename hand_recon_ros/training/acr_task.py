"""Teaches the regressor, together with the key point network that it reads from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hand_recon_ros.acr.network import Acr, AcrOutput
from hand_recon_ros.keypoints.network import Cpm, CpmOutput
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.training.batch import SYNTHETIC, CropBatch
from hand_recon_ros.training.calibrating import calibration_facts
from hand_recon_ros.training.cpm_task import cpm_losses, half_size, label_weights
from hand_recon_ros.training.int8_facts import int8_facts
from hand_recon_ros.training.losses import (
    ActiveShape,
    cosine_loss,
    direction_loss,
    length_loss,
    point_loss,
    pose_loss,
    rotation_from_6d,
    rotation_loss,
    weighted_l1,
)
from hand_recon_ros.training.provenance import with_earlier
from hand_recon_ros.training.scores import joint_errors_mm, pixel_errors, turned_deg
from hand_recon_ros.training.settings import TrainingConfig

_LOSSES = {
    "beliefs": 30.0,
    "presence": 0.3,
    "points": 0.1,
    "pose": 10.0,
    "length": 2.0,
    "direction": 0.5,
    "cosine": 0.0,
    "asm": 0.0,
    "rotation": 1.0,
    "betas": 0.02,
    "mano": 5.0,
    "mano_direction": 0.3,
    "camera": 0.5,
    "other": 2.0,
}
"""Weights that bring the terms to one order of magnitude; ``losses`` of the YAML changes them."""


class BothOutput(NamedTuple):
    """What the two networks say."""

    cpm: CpmOutput
    acr: AcrOutput


class BothNetworks(nn.Module):
    """Key point network and regressor, one after the other."""

    def __init__(self) -> None:
        """Build both."""
        super().__init__()
        self.cpm = Cpm()
        self.acr = Acr()

    def forward(self, image: Tensor, partner: Tensor, geometry: Tensor) -> BothOutput:
        """See ``Cpm.forward`` and ``Acr.forward``."""
        seen = self.cpm(image)
        last = seen.beliefs[:, -1]
        return BothOutput(seen, self.acr(seen.features, seen.deep, last, partner, geometry))


class AcrTask:
    """See ``task.Task``.

    Args:
        config: of the run.
        exams: fixed batches to be examined on, by name; the score is their mean pixel error and,
            where truth is 3D, the joint error.
        shapes: (S, 21, 3) joints of many hands, for the active-shape-model loss.
    """

    def __init__(
        self,
        config: TrainingConfig,
        exams: Mapping[str, Sequence[CropBatch]],
        shapes: Tensor | None = None,
    ) -> None:
        """Build the networks."""
        self.model: nn.Module = BothNetworks()
        self._config = config
        self._weights = {**_LOSSES, **config.losses}
        unknown = set(config.losses) - set(_LOSSES)
        if unknown:
            raise ValueError(f"losses: {sorted(unknown)} unknown; known: {', '.join(_LOSSES)}")
        self._exams = exams
        self._half = config.half_size_samples > 0
        self._shape = ActiveShape(shapes) if shapes is not None else None
        if self._weights["asm"] > 0 and self._shape is None:
            raise ValueError("the active-shape-model loss needs a sample of hands")
        self._hand = HandModel(load_hand_model("right"))

    def start_from(self, folder: str) -> dict[str, Any]:
        """Begin with the weights of a folder: ``cpm``, and ``acr`` where it is there.

        Returns:
            What is told with both; of ``cpm`` alone, where there is no ``acr``, only what it was
            made from: all else is still to be learned.

        Raises:
            WeightsError: they are missing or of another network.
        """
        from hand_recon_ros.networks.weights import load_weights, weights_path

        assert isinstance(self.model, BothNetworks)
        points = load_weights(self.model.cpm, weights_path("cpm", folder))
        path = weights_path("acr", folder)
        told = load_weights(self.model.acr, path) if path.exists() else {}
        return with_earlier(told, points)

    def size(self, batch: CropBatch) -> int:
        """Number of crops."""
        return len(batch)

    def loss(
        self, model: nn.Module, batch: CropBatch, seen: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """All losses of 000 section 3.3 and of 004 that have a weight."""
        self._half = seen < self._config.half_size_samples
        if self._half:
            batch = half_size(batch)
        output: BothOutput = model(batch.image, batch.partner, batch.geometry)
        parts = cpm_losses(output.cpm, batch, seen)
        with torch.autocast(batch.image.device.type, enabled=False):
            acr = AcrOutput(*(value.float() for value in output.acr))
            parts |= self._acr_losses(acr, batch, seen)
        used = {k: v for k, v in parts.items() if self._weights[k] > 0}
        loss = torch.stack([self._weights[k] * v for k, v in used.items()]).sum()
        return loss, {k: v.detach() for k, v in used.items()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Errors in 2D and 3D on every fixed set."""
        result: dict[str, float] = {}
        for name, batches in self._exams.items():
            fitting = [half_size(b) for b in batches] if self._half else batches
            result |= {f"{name}_{k}": v for k, v in _examined(model, fitting).items()}
        pixels = [result[f"{name}_px"] for name in self._exams]
        depth = [v for k, v in result.items() if k.endswith("_root_mm")]
        score = sum(pixels) / len(pixels) + sum(depth) / max(len(depth), 1)
        return {"score": score, **result}

    def draw(self, model: nn.Module, path: Path) -> None:
        """Crops of every exam with the corrected points."""
        from hand_recon_ros.training.sheet import write_predictions

        shown = [half_size(b[0]) if self._half else b[0] for b in self._exams.values()]
        found = [model(b.image, b.partner, b.geometry).acr.points_px for b in shown]
        write_predictions(shown, found, path)

    def export(self, model: nn.Module, folder: Path, facts: dict[str, Any]) -> None:
        """Write ``cpm.safetensors`` and ``acr.safetensors``."""
        from hand_recon_ros.networks.weights import save_weights

        assert isinstance(model, BothNetworks)
        judged = list(self._exams.values())[-1]  # photographs, where there are some

        def run(batch: CropBatch) -> tuple[Tensor, AcrOutput]:
            output = model(batch.image, batch.partner, batch.geometry)
            return output.cpm.beliefs[:, -1], output.acr

        coarse = int8_facts(model.cpm, self._exams)
        save_weights(model.cpm, folder / "cpm.safetensors", {**facts, **coarse})
        told = calibration_facts(run, judged)
        save_weights(model.acr, folder / "acr.safetensors", {**facts, **told})

    def _acr_losses(self, out: AcrOutput, batch: CropBatch, seen: int) -> dict[str, Tensor]:
        side = batch.image.shape[-1]
        hand = (batch.presence > 0.5).float() * batch.weight
        rendered = batch.source == SYNTHETIC
        solid = hand * batch.has_3d * rendered
        bent = hand * batch.has_3d * torch.where(rendered, 1.0, self._config.photo_depth)
        mano = hand * batch.has_mano
        other = hand * batch.has_other
        truth = batch.joints_m
        args = (out.joints_m, truth, solid)
        posed = self._posed(out)
        parts = {
            "points": point_loss(
                out.points_px, out.log_sigma_px, batch.points_px, label_weights(batch)
            ),
            "pose": pose_loss(*args),
            "length": length_loss(*args),
            "direction": direction_loss(out.joints_m, truth, bent),
            "cosine": cosine_loss(out.joints_m, truth, bent),
            "rotation": rotation_loss(out.pose6d, batch.rotations, mano),
            "betas": weighted_l1(out.betas, batch.betas, mano),
            "mano": pose_loss(posed, truth, mano),
            "mano_direction": direction_loss(posed, truth, bent),
            "camera": weighted_l1(out.camera, weak_perspective(batch, side), solid),
            "other": weighted_l1(out.other_wrist_m, batch.other_wrist_m, other),
        }
        if self._shape is not None and self._weights["asm"] > 0:
            fading = max(0.0, 1.0 - seen / (0.5 * self._config.samples))
            parts["asm"] = fading * self._shape.loss(*args)
        return parts

    def _posed(self, out: AcrOutput) -> Tensor:
        """(N, 21, 3) joints of the MANO parameters, wrist at the origin."""
        rotations = rotation_from_6d(out.pose6d)
        hand = self._hand.to(out.betas.device)
        joints = hand.forward_rotations(rotations, out.betas, torch.zeros_like(out.camera)).joints
        return joints - joints[:, :1]


def weak_perspective(batch: CropBatch, side: int) -> Tensor:
    """(N, 3) scale (window sides for a decimetre at the wrist) and the wrist's place, -0.5..0.5."""
    scale = 0.1 * batch.focal / batch.wrist_m[:, 2].clamp(min=1e-3) / side
    return torch.cat([scale[:, None], batch.points_px[:, 0] / side - 0.5], 1)


def joint_shapes(batches: Any, number: int = 40) -> Tensor:
    """(S, 21, 3) true joints of the synthetic hands of some batches."""
    found = [b.joints_m[(b.source == SYNTHETIC) & b.has_3d].cpu() for b in islice(batches, number)]
    return torch.cat(found)


def _examined(model: nn.Module, batches: Sequence[CropBatch]) -> dict[str, float]:
    pixels, root, procrustes, turned, right = [], [], [], [], []
    for batch in batches:
        output: BothOutput = model(batch.image, batch.partner, batch.geometry)
        hand = batch.presence > 0.5
        known = batch.inside & hand[:, None]
        side = batch.image.shape[-1]
        pixels.append(pixel_errors(output.acr.points_px, batch.points_px, known, side))
        right.append((output.cpm.presence > 0) == hand)
        solid = hand & batch.has_3d
        if solid.any():
            joints, truth = output.acr.joints_m[solid], batch.joints_m[solid]
            here, fitted = joint_errors_mm(joints, truth)
            root.append(here)
            procrustes.append(fitted)
            turned.append(turned_deg(joints, truth))
    error = torch.cat(pixels)
    result = {
        "px": float(error.mean()),
        "median_px": float(error.median()),
        "presence": float(torch.cat(right).float().mean()),
    }
    if root:
        result |= {
            "root_mm": float(torch.cat(root).mean()),
            "pa_mm": float(torch.cat(procrustes).mean()),
            "turned_deg": float(torch.cat(turned).mean()),
        }
    return result
