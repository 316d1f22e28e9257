"""Measure the figures of the README: ``python -m hand_recon_ros.bench [NAME ...]``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from hand_recon_ros.bench.rows import Row, as_json, markdown

Options = argparse.Namespace
"""What the command line says, see ``main``."""


def _fit(options: Options) -> list[Row]:
    from hand_recon_ros.bench.fit import bench_fit

    return bench_fit()


def _filters(options: Options) -> list[Row]:
    from hand_recon_ros.bench.filters import bench_filters

    return bench_filters(options.data / "motion")


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


BENCHES: dict[str, Callable[[Options], list[Row]]] = {
    "fit": _fit,
    "filters": _filters,
    "video": _video,
    "chain": _chain,
    "official": _official,
    "overlay": _overlay,
    "synthesis": _synthesis,
    "real": _real,
}
_ASKED_FOR = ("real",)
"""Takes many minutes: run only where it is named."""


def main() -> int:
    """Run the benches and write their table; a missed bar is marked in it."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the node does, before NumPy is loaded
    parser = argparse.ArgumentParser(description="Measure accuracy and speed.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="recordings")
    parser.add_argument(
        "--out", type=Path, default=Path("out/bench.md"), help="where it goes; the same as .json"
    )
    real = parser.add_argument_group("real")
    real.add_argument("--weights", default="", help="folder of weights; default: the package's")
    real.add_argument("--peer", choices=("mediapipe", "none"), default="mediapipe")
    real.add_argument("--limit", type=int, help="most pictures of each kind")
    options = parser.parse_args()
    unknown = set(options.names) - set(BENCHES)
    if unknown:
        parser.error(f"unknown bench {', '.join(sorted(unknown))}; known: {', '.join(BENCHES)}")
    rows: list[Row] = []
    for name in options.names or [name for name in BENCHES if name not in _ASKED_FOR]:
        print(f"{name} ...", file=sys.stderr)
        try:
            rows += BENCHES[name](options)
        except FileNotFoundError as error:
            print(f"{name}: skipped, {error.filename} is not there", file=sys.stderr)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(markdown(rows))
    options.out.with_suffix(".json").write_text(as_json(rows))
    print(markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
