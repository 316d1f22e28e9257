"""The main job on one machine: a camera, the node, a recorder, over DDS.

python -m hand_recon_ros.nodes.demo --out out/demo [--video FILE|INDEX] [--frames N]
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import rclpy
from tqdm import tqdm

from hand_recon_ros.io.cameras import load_cameras
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.nodes.demo_input import Truth, own_clip
from hand_recon_ros.nodes.demo_report import Report, measure_accuracy, measure_flow, read_log
from hand_recon_ros.nodes.processes import Process, prepare_dds, start_camera, start_node
from hand_recon_ros.nodes.recorder import Recorder

CLIP_FRAMES = WEBCAM_FRAMES = 300
_READY_S = 60.0
"""How long to wait for the node's first result."""
_LAST_RESULT_S = 1.0
"""How long to wait for results once the camera has ended."""
DONE, FAILED, BAD_USE, INTERRUPTED = 0, 1, 2, 130


class DemoError(RuntimeError):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True)
class Job:
    """What is played, and how the node is set up for it."""

    out: Path
    video: str
    name: str
    camera: str | None
    length: int | None
    frames: int | None
    parameters: Mapping[str, object]
    truth: Truth | None = None

    @property
    def is_webcam(self) -> bool:
        """True if the video is a number."""
        return self.video.isdecimal() and not Path(self.video).exists()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. 0 = done, 1 = failed, 2 = bad use, 130 = interrupted, what was done is kept."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _run(job_of(options)))


def exit_code(run: Callable[[], int]) -> int:
    """What ``run`` returns, or the code of the trouble that ended it, told in one line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run()
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return INTERRUPTED
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return FAILED
    except (ValueError, OSError, ImportError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return BAD_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Play a camera into the node and record it.")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for results")
    parser.add_argument("--video", help="video file or webcam number (default: our own clip)")
    parser.add_argument("--camera", help="calibration of the video (default: assume 60 degrees)")
    parser.add_argument("--frames", type=int, help="play only so many frames")
    return parser


def job_of(options: argparse.Namespace) -> Job:
    """What the options out, video, camera and frames ask for."""
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    if options.frames is not None and options.frames < 1:
        raise ValueError("--frames must be at least 1")
    if options.video is None:
        frames = options.frames or CLIP_FRAMES
        clip = own_clip(out.parent / "clip", frames)
        known = {"fit.hand_length_m": round(clip.truth.hand_length_m, 4)}
        return Job(
            out, str(clip.video), "our own clip", str(clip.camera), frames, None, known, clip.truth
        )
    # Nobody will send a camera_info: do not wait for it.
    known = {} if options.camera else {"camera_info_timeout_s": 0.0}
    job = Job(out, options.video, options.video, options.camera, None, options.frames, known)
    if job.is_webcam:
        frames = options.frames or WEBCAM_FRAMES
        return Job(out, job.video, f"webcam {job.video}", job.camera, frames, frames, known)
    with open_video(options.video, load_cameras(options.camera)) as source:
        length = min(filter(None, (source.length, options.frames)), default=None)
    return Job(out, job.video, job.name, job.camera, length, options.frames, known)


def _run(job: Job) -> int:
    bag, log = job.out / "bag", job.out / "played.csv"
    shutil.rmtree(bag, ignore_errors=True)
    log.unlink(missing_ok=True)
    domain = prepare_dds()
    print(f"watch it live: ROS_DOMAIN_ID={domain} rviz2 -d rviz/hand_recon.rviz")
    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=rclpy.SignalHandlerOptions.NO)
    interrupted = False
    try:
        with Recorder(context, bag) as recorder:
            try:
                play(job, recorder, log)
            except KeyboardInterrupt:
                interrupted = True
        received = recorder.hands
    finally:
        rclpy.try_shutdown(context=context)

    indices = read_log(log) if log.exists() else {}
    if not indices:
        raise DemoError("interrupted before the first image" if interrupted else "no image played")
    report = Report(job.out)
    video = str(job.out / "input.mp4") if job.is_webcam else job.video
    with open_video(video, load_cameras(job.camera)) as source:
        results = report.frames(source, received, indices)
    accuracy = measure_accuracy(results, job.truth) if job.truth else None
    page = report.summary(job.name, measure_flow(received, indices), accuracy)
    log.unlink()
    print(f"\n{page}\nresults are in {job.out.resolve()}: start with summary.md and overlay.mp4")
    if interrupted:
        return INTERRUPTED
    if not results:
        raise DemoError(f"the node sent no hands of the clip; see {job.out / 'node.log'}")
    return DONE


def play(job: Job, recorder: Recorder, log: Path) -> None:
    """Run camera and node until the camera ends and the last result is in."""
    options = ["--log", str(log)]
    if job.camera:
        options += ["--camera", job.camera]
    if job.frames:
        options += ["--frames", str(job.frames)]
    if job.is_webcam:
        options += ["--save", str(job.out / "input.mp4")]
    else:  # a webcam sends more pictures while the node gets ready, a clip would be over
        options += ["--prime"]
    with (
        start_node(job.parameters, job.out / "node.log") as node,
        start_camera(job.video, options, job.out / "camera.log") as camera,
        tqdm(desc="playing", total=job.length, unit="frame") as progress,
    ):
        primed = 0 if job.is_webcam else _prime(node, camera, recorder)
        ended: float | None = None
        while ended is None or time.monotonic() - ended < _LAST_RESULT_S:
            time.sleep(0.05)
            if (count := len(recorder.hands) - primed) > progress.n:
                progress.update(count - progress.n)
                ended = ended and time.monotonic()
            if ended is None and camera.exit_code is not None:
                ended = time.monotonic()
            _check(node, "node")
        if camera.exit_code:
            _check(camera, "camera")


def _prime(node: Process, camera: Process, recorder: Recorder) -> int:
    """Let the clip begin once results reach us; return how many came before."""
    deadline = time.monotonic() + _READY_S
    while not recorder.hands:
        time.sleep(0.02)
        _check(node, "node")
        _check(camera, "camera")
        if time.monotonic() > deadline:
            raise DemoError(
                f"no hands came back within {_READY_S:g} s:\n"
                f"{node.last_words()}\n{camera.last_words()}"
            )
    camera.press_enter()
    return len(recorder.hands)


def _check(process: Process, name: str) -> None:
    if process.exit_code is not None:
        raise DemoError(f"the {name} ended with {process.exit_code}:\n{process.last_words()}")


if __name__ == "__main__":
    sys.exit(main())
