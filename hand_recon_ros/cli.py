"""The ``hand_recon`` command. Heavy imports wait until a sub-command runs."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from hand_recon_ros.commands import (
    bag,
    bench,
    compare,
    evaluate,
    features,
    label,
    make_bag,
    reconstruct,
    synthesize,
    train,
)
from hand_recon_ros.commands.common import BAD_USE, INTERRUPTED
from hand_recon_ros.errors import ExpectedError

COMMANDS = (
    reconstruct,
    bag,
    make_bag,
    evaluate,
    compare,
    features,
    synthesize,
    label,
    train,
    bench,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0 = done, 1 = done but some input could not be read, 2 = cannot be done, 130 = interrupted
    (what was done until then is kept).
    """
    # Before NumPy is loaded: its threads only wait for each other on matrices of a hand's size.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="hand_recon: %(levelname)s: %(message)s")
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code: int = options.run(options)
        return code
    except KeyboardInterrupt:
        print("hand_recon: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, ImportError, OSError, ExpectedError) as error:
        if options.debug:
            raise
        print(f"hand_recon: error: {error}", file=sys.stderr)
        return BAD_USE


def _interrupt(number: int, stack: FrameType | None) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hand_recon", description="3D hands (MANO) from one RGB camera."
    )
    parser.add_argument("--version", action="version", version=f"hand_recon {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add_to(commands)
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("hand-recon-ros")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
