"""``hand_recon label``: photographs without labels, for training."""

from __future__ import annotations

import argparse
from pathlib import Path

from hand_recon_ros.commands.common import DONE, Commands


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "label",
        help="key points for photographs without labels, to train on",
        description="Label photographs where MediaPipe agrees with itself on mirrored and turned "
        "copies; labels that the learned chain confirms count more. 'hand_recon train --photos "
        "DIR' trains on them.",
    )
    command.add_argument("pictures", metavar="PICTURES", type=Path, help="folder of photographs")
    command.add_argument(
        "-o", "--output", metavar="DIR", required=True, type=Path,
        help="copies and labels.jsonl; several sources can share it",
    )  # fmt: skip
    command.add_argument("--source", metavar="NAME", required=True, help="short name of the source")
    command.add_argument(
        "--terms", metavar="TEXT", required=True, help="maker and licence, for the model card"
    )
    command.add_argument(
        "--people", action="store_true",
        help="the pictures show whole people: search them in parts, too, and label cut-outs round "
        "their hands; what DIR has of a picture already stays as it is",
    )  # fmt: skip
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from hand_recon_ros.training.label_sheet import write_label_sheets
    from hand_recon_ros.training.self_labels import label_pictures

    hands, looked = label_pictures(
        options.pictures, options.output, options.source, options.terms, people=options.people
    )
    print(f"{options.source}: {hands} hands labelled in {looked} pictures: {options.output}")
    sheets = write_label_sheets(options.output, options.source)
    if sheets:
        print(f"look at them before you train: {', '.join(map(str, sheets))}")
    return DONE
