"""A results folder that a later run goes on with, if it is the same run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from hand_recon_ros.io.records import RecordError, read_records
from hand_recon_ros.io.replacing import replacing
from hand_recon_ros.offline import RECORDS_FILE
from hand_recon_ros.types import HandFrame

STATE_FILE: Final = "evaluation.json"


class ResumeError(ValueError):
    """The folder holds something else; the message says what, and the remedy."""


class ResumableFolder:
    """Frames of an evaluation, and what they are results of.

    A run that ended early is gone on with: pictures that stand alone after the last one, sequences
    at the start of the one that was under way, because a filter knows what came before.

    Args:
        folder: made if missing.
        run: plain data that tells this run from others.
        sequences: frames of one source belong together.

    Raises:
        ResumeError: the folder holds another run.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any], *, sequences: bool) -> None:
        """Compare with what is there, and cut off what is not whole."""
        self.records = folder / RECORDS_FILE
        self._state = folder / STATE_FILE
        self._run = json.loads(json.dumps(run))
        earlier = self._earlier(folder)
        self.finished = bool(earlier and earlier["finished"])
        if earlier is None:
            folder.mkdir(parents=True, exist_ok=True)
            self._write(finished=False)
        elif not self.finished and self.records.exists():
            _cut_unfinished(self.records, sequences)

    def frames(self) -> Iterator[HandFrame]:
        """The finished frames in order.

        Raises:
            RecordError: the file was changed.
        """
        if self.records.exists():
            yield from read_records(self.records)

    def finish(self) -> None:
        """Note that every picture has been seen."""
        self._write(finished=True)

    def _earlier(self, folder: Path) -> dict[str, Any] | None:
        if not self._state.exists():
            if self.records.exists():
                raise ResumeError(f"'{folder}' holds results of something else: use another folder")
            return None
        try:
            state: dict[str, Any] = json.loads(self._state.read_text(encoding="utf-8"))
            other = _differences(state["run"], self._run)
            state["finished"]
        except (ValueError, KeyError, TypeError) as error:
            raise ResumeError(
                f"'{self._state}' is damaged ({error!r}): delete '{folder}' and start again"
            ) from None
        if other:
            raise ResumeError(
                f"'{folder}' holds another evaluation ({'; '.join(other)}): use another folder, or "
                "delete it"
            )
        return state

    def _write(self, *, finished: bool) -> None:
        text = json.dumps({"run": self._run, "finished": finished}, indent=2)
        with replacing(self._state) as partial:
            partial.write_text(text + "\n", encoding="utf-8")


def _differences(was: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two trees of plain data: "limit was 10, now 20"."""
    if isinstance(was, dict) and isinstance(now, dict):
        keys = [*was, *(key for key in now if key not in was)]
        below = f"{name}." if name else ""
        return [
            text for key in keys for text in _differences(was.get(key), now.get(key), below + key)
        ]
    return [] if was == now else [f"{name} was {was!r}, now {now!r}"]


def _cut_unfinished(records: Path, sequences: bool) -> None:
    """Cut off a line without end and, among sequences, the last one."""
    whole, start_of_last, last = 0, 0, None
    with records.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            if sequences:
                try:
                    source = json.loads(line)["source"]
                except (ValueError, KeyError, TypeError) as error:
                    raise RecordError(
                        f"{records}:{number}: not a frame of hands: {error!r}"
                    ) from None
                if source != last:
                    start_of_last, last = whole, source
            whole += len(line)
    with records.open("r+b") as file:
        file.truncate(start_of_last if sequences else whole)
