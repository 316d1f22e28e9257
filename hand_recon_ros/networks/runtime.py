"""Runs networks: on a CPU by OpenVINO (or torch where it is missing), on CUDA by torch.

``compile_network`` gives one interface to all: arrays in, arrays out, shapes fixed. The networks
are small, so on the CPU what is gained is gained by fusing layers, and on CUDA by replaying a
recorded graph instead of launching some hundred kernels.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import nn

BACKENDS: Final = ("openvino", "torch", "cuda")


class Network(Protocol):
    """A compiled network.

    Attributes:
        backend: one of ``BACKENDS``.
    """

    backend: str

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """Run it.

        Args:
            inputs: arrays of the shapes and types that it was compiled for, or tensors on the
                same device, such as those that a network kept.

        Returns:
            Arrays of the caller's own; the kept outputs of a GPU as tensors there.
        """


def compile_network(
    module: nn.Module,
    examples: Sequence[NDArray[Any]],
    *,
    device: str = "cpu",
    threads: int = 1,
    keep: Sequence[int] = (),
    backend: str = "",
) -> Network:
    """Make a module ready to run on inputs like the examples.

    Args:
        module: takes tensors, returns a tensor or a (named) tuple of tensors; is put into
            evaluation mode.
        examples: arrays whose shapes and types all later inputs have.
        device: "cpu" or "cuda".
        threads: of the CPU.
        keep: indices of outputs that only go into another network: not copied off the device.
        backend: one of ``BACKENDS``; by default the fastest of the device.

    Raises:
        ValueError: the backend is unknown.
    """
    chosen = backend or fastest_backend(device)
    if chosen not in BACKENDS:
        raise ValueError(f"unknown backend '{chosen}'; known: {', '.join(BACKENDS)}")
    plain = _plain(module)
    if chosen == "openvino":
        from hand_recon_ros.networks.openvino import OpenVinoNetwork

        return OpenVinoNetwork(traced(plain, examples), examples, threads)
    if chosen == "cuda":
        from hand_recon_ros.networks.cuda import CudaNetwork

        return CudaNetwork(plain, examples, keep)
    return TorchNetwork(traced(plain, examples), threads)


def traced(module: nn.Module, examples: Sequence[NDArray[Any]]) -> Any:
    """The module as a TorchScript graph with its weights inside."""
    import torch

    from hand_recon_ros.networks.int8 import is_int8

    inputs = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in examples)
    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO reads what torch.export gives too, but in ten times the time.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # shapes are fixed
        graph = torch.jit.trace(module, inputs, check_trace=False)
        # Freezing would compute the kernels' rounding, and with it the mark for 8 bits be gone.
        return graph if is_int8(module) else torch.jit.freeze(graph)


class TorchNetwork:
    """A traced module on the CPU."""

    backend = "torch"

    def __init__(self, graph: Any, threads: int) -> None:
        """Fuse what torch can fuse."""
        import torch

        torch.set_num_threads(threads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._graph = torch.jit.optimize_for_inference(graph)

    def __call__(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """See ``Network``."""
        import torch

        with torch.inference_mode():
            outputs = self._graph(*(torch.from_numpy(array) for array in inputs))
        return tuple(output.numpy() for output in outputs)


def fastest_backend(device: str) -> str:
    """One of ``BACKENDS``: what networks are run by on "cpu" or "cuda"."""
    if device == "cuda":
        return "cuda"
    # Where there is no wheel for the system, torch is the slower way.
    return "openvino" if find_spec("openvino") else "torch"


def _plain(module: nn.Module) -> nn.Module:
    """The module with tensors or named tuples of them as plain tuples."""
    from torch import nn

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            told = self.inner(*inputs)
            return tuple(told) if isinstance(told, tuple) else (told,)

    return Plain().eval()
