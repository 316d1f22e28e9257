"""Compares the losses of 004 as its table 1 does, on our own pictures: one command, four runs.

004 trains on 3200 hands for 100 epochs and tests on 200. Joints are told in units of SCALE metres,
so that the published weights mean what they did there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch
from tqdm import tqdm

from hand_recon_ros.keypoints.beliefs import belief_maps
from hand_recon_ros.training import losses
from hand_recon_ros.training.baseline import BaselineOutput, HourglassBaseline
from hand_recon_ros.training.batch import CropBatch, concatenate
from hand_recon_ros.training.cpm_task import half_size

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


class LossTable:
    """Trains each variant on the same hands.

    Args:
        batches: where the hands come from.
        folder: for ``losses.json`` and the curves in ``losses.png``.
        device: "cpu" or "cuda".
        epochs: passes over the hands.
        trained, tested: numbers of hands.
        seed: of the weights and of the order.
        half: show windows of half the side, which is four times quicker.
    """

    def __init__(
        self,
        batches: Iterator[CropBatch],
        folder: Path,
        device: str,
        *,
        epochs: int = EPOCHS,
        trained: int = TRAINED,
        tested: int = TESTED,
        seed: int = 1,
        half: bool = False,
    ) -> None:
        """Gather the hands."""
        hands = _gathered(batches, trained + tested, half).to(device)
        self._train, self._test = (
            _part(hands, slice(0, trained)),
            _part(hands, slice(trained, None)),
        )
        self._shapes = losses.ActiveShape(self._train.joints_m / SCALE)
        self._folder, self._device, self._epochs, self._seed = folder, device, epochs, seed

    def run(self) -> dict[str, float]:
        """Error of each variant on the test hands, mm.

        ``losses.json`` and ``losses.png`` follow every epoch, so that an interrupted run shows what
        it came to.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        curves: dict[str, list[float]] = {}
        for name in VARIANTS:
            curves[name] = []
            for error_mm in self._trained(name):
                curves[name].append(error_mm)
                self._write(curves)
        return {name: curve[-1] for name, curve in curves.items()}

    def _write(self, curves: dict[str, list[float]]) -> None:
        facts = {
            "epochs": self._epochs,
            "trained": len(self._train),
            "tested": len(self._test),
            "window_px": self._train.image.shape[-1],
            "error_mm": {name: curve[-1] for name, curve in curves.items()},
            "curves_mm": curves,
            "published_mm": PUBLISHED_MM,
        }
        text = json.dumps(facts, indent=2)
        (self._folder / "losses.json").write_text(text + "\n", encoding="utf-8")
        _plot(curves, self._folder / "losses.png")

    def _trained(self, name: str) -> Iterator[float]:
        """Train a variant; yields its error on the test hands after each epoch, mm."""
        torch.manual_seed(self._seed)
        model = HourglassBaseline().to(self._device)
        optimizer = torch.optim.Adam(model.parameters(), _RATE)
        order = torch.Generator().manual_seed(self._seed)
        for epoch in tqdm(range(self._epochs), desc=name, unit="epoch"):
            model.train()
            fading = max(0.0, 1.0 - epoch / (0.5 * self._epochs))
            for rows in torch.randperm(len(self._train), generator=order).split(BATCH):
                if len(rows) < 2:
                    continue  # batch normalisation needs company
                batch = _part(self._train, rows.to(self._device))
                optimizer.zero_grad(set_to_none=True)
                self._loss(model(batch.image), batch, VARIANTS[name], fading).backward()
                optimizer.step()
            yield self._error_mm(model)

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
        parts = [_part(self._test, piece) for piece in rows.split(BATCH)]
        found = torch.cat([model(part.image).joints for part in parts]) * SCALE
        return float(1e3 * (found - self._test.joints_m).norm(dim=-1).mean())


def _gathered(batches: Iterator[CropBatch], number: int, half: bool) -> CropBatch:
    """So many single hands with true 3D."""
    found: list[CropBatch] = []
    count = 0
    with tqdm(total=number, desc="hands", unit="hand") as bar:
        while count < number:
            batch = next(batches).to("cpu")
            batch = half_size(batch) if half else batch
            good = (batch.presence > 0.5) & batch.has_3d
            found.append(_part(batch, good.nonzero()[:, 0]))
            count += len(found[-1])
            bar.update(len(found[-1]))
    return _part(concatenate(found), slice(0, number))


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


def _part(batch: CropBatch, rows: torch.Tensor | slice) -> CropBatch:
    return CropBatch(**{name: value[rows] for name, value in vars(batch).items()})
