"""A traced torch module run by OpenVINO on the CPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


class OpenVinoNetwork:
    """See ``runtime.Network``. Single precision: results are torch's but for rounding.

    It serves one caller at a time: inputs lie in memory of its own.
    """

    backend = "openvino"

    def __init__(self, graph: Any, examples: Sequence[NDArray[Any]], threads: int) -> None:
        """Convert and compile.

        Args:
            graph: frozen TorchScript.
            examples: arrays like the inputs.
            threads: to run on.
        """
        core = _core()
        import openvino

        model = _converted(graph, examples)
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # some CPUs would take bfloat16: pixels get lost
            # Fusing runs of small matrix products crashes its compiler (2026.4: the regressor's
            # residual perceptron, 256 wide); without it nothing is slower here.
            "SNIPPETS_MODE": "DISABLE",
        }
        compiled = core.compile_model(model, "CPU", options)
        self._request = compiled.create_infer_request()
        self._outputs = range(len(compiled.outputs))
        # Bound once: to hand over arrays at each run costs up to a third of a small network.
        self._inputs = [np.array(array, order="C") for array in examples]
        for i, array in enumerate(self._inputs):
            self._request.set_input_tensor(i, openvino.Tensor(array, shared_memory=True))

    def __call__(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """See ``Network``."""
        for own, array in zip(self._inputs, inputs, strict=True):
            if own.shape != array.shape:  # copyto would repeat it
                raise ValueError(f"compiled for an array {own.shape}, got {array.shape}")
            np.copyto(own, array, casting="no")
        self._request.start_async()
        self._request.wait()
        return tuple(self._request.get_output_tensor(i).data.copy() for i in self._outputs)


@cache
def _core() -> Any:
    """OpenVINO, kept for good.

    With the last core, the library for CPUs would be unloaded, but not the handler of SIGINT that
    it has set by then: the next Ctrl-C would end in a segmentation fault.
    """
    with _silent():
        import openvino

    return openvino.Core()


@contextmanager
def _silent() -> Iterator[None]:
    """Keep OpenVINO's reporter of use from loading: by itself, each import calls home."""
    name = "openvino_telemetry"
    loaded = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
        if loaded is not None:
            sys.modules[name] = loaded


def _converted(graph: Any, examples: Sequence[NDArray[Any]]) -> Any:
    # Not openvino.convert_model: that one traces a second time and takes ten times as long.
    import openvino
    import torch
    from openvino._offline_transformations import apply_moc_transformations
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    inputs = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in examples)
    # The decoder must outlive the conversion; what was not frozen before it has its reasons.
    decoder = TorchScriptPythonDecoder(graph, example_input=inputs, skip_freeze=True)
    frontend = FrontEndManager().load_by_framework("pytorch")
    model = frontend.convert(frontend.load(decoder))
    for parameter, array in zip(model.inputs, examples, strict=True):
        node = parameter.get_node()
        node.set_partial_shape(openvino.PartialShape(list(array.shape)))
        node.set_element_type(openvino.Type(array.dtype))
    model.validate_nodes_and_infer_types()
    apply_moc_transformations(model, cf=True)  # without it, marks for 8 bits are not understood
    return model
