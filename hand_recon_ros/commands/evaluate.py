"""``hand_recon evaluate``: a labelled data set, or one results file against another."""

from __future__ import annotations

import argparse
from pathlib import Path

from hand_recon_ros.commands.common import (
    DONE,
    INTERRUPTED,
    SOME_SKIPPED,
    Commands,
    add_chain_options,
    chain_config,
)

_EXAMPLES = """\
examples:
  hand_recon evaluate --dataset synthetic -o results                 (a rendered clip, no data)
  hand_recon evaluate --dataset freihand --root FreiHAND_pub_v2 --limit 200 -o results
  hand_recon evaluate --pred mine/hands.jsonl --truth theirs/hands.jsonl
"""


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "evaluate",
        help="errors on a labelled data set, or of one results file against another",
        description="Measure errors, and show them beside published ones.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--dataset",
        choices=("freihand", "interhand", "hic", "synthetic"),  # those of datasets.catalogue
        help="run the chain on this data set",
    )
    what.add_argument("--pred", metavar="A", type=Path, help="hands.jsonl to be judged")
    command.add_argument("--truth", metavar="B", type=Path, help="hands.jsonl that counts as true")
    command.add_argument(
        "--root",
        metavar="PATH",
        type=Path,
        help="your copy of the data set; synthetic: folder of shards (none = a rendered clip)",
    )
    command.add_argument(
        "--split", default="", help="default: the one that papers report (evaluation, test)"
    )
    command.add_argument(
        "--fps",
        type=int,
        choices=(5, 30),
        default=0,
        help="which interhand (default: 30 if the root's path says 30fps, else 5)",
    )
    command.add_argument("--limit", metavar="N", type=int, help="most pictures")
    command.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="where the results go; the same folder again goes on with a run that was stopped",
    )
    add_chain_options(command)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return _judge_records(options) if options.pred else _judge_chain(options)


def _judge_chain(options: argparse.Namespace) -> int:
    from hand_recon_ros.commands.data_set_run import run_data_set
    from hand_recon_ros.datasets.catalogue import DataSetChoice

    if options.output is None:
        raise ValueError("--dataset needs -o DIR, where the results go")
    if options.truth is not None:
        raise ValueError("--truth belongs to --pred; a data set has its own truth")
    choice = DataSetChoice(options.dataset, options.root, options.split, options.fps, options.limit)
    run = run_data_set(choice, chain_config(options), options.output)
    print(run)
    if run.interrupted:
        return INTERRUPTED
    return SOME_SKIPPED if run.data_set.skipped else DONE


def _judge_records(options: argparse.Namespace) -> int:
    from hand_recon_ros.commands.records_run import run_records

    if options.truth is None:
        raise ValueError("--pred needs --truth, another hands.jsonl")
    only = {"--root": options.root, "--split": options.split, "--fps": options.fps}
    extra = [name for name, value in {**only, "--limit": options.limit}.items() if value]
    if extra:
        raise ValueError(f"{', '.join(extra)}: only with --dataset")
    run = run_records(options.pred, options.truth, chain_config(options), options.output)
    print(run)
    if run.interrupted:
        return INTERRUPTED
    return SOME_SKIPPED if run.left_out else DONE
