"""Runs the chain over a data set and measures it as it goes."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from hand_recon_ros.commands.resuming import ResumableFolder, ResumeError
from hand_recon_ros.commands.telling import told
from hand_recon_ros.commands.worst_pictures import WorstPictures
from hand_recon_ros.config import Config
from hand_recon_ros.datasets.catalogue import DataSetChoice, open_data_set
from hand_recon_ros.datasets.common import DataSet, DataSetError, Picture, PictureError
from hand_recon_ros.datasets.enlarging import Enlarging
from hand_recon_ros.evaluation.evaluate import Evaluator
from hand_recon_ros.evaluation.published import published_rows
from hand_recon_ros.evaluation.results import Evaluation
from hand_recon_ros.evaluation.run_info import RunInfo
from hand_recon_ros.io.records import RecordWriter, frame_to_record, record_to_frame
from hand_recon_ros.mano.factory import load_hand_models
from hand_recon_ros.offline import stop_on_interrupt
from hand_recon_ros.options import ConfigError
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.report.write import write_report
from hand_recon_ros.temporal.hand_state import StampError
from hand_recon_ros.types import Frame, HandFrame

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DataSetRun:
    """What came of it; prints as a table.

    Attributes:
        data_set: the pictures.
        evaluation: of all frames that are done, also those of earlier runs in the same folder.
        interrupted: the user stopped it.
        report: the page.
    """

    data_set: DataSet
    evaluation: Evaluation
    interrupted: bool
    report: Path

    def __str__(self) -> str:
        """The lines that the command prints at its end."""
        return told(self.evaluation, self.report, interrupted=self.interrupted)


def run_data_set(choice: DataSetChoice, config: Config, folder: Path) -> DataSetRun:
    """Run the chain on every picture, write ``hands.jsonl`` and the report.

    Pictures that stand alone are reconstructed alone; sequences are followed as the live node
    follows a camera, with its causal filters. Run again with the same folder it goes on where it
    stopped. Ctrl-C ends it in order: what was done until then is measured.

    Args:
        choice: which data set.
        config: options of the chain.
        folder: for the results; made if missing.

    Raises:
        DataSetError: files are missing or damaged, or not one picture could be used.
        ResumeError: the folder holds another run.
        ConfigError: the pictures would be mirrored.
    """
    if config.detector.mirrored:
        raise ConfigError("option 'detector.mirrored' is true, but data sets are not mirrored")
    started = time.perf_counter()
    models = load_hand_models(config.model)
    data_set = open_data_set(choice, models)
    root = None if choice.root is None else str(choice.root.resolve())
    info = RunInfo.collect(data_set.title, config)
    about = {**dataclasses.asdict(choice), "root": root, "config": info.config}
    about |= {"models": info.models, "version": info.versions.get("hand_recon_ros", "")}
    results = ResumableFolder(folder, about, sequences=data_set.fps is not None)
    evaluator = Evaluator(data_set.title, models=models, recording=data_set.fps is not None)
    with stop_on_interrupt() as stop, logging_redirect_tqdm():
        interrupted = not _see_all(data_set, config, results, evaluator, stop)
    evaluation = evaluator.finish()
    if not interrupted:
        if not evaluation.frames:
            raise DataSetError(f"{data_set.title}: not one picture could be used (see above)")
        results.finish()
    evaluation = replace(
        evaluation,
        published=published_rows(data_set.name, followed=data_set.fps is not None),
        notes=(*evaluation.notes, *_notes(data_set, interrupted)),
    )
    info = replace(info, seconds=time.perf_counter() - started)
    pictures = WorstPictures(evaluation, data_set, results.records, models, config.render)
    report = write_report(folder, evaluation, run=info, picture=pictures)
    return DataSetRun(data_set, evaluation, interrupted, report)


def _see_all(
    data_set: DataSet,
    config: Config,
    results: ResumableFolder,
    evaluator: Evaluator,
    stop: threading.Event,
) -> bool:
    """Take every picture's hands from the earlier run or the chain; False if stopped before."""
    known = _Known(results)
    with ExitStack() as stack:
        progress = stack.enter_context(tqdm(total=data_set.length, unit="picture"))
        chain: _Chain | None = None
        for picture in data_set.pictures():
            if stop.is_set():
                return False
            try:
                truth = picture.label()
                found = known.take(picture)
                if found is None:
                    if chain is None:  # not before: its models take seconds to load
                        chain = stack.enter_context(closing(_Chain(config, data_set, results)))
                    found = chain.process(picture)
                evaluator.add(truth, found)
            except PictureError as error:
                data_set.skip(str(error))
            progress.update()
    known.must_be_used_up()
    return True


class _Known:
    """Frames of an earlier run, in the data set's order."""

    def __init__(self, results: ResumableFolder) -> None:
        self._results = results
        self._frames = results.frames()
        self._next = next(self._frames, None)

    def take(self, picture: Picture) -> HandFrame | None:
        """The frame of this picture; None where it is still to be made.

        Raises:
            PictureError: the earlier run went past it without a result.
        """
        frame = self._next
        if frame is None and not self._results.finished:
            return None
        if frame is None or (frame.source, frame.index) != (picture.source, picture.index):
            raise PictureError(
                f"'{picture.source}' picture {picture.index}: left out by the earlier run"
            )
        self._next = next(self._frames, None)
        return frame

    def must_be_used_up(self) -> None:
        """Refuse frames that the data set does not have.

        Raises:
            ResumeError: there are some.
        """
        if self._next is not None:
            raise ResumeError(
                f"{self._results.records} holds a frame of '{self._next.source}' that the data set "
                "has not (has it changed?): use another folder"
            )


class _Chain:
    """The reconstruction of one picture after the other, written down as it goes."""

    def __init__(self, config: Config, data_set: DataSet, results: ResumableFolder) -> None:
        self._reconstructor = HandReconstructor(config, static=data_set.fps is None)
        for warning in self._reconstructor.warnings:
            _log.warning(warning)
        self._data_set = data_set
        self._records = RecordWriter(results.records, append=True)
        self._source: str | None = None
        self._ids: dict[int, int] = {}

    def process(self, picture: Picture) -> HandFrame:
        """The hands of a picture, in its own pixels, as the file tells them.

        Raises:
            PictureError: the picture cannot be read.
        """
        frame = Frame(picture.read(), picture.stamp, picture.camera, picture.index, picture.source)
        alone = self._data_set.fps is None
        if alone or frame.source != self._source:
            if not alone:  # else it forgets by itself
                self._reconstructor.reset()
            self._source, self._ids = frame.source, {}
        record = frame_to_record(self._reconstruct(frame))
        for hand in record["hands"]:
            # Counted afresh, so that a run in two parts tells the same.
            hand["track_id"] = self._ids.setdefault(hand["track_id"], len(self._ids) + 1)
        found = record_to_frame(record)
        self._records.write(found)
        return found

    def _reconstruct(self, frame: Frame) -> HandFrame:
        try:
            if not self._data_set.border:
                return self._reconstructor.process(frame)
            larger = Enlarging.of(frame.camera, self._data_set.border)
            return larger.back(self._reconstructor.process(larger.frame(frame)), frame.camera)
        except StampError as error:
            raise PictureError(f"'{frame.source}' frame {frame.index}: {error}") from None

    def close(self) -> None:
        self._records.close()
        self._reconstructor.close()


def _notes(data_set: DataSet, interrupted: bool) -> list[str]:
    notes = list(data_set.notes)
    if data_set.skipped:
        notes.append(
            f"{len(data_set.skipped)} pictures were left out, the first: {data_set.skipped[0]}"
        )
    if interrupted:
        notes.append("interrupted: not all pictures were seen")
    return notes
