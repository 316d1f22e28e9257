"""Teleoperation: broken streams, limits, smoothness, and what happens when the hand leaves."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.rows import Row, at_least, at_most
from hand_recon_ros.bench.teleop_cases import random_case
from hand_recon_ros.bench.teleop_faults import run_case
from hand_recon_ros.retarget.command import Command, TeleopState
from hand_recon_ros.retarget.config import SafetyConfig
from hand_recon_ros.retarget.input_watch import HandObservation
from hand_recon_ros.retarget.limits import JointLimits
from hand_recon_ros.retarget.robot import Robot, load_robot
from hand_recon_ros.retarget.safety import TeleopCore
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, TrackState

ROBOT: Final = Path(__file__).resolve().parents[2] / "config" / "robots" / "example_hand_right.yaml"
_DT: Final = 0.01
_FPS: Final = 30.0
_LATENCY_S: Final = 0.03
"""Age of a hand when it reaches the core."""


@dataclass(frozen=True, slots=True)
class _Seen:
    joints_m: Array
    side: Side = "right"
    track_id: int = 1
    state: TrackState = "tracked"
    score: float = 0.9


@dataclass(frozen=True)
class Drive:
    """A recording played through the core at 100 Hz.

    Attributes:
        sent: (N, J) commands.
        held: (N, J) what holding each hand's targets until the next would have sent.
        commands: all of them.
        began: first command that follows the hand after the ramp.
        left: first command after the last hand.
        step_us: processor time of a command, microseconds.
        hand_us: of a hand, with retargeting.
    """

    sent: Array
    held: Array
    commands: list[Command]
    began: int
    left: int
    step_us: float
    hand_us: float


def bench_teleop(cases: int, joints_path: Path) -> list[Row]:
    """Measure the safety core.

    Args:
        cases: broken streams to play.
        joints_path: ``joints_m`` (T, 21, 3) of a right hand at 30 frames a second.
    """
    rows = _faults(cases)
    robot = load_robot(ROBOT)
    joints = np.load(joints_path)["joints_m"].astype(np.float64)
    drive = play(robot, joints)
    name = f"{joints_path.stem}, 100 Hz from 30"
    led = slice(drive.began, drive.left)
    ratio = _jerk(drive.held[led]) / _jerk(drive.sent[led])
    over = _above_limits(robot, drive.sent)
    lag = _lag_ms(drive.held[led], drive.sent[led])
    config = SafetyConfig()
    after = [command.state for command in drive.commands[drive.left :]]
    # the last hand came a frame before its time was over, from an image that was older still
    held = after.index(TeleopState.HOLD) * _DT + 1 / _FPS + _LATENCY_S
    rested = (after.index(TeleopState.REST) - after.index(TeleopState.HOLD)) * _DT
    home = drive.sent[drive.left + after.index(TeleopState.REST) :]
    return [
        *rows,
        at_most(f"{name}: samples above a limit", over, 0, f"of {len(drive.sent)}"),
        at_least(f"{name}: jerk of hold-and-step over ours, rms", ratio, 5, "times"),
        Row(f"{name}: lag behind hold-and-step (example robot)", f"{lag:.0f} ms", value=lag),
        at_most("hand leaves: HOLD, seconds after the last image", held, 0.25, "s"),
        at_most(
            f"hand leaves: REST against {config.rest_after_s:g} s of HOLD",
            abs(rested - config.rest_after_s),
            0.02,
            "s",
        ),
        at_most(
            "return to rest: largest acceleration over the limit",
            float((np.abs(np.diff(home, 2, axis=0)) / _DT**2 / robot.acceleration).max()),
            0.5,
            "",
        ),
        at_most("rest pose at the end", float(np.abs(home[-1] - robot.rest).max()), 1e-3, "rad"),
        Row("a command of 16 joints, processor time", f"{drive.step_us:.0f} us"),
        Row("a hand taken and retargeted, processor time", f"{drive.hand_us:.0f} us"),
    ]


def play(robot: Robot, joints: Array) -> Drive:
    """Engage at the rest pose, let a recording lead, then take the hand away for five seconds."""
    limits = JointLimits(robot.lower, robot.upper, robot.velocity, robot.acceleration)
    retargeter = robot.retargeter()
    core = TeleopCore(retargeter, limits, robot.rest, robot.side, SafetyConfig(), _DT)
    position, goal = robot.rest, robot.rest
    commands: list[Command] = []
    held: list[Array] = []
    now, frame, spent_hands = 100.0, 0, 0.0
    spent = time.process_time()
    ticks = round((len(joints) / _FPS + 5.0) / _DT)
    for tick in range(ticks):
        now = 100.0 + tick * _DT
        while frame < len(joints) and frame / _FPS <= tick * _DT:
            before = time.process_time()
            stamp = 100.0 + frame / _FPS - _LATENCY_S
            core.observe(HandObservation(stamp, now, [_Seen(joints[frame])]))
            spent_hands += time.process_time() - before
            goal = np.clip(retargeter.retarget(joints[frame], "right"), robot.lower, robot.upper)
            frame += 1
        core.robot_state(now, now, position)
        if tick == 30:
            core.engage()
        command = core.step(now)
        if command.positions is not None:
            position = command.positions
        commands.append(command)
        held.append(goal)
    spent = time.process_time() - spent
    left = round(len(joints) / _FPS / _DT)
    sent = np.array([robot.rest if c.positions is None else c.positions for c in commands])
    hand_us = spent_hands / frame * 1e6
    # the loop retargets each hand a second time, for what holding would have sent
    step_us = (spent - 2 * spent_hands) / ticks * 1e6
    return Drive(sent, np.array(held), commands, 200, left, step_us, hand_us)


def _faults(cases: int) -> list[Row]:
    rng = np.random.default_rng(0)
    states: Counter[TeleopState] = Counter()
    wrong: Counter[str] = Counter()
    sent = 0
    for _ in tqdm(range(cases), desc="broken streams"):
        judge = run_case(random_case(rng))
        wrong.update({text.partition(" at ")[0] for text in judge.violations})
        states += judge.states
        sent += judge.sent
    told = ", ".join(f"{state.value} {count}" for state, count in states.most_common())
    what = f"{cases} broken streams ({sent} samples sent; commands by state: {told}): violations"
    rows = [at_most(what, sum(wrong.values()), 0, "")]
    return rows + [Row(f"... {text}", f"{count} cases") for text, count in wrong.most_common()]


def _above_limits(robot: Robot, sent: Array) -> int:
    speed = np.diff(sent, axis=0, prepend=sent[:1]) / _DT
    acceleration = np.diff(speed, axis=0, prepend=speed[:1]) / _DT
    above = (sent < robot.lower) | (sent > robot.upper)
    above |= np.abs(speed) > robot.velocity * (1 + 1e-9)
    above |= np.abs(acceleration) > robot.acceleration * (1 + 1e-6)
    return int((above | ~np.isfinite(sent)).any(axis=1).sum())


def _jerk(path: Array) -> float:
    return float(np.sqrt(np.mean((np.diff(path, 3, axis=0) / _DT**3) ** 2)))


def _lag_ms(held: Array, sent: Array) -> float:
    def off(n: int) -> float:
        return float(np.mean((sent[n:] - held[: len(held) - n]) ** 2))

    return 1000 * _DT * min(range(30), key=off)
