"""Muon against torch's own (matrices) and Adam (the rest)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_trainer import CONFIG, Line, numbers
from torch import nn

from hand_recon_ros.training.muon import Muon, is_hidden, orthogonal
from hand_recon_ros.training.settings import TrainingConfig
from hand_recon_ros.training.trainer import Trainer


@pytest.mark.parametrize("shape", [(32, 32), (40, 200), (200, 40)])
def test_steps_are_nearly_orthogonal(shape: tuple[int, int]) -> None:
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.max() < 1.3
    assert values.quantile(0.05) > 0.3
    # The directions stay those of the matrix.
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ orthogonal(matrix) @ v.T
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-3


def test_matrices_go_as_with_torchs_own() -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has no Muon")
    torch.manual_seed(2)
    ours, theirs = (nn.Parameter(torch.randn(48, 96)) for _ in range(2))
    theirs.data.copy_(ours.data)
    start = ours.detach().clone()
    mine = Muon([ours], lr=0.01, weight_decay=0.1)
    other = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        ours.grad = torch.randn(48, 96)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
    moved = (theirs - start).norm()
    assert moved > 0.1
    assert (ours - theirs).norm() < 0.02 * moved  # theirs counts in 16 bits


def test_the_rest_goes_as_with_adam() -> None:
    torch.manual_seed(3)
    layers = [nn.Linear(7, 5), nn.BatchNorm1d(5), nn.Conv2d(32, 21, 1), nn.Conv2d(3, 40, 1)]
    ours = nn.ModuleList(layers)
    theirs = nn.ModuleList([nn.Linear(7, 5), nn.BatchNorm1d(5), nn.Conv2d(32, 21, 1),
                            nn.Conv2d(3, 40, 1)])  # fmt: skip
    theirs.load_state_dict(ours.state_dict())
    assert not any(is_hidden(p) for p in ours.parameters())
    mine = Muon(ours.parameters(), lr=0.01, weight_decay=0.1)
    other = torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for _ in range(5):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        mine.step()
        other.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_convolutions_are_learned() -> None:
    torch.manual_seed(4)
    truth, student = (nn.Conv2d(32, 32, 3, padding=1, bias=False) for _ in range(2))
    assert is_hidden(student.weight)
    optimizer = Muon(student.parameters())
    losses = []
    for step in range(120):
        optimizer.param_groups[0]["lr"] = 2e-2 * (1 - step / 120)
        x = torch.randn(8, 32, 6, 6)
        loss = (student(x) - truth(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]


def test_a_run_goes_on_with_another_optimiser(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Trainer(Line(), TrainingConfig(**{**vars(CONFIG), "samples": 640}), tmp_path, "cpu")
    first.run(numbers())
    turned = TrainingConfig(**{**vars(CONFIG), "optimizer": "muon"})
    again = Trainer(Line(), turned, tmp_path, "cpu")
    assert again.seen == 640
    assert again.run(numbers())["score"] < 0.05
    assert "begins without the momentum of adamw" in capsys.readouterr().out
    # And keeps its momentum in the next checkpoint.
    third = Trainer(Line(), turned, tmp_path, "cpu")
    kept, made = (t._optimizer.state_dict()["state"] for t in (third, again))
    assert kept.keys() == made.keys()
    assert all(torch.equal(kept[k]["m"], made[k]["m"]) and kept[k]["m"].any() for k in kept)


def test_unknown_optimisers_are_told() -> None:
    with pytest.raises(ValueError, match="optimizer is 'sgd'; known: adamw, muon"):
        TrainingConfig(optimizer="sgd")
