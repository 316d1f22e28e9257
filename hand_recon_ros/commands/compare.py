"""``hand_recon compare``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from hand_recon_ros.commands.common import DONE, Commands


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "compare",
        help="runs side by side, and what changed beyond noise",
        description="Hold runs against the first one, by the report.json of their folders.",
    )
    command.add_argument(
        "folders", metavar="DIR", nargs="+", type=Path, help="result folders; the first is the base"
    )
    command.add_argument("-o", "--output", metavar="HTML", type=Path, help="write a page as well")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from hand_recon_ros.report.comparing import Run, compare
    from hand_recon_ros.report.comparison_page import comparison_page, comparison_text
    from hand_recon_ros.report.files import load

    folders: list[Path] = options.folders
    reports = [load(folder) for folder in folders]
    comparison = compare(
        [Run(name, report) for name, report in zip(_names(folders), reports, strict=True)]
    )
    print(comparison_text(comparison))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(comparison_page(comparison), encoding="utf-8")
        print(f"page: {options.output}")
    return DONE


def _names(folders: Sequence[Path]) -> list[str]:
    """What the runs are called: their folders' names if these differ, else their paths."""
    short = [folder.resolve().name for folder in folders]
    if len(set(short)) == len(folders):
        return short
    paths = [str(folder) for folder in folders]
    return [
        path if paths.count(path) == 1 else f"{path} ({k})" for k, path in enumerate(paths, start=1)
    ]
