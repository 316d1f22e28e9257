"""The benches by name: what ``hand_recon bench`` and ``python -m hand_recon_ros.bench`` run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from hand_recon_ros.bench.rows import Row, as_json, markdown

Options = argparse.Namespace
"""What the command line says, see ``add_options``."""


def _fit(options: Options) -> list[Row]:
    from hand_recon_ros.bench.fit import bench_fit

    return bench_fit()


def _filters(options: Options) -> list[Row]:
    from hand_recon_ros.bench.filters.bench import bench_filters

    return bench_filters(options.data / "motion", options.out.with_name("filters.png"))


def _video(options: Options) -> list[Row]:
    from hand_recon_ros.bench.video import bench_video

    return bench_video(options.data / "video" / "right_hand_fingers_720p30.mp4")


def _chain(options: Options) -> list[Row]:
    from hand_recon_ros.bench.chain import bench_chain

    return bench_chain(options.data / "video" / "right_hand_fingers_720p30.mp4")


def _official(options: Options) -> list[Row]:
    from hand_recon_ros.bench.official import bench_official

    return bench_official()


def _overlay(options: Options) -> list[Row]:
    from hand_recon_ros.bench.overlay import bench_overlay

    return bench_overlay()


def _synthesis(options: Options) -> list[Row]:
    from hand_recon_ros.bench.synthesis import bench_synthesis

    return bench_synthesis(options.data)


def _real(options: Options) -> list[Row]:
    from hand_recon_ros.bench.real import bench_real

    sheet = options.out.with_name(f"{options.out.stem}_real_worst.jpg")
    return bench_real(options.data, options.weights, options.peer, options.limit, sheet)


def _teleop(options: Options) -> list[Row]:
    from hand_recon_ros.bench.teleop import bench_teleop

    joints = options.data / "video" / "right_hand_fingers_720p30_joints.npz"
    return bench_teleop(options.cases, joints)


BENCHES: dict[str, Callable[[Options], list[Row]]] = {
    "fit": _fit,
    "filters": _filters,
    "video": _video,
    "chain": _chain,
    "official": _official,
    "overlay": _overlay,
    "synthesis": _synthesis,
    "teleop": _teleop,
    "real": _real,
}
_ASKED_FOR = ("filters", "official", "real")
"""Take many minutes or a GB of memory: run only where they are named."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``run`` reads."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="recordings")
    parser.add_argument(
        "--out", type=Path, default=Path("out/bench.md"), help="where it goes; the same as .json"
    )
    real = parser.add_argument_group("real")
    real.add_argument("--weights", default="", help="folder of weights; default: the package's")
    real.add_argument("--peer", choices=("mediapipe", "none"), default="mediapipe")
    real.add_argument("--limit", type=int, help="most pictures of each kind")
    teleop = parser.add_argument_group("teleop")
    teleop.add_argument("--cases", type=int, default=10_000, help="broken streams to play")


def run(options: Options) -> list[str]:
    """Run the benches, write and print their table; a missed bar is marked in it.

    Returns:
        The benches left out, as their recordings are not there.

    Raises:
        ValueError: no bench has that name.
    """
    unknown = set(options.names) - set(BENCHES)
    if unknown:
        raise ValueError(f"unknown bench {', '.join(sorted(unknown))}; known: {', '.join(BENCHES)}")
    rows: list[Row] = []
    skipped = []
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.names or [name for name in BENCHES if name not in _ASKED_FOR]:
        print(f"{name} ...", file=sys.stderr)
        try:
            rows += BENCHES[name](options)
        except FileNotFoundError as error:
            print(f"{name}: skipped, {error.filename} is not there", file=sys.stderr)
            skipped.append(name)
    options.out.write_text(markdown(rows))
    options.out.with_suffix(".json").write_text(as_json(rows))
    print(markdown(rows))
    return skipped
