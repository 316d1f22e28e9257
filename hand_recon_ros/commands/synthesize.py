"""``hand_recon synthesize``: labelled pictures of synthetic hands."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from hand_recon_ros.commands.common import DONE, Commands


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "synthesize",
        help="labelled pictures of synthetic hands, for training and tests",
        description="Render labelled pictures of hands into tar shards.",
    )
    command.add_argument("-n", "--number", metavar="N", type=int, required=True, help="pictures")
    command.add_argument(
        "-o", "--output", metavar="DIR", required=True, type=Path, help="where the shards go"
    )
    command.add_argument(
        "--seed", metavar="S", type=int, default=0, help="same seed, same labels (default 0)"
    )
    command.add_argument(
        "--size", metavar="PX", type=int, default=256, help="side of the pictures (default 256)"
    )
    command.add_argument(
        "--workers", metavar="K", type=int, default=1, help="processes (default 1)"
    )
    command.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        default=Path("../shared/data"),
        help="folder with motion/*.npz and photos/backgrounds/*.jpg; what is missing is not used",
    )
    command.add_argument(
        "--distinct",
        action="store_true",
        help="every picture shows a scene of its own, as a test set should; else several show one, "
        "which is quicker",
    )
    command.add_argument(
        "--sheet", action="store_true", help="write DIR/sheet.jpg and DIR/labels.jpg"
    )
    command.add_argument("--report", action="store_true", help="write DIR/histograms.png")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from hand_recon_ros.synthesis.command import synthesize
    from hand_recon_ros.synthesis.settings import SynthesisConfig

    config = SynthesisConfig(size=options.size, data_dir=options.data)
    if options.distinct:
        config = replace(config, views_per_scene=1, takes_per_view=1)
    summary = synthesize(
        config,
        options.number,
        options.output,
        options.seed,
        workers=options.workers,
        sheet=options.sheet,
        report=options.report,
    )
    print(summary)
    return DONE
