"""``hand_recon bag``: every image of a recording, with all its numbers."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hand_recon_ros.commands.common import (
    DONE,
    INTERRUPTED,
    SOME_SKIPPED,
    Commands,
    add_chain_options,
    chain_config,
)

if TYPE_CHECKING:
    from hand_recon_ros.io.bags.source import BagOptions, BagSource
    from hand_recon_ros.offline import MakeSink

_log = logging.getLogger(__name__)


def add_to(commands: Commands) -> None:
    """Register the command."""
    command = commands.add_parser(
        "bag",
        help="a rosbag (ROS 2 MCAP or SQLite, ROS 1), frame by frame",
        description="Run every image of a rosbag through the chain, as the live node would, "
        "and write its messages, hands.jsonl and a report.",
    )
    command.add_argument("bag", metavar="BAG", type=Path, help="folder, .mcap, .db3 or .bag")
    command.add_argument(
        "-o", "--output", metavar="DIR", required=True, type=Path, help="where the results go"
    )
    command.add_argument("--image-topic", metavar="T", help="default: the only one")
    command.add_argument(
        "--camera-info-topic", metavar="T", help="default: camera_info next to the images"
    )
    command.add_argument("--camera", metavar="FILE", help="calibration instead of the bag's")
    command.add_argument(
        "--start", metavar="S", type=float, help="from so many seconds after the bag's begin"
    )
    command.add_argument(
        "--end", metavar="S", type=float, help="until so many seconds after the bag's begin"
    )
    add_chain_options(command)
    command.add_argument(
        "--centred",
        action="store_true",
        help="smooth with a window that looks ahead (default: causal, as the live node)",
    )
    command.add_argument("--overlay", action="store_true", help="write ~/overlay into the bag")
    command.add_argument("--save-video", action="store_true", help="write DIR/overlay.mp4")
    command.add_argument("--save-images", action="store_true", help="write DIR/overlay/*.jpg")
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from hand_recon_ros.commands.bag_report import write_bag_report
    from hand_recon_ros.io.bags.source import BagSource
    from hand_recon_ros.offline import reconstruct

    config = chain_config(options)
    with BagSource(options.bag, _bag_options(options, config.camera.hfov_deg)) as source:
        summary = reconstruct(
            source,
            config,
            options.output,
            centred=options.centred,
            timings=False,  # the same bag shall give the same bytes
            save_video=options.save_video,
            save_images=options.save_images,
            sinks=_messages(options.output, source, options.overlay),
        )
        page = write_bag_report(options.output, source, config, summary)
    print(f"{summary}\nreport: {page}")
    if summary.interrupted:
        return INTERRUPTED
    return SOME_SKIPPED if summary.skipped else DONE


def _bag_options(options: argparse.Namespace, hfov_deg: float) -> BagOptions:
    from hand_recon_ros.io.bags.source import BagOptions
    from hand_recon_ros.io.cameras import load_cameras

    return BagOptions(
        image_topic=options.image_topic,
        camera_info_topic=options.camera_info_topic,
        start_s=options.start,
        end_s=options.end,
        cameras=load_cameras(options.camera) if options.camera else None,
        hfov_deg=hfov_deg,
    )


def _messages(output: Path, source: BagSource, overlay: bool) -> list[MakeSink]:
    """The node's messages, where ROS is there to write them."""
    try:
        from hand_recon_ros.nodes.hand_bag import HandBag
    except ImportError as error:
        _log.warning(
            "no bag of messages is written: ROS 2 is not to be found here (%s); source it, or use "
            "make setup and . ./env.sh",
            error,
        )
        return []
    return [lambda chain: HandBag(output, source.take_header, chain, overlay=overlay)]
