"""Features of one recording or of a folder of them: table, pictures and summary."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from hand_recon_ros.io.records import RecordError
from hand_recon_ros.retarget.feature_rows import COLUMNS, Cell, read_features
from hand_recon_ros.retarget.feature_tables import TableWriter, open_table
from hand_recon_ros.retarget.features import GraspThresholds

_log = logging.getLogger(__name__)
_SIDE, _GRASP, _STAMP = map(list(COLUMNS).index, ("side", "grasp", "stamp_s"))


@dataclass
class RecordingSummary:
    """What one recording holds.

    Attributes:
        recording: its name in the table.
        frames: read.
        frames_with_hands: of them.
        seconds: between the first and the last row's stamps.
        rows: of each side.
        grasps: rows of each class; those that cannot be told do not count.
        problem: why its reading ended early, or nothing.
    """

    recording: str
    frames: int = 0
    frames_with_hands: int = 0
    seconds: float = 0.0
    rows: Counter[str] = field(default_factory=Counter)
    grasps: Counter[str] = field(default_factory=Counter)
    problem: str = ""

    def __str__(self) -> str:
        """One line of the summary."""
        told = sum(self.grasps.values())
        grasps = ", ".join(f"{name} {n / told:.0%}" for name, n in self.grasps.most_common())
        sides = ", ".join(f"{n} {side}" for side, n in sorted(self.rows.items()))
        line = f"{self.recording}: {self.frames_with_hands} of {self.frames} frames with hands"
        line += "".join(f"; {part}" for part in (sides, grasps) if part)
        return f"{line}; STOPPED: {self.problem}" if self.problem else line

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        # not asdict(): in Python 3.11 it makes a mess of a Counter
        return {**vars(self), "rows": dict(self.rows), "grasps": dict(self.grasps)}


@dataclass
class BatchSummary:
    """What a run did; prints as a few lines."""

    recordings: list[RecordingSummary]
    files: list[Path]
    interrupted: bool = False

    @property
    def problems(self) -> int:
        """How many recordings could not be read to their end."""
        return sum(bool(one.problem) for one in self.recordings)

    def __str__(self) -> str:
        """The lines that the command prints at its end."""
        rows = sum(one.rows.total() for one in self.recordings)
        state = "interrupted, kept" if self.interrupted else "done"
        lines = [str(one) for one in self.recordings]
        lines.append(f"{state}: {len(self.recordings)} recordings, {rows} rows")
        return "\n".join([*lines, *(f"results: {path}" for path in self.files)])

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {
            "interrupted": self.interrupted,
            "recordings": [one.as_json() for one in self.recordings],
        }


def find_recordings(source: Path) -> dict[str, Path]:
    """Names and files of the recordings: a file itself, or every ``*.jsonl`` below a folder.

    A recording in a folder is called by its path from there, without ``.jsonl``.

    Raises:
        ValueError: there is no such file, or none in the folder.
    """
    if source.is_file():
        return {source.stem: source}
    if not source.is_dir():
        raise ValueError(f"'{source}' does not exist: give a hands.jsonl or a folder of them")
    found = sorted(source.rglob("*.jsonl"))
    if not found:
        raise ValueError(f"no *.jsonl in '{source}': make one with 'hand_recon video'")
    return {path.relative_to(source).with_suffix("").as_posix(): path for path in found}


def extract(
    source: Path, output: Path, thresholds: GraspThresholds | None = None, plot: bool = False
) -> BatchSummary:
    """Write the table of all recordings of ``source``, and its summary beside it.

    Beside ``features.csv`` come ``features_summary.json`` and, with ``plot``, one
    ``features_RECORDING.png`` for each recording. A recording that cannot be read to its end gives
    the rows up to there. Ctrl-C ends the run in order: what was read until then is kept.

    Raises:
        ValueError: nothing to read, or the output's name is neither .csv nor .parquet.
        ImportError: pyarrow or matplotlib is missing.
        OSError: an output cannot be written.
    """
    recordings = find_recordings(source)
    if plot:
        from hand_recon_ros.retarget.feature_plot import require_matplotlib

        require_matplotlib()  # not after an hour of reading
    output.parent.mkdir(parents=True, exist_ok=True)
    summary = BatchSummary([], [output])
    with logging_redirect_tqdm(), open_table(output) as table:
        try:
            for number, (name, path) in enumerate(recordings.items(), start=1):
                one = RecordingSummary(name)
                summary.recordings.append(one)
                label = f"{name} ({number}/{len(recordings)})"
                rows = _read(path, one, table, thresholds, label, keep=plot)
                if plot and rows:
                    summary.files.append(_draw(rows, name, output))
        except KeyboardInterrupt:
            summary.interrupted = True
    path = output.with_name(f"{output.stem}_summary.json")
    path.write_text(json.dumps(summary.as_json(), indent=2) + "\n", encoding="utf-8")
    summary.files.append(path)
    return summary


def _read(
    path: Path,
    summary: RecordingSummary,
    table: TableWriter,
    thresholds: GraspThresholds | None,
    label: str,
    keep: bool,
) -> list[list[Cell]]:
    """Put one recording into the table; return its rows if they are to be kept."""
    kept: list[list[Cell]] = []
    stamps: list[float] = []
    try:
        frames = read_features(path, summary.recording, thresholds)
        for rows in tqdm(frames, desc=label, unit="frame"):
            table.write(rows)
            summary.frames += 1
            summary.frames_with_hands += bool(rows)
            summary.rows.update(str(row[_SIDE]) for row in rows)
            summary.grasps.update(str(row[_GRASP]) for row in rows if row[_GRASP] is not None)
            stamps += [row[_STAMP] for row in rows[:1] if isinstance(row[_STAMP], float)]
            if keep:
                kept += rows
    except RecordError as error:
        summary.problem = str(error)
        _log.warning("%s", error)
    summary.seconds = round(stamps[-1] - stamps[0], 6) if stamps else 0.0
    return kept


def _draw(rows: Sequence[Sequence[Cell]], name: str, output: Path) -> Path:
    from hand_recon_ros.retarget.feature_plot import plot_features

    slug = re.sub(r"[^\w.-]+", "_", name)
    path = output.with_name(f"{output.stem}_{slug}.png")
    plot_features(rows, name, path)
    return path
