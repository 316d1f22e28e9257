"""Measures one ``hands.jsonl`` against another."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from hand_recon_ros.commands.telling import told
from hand_recon_ros.config import Config
from hand_recon_ros.datasets.recorded import RecordedPairs
from hand_recon_ros.evaluation.evaluate import Evaluator
from hand_recon_ros.evaluation.results import Evaluation
from hand_recon_ros.evaluation.run_info import RunInfo
from hand_recon_ros.mano.factory import load_hand_models
from hand_recon_ros.offline import stop_on_interrupt
from hand_recon_ros.report.write import write_report


@dataclass(frozen=True, slots=True)
class RecordsRun:
    """What came of it; prints as a table.

    Attributes:
        evaluation: of the frames that both files have.
        left_out: frames that only one of them has.
        interrupted: the user stopped it.
        report: the page, None without a folder.
    """

    evaluation: Evaluation
    left_out: int
    interrupted: bool
    report: Path | None

    def __str__(self) -> str:
        """The lines that the command prints at its end."""
        return told(self.evaluation, self.report, interrupted=self.interrupted)


def run_records(found: Path, truth: Path, config: Config, folder: Path | None) -> RecordsRun:
    """Compare the frames that both files have.

    Args:
        found: file to be judged.
        truth: file that counts as true.
        config: names the hand models.
        folder: for the report; None = no report.

    Raises:
        RecordError: a file cannot be read.
        DataSetError: they have no frame in common.
        OSError: the folder cannot be written.
    """
    started = time.perf_counter()
    models = load_hand_models(config.model)
    pairs = RecordedPairs(truth, found, models)
    evaluator = Evaluator(f"{found} against {truth}", models=models, recording=pairs.recording)
    with stop_on_interrupt() as stop:
        for true, own in tqdm(pairs, total=pairs.length, unit="frame"):
            if stop.is_set():
                break
            evaluator.add(true, own)
        interrupted = stop.is_set()
    evaluation = evaluator.finish()
    left_out = 0 if interrupted else pairs.without_truth + pairs.not_found
    if left_out:
        note = (
            f"left out: {pairs.without_truth} frames that only '{found}' has, {pairs.not_found} "
            f"that only '{truth}' has"
        )
        evaluation = replace(evaluation, notes=(*evaluation.notes, note))
    report = None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        seconds = time.perf_counter() - started
        report = write_report(
            folder, evaluation, run=RunInfo.collect(f"{found} against {truth}", seconds=seconds)
        )
    return RecordsRun(evaluation, left_out, interrupted, report)
