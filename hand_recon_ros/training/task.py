"""What a network to be trained brings along."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn


class Task(Protocol):
    """A network with its loss and its exam. B is the kind of batch that it learns from."""

    model: nn.Module
    """Everything that is trained."""

    def loss(self, model: nn.Module, batch: Any, seen: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch after ``seen`` samples, and its parts (detached)."""

    def size(self, batch: Any) -> int:
        """Number of samples of a batch."""

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Metrics of a model of the same kind, in evaluation mode, on fixed pictures.

        ``score`` among them says which weights are best; smaller is better.
        """

    def draw(self, model: nn.Module, path: Path) -> None:
        """Write a sheet of predictions to look at."""

    def export(self, model: nn.Module, folder: Path, facts: dict[str, Any]) -> None:
        """Write the weights as they are shipped, with what is known of their making."""
