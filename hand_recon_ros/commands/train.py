"""``hand_recon train``: the networks."""

from __future__ import annotations

import argparse
from pathlib import Path

from hand_recon_ros.commands.common import DONE, Commands


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "train",
        help="the networks: detector, key points (cpm), regressor (acr); losses compares losses",
        description="Train a network, or go on where the last run in DIR stopped.",
    )
    command.add_argument("kind", choices=("detector", "cpm", "acr", "losses"))
    command.add_argument(
        "-o", "--output", metavar="DIR", required=True, type=Path, help="where all runs are kept"
    )
    command.add_argument("--config", metavar="YAML", type=Path, help="options of the training")
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="one option, e.g. batch=128 (repeatable)",
    )
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--minutes", metavar="M", type=float, help="most minutes to train")
    command.add_argument(
        "--data", metavar="DIR", type=Path, default=Path("../shared/data"),
        help="folder with photos, digits, motion and video; what is missing is not used",
    )  # fmt: skip
    command.add_argument(
        "--views", metavar="FILE", type=Path, help="rendered views, for machines without OpenGL"
    )
    command.add_argument(
        "--photos", metavar="DIR", type=Path, action="append", default=[],
        help="more labelled photographs, from 'hand_recon label' (repeatable)",
    )  # fmt: skip
    command.add_argument(
        "--backgrounds", metavar="DIR", type=Path, action="append", default=[],
        help='more pictures without hands: SOURCE_*.jpg, and whose they are in terms.json: '
        '{"SOURCE": "maker, licence"} (repeatable)',
    )  # fmt: skip
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from hand_recon_ros.training.command import TrainOptions, train

    told = train(
        TrainOptions(
            kind=options.kind,
            folder=options.output,
            config=options.config,
            overrides=options.overrides,
            device=options.device,
            minutes=options.minutes,
            data=options.data,
            views=options.views,
            photos=options.photos,
            backgrounds=options.backgrounds,
        )
    )
    print(told)
    return DONE
