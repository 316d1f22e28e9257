"""The ``hand_recon`` command. Heavy imports wait until a sub-command runs."""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hand_recon_ros.config import Config

DONE, SOME_SKIPPED, BAD_USE, INTERRUPTED = 0, 1, 2, 130


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
        return _run(options)
    except KeyboardInterrupt:
        print("hand_recon: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, ImportError, OSError) as error:
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

    video = commands.add_parser(
        "video", help="a video file, or a webcam by its number", description="Follow hands."
    )
    video.add_argument("source", metavar="FILE|INDEX", help="video file or webcam number")
    images = commands.add_parser(
        "images", help="photographs, each on its own", description="Every image on its own."
    )
    images.add_argument("source", metavar="FILE|DIR", nargs="+", help="images or folders of them")

    for command in (video, images):
        _add_common_options(command)
    _add_synthesize(commands)
    _add_train(commands)
    return parser


def _add_synthesize(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
        "--sheet", action="store_true", help="write DIR/sheet.jpg and DIR/labels.jpg"
    )
    command.add_argument("--report", action="store_true", help="write DIR/histograms.png")
    command.add_argument("--debug", action="store_true", help="show tracebacks")


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    command.add_argument("--debug", action="store_true", help="show tracebacks")


def _add_common_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o", "--output", metavar="DIR", required=True, type=Path, help="where the results go"
    )
    command.add_argument(
        "--camera",
        metavar="FILE",
        help="calibration: ROS camera_info YAML or JSON with K and D (default: assume 60 degrees)",
    )
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
    command.add_argument("--save-video", action="store_true", help="write DIR/overlay.mp4")
    command.add_argument("--save-images", action="store_true", help="write DIR/overlay/*.jpg")
    command.add_argument("--debug", action="store_true", help="show tracebacks")


def _version() -> str:
    try:
        return importlib.metadata.version("hand-recon-ros")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _train(options: argparse.Namespace) -> int:
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
        )
    )
    print(told)
    return DONE


def _synthesize(options: argparse.Namespace) -> int:
    from hand_recon_ros.synthesis.command import synthesize
    from hand_recon_ros.synthesis.settings import SynthesisConfig

    summary = synthesize(
        SynthesisConfig(size=options.size, data_dir=options.data),
        options.number,
        options.output,
        options.seed,
        workers=options.workers,
        sheet=options.sheet,
        report=options.report,
    )
    print(summary)
    return DONE


def _run(options: argparse.Namespace) -> int:
    if options.command == "synthesize":
        return _synthesize(options)
    if options.command == "train":
        return _train(options)
    from hand_recon_ros.io.cameras import load_cameras
    from hand_recon_ros.io.frames import Images, open_video
    from hand_recon_ros.offline import reconstruct

    config = _config(options)
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


def _config(options: argparse.Namespace) -> Config:
    import dataclasses

    from hand_recon_ros.config import Config
    from hand_recon_ros.config_io import apply_overrides, config_from_yaml

    config = config_from_yaml(options.config) if options.config else Config()
    config = apply_overrides(config, options.overrides)
    if options.device:
        config = dataclasses.replace(config, device=options.device)
    return config


if __name__ == "__main__":
    sys.exit(main())
