"""Thousands of broken streams, and the judge of what the safety core makes of them.

10,000 of them: python -m hand_recon_ros.bench teleop.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hand_recon_ros.bench.teleop_cases import (
    ACTIONS,
    CLOCK_FAULTS,
    HAND_FAULTS,
    MAP_FAULTS,
    ROBOT_FAULTS,
    Case,
    Stretch,
    quick_config,
    random_case,
)
from hand_recon_ros.bench.teleop_faults import run_case
from hand_recon_ros.retarget import safety
from hand_recon_ros.retarget.command import TeleopState
from hand_recon_ros.retarget.input_watch import InputWatch
from hand_recon_ros.retarget.limits import MotionLimiter
from hand_recon_ros.retarget.safety import TeleopCore

SOME = 150
"""Cases of each kind in the default run: about 8 s together."""


def mostly_none(faults: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.just("none") | st.sampled_from(faults)


STRETCHES = st.builds(
    Stretch,
    ticks=st.integers(1, 30),
    hands=st.sampled_from(HAND_FAULTS),
    mapping=mostly_none(MAP_FAULTS),
    clock=mostly_none(CLOCK_FAULTS),
    robot=mostly_none(ROBOT_FAULTS),
    action=mostly_none(ACTIONS),
    pressed=st.booleans(),
)
CASES = st.builds(
    lambda stretches, **rest: Case(
        [Stretch(5), Stretch(25, action="engage", pressed=True), *stretches], **rest
    ),
    st.lists(STRETCHES, min_size=1, max_size=6),
    seed=st.integers(0, 2**31),
    dt=st.sampled_from((0.002, 0.01, 0.05)),
    config=st.builds(quick_config, st.sampled_from(("service", "deadman"))),
)


@settings(max_examples=SOME, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CASES)
def test_no_fault_that_can_be_composed_breaks_an_invariant(case: Case) -> None:
    assert run_case(case).violations == []


def test_random_streams_break_nothing_and_reach_every_state() -> None:
    rng = np.random.default_rng(20)
    states: dict[TeleopState, int] = dict.fromkeys(TeleopState, 0)
    for _ in range(SOME):
        judge = run_case(random_case(rng))
        assert judge.violations == []
        for state, count in judge.states.items():
            states[state] += count
    assert min(states.values()) > 100, states
    assert states[TeleopState.ENGAGED] > 0.2 * sum(states.values())


def broken_follow(self: MotionLimiter, goal: np.ndarray, velocity: np.ndarray) -> None:
    self.velocity = (goal - self.position) / self._dt
    self.position = goal


def start_anywhere(self: TeleopCore) -> str:
    self._moving = self._first = True
    return ""


@pytest.mark.parametrize(
    ("owner", "name", "broken", "words"),
    [
        (MotionLimiter, "follow", broken_follow, "too much acceleration"),
        (MotionLimiter, "_brakeable", lambda self, room: room + 1e9, "told velocities"),
        (MotionLimiter, "at_rest", True, "ended before the robot stood"),
        (InputWatch, "usable", True, "stale or bad input"),
        (InputWatch, "_wrong_hand", lambda self, stamp, hand: "", "stale or bad input"),
        (TeleopCore, "disengage", lambda self, reason="": None, "right after a stop"),
        (TeleopCore, "_start", start_anywhere, "do not begin where the robot is"),
        (safety, "_SILENT_STATES", (TeleopState.STOPPED,), "no|FAULT"),
    ],
)
def test_the_judge_notices_a_broken_core(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, broken: object, words: str
) -> None:
    monkeypatch.setattr(owner, name, broken)
    rng = np.random.default_rng(3)
    found: list[str] = []
    for _ in range(80):
        found += run_case(random_case(rng)).violations
        if any(word in text for text in found for word in words.split("|")):
            return
    pytest.fail(f"not noticed; found only {set(found)}")
