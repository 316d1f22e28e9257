"""MediaPipe's hand tracking graph, with the palm search under our control.

The stock graph searches the whole image for palms whenever it follows fewer than ``num_hands``
hands, so a single hand costs twice what it needs to. Here an input stream ``search`` decides.
The graph also gives each hand's presence score, which the stock one computes and hides.
"""

from __future__ import annotations

import os
from typing import Any, cast

_GRAPH_FILE = "modules/hand_landmark/hand_landmark_tracking_cpu.binarypb"
_STOCK_GATE = "DISALLOW:prev_has_enough_hands"
INSTALL_HINT = "pip install hand-recon-ros[mediapipe] (or make setup) installs it"


class FrontEndError(ImportError):
    """MediaPipe is not installed, or is a release without its hand graph; says what to do."""


def open_graph(
    *,
    max_hands: int,
    min_score: float,
    min_tracking_score: float,
    complexity: int,
    threads: int,
    static: bool,
) -> Any:
    """Start the graph: call ``process({"image": ..., "search": bool})`` on the result.

    Raises:
        FrontEndError: MediaPipe cannot be imported or has another graph.
    """
    try:
        from mediapipe.python.solution_base import PacketDataType, SolutionBase
    except ImportError as error:
        raise FrontEndError(
            f"MediaPipe (detector.front_end mediapipe, labelling, comparisons) cannot be imported "
            f"({error}): {INSTALL_HINT}"
        ) from error
    return SolutionBase(
        graph_config=_tracking_graph(threads),
        side_inputs={
            "model_complexity": complexity,
            "num_hands": max_hands,
            "use_prev_landmarks": not static,
        },
        calculator_params={
            "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": min_score,
            "handlandmarkcpu__ThresholdingCalculator.threshold": min_tracking_score,
        },
        outputs=[
            "multi_hand_landmarks",
            "multi_hand_world_landmarks",
            "multi_handedness",
            "hand_presence_scores",
        ],
        stream_type_hints={
            "search": PacketDataType.BOOL,
            "hand_presence_scores": PacketDataType.FLOAT_LIST,
        },
    )


def _tracking_graph(threads: int) -> Any:
    import mediapipe
    from mediapipe.calculators.tensor import inference_calculator_pb2
    from mediapipe.framework import calculator_pb2
    from mediapipe.python._framework_bindings import validated_graph_config

    stock = validated_graph_config.ValidatedGraphConfig()
    folder = os.path.dirname(cast(str, mediapipe.__file__))
    try:
        stock.initialize(binary_graph_path=os.path.join(folder, _GRAPH_FILE))
    except (RuntimeError, FileNotFoundError) as error:
        raise _unknown_release(mediapipe.__version__) from error
    graph = calculator_pb2.CalculatorGraphConfig()
    graph.ParseFromString(stock.binary_config)

    gates = [node for node in graph.node if _STOCK_GATE in node.input_stream]
    if len(gates) != 1:
        raise _unknown_release(mediapipe.__version__)
    gates[0].input_stream.remove(_STOCK_GATE)
    gates[0].input_stream.append("ALLOW:search")
    graph.input_stream.append("search")

    options = inference_calculator_pb2.InferenceCalculatorOptions.ext
    for node in graph.node:
        if node.calculator.startswith("InferenceCalculator"):
            node.options.Extensions[options].delegate.xnnpack.num_threads = threads
        if node.calculator == "LandmarkProjectionCalculator":  # it warns when left to guess
            node.input_stream.append("IMAGE_DIMENSIONS:image_size_for_landmarks")

    scores = graph.node.add(calculator="EndLoopFloatCalculator")
    scores.input_stream.extend(
        ["ITEM:handlandmarkcpu__hand_presence_score", "BATCH_END:hand_rects_timestamp"]
    )
    scores.output_stream.append("ITERABLE:hand_presence_scores")
    graph.output_stream.append("PRESENCE:hand_presence_scores")
    return graph


def _unknown_release(version: str) -> FrontEndError:
    return FrontEndError(f"mediapipe {version} lacks the hand graph of 0.10.21: {INSTALL_HINT}")
