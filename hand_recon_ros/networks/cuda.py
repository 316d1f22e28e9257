"""A module run on CUDA: half precision, channels last, replayed as one CUDA graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_WARM_UP: Final = 3
"""Runs before the graph is recorded, in which libraries choose their kernels."""


class CudaNetwork:
    """See ``runtime.Network``. Inputs and outputs go through page-locked memory.

    Integers stay what they are; floating point inputs are turned to half precision on the device.
    What is kept on the device may be given to another network's call.
    """

    backend = "cuda"

    def __init__(
        self, module: nn.Module, examples: Sequence[NDArray[Any]], keep: Sequence[int]
    ) -> None:
        """Move the module to the GPU and record its graph."""
        self._module = module.half().to("cuda")
        for parameter in self._module.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.to(memory_format=torch.channels_last)
        self._stream = torch.cuda.Stream()
        self._staged = [torch.from_numpy(np.array(a, order="C")).pin_memory() for a in examples]
        self._inputs = [staged.to("cuda") for staged in self._staged]
        with torch.no_grad(), torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP):
                outputs = self._run()
            self._stream.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=self._stream):
                outputs = self._run()
        self._kept = {i: outputs[i] for i in keep}
        self._told = {i: o for i, o in enumerate(outputs) if i not in self._kept}
        self._landed = {
            i: torch.empty(o.shape, dtype=o.dtype, pin_memory=True) for i, o in self._told.items()
        }
        self._count = len(outputs)

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """See ``Network``; returns when the copied outputs are here."""
        # Tensors among the inputs may still be in the making on the caller's stream.
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.no_grad(), torch.cuda.stream(self._stream):
            for given, staged, there in zip(inputs, self._staged, self._inputs, strict=True):
                if isinstance(given, Tensor):
                    there.copy_(given, non_blocking=True)
                else:
                    staged.copy_(torch.from_numpy(np.ascontiguousarray(given)))
                    there.copy_(staged, non_blocking=True)
            self._graph.replay()
            for i, landed in self._landed.items():
                landed.copy_(self._told[i], non_blocking=True)
            kept = {i: output.clone() for i, output in self._kept.items()}
        self._stream.synchronize()
        return tuple(
            kept[i] if i in kept else self._landed[i].numpy().copy() for i in range(self._count)
        )

    def _run(self) -> tuple[Tensor, ...]:
        inputs = [x.half() if x.is_floating_point() else x for x in self._inputs]
        outputs: tuple[Tensor, ...] = self._module(*inputs)
        return tuple(output.float() for output in outputs)
