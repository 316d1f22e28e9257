"""Muon: steps along orthogonal matrices for convolutions and matrices, Adam for the rest.

Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; scale of the
steps and weight decay: Liu et al., "Muon is scalable for LLM training", 2025, equation 4. A step of
a matrix has the size that AdamW's would have: both take the same learning rates. torch's own
(``torch.optim.Muon``) takes no convolutions, and counts in 16 bits, which are slow where the
processor has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

_NEWTON_SCHULZ: Final = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration (Jordan et al.)."""
_ITERATIONS: Final = 5
_SIZE: Final = 0.2
"""Root mean square of AdamW's steps over the learning rate (Liu et al.)."""
_LEAST_SIDE: Final = 24
"""Smaller matrices lie at inputs and outputs, whose rows are not alike (21 key points, three
colours): they are left to Adam. A large output layer counts as hidden."""


class Muon(Optimizer):
    """See the module.

    Args:
        params: parameters, or groups of them with their own ``weight_decay``.
        lr: learning rate.
        momentum: of the matrices.
        betas: decay of the means of gradients and of their squares, of the rest.
        eps: added to the root of the latter.
        weight_decay: share of the learning rate by which parameters shrink.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        *,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """Start with no momentum."""
        defaults = {
            "lr": lr, "momentum": momentum, "betas": betas, "eps": eps,
            "weight_decay": weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Make a step; ``closure`` is not used."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                param.mul_(1 - group["lr"] * group["weight_decay"])
                if is_hidden(param):
                    self._turn(param, group)
                else:
                    self._adam(param, group)

    def _turn(self, param: Tensor, group: dict[str, Any]) -> None:
        grad, state = param.grad, self.state[param]
        assert grad is not None
        mean = state.setdefault("m", torch.zeros_like(param))
        mean.lerp_(grad, 1 - group["momentum"])
        matrix = grad.lerp(mean, group["momentum"]).flatten(1)  # Nesterov's
        step = orthogonal(matrix).view_as(param)
        param.add_(step, alpha=-group["lr"] * _SIZE * max(matrix.shape) ** 0.5)

    def _adam(self, param: Tensor, group: dict[str, Any]) -> None:
        grad, state = param.grad, self.state[param]
        assert grad is not None
        first, second = group["betas"]
        mean = state.setdefault("m", torch.zeros_like(param))
        square = state.setdefault("v", torch.zeros_like(param))
        state["n"] = count = state.get("n", 0) + 1
        mean.lerp_(grad, 1 - first)
        square.lerp_(grad.square(), 1 - second)
        root = (square / (1 - second**count)).sqrt_().add_(group["eps"])
        param.addcdiv_(mean, root, value=-group["lr"] / (1 - first**count))


def is_hidden(param: Tensor) -> bool:
    """Whether a parameter is a matrix or convolution inside a network."""
    rows = param.shape[0] if param.ndim else 0
    return param.ndim >= 2 and min(rows, param.numel() // max(rows, 1)) >= _LEAST_SIDE


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix (m, n) with its singular values brought near 1 (0.7 to 1.2)."""
    a, b, c = _NEWTON_SCHULZ
    x = matrix / (matrix.norm() + 1e-7)
    tall = len(x) > x.shape[1]
    if tall:
        x = x.T
    for _ in range(_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x
