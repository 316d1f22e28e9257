"""``hand_recon features``: joint angles and features of recorded hands as a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from hand_recon_ros.commands.common import DONE, INTERRUPTED, SOME_SKIPPED, Commands


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "features",
        help="joint angles, pinches, spread and grasps of recorded hands, as CSV or Parquet",
        description="One row for each hand of each frame; angles in rad, lengths in m.",
    )
    command.add_argument(
        "source", metavar="FILE|DIR", type=Path, help="hands.jsonl, or a folder with *.jsonl in it"
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", required=True, type=Path, help="*.csv or *.parquet"
    )
    command.add_argument(
        "--plot", action="store_true", help="draw each recording over time: FILE_RECORDING.png"
    )
    command.add_argument(
        "--pinch-mm",
        metavar="MM",
        type=float,
        default=20.0,
        help="tips nearer than this touch: pinch and precision grasps (default 20)",
    )
    command.add_argument(
        "--power-mm",
        metavar="MM",
        type=float,
        default=40.0,
        help="thumb and index finger nearer than this hold something (default 40)",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from hand_recon_ros.retarget.feature_batch import extract
    from hand_recon_ros.retarget.features import GraspThresholds

    thresholds = GraspThresholds(pinch_m=1e-3 * options.pinch_mm, power_m=1e-3 * options.power_mm)
    summary = extract(options.source, options.output, thresholds, options.plot)
    print(summary)
    if summary.interrupted:
        return INTERRUPTED
    return SOME_SKIPPED if summary.problems else DONE
