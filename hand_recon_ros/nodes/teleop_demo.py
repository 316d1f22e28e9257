"""Teleoperation on one machine: camera, live node, teleoperation node, two pictured robot hands.

python -m hand_recon_ros.nodes.teleop_demo --out out/demo_teleop [--video FILE] [--frames N]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rclpy
from ament_index_python.packages import get_package_share_directory

from hand_recon_ros.io.cameras import load_cameras
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.nodes.demo import DONE, INTERRUPTED, DemoError, Job, exit_code, job_of, play
from hand_recon_ros.nodes.demo_report import Flow, measure_flow, read_log
from hand_recon_ros.nodes.processes import Process, prepare_dds
from hand_recon_ros.nodes.recorder import Recorder
from hand_recon_ros.nodes.robot_recorder import NODE, RobotRecorder
from hand_recon_ros.nodes.teleop_film import film
from hand_recon_ros.retarget.robot import Robot, load_robot
from hand_recon_ros.skeleton import Side

_MAX_AGE_S = 0.5
"""Of hands: nobody is hurt by a picture, and small machines are slow with two hands."""
_READY_S = 60.0
_WAIT_S = 0.05


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. 0 = done, 1 = failed, 2 = bad use, 130 = interrupted, what was done is kept."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _run(job_of(options), _robots(options.robot)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Robot hands that follow the hands of a video.")
    parser.add_argument("--out", type=Path, default=Path("out/demo_teleop"), help="for results")
    parser.add_argument("--video", help="video file or webcam number (default: our own clip)")
    parser.add_argument("--camera", help="calibration of the video (default: assume 60 degrees)")
    parser.add_argument("--frames", type=int, help="play only so many frames")
    parser.add_argument(
        "--robot", action="append", metavar="YAML", help="robot hand (default: both example hands)"
    )
    return parser


def _robots(paths: Sequence[str] | None) -> dict[Side, tuple[Robot, Path]]:
    folder = Path(get_package_share_directory("hand_recon_ros")) / "config" / "robots"
    files = [Path(path) for path in paths or ()] or [
        folder / f"example_hand_{side}.yaml" for side in ("right", "left")
    ]
    loaded = [(load_robot(path), path.resolve()) for path in files]
    return {robot.side: (robot, path) for robot, path in loaded}


def _run(job: Job, robots: dict[Side, tuple[Robot, Path]]) -> int:
    log = job.out / "played.csv"
    log.unlink(missing_ok=True)
    prepare_dds()
    context = rclpy.Context()
    rclpy.init(context=context, signal_handler_options=rclpy.SignalHandlerOptions.NO)
    interrupted = False
    try:
        with (
            Recorder(context, None) as hands,
            _teleoperation([path for _, path in robots.values()], job.out / "teleop.log") as node,
            RobotRecorder(context, tuple(robots)) as commands,
        ):
            _wait_until_engaged(commands, node)
            try:
                play(job, hands, log)
            except KeyboardInterrupt:
                interrupted = True
    finally:
        rclpy.try_shutdown(context=context)
    indices = read_log(log) if log.exists() else {}
    if not indices:
        raise DemoError("interrupted before the first image" if interrupted else "no image played")
    log.unlink()
    video = str(job.out / "input.mp4") if job.is_webcam else job.video
    told = {side: (robot, commands.told[side]) for side, (robot, _) in robots.items()}
    with open_video(video, load_cameras(job.camera)) as source:
        film(job.out / "teleop.mp4", source, hands.hands, indices, told)
    page = _summary(job, measure_flow(hands.hands, indices), commands, robots)
    print(f"\n{page}\nresults are in {job.out.resolve()}: start with teleop.mp4")
    if interrupted:
        return INTERRUPTED
    if not any(told.commands for told in commands.told.values()):
        raise DemoError(f"no robot was commanded ({commands.refusal}); see {job.out}/teleop.log")
    return DONE


def _teleoperation(robots: Sequence[Path], log: Path) -> Process:
    """Start ``hand_teleop_node`` with pictured robots, which cannot tell their joints."""
    parameters = {
        "robots": ",".join(str(path) for path in robots),
        "safety.require_robot_state": "false",
        "safety.max_age_s": str(_MAX_AGE_S),
    }
    ros = ["--ros-args", "-r", "hands:=/hand_recon_node/hands"]
    for name, value in parameters.items():
        ros += ["-p", f"{name}:={value}"]
    return Process("hand_recon_ros.nodes.hand_teleop_node", ros, log)


def _wait_until_engaged(commands: RobotRecorder, node: Process) -> None:
    deadline = time.monotonic() + _READY_S
    while commands.refusal is not None:
        if node.exit_code is not None:
            raise DemoError(f"{NODE} ended with {node.exit_code}:\n{node.last_words()}")
        if time.monotonic() > deadline:
            raise DemoError(f"{NODE} does not engage: {commands.refusal}\n{node.last_words()}")
        time.sleep(_WAIT_S)


def _summary(
    job: Job, flow: Flow, commands: RobotRecorder, robots: dict[Side, tuple[Robot, Path]]
) -> str:
    """Write summary.json and summary.md; return the page."""
    rows = []
    figures: dict[str, object] = {"source": job.name}
    if flow.results_out:
        p50, p95 = flow.latency_p50_ms, flow.latency_p95_ms
        figures |= {"hands_latency_p50_ms": p50, "hands_latency_p95_ms": p95}
        rows.append(("camera stamp to hands, p50 / p95", f"{p50:.0f} / {p95:.0f} ms"))
    if commands.latencies_ms:
        p50, p95 = np.median(np.array(commands.latencies_ms), axis=0).tolist()
        figures |= {"latency_p50_ms": p50, "latency_p95_ms": p95}
        rows.append(("camera stamp to robot command, p50 / p95", f"{p50:.0f} / {p95:.0f} ms"))
    for side, (robot, _) in robots.items():
        told = commands.told[side]
        times = np.array([stamp for stamp, _ in told.commands]) * 1e-9
        rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
        engaged = np.array([name == "ENGAGED" for _, name, _ in told.states])
        share = 100 * float(np.mean(engaged[np.argmax(engaged) :])) if engaged.any() else 0.0
        figures[robot.name] = {
            "commands": len(times),
            "rate_hz": rate,
            "engaged_since_first_pct": share,
        }
        rows.append((f"{robot.name}: commands", f"{len(times)}, {rate:.1f} a second"))
        led = f"{robot.name}: led by a hand, since the first"
        rows.append((led, f"{share:.0f} % of the time"))
    (job.out / "summary.json").write_text(json.dumps(figures, indent=2) + "\n")
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    page = f"# Teleoperation demo: {job.name}\n\n| what | figure |\n|---|---|\n{table}\n"
    (job.out / "summary.md").write_text(page)
    return page


if __name__ == "__main__":
    sys.exit(main())
