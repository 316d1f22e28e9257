"""``hand_recon video`` and ``hand_recon images``."""

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


def add_to(commands: Commands) -> None:
    """Register both commands."""
    video = commands.add_parser(
        "video", help="a video file, or a webcam by its number", description="Follow hands."
    )
    video.add_argument("source", metavar="FILE|INDEX", help="video file or webcam number")
    images = commands.add_parser(
        "images", help="photographs, each on its own", description="Every image on its own."
    )
    images.add_argument("source", metavar="FILE|DIR", nargs="+", help="images or folders of them")
    for command in (video, images):
        _add_options(command)
        command.set_defaults(run=_run)


def _add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o", "--output", metavar="DIR", required=True, type=Path, help="where the results go"
    )
    command.add_argument(
        "--camera",
        metavar="FILE",
        help="calibration: ROS camera_info YAML or JSON with K and D (default: assume 60 degrees)",
    )
    add_chain_options(command)
    command.add_argument("--save-video", action="store_true", help="write DIR/overlay.mp4")
    command.add_argument("--save-images", action="store_true", help="write DIR/overlay/*.jpg")


def _run(options: argparse.Namespace) -> int:
    from hand_recon_ros.io.cameras import load_cameras
    from hand_recon_ros.io.frames import Images, open_video
    from hand_recon_ros.offline import reconstruct

    config = chain_config(options)
    cameras = load_cameras(options.camera, config.camera.hfov_deg)
    static = options.command == "images"
    open_source = Images if static else open_video
    with open_source(options.source, cameras) as source:
        summary = reconstruct(
            source,
            config,
            options.output,
            static=static,
            save_video=options.save_video,
            save_images=options.save_images,
        )
    print(summary)
    if summary.interrupted:
        return INTERRUPTED
    return SOME_SKIPPED if summary.skipped else DONE
