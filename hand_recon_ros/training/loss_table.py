"""Compares the losses of 004 as its table 1 does, on our own pictures: one command, four runs.

004 trains on 3200 hands for 100 epochs and tests on 200. Joints are told in units of SCALE metres,
so that the published weights mean what they did there.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, Final

import torch
from tqdm import tqdm

from hand_recon_ros.device import trains_in_half
from hand_recon_ros.keypoints.beliefs import belief_maps
from hand_recon_ros.training import losses
from hand_recon_ros.training.baseline import BaselineOutput, HourglassBaseline
from hand_recon_ros.training.batch import CropBatch
from hand_recon_ros.training.loss_hands import digest, part_of
from hand_recon_ros.training.trainer import CHECKPOINT, DAMAGES, TrainingError, replace_saved

SCALE: Final = 0.1
"""Metres of a unit of the joints."""
TRAINED, TESTED, EPOCHS, BATCH = 3200, 200, 100, 32
"""004 section 4; the batch is not told there (facts: 32)."""
PUBLISHED_MM: Final = {"baseline": 37.53, "cos-1": 26.00, "cos-2": 18.31, "asm": 15.54}
"""004 table 1, on FreiHAND."""
VARIANTS: Final = {
    "baseline": {"hm": 0.1, "pose": 1.0, "len": 0.01, "dir": 0.1},
    "cos-1": {"hm": 0.1, "pose": 1.0, "len": 0.01, "dir": 0.1, "cos": 10.0},
    "cos-2": {"hm": 0.1, "pose": 1.0, "cos": 10.0},
    "asm": {"hm": 0.1, "pose": 1.0, "asm": 1.0},
}
"""Weights of 004 section 4. Those of the baseline and of the active shapes are not told there: the
baseline has cos-1's without the cosine, and the active shapes fade from 1 to 0 over half the run.
"""
_SIGMA: Final = 1.3
_RATE: Final = 1e-3
"""Of Adam, in the first half; it falls to zero in the second: constant, errors jump from epoch to
epoch by more than the losses differ."""


class LossTable:
    """Trains each variant on the same hands; goes on where an earlier run in the folder stopped.

    Args:
        train, test: the hands; all tensors on the device of the training.
        folder: for ``losses.json``, the curves in ``losses.png`` and ``checkpoint.pt``, which
            follow every epoch.
        epochs: passes over the hands.
        seed: of the weights and of the order.
        half: mixed precision, where that is quicker.

    Raises:
        TrainingError: what is in the folder is of another table, or damaged.
    """

    def __init__(
        self,
        train: CropBatch,
        test: CropBatch,
        folder: Path,
        *,
        epochs: int = EPOCHS,
        seed: int = 1,
        half: bool = True,
    ) -> None:
        """Read what earlier runs left."""
        self._train, self._test = train, test
        self._device = train.image.device
        self._half = half and trains_in_half(self._device.type)
        self._shapes = losses.ActiveShape(train.joints_m / SCALE)
        self._folder, self._epochs, self._seed = folder, epochs, seed
        self._facts = {
            "epochs": epochs,
            "seed": seed,
            "trained": len(train),
            "tested": len(test),
            "window_px": train.image.shape[-1],
            "precision": "bfloat16" if self._half else "float32",
            "hands": f"{digest(train)} and {digest(test)}",
        }
        self._curves: dict[str, list[float]] = {name: [] for name in VARIANTS}
        self._unfinished: dict[str, Any] = {}
        self._read()

    def run(self, minutes: float | None = None) -> dict[str, list[float]]:
        """Error of each variant on the test hands after each epoch, mm.

        Args:
            minutes: after so many no further epoch begins; the table may then be unfinished.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        ends = time.monotonic() + 60 * minutes if minutes is not None else math.inf
        for name, curve in self._curves.items():
            if len(curve) < self._epochs and not self._trained(name, curve, ends):
                break
        return {name: list(curve) for name, curve in self._curves.items() if curve}

    def _trained(self, name: str, curve: list[float], ends: float) -> bool:
        """Train a variant; False = the time is over."""
        torch.manual_seed(self._seed)
        made: Any = HourglassBaseline()
        model: HourglassBaseline = made.to(self._device, memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), _RATE)
        order = torch.Generator().manual_seed(self._seed)
        if curve:
            self._go_on(model, optimizer, order)
        with tqdm(total=self._epochs, initial=len(curve), desc=name, unit="epoch") as bar:
            while len(curve) < self._epochs:
                if time.monotonic() >= ends:
                    return False
                self._epoch(model, optimizer, order, weights=VARIANTS[name], epoch=len(curve))
                curve.append(self._error_mm(model))
                bar.set_postfix(error=f"{curve[-1]:.1f} mm")
                bar.update()
                self._unfinished = {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "order": order.get_state(),
                    "random": torch.get_rng_state(),
                }
                if self._device.type == "cuda":
                    self._unfinished["cuda"] = torch.cuda.get_rng_state(self._device)
                self._write()
        return True

    def _go_on(
        self,
        model: HourglassBaseline,
        optimizer: torch.optim.Optimizer,
        order: torch.Generator,
    ) -> None:
        """Take up the variant that an earlier run did not finish."""
        left = self._unfinished
        try:
            model.load_state_dict(left["model"])
            optimizer.load_state_dict(left["optimizer"])
            order.set_state(left["order"])
            torch.set_rng_state(left["random"])
            if self._device.type == "cuda" and "cuda" in left:
                torch.cuda.set_rng_state(left["cuda"], self._device)
        except DAMAGES as error:
            raise TrainingError(
                f"'{self._folder / CHECKPOINT}' does not fit ({error}): delete it"
            ) from error

    def _epoch(
        self,
        model: HourglassBaseline,
        optimizer: torch.optim.Optimizer,
        order: torch.Generator,
        *,
        weights: dict[str, float],
        epoch: int,
    ) -> None:
        model.train()
        fading = max(0.0, 1.0 - epoch / (0.5 * self._epochs))
        batches = torch.randperm(len(self._train), generator=order).split(BATCH)
        for number, rows in enumerate(batches):
            if len(rows) < 2:
                continue  # batch normalisation needs company
            done = (epoch + number / len(batches)) / self._epochs
            for group in optimizer.param_groups:
                group["lr"] = _RATE * min(1.0, 2 * (1 - done))
            batch = part_of(self._train, rows.to(self._device))
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
                found = model(batch.image)
            self._loss(
                BaselineOutput(*map(torch.Tensor.float, found)), batch, weights, fading
            ).backward()
            optimizer.step()

    def _read(self) -> None:
        path = self._folder / CHECKPOINT
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            facts, curves = dict(state["facts"]), dict(state["curves"])
            self._unfinished = dict(state["unfinished"])
        except DAMAGES as error:
            raise TrainingError(f"'{path}' is damaged ({error}): delete it") from error
        other = [
            f"{name} {facts.get(name)}, not {value}"
            for name, value in self._facts.items()
            if facts.get(name) != value
        ]
        if other or set(curves) != set(VARIANTS):
            raise TrainingError(
                f"'{path}' is of another table ({'; '.join(other)}): use another folder, or delete "
                "it"
            )
        self._curves = {name: list(curves[name]) for name in VARIANTS}

    def _write(self) -> None:
        curves = {name: curve for name, curve in self._curves.items() if curve}
        told = {
            **self._facts,
            "error_mm": {name: curve[-1] for name, curve in curves.items()},
            "curves_mm": curves,
            "published_mm": PUBLISHED_MM,
        }
        text = json.dumps(told, indent=2)
        (self._folder / "losses.json").write_text(text + "\n", encoding="utf-8")
        _plot(curves, self._folder / "losses.png")
        state = {"facts": self._facts, "curves": self._curves, "unfinished": self._unfinished}
        replace_saved(state, self._folder / CHECKPOINT)

    def _loss(
        self, out: BaselineOutput, batch: CropBatch, weights: dict[str, float], fading: float
    ) -> torch.Tensor:
        truth = batch.joints_m / SCALE
        one = torch.ones(len(batch), device=truth.device)
        maps = belief_maps(batch.points_px, out.beliefs.shape[-1], _SIGMA)
        args = (out.joints, truth, one)
        parts = {
            "hm": (out.beliefs - maps[:, None]).square().sum((1, 2, 3, 4)).mean(),
            "pose": (out.joints - truth).square().sum((1, 2)).mean(),
            "len": 20 * losses.length_loss(*args),
            "dir": 20 * losses.direction_loss(*args),
            "cos": losses.cosine_loss(*args),
            "asm": fading * self._shapes.loss(*args),
        }
        return torch.stack([weight * parts[name] for name, weight in weights.items()]).sum()

    @torch.no_grad()
    def _error_mm(self, model: HourglassBaseline) -> float:
        model.eval()
        rows = torch.arange(len(self._test), device=self._device)
        parts = [part_of(self._test, piece) for piece in rows.split(BATCH)]
        found = torch.cat([model(part.image).joints for part in parts]) * SCALE
        return float(1e3 * (found - self._test.joints_m).norm(dim=-1).mean())


def _plot(curves: dict[str, list[float]], path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="epochs", ylabel="joint error of the test hands [mm]")
    for name, curve in curves.items():
        axes.plot(range(1, len(curve) + 1), curve, marker=".", label=f"{name}: {curve[-1]:.1f} mm")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    FigureCanvasAgg(figure).print_png(str(path))
