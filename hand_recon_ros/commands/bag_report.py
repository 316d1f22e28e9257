"""What ``hand_recon bag`` says of its run: ``run.json``, ``report.json`` and ``report.html``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import Config
from hand_recon_ros.evaluation.describe import describe
from hand_recon_ros.evaluation.results import FrameNumbers
from hand_recon_ros.evaluation.run_info import RunInfo
from hand_recon_ros.io.bags.source import BagSource
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.io.records import read_records, record_to_frame
from hand_recon_ros.mano.factory import load_hand_models
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.offline import RECORDS_FILE, Summary
from hand_recon_ros.pipeline import unmirrored
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.report.write import write_report
from hand_recon_ros.types import Frame, HandFrame

RUN_FILE = "run.json"


def write_bag_report(folder: Path, source: BagSource, config: Config, summary: Summary) -> Path:
    """Describe a run by its ``hands.jsonl``.

    Args:
        folder: of the results.
        source: that was read to its end, still open.
        config: of the chain.
        summary: of the run.

    Returns:
        Path of ``report.html``.
    """
    run = RunInfo.collect(source.name, config, seconds=summary.seconds)
    (folder / RUN_FILE).write_text(json.dumps(run.to_json(), indent=1) + "\n", encoding="utf-8")
    models = load_hand_models(config.model)
    records = folder / RECORDS_FILE
    frames = _timed(read_records(records), summary.latencies_ms)
    evaluation = describe(frames, f"bag {source.name}", models=models)
    notes = tuple(f"left out: {text}" for text in source.skipped)
    if summary.interrupted:
        notes += ("interrupted: the bag was not read to its end",)
    evaluation = replace(evaluation, notes=evaluation.notes + notes)
    with _Pictures(source, config, records) as pictures:
        return write_report(folder, evaluation, run=run, picture=pictures.draw)


def _timed(frames: Iterable[HandFrame], latencies_ms: Iterable[float]) -> Iterator[HandFrame]:
    """Give back to the frames the times that are kept out of the file."""
    for frame, latency_ms in zip(frames, latencies_ms, strict=False):
        yield replace(frame, timings_ms={"total": latency_ms})


class _Pictures(Closing):
    """Draws single frames of the run again."""

    def __init__(self, source: BagSource, config: Config, records: Path) -> None:
        self._source, self._config, self._records = source, config, records
        self._models = load_hand_models(config.model)
        self._overlay: Overlay | None = None

    def draw(self, numbers: FrameNumbers) -> NDArray[np.uint8] | None:
        image = self._source.image_of(numbers.index)
        result = _record(self._records, numbers.index)
        if image is None or result is None:
            return None
        if self._config.detector.mirrored:
            image = unmirrored(Frame(image, 0.0, result.camera)).image
        meshes = {
            hand.track_id: HandModel(self._models[hand.side]).forward_parameters(hand.mano)[0]
            for hand in result.hands
        }
        if self._overlay is None:
            self._overlay = Overlay(self._models, replace(self._config.render, styles=_STYLES))
        return np.asarray(self._overlay.draw(image, result, meshes), np.uint8)

    def close(self) -> None:
        if self._overlay is not None:
            self._overlay.close()


_STYLES = "mesh,skeleton"
"""No trails: the frames that are drawn do not follow each other."""


def _record(path: Path, index: int) -> HandFrame | None:
    begin = f'{{"frame": {index}, '
    with path.open(encoding="utf-8") as file:
        line = next((line for line in file if line.startswith(begin)), None)
    return None if line is None else record_to_frame(json.loads(line))
