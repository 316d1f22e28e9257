"""The training loop: resumable, averaged, logged."""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from tqdm import tqdm

from hand_recon_ros.device import trains_in_half
from hand_recon_ros.errors import ExpectedError
from hand_recon_ros.io.replacing import replacing
from hand_recon_ros.training.average import AveragedModel
from hand_recon_ros.training.muon import Muon
from hand_recon_ros.training.provenance import with_earlier
from hand_recon_ros.training.records import TrainingLog
from hand_recon_ros.training.settings import TrainingConfig
from hand_recon_ros.training.task import Task

CHECKPOINT: Final = "checkpoint.pt"
_LOG_STEPS: Final = 50
DAMAGES: Final = (
    RuntimeError, ValueError, LookupError, TypeError, AttributeError, EOFError,
    pickle.UnpicklingError,
)  # fmt: skip
"""What reading a damaged or foreign file of torch may raise."""
_BAD_STEPS: Final = 20
"""Steps without a finite loss that are forgiven in a row."""


class TrainingError(ExpectedError):
    """Training cannot go on; the message says why."""


class Trainer:
    """Trains one network.

    Args:
        task: the network with its loss and exam.
        config: how.
        folder: for checkpoint, log, curves, sheets and weights; a run that is there goes on.
        device: "cpu" or "cuda".
        facts: told with the weights beside what the run itself knows (see ``model_card``).
        begun: what was told with the weights that the network begins with; None = it is new.

    Raises:
        TrainingError: the checkpoint in the folder is of another network.
    """

    def __init__(
        self,
        task: Task,
        config: TrainingConfig,
        folder: Path,
        device: str,
        facts: Mapping[str, Any] | None = None,
        begun: Mapping[str, Any] | None = None,
    ) -> None:
        """Set up optimiser and average; read the checkpoint where there is one."""
        torch.manual_seed(config.seed)
        if device == "cpu":
            torch.set_num_threads(config.threads)
        folder.mkdir(parents=True, exist_ok=True)
        self._task, self._config, self._folder = task, config, folder
        self._device = torch.device(device)
        self._half_precision = config.half and trains_in_half(self._device.type)
        model: Any = task.model
        self._model: nn.Module = model.to(self._device, memory_format=torch.channels_last)
        self._averaged = AveragedModel(self._model, config.ema_samples)
        self._optimizer = _optimizer(self._model, config)
        self._log = TrainingLog(folder)
        begun = begun or {}
        self._told = with_earlier(facts or {}, begun)
        self._seen = int(begun.get("samples", 0))
        self._seconds = 3600 * float(begun.get("hours", 0.0))
        self._best = math.inf
        self._resume()

    @property
    def seen(self) -> int:
        """Samples seen in all runs together."""
        return self._seen

    def run(self, batches: Iterator[Any], minutes: float | None = None) -> dict[str, float]:
        """Train until all samples are seen, the time is over, or Ctrl-C; then hold an exam.

        Args:
            batches: endless; on the trainer's device.
            minutes: most minutes to spend.

        Returns:
            The metrics of the averaged weights.
        """
        config = self._config
        start = self._seen
        ends = time.monotonic() + 60 * minutes if minutes is not None else math.inf
        saved = examined = time.monotonic()
        model: Any = torch.compile(self._model) if config.compile else self._model
        bar = tqdm(total=config.samples, initial=self._seen, unit="sample", smoothing=0.05)
        try:
            while self._seen < config.samples and time.monotonic() < ends:
                self._spell(model, batches, start, ends, bar)
                now = time.monotonic()
                if now - saved > config.checkpoint_s:
                    self._save()
                    saved = now
                if now - examined > config.validate_s:
                    self._examine()
                    examined = time.monotonic()
        except KeyboardInterrupt:
            bar.write("interrupted: keeping what was learned")
        finally:
            bar.close()
        self._save()
        return self._examine()

    def _spell(
        self, model: nn.Module, batches: Iterator[Any], start: int, ends: float, bar: tqdm[Any]
    ) -> None:
        """Some steps, and one line of their mean values in the log."""
        model.train()
        sums: dict[str, torch.Tensor] = {}
        begun, steps, first, bad = time.monotonic(), 0, self._seen, 0
        while steps < _LOG_STEPS and self._seen < self._config.samples and time.monotonic() < ends:
            batch = next(batches)
            for group in self._optimizer.param_groups:
                group["lr"] = self._config.rate(self._seen, self._seen - start)
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half_precision):
                loss, parts = self._task.loss(model, batch, self._seen)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), self._config.gradient_norm)
            steps += 1
            size = self._task.size(batch)
            self._seen += size
            bar.update(size)
            if torch.isfinite(norm):
                bad = 0
                self._optimizer.step()
                self._averaged.update(self._model, size)
                for name, value in {"loss": loss.detach(), **parts}.items():
                    sums[name] = sums.get(name, torch.zeros((), device=self._device)) + value
            else:
                bad += 1
                if bad >= _BAD_STEPS:
                    raise TrainingError(
                        f"the loss was not finite in {bad} steps in a row: lower learning_rate, or "
                        f"delete '{self._folder / CHECKPOINT}' to start afresh"
                    )
            self._optimizer.zero_grad(set_to_none=True)
        taken = time.monotonic() - begun
        self._seconds += taken
        if sums:
            means = {name: float(value) / steps for name, value in sums.items()}
            bar.set_postfix(loss=f"{means['loss']:.4f}")
            rate = (self._seen - first) / max(taken, 1e-9)
            self._log.add("train", self._seen, {**means, "samples_per_s": rate})

    def _examine(self) -> dict[str, float]:
        """Metrics of the averaged weights; the best are exported."""
        averaged = self._averaged.model
        with torch.no_grad():
            metrics = self._task.validate(averaged)
        self._log.add("exam", self._seen, metrics)
        self._log.plot()
        score = metrics["score"]
        tqdm.write(f"{self._seen} samples: " + _told(metrics))
        if score < self._best:
            self._best = score
            with torch.no_grad():
                self._task.draw(averaged, self._folder / "predictions.jpg")
            self._task.export(averaged, self._folder / "weights", self._facts(metrics))
            self._save()
        return metrics

    def _facts(self, metrics: dict[str, float]) -> dict[str, Any]:
        return {
            **self._told,
            "seed": self._config.seed,
            "samples": self._seen,
            "hours": round(self._seconds / 3600, 2),
            "device": self._device.type,
            "metrics": {name: round(value, 4) for name, value in metrics.items()},
        }

    def _save(self) -> None:
        state = {
            "model": self._model.state_dict(),
            "average": self._averaged.state(),
            "optimizer": self._optimizer.state_dict(),
            "kind": self._config.optimizer,
            "seen": self._seen,
            "seconds": self._seconds,
            "best": self._best,
            "told": self._told,
        }
        replace_saved(state, self._folder / CHECKPOINT)

    def _resume(self) -> None:
        path = self._folder / CHECKPOINT
        if not path.exists():
            return
        try:
            state = torch.load(path, map_location=self._device, weights_only=True)
            self._model.load_state_dict(state["model"])
            self._averaged.restore(state["average"])
            kind, wanted = state.get("kind", "adamw"), self._config.optimizer
            if kind != wanted:
                tqdm.write(f"going on with {wanted}, which begins without the momentum of {kind}")
            elif "optimizer" in state:  # may be left out of a copy that travels: it is half of it
                self._optimizer.load_state_dict(state["optimizer"])
        except DAMAGES as error:
            raise TrainingError(
                f"'{path}' does not fit this network ({error}): use another folder, or delete it"
            ) from error
        self._seen, self._seconds = int(state["seen"]), float(state["seconds"])
        self._best = float(state["best"])
        self._told = with_earlier(self._told, state.get("told", {}))


def replace_saved(state: Mapping[str, Any], path: Path) -> None:
    """``torch.save`` into a file that keeps its last content if this is killed while writing."""
    with replacing(path) as partial:
        torch.save(dict(state), partial)


def _optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    groups = _groups(model, config.weight_decay)
    if config.optimizer == "muon":
        return Muon(groups, config.learning_rate)
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)


def _groups(model: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay is for matrices and kernels; biases and norms go without."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def _told(metrics: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
