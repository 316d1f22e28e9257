"""``report.json``: an evaluation and how it was made, in one file of a run's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hand_recon_ros.evaluation.results import Evaluation
from hand_recon_ros.evaluation.run_info import RunInfo

JSON_FILE: Final = "report.json"
HTML_FILE: Final = "report.html"
_REMEDY: Final = "make it with 'hand_recon evaluate ... -o DIR' or 'hand_recon bag ... -o DIR'"


class ReportError(ValueError):
    """A report cannot be read; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Report:
    """What ``report.json`` holds."""

    evaluation: Evaluation
    run: RunInfo


def save(report: Report, folder: Path) -> Path:
    """Write ``report.json`` into a folder, which is made if missing; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / JSON_FILE
    data = {"evaluation": report.evaluation.to_json(), "run": report.run.to_json()}
    path.write_text(json.dumps(data, allow_nan=False) + "\n", encoding="utf-8")
    return path


def load(folder: Path) -> Report:
    """Read the ``report.json`` of a folder.

    Raises:
        ReportError: there is none, or it is no report.
    """
    path = folder / JSON_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Report(Evaluation.from_json(data["evaluation"]), RunInfo.from_json(data["run"]))
    except OSError as error:
        raise ReportError(f"'{path}' cannot be read ({error.strerror}): {_REMEDY}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ReportError(f"'{path}' is no report ({error}): {_REMEDY} anew") from None
