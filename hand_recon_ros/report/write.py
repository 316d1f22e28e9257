"""Writes ``report.json`` and ``report.html`` of a run."""

from __future__ import annotations

from pathlib import Path

from hand_recon_ros.evaluation.results import Evaluation
from hand_recon_ros.evaluation.run_info import RunInfo
from hand_recon_ros.report.files import HTML_FILE, Report, save
from hand_recon_ros.report.page import report_page
from hand_recon_ros.report.worst import Picture


def write_report(
    folder: Path, evaluation: Evaluation, *, run: RunInfo, picture: Picture | None = None
) -> Path:
    """Write both files into a folder, which is made if missing.

    ``report.html`` is one file without links to others: it opens from disk, offline.

    Args:
        folder: the run's results.
        evaluation: what was measured.
        run: how it was made.
        picture: gives the overlay of a frame, (H, W, 3) uint8 RGB, for the worst ones; asked for
            at most ten.

    Returns:
        Path of ``report.html``.
    """
    save(Report(evaluation, run), folder)
    path = folder / HTML_FILE
    path.write_text(report_page(evaluation, run, picture), encoding="utf-8")
    return path
