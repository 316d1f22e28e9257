"""``hand_recon make-bag``: a ROS 2 bag out of a video."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

from hand_recon_ros.commands.common import DONE, SOME_SKIPPED, Commands


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "make-bag",
        help="a ROS 2 bag out of a video",
        description="Write a video as the images and camera_info of a camera driver.",
    )
    command.add_argument("video", metavar="VIDEO", help="video file")
    command.add_argument(
        "-o", "--output", metavar="BAG", required=True, type=Path, help="folder to make"
    )
    command.add_argument(
        "--camera", metavar="FILE", help="calibration; without it no camera_info is written"
    )
    command.add_argument("--compressed", action="store_true", help="JPEG images instead of raw")
    command.add_argument(
        "--storage", choices=("mcap", "sqlite3"), default="mcap", help="default mcap"
    )
    command.add_argument(
        "--fps", metavar="N", type=_rate, help="frames a second, instead of the video's own times"
    )
    command.set_defaults(run=_run)


def _rate(text: str) -> Fraction:
    rate = Fraction(text)
    if not 0 < rate <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1000")
    return rate


def _run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from hand_recon_ros.io.bags.make import make_bag
    from hand_recon_ros.io.cameras import load_cameras
    from hand_recon_ros.io.frames import VideoFile

    with VideoFile(options.video, load_cameras(options.camera)) as source:
        frames = tqdm(source, "writing", source.length, unit="frame")
        count = make_bag(
            frames,
            options.output,
            compressed=options.compressed,
            storage=options.storage,
            fps=options.fps,
        )
        skipped = source.skipped
    print(f"done: {count} frames\nbag: {options.output}")
    return SOME_SKIPPED if skipped else DONE
