"""Measures the node over DDS: rate, latency, losses and growth, from a 720p camera at 30 Hz.

python -m hand_recon_ros.nodes.bench_dds --seconds 60 [--video FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rclpy
from tqdm import tqdm

from hand_recon_ros.camera import Camera
from hand_recon_ros.nodes.demo_input import own_clip
from hand_recon_ros.nodes.demo_report import read_log
from hand_recon_ros.nodes.processes import Process, prepare_dds, start_camera, start_node
from hand_recon_ros.nodes.recorder import Received, Recorder

WIDTH, HEIGHT = 1280, 720
REAL_VIDEO = Path("../shared/data/video/right_hand_fingers_720p30.mp4")
LOOPED_FRAMES = 150
"""Held in memory by the camera: 5 s, played back and forth, so that decoding costs nothing."""
WARM_UP_S = 5.0
MIN_RATE, MAX_P95_MS = 29.0, 40.0
MAX_GROWTH_MIB, MAX_GROWTH_MS = 20.0, 5.0
"""What ten minutes may add to memory and to the median latency."""


@dataclass(frozen=True)
class Result:
    """Figures of one run, without its first seconds.

    Attributes:
        images: published by the camera.
        results: ``~/hands`` that came back.
        rate: results a second.
        p50_ms, p95_ms, p99_ms: image stamp to receipt of its hands.
        dropped: images without a result.
        latency_growth_ms: median of the last third of the run less that of the first.
        rss_mib: memory of the node at the end.
        rss_growth_mib: since the first minute (or third, if that is shorter).
    """

    images: int
    results: int
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    dropped: int
    latency_growth_ms: float
    rss_mib: float
    rss_growth_mib: float

    @property
    def passed(self) -> bool:
        """All bars held."""
        return (
            self.rate >= MIN_RATE
            and self.p95_ms <= MAX_P95_MS
            and self.rss_growth_mib <= MAX_GROWTH_MIB
            and self.latency_growth_ms <= MAX_GROWTH_MS
        )

    def __str__(self) -> str:
        """Say it in a few lines."""
        return (
            f"rate     {self.rate:.2f} ~/hands a second (bar {MIN_RATE:g}); "
            f"{self.results} of {self.images} images, {self.dropped} dropped\n"
            f"latency  p50 {self.p50_ms:.1f}  p95 {self.p95_ms:.1f} (bar {MAX_P95_MS:g})  "
            f"p99 {self.p99_ms:.1f} ms, stamp to receipt; growth {self.latency_growth_ms:+.1f} ms\n"
            f"memory   {self.rss_mib:.0f} MiB, growth {self.rss_growth_mib:+.1f} MiB\n"
            f"{'passed' if self.passed else 'FAILED'}"
        )


def run(video: Path, camera: Path, seconds: float, *, reliable: bool, folder: Path) -> Result:
    """Play, listen and measure.

    Args:
        video: file whose first frames are looped.
        camera: its calibration.
        seconds: length of the run.
        reliable: quality of service of the images.
        folder: for logs.

    Raises:
        RuntimeError: the node or the camera ended too early.
    """
    log = folder / "played.csv"
    options = ["--camera", str(camera), "--frames", str(LOOPED_FRAMES), "--log", str(log)]
    options += ["--loop-seconds", str(seconds + WARM_UP_S), *(["--reliable"] if reliable else [])]
    memory: list[tuple[float, float]] = []
    context = rclpy.Context()
    rclpy.init(context=context)
    with (
        Recorder(context, None) as recorder,
        start_node({}, folder / "node.log") as node,
        start_camera(str(video), options, folder / "camera.log") as player,
        tqdm(total=round(seconds + WARM_UP_S), unit="s") as progress,
    ):
        started: float | None = None
        while player.exit_code is None:
            time.sleep(0.5)
            if node.exit_code is not None:
                raise RuntimeError(f"the node ended:\n{node.last_words()}")
            if recorder.hands:
                started = started or time.monotonic()
                memory.append((time.monotonic() - started, rss_mib(node)))
                progress.update(round(memory[-1][0]) - progress.n)
        time.sleep(0.5)
        if player.exit_code:
            raise RuntimeError(f"the camera ended:\n{player.last_words()}")
    rclpy.try_shutdown(context=context)
    return _evaluate(recorder.hands, read_log(log), memory)


def rss_mib(process: Process) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _evaluate(
    received: Sequence[Received], played: dict[int, int], memory: Sequence[tuple[float, float]]
) -> Result:
    start_ns = min(played) + round(WARM_UP_S * 1e9)
    images = sum(stamp > start_ns for stamp in played)
    ours = [r for r in received if r.stamp_ns > start_ns]
    if len(ours) < 3:
        raise RuntimeError(f"only {len(ours)} results came back")
    latencies = np.array([r.latency_ms for r in ours])
    third = max(1, len(ours) // 3)
    times, rss = np.array(memory).T
    early = rss[times >= min(60.0, times[-1] / 3)][0]
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99))
    return Result(
        images=images,
        results=len(ours),
        rate=(len(ours) - 1) / ((ours[-1].receipt_ns - ours[0].receipt_ns) * 1e-9),
        p50_ms=float(p50),
        p95_ms=float(p95),
        p99_ms=float(p99),
        dropped=images - len(ours),
        latency_growth_ms=float(np.median(latencies[-third:]) - np.median(latencies[:third])),
        rss_mib=float(rss[-1]),
        rss_growth_mib=float(rss[-1] - early),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures. 0 = all bars held, 1 = not."""
    parser = argparse.ArgumentParser(description="Measure the node over DDS.")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the run")
    parser.add_argument("--video", type=Path, help="720p video (default: real one, else our clip)")
    parser.add_argument("--reliable", action="store_true", help="reliable images")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args(arguments)
    prepare_dds()
    with tempfile.TemporaryDirectory(prefix="hand_recon_bench_") as name:
        folder = Path(name)
        video = options.video or (REAL_VIDEO if REAL_VIDEO.exists() else None)
        if video is None:
            print("no real video here: our own clip, which shows two hands instead of one")
            clip = own_clip(Path("out/clip"), LOOPED_FRAMES, WIDTH, HEIGHT)
            video, camera = clip.video, clip.camera
        else:
            camera = folder / "camera.json"
            camera.write_text(json.dumps({"K": Camera.from_fov(WIDTH, HEIGHT).K.tolist()}))
        result = run(video, camera, options.seconds, reliable=options.reliable, folder=folder)
    print(result)
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=2) + "\n")
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
