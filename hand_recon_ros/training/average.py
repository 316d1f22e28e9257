"""Moving average of weights: better and steadier than the last step's."""

from __future__ import annotations

import copy

import torch
from torch import nn


class AveragedModel:
    """Exponential moving average of a model's weights and statistics.

    Args:
        model: whose weights are followed.
        samples: memory, in samples; early on it is shorter, so that random weights fade.
    """

    def __init__(self, model: nn.Module, samples: int) -> None:
        """Start as a copy."""
        self.model = copy.deepcopy(model).eval()
        self.model.requires_grad_(False)
        self._samples = samples
        self._seen = 0

    @torch.no_grad()
    def update(self, model: nn.Module, samples: int) -> None:
        """Take in the weights after a step of so many samples."""
        self._seen += samples
        memory = min(self._samples, max(self._seen / 4, 1))
        share = min(samples / memory, 1.0)
        own = self.model.state_dict()
        floats, news = [], []
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                floats.append(own[name])
                news.append(value)
            else:
                own[name].copy_(value)
        torch._foreach_lerp_(floats, news, share)

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps."""
        return {"model": self.model.state_dict(), "seen": self._seen}

    def restore(self, state: dict[str, object]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
        self._seen = int(state["seen"])  # type: ignore[call-overload]
