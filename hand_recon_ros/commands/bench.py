"""``hand_recon bench``: accuracy and speed, measured."""

from __future__ import annotations

import argparse

from hand_recon_ros.bench import suite
from hand_recon_ros.commands.common import DONE, SOME_SKIPPED, Commands


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "bench",
        help="accuracy and speed, measured against their bars",
        description="Measure accuracy and speed; a table goes to --out and, as .json, beside it. "
        "filters also draws error against lag, filters.png there.",
    )
    suite.add_options(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return SOME_SKIPPED if suite.run(options) else DONE
