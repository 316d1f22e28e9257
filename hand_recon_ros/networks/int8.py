"""Convolutions in 8 bits on the CPU: about twice as fast where it has VNNI instructions.

Norms are folded into the convolutions; then inputs get one range each (measured on samples by
``activation_ranges`` and kept with the weights) and kernels one for each output channel. OpenVINO
turns these marks into integer arithmetic; in torch the same module shows what that costs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.nn.utils.fusion import fuse_conv_bn_eval

_STEPS: Final = 255
_KERNEL_STEPS: Final = 127
Ranges = Mapping[str, tuple[float, float]]


class Int8Conv(nn.Module):
    """A convolution whose input and kernel are rounded to 8 bits.

    Args:
        conv: with any norm folded in.
        low, high: range of its input; zero must lie inside.
    """

    def __init__(self, conv: nn.Conv2d, low: float, high: float) -> None:
        """Set the steps."""
        super().__init__()
        self.conv = conv
        self.step = max(high - low, 1e-6) / _STEPS
        self.zero = round(-low / self.step)
        steps = conv.weight.detach().abs().amax((1, 2, 3)).clamp(min=1e-8) / _KERNEL_STEPS
        self.register_buffer("steps", steps)
        self.register_buffer("zeros", torch.zeros(len(steps), dtype=torch.int32))
        self.steps: Tensor
        self.zeros: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """As the convolution."""
        x = torch.fake_quantize_per_tensor_affine(x, self.step, self.zero, 0, _STEPS)
        kernel = torch.fake_quantize_per_channel_affine(
            self.conv.weight, self.steps, self.zeros, 0, -_KERNEL_STEPS, _KERNEL_STEPS
        )
        c = self.conv
        return conv2d(x, kernel, c.bias, c.stride, c.padding, c.dilation, c.groups)


def activation_ranges(
    module: nn.Module, samples: Iterable[Tensor]
) -> dict[str, tuple[float, float]]:
    """Least and largest input of each convolution, by its name in the module.

    Args:
        module: in evaluation mode.
        samples: its inputs, like those that it will see.
    """
    found: dict[str, tuple[float, float]] = {}

    def watch(name: str) -> Callable[..., None]:
        def see(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            low, high = found.get(name, (0.0, 0.0))
            x = inputs[0]
            found[name] = (min(low, float(x.min())), max(high, float(x.max())))

        return see

    handles = [
        m.register_forward_pre_hook(watch(name))
        for name, m in module.named_modules()
        if isinstance(m, nn.Conv2d)
    ]
    with torch.no_grad():
        for sample in samples:
            module(sample)
    for handle in handles:
        handle.remove()
    return found


def in_int8(module: nn.Module, ranges: Ranges) -> nn.Module:
    """A copy of a module, in evaluation mode, with its convolutions in 8 bits.

    Raises:
        ValueError: a convolution has no range: they belong to another network.
    """
    result = copy.deepcopy(module).eval()
    _replace(result, "", ranges)
    return result


def is_int8(module: nn.Module) -> bool:
    """Whether a module holds convolutions in 8 bits."""
    return any(isinstance(m, Int8Conv) for m in module.modules())


def _replace(module: nn.Module, prefix: str, ranges: Ranges) -> None:
    children = list(module.named_children())
    for place, (name, child) in enumerate(children):
        if not isinstance(child, nn.Conv2d):
            _replace(child, f"{prefix}{name}.", ranges)
            continue
        if prefix + name not in ranges:
            raise ValueError(f"no range for '{prefix}{name}': measure activation_ranges anew")
        following = children[place + 1] if place + 1 < len(children) else None
        if isinstance(module, nn.Sequential) and following is not None:
            norm = following[1]
            if isinstance(norm, nn.BatchNorm2d):
                child = fuse_conv_bn_eval(child, norm)
                setattr(module, following[0], nn.Identity())
        setattr(module, name, Int8Conv(child, *ranges[prefix + name]))
