"""The training loop on a network small enough to know the answer."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hand_recon_ros.device import trains_in_half
from hand_recon_ros.training.settings import TrainingConfig, training_config
from hand_recon_ros.training.trainer import CHECKPOINT, Trainer, TrainingError

CONFIG = TrainingConfig(
    samples=12_000, batch=32, learning_rate=3e-2, warmup_samples=100, ema_samples=500,
    weight_decay=0.0,
)  # fmt: skip


class Line:
    """Learns y = 2 x + 1."""

    def __init__(self) -> None:
        self.model: nn.Module = nn.Linear(1, 1)
        self.exported: list[dict[str, Any]] = []

    def size(self, batch: Tensor) -> int:
        return len(batch)

    def loss(self, model: nn.Module, batch: Tensor, seen: int) -> tuple[Tensor, dict[str, Tensor]]:
        wrong = (model(batch) - (2 * batch + 1)).square().mean()
        return wrong, {"wrong": wrong.detach()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        x = torch.tensor([[-1.0], [3.0]])
        return {"score": float((model(x) - (2 * x + 1)).abs().max())}

    def draw(self, model: nn.Module, path: Path) -> None:
        path.write_text("drawn")

    def export(self, model: nn.Module, folder: Path, facts: dict[str, Any]) -> None:
        self.exported.append(facts)


def numbers() -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(3)
    while True:
        yield torch.randn(32, 1, generator=generator)


def test_it_learns_logs_and_exports_the_best(tmp_path: Path) -> None:
    task = Line()
    metrics = Trainer(task, CONFIG, tmp_path, "cpu").run(numbers())
    assert metrics["score"] < 0.02
    assert task.exported
    assert task.exported[-1]["samples"] == CONFIG.samples
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert "samples_per_s" in (tmp_path / "log.jsonl").read_text()


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    stop = 60

    def some() -> Iterator[Tensor]:
        for count, batch in enumerate(numbers()):
            if count == stop:
                raise KeyboardInterrupt
            yield batch

    first = Trainer(Line(), CONFIG, tmp_path, "cpu")
    first.run(some())
    assert first.seen == stop * 32
    again = Trainer(Line(), CONFIG, tmp_path, "cpu")
    assert again.seen == stop * 32
    assert again.run(numbers())["score"] < 0.05


@pytest.mark.parametrize("half", [True, False])
def test_a_processor_with_matrix_tiles_trains_in_half_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    used = set()

    class Watched(Line):
        def loss(
            self, model: nn.Module, batch: Tensor, seen: int
        ) -> tuple[Tensor, dict[str, Tensor]]:
            used.add(model(batch).dtype)
            return super().loss(model, batch, seen)

    task = Watched()
    Trainer(task, replace(CONFIG, half=half), tmp_path, "cpu").run(numbers())
    assert used == {torch.bfloat16 if half else torch.float32}
    assert {p.dtype for p in task.model.parameters()} == {torch.float32}
    assert task.validate(task.model)["score"] < 0.1  # bfloat16 tells 7 from 7.03


def test_a_processor_without_matrix_tiles_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert not trains_in_half("cpu")
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # as in older torch
    assert not trains_in_half("cpu")
    assert trains_in_half("cuda")


def test_a_time_limit_ends_it(tmp_path: Path) -> None:
    trainer = Trainer(Line(), CONFIG, tmp_path, "cpu")
    trainer.run(numbers(), minutes=0.0)
    assert trainer.seen == 0
    assert (tmp_path / CHECKPOINT).exists()


def test_another_networks_checkpoint_is_refused(tmp_path: Path) -> None:
    Trainer(Line(), CONFIG, tmp_path, "cpu").run(numbers(), minutes=0.0)
    other = Line()
    other.model = nn.Linear(2, 1)
    with pytest.raises(TrainingError, match="does not fit this network"):
        Trainer(other, CONFIG, tmp_path, "cpu")


def test_a_loss_that_is_never_finite_stops_with_advice(tmp_path: Path) -> None:
    def bad() -> Iterator[Tensor]:
        while True:
            yield torch.full((32, 1), float("nan"))

    with pytest.raises(TrainingError, match="lower learning_rate"):
        Trainer(Line(), CONFIG, tmp_path, "cpu").run(bad())


def test_single_bad_batches_do_no_harm(tmp_path: Path) -> None:
    def mixed() -> Iterator[Tensor]:
        for count, batch in enumerate(numbers()):
            yield torch.full_like(batch, float("inf")) if count % 7 == 3 else batch

    assert Trainer(Line(), CONFIG, tmp_path, "cpu").run(mixed())["score"] < 0.05


def test_options_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("samples: 1e6\nlosses: {pose: 2}\n")
    config = training_config(path, ["losses.length=0.5", "batch=16"])
    assert config.samples == 1_000_000
    assert config.losses == {"pose": 2.0, "length": 0.5}
    assert config.batch == 16
    with pytest.raises(ValueError, match="'speed' is unknown"):
        training_config(path, ["speed=3"])
    with pytest.raises(ValueError, match="must be at least 1"):
        training_config(path, ["batch=0"])
    with pytest.raises(ValueError, match="not of type int"):
        training_config(path, ["batch=many"])


def test_learning_rate_rises_holds_and_falls() -> None:
    c = TrainingConfig(samples=1000, warmup_samples=100, decay_share=0.2, learning_rate=1.0)
    assert c.rate(0, 0) < 0.02
    assert c.rate(500, 500) == 1.0
    assert c.rate(900, 900) == pytest.approx(0.5)
    assert c.rate(500, 0) < 0.02  # a resumed run warms up as well
