"""What the sub-commands share: exit codes and options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from hand_recon_ros.config import Config

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
DONE, SOME_SKIPPED, BAD_USE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; done but some input could not be read; cannot be done; stopped by the user."""


def add_chain_options(command: argparse.ArgumentParser) -> None:
    """Add the options of everything that runs the chain; ``chain_config`` reads them."""
    command.add_argument("--config", metavar="YAML", help="options of the reconstruction")
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        dest="overrides",
        help="one option, e.g. fit.hand_length_m=0.19 (repeatable)",
    )
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where torch runs")


def chain_config(options: argparse.Namespace) -> Config:
    """The chain's options: defaults, then the YAML file, then ``--set`` and ``--device``.

    Raises:
        ConfigError: an option is unknown or out of range.
    """
    import dataclasses

    from hand_recon_ros.config import Config
    from hand_recon_ros.config_io import apply_overrides, config_from_yaml

    config = config_from_yaml(options.config) if options.config else Config()
    overrides: Sequence[str] = options.overrides
    config = apply_overrides(config, overrides)
    if options.device:
        config = dataclasses.replace(config, device=options.device)
    return config
