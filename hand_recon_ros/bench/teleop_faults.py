"""Plays faulty streams to the safety core of teleoperation.

A case is a few stretches of time, each with faults of its own (``teleop_cases``). What comes out is
judged by what was fed in (``teleop_judge``), with no code shared with the core.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from hand_recon_ros.bench.teleop_cases import Case, Stretch
from hand_recon_ros.bench.teleop_judge import Fed, Judge
from hand_recon_ros.retarget.input_watch import HandObservation
from hand_recon_ros.retarget.limits import JointLimits
from hand_recon_ros.retarget.safety import TeleopCore
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, TrackState

_CAMERA_S: Final = 1.0 / 30.0
_JOINTS: Final = 3
_SIDE: Final[Side] = "right"
_USABLE: Final = ("none", "jumps", "huge")
_LEADING: Final = ("none", "track", "two hands", "reordered", "repeated", "jump")


@dataclass(slots=True)
class _Seen:
    joints_m: Array
    side: Side = _SIDE
    track_id: int = 1
    state: TrackState = "tracked"
    score: float = 0.9


class FaultyMapping:
    """A retargeter that follows three finger tips, or fails as told."""

    joint_names = ("a", "b", "c")
    fault = "none"

    def __init__(self, rng: np.random.Generator) -> None:
        """Take the source of what is random."""
        self._rng = rng

    def retarget(self, joints_m: Array, side: Side) -> Array:
        """See ``Retargeter.retarget``."""
        goal = 20.0 * (joints_m[[4, 8, 12], 1] - joints_m[0, 1])
        match self.fault:
            case "raises":
                raise RuntimeError("no solution")
            case "shape":
                return goal[:2]
            case "nan" | "inf":
                return goal + np.array((float(self.fault), 0.0, 0.0))
            case "huge":
                return goal * 1e300
            case "jumps":
                return self._rng.normal(scale=5.0, size=_JOINTS)
        return goal

    def reset(self) -> None:
        """See ``Retargeter.reset``."""


def run_case(case: Case) -> Judge:
    """Feed a case to a core; the judge holds what was wrong."""
    return _Run(case).play()


class _Run:
    """One case on its way. ``true`` is the time that nobody disturbs."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rng = np.random.default_rng(case.seed)
        low = self.rng.uniform(-2.0, -0.1, _JOINTS)
        self.limits = JointLimits(
            low,
            low + self.rng.choice((0.0, 0.01, 1.0, 3.0), _JOINTS),
            self.rng.choice((0.05, 1.0, 6.0, 20.0), _JOINTS),
            self.rng.choice((0.5, 10.0, 60.0, 500.0), _JOINTS),
        )
        self.rest = self.rng.uniform(self.limits.low, self.limits.high)
        self.robot_at = self.rng.uniform(self.limits.low, self.limits.high)
        self.mapping = FaultyMapping(self.rng)
        self.judge = Judge(self.limits, case.dt, case.config)
        self.true = 1000.0
        self.clock = self.true  # what the core is told
        self.next_frame = self.next_state = self.true
        self.wrist = np.array((0.0, 0.0, 0.5))
        self.core = self._new_core()

    def _new_core(self) -> TeleopCore:
        self.judge.restarted()
        return TeleopCore(
            self.mapping, self.limits, self.rest, _SIDE, self.case.config, self.case.dt
        )

    def play(self) -> Judge:
        for stretch in self.case.stretches:
            self._act(stretch.action)
            self._clock_jumps(stretch.clock)
            self.mapping.fault = stretch.mapping
            for _ in range(stretch.ticks):
                self._tick(stretch)
        return self.judge

    def _act(self, action: str) -> None:
        core, judge = self.core, self.judge
        match action:
            case "engage":
                judge.asked_to_engage(core.engage())
            case "stop":
                core.stop()
                judge.stopped()
            case "disengage":
                core.disengage()
                judge.stopped()
            case "restart":
                self.core = self._new_core()
            case "press" | "release":
                core.deadman(action == "press")
                judge.deadman(action == "press", self.true)
            case "both":
                core.stop()
                judge.stopped()
                judge.asked_to_engage(core.engage())
                core.deadman(True)
                judge.deadman(True, self.true)

    def _clock_jumps(self, fault: str) -> None:
        jump = float(self.rng.choice((0.05, 0.6, 3.0, 1e6)))
        self.clock += {"forward": jump, "back": -jump}.get(fault, 0.0)

    def _tick(self, stretch: Stretch) -> None:
        elapsed = self.case.dt
        if stretch.clock == "stalls":
            elapsed *= float(self.rng.choice((1.0, 3.0, 40.0), p=(0.8, 0.15, 0.05)))
        self.true += elapsed
        if stretch.clock != "frozen":
            self.clock += elapsed
        if self.true >= self.next_state:
            self.next_state = self.true + 0.02
            self._send_robot(stretch.robot)
        if self.true >= self.next_frame:
            self.next_frame = self.true + _CAMERA_S
            for observation, good in self._frames(stretch.hands):
                fed = Fed(observation.stamp, self.true, good and stretch.mapping in _USABLE)
                self.judge.fed(fed)
                self.core.observe(observation)
        if stretch.pressed:
            self.core.deadman(True)
            self.judge.deadman(True, self.true)
        now = math.nan if stretch.clock == "nan" else self.clock
        command = self.core.step(now, elapsed)
        self.judge.commanded(command, now, self.true)
        if command.positions is not None and stretch.robot != "stuck":
            self.robot_at = command.positions

    def _send_robot(self, fault: str) -> None:
        positions, stamp = self.robot_at, self.clock
        match fault:
            case "silent":
                return
            case "late":
                stamp -= 1.0
            case "nan":
                positions = positions + np.array((math.nan, 0.0, 0.0))
            case "outside":
                positions = self.limits.high + 1.0
            case "shape":
                positions = positions[:2]
        self.core.robot_state(stamp, self.clock, positions)
        if fault in ("none", "outside", "stuck"):
            self.judge.robot_told(positions, self.true)

    def _frames(self, fault: str) -> Iterator[tuple[HandObservation, bool]]:
        """The messages of one camera image, and whether a hand in them may lead."""
        rng = self.rng
        self.wrist = self.wrist + rng.normal(scale=0.005, size=3)
        hand = _Seen(self.wrist + rng.uniform(-0.1, 0.1, (21, 3)))
        hand.joints_m[0] = self.wrist
        latency = float(rng.uniform(0.01, 0.06))
        stamp, hands, publishers = self.clock - latency, [hand], 1
        match fault:
            case "silent":
                return
            case "empty":
                hands = []
            case "jump":
                hand.joints_m += rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 5.0)
            case "nan" | "inf":
                hand.joints_m[int(rng.integers(21)), 1] = float(fault)
            case "huge":
                hand.joints_m *= 10.0 ** rng.integers(3, 300)
            case "shape":
                hand.joints_m = hand.joints_m[:20]
            case "other side":
                hands = [_Seen(hand.joints_m, side="left", track_id=2)]
            case "swap":
                hand.side = "left"
            case "track":
                hand.track_id = int(rng.integers(1, 4))
            case "two hands":
                hands = [hand, _Seen(hand.joints_m + 0.2, track_id=int(rng.integers(1, 3)))]
            case "low score":
                hand.score = 0.1
            case "nan score":
                hand.score = math.nan
            case "predicted":
                hand.state = "predicted"
            case "reordered":
                stamp -= float(rng.uniform(0.0, 0.15))
            case "repeated":
                yield HandObservation(stamp, self.clock, hands), True
            case "future":
                stamp += float(rng.uniform(0.2, 1e9))
            case "old":
                stamp -= 0.5
            case "nan stamp":
                stamp = float(rng.choice((math.nan, math.inf, -math.inf)))
            case "two publishers":
                publishers = 2
        good = fault in _LEADING
        yield HandObservation(stamp, self.clock, hands, publishers), good
