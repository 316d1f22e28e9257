"""The safety core, one habit at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from teleop_helpers import DT, LIMITS, REST, Bench, TwoJoints, hand_at

from hand_recon_ros.retarget.command import TeleopState
from hand_recon_ros.retarget.config import SafetyConfig
from hand_recon_ros.retarget.safety import TeleopCore

STOPPED, HOLD, ENGAGED = TeleopState.STOPPED, TeleopState.HOLD, TeleopState.ENGAGED
REST_STATE, FAULT = TeleopState.REST, TeleopState.FAULT


def first(bench: Bench, state: TeleopState, since: float = 0.0) -> float:
    """Seconds from ``since`` to the first command in a state."""
    start = bench.now - DT * (len(bench.commands) - 1)
    for i, command in enumerate(bench.commands):
        if command.state is state and start + i * DT >= since:
            return start + i * DT - since
    pytest.fail(f"never {state.value}")


def test_it_starts_disengaged_and_says_nothing_to_the_robot() -> None:
    bench = Bench()
    bench.run(3.0)
    assert {c.state for c in bench.commands} == {STOPPED}
    assert all(c.positions is None for c in bench.commands)


def test_engaging_ramps_from_where_the_robot_is() -> None:
    bench = Bench(start=(-0.4, 1.7))
    bench.run(0.5)
    assert bench.core.engage() == ""
    command = bench.step()
    assert command.state is ENGAGED
    np.testing.assert_array_equal(command.positions, (-0.4, 1.7))
    last = bench.run(1.3)
    np.testing.assert_allclose(last.positions, (0.8, -0.8), atol=0.01)
    path = np.array([c.positions for c in bench.commands if c.positions is not None])
    way = np.abs(path - path[0]).max(axis=1)
    assert way[30] < 0.5 * way[-1], "a ramp, no leap as fast as the limits allow"
    assert path[:, 0].max() < 0.8 + 0.003 * way[-1], "it hardly overshoots"


@pytest.mark.parametrize("how", ["stop", "disengage"])
def test_stop_brakes_at_once_as_hard_as_allowed_then_is_silent(how: str) -> None:
    bench = Bench().engaged()
    bench.hand = hand_at(-0.4)
    bench.run(0.12)
    speed = bench.commands[-1].velocities
    assert np.abs(speed).max() > 1.0
    getattr(bench.core, how)()
    for n in range(1, 40):
        command = bench.step()
        assert command.state is STOPPED
        left = np.maximum(np.abs(speed) - n * LIMITS.acceleration * DT, 0.0)
        np.testing.assert_allclose(np.abs(command.velocities), left, atol=1e-9)
        if command.positions is None:
            break
    assert command.positions is None
    assert bench.run(1.0).positions is None


def test_stop_wins_over_engaging_until_it_has_shown() -> None:
    bench = Bench().engaged()
    bench.core.stop()
    assert "stop" in bench.core.engage()
    assert bench.step().state is STOPPED
    assert bench.core.engage() == ""


def test_engaging_while_it_still_brakes_goes_on_without_a_jump() -> None:
    bench = Bench().engaged()
    bench.hand = hand_at(-0.4)
    bench.run(0.12)
    bench.core.stop()
    bench.run(2 * DT)
    before = bench.commands[-1]
    assert before.positions is not None
    assert bench.core.engage() == ""
    after = bench.step()
    assert (np.abs(after.velocities - before.velocities) <= LIMITS.acceleration * DT + 1e-9).all()


def test_a_hand_that_leaves_is_held_then_rest_comes_on_time_and_smoothly() -> None:
    bench = Bench(rest_after_s=1.0, rest_ramp_s=1.5).engaged()
    left = bench.now
    bench.hand = None
    bench.run(4.0)
    held = first(bench, HOLD, left)
    assert held <= 0.25
    rested = first(bench, REST_STATE, left)
    assert rested - held == pytest.approx(1.0, abs=2 * DT)
    assert "no right hand in view" in bench.commands[-1].reason
    np.testing.assert_allclose(bench.commands[-1].positions, REST, atol=1e-3)
    start = len(bench.commands) - round((bench.now - left - rested) / DT)
    path = np.array([c.positions for c in bench.commands[start:]])
    np.testing.assert_allclose(path[round(1.6 / DT)], REST, atol=0.01)
    speed = np.abs(np.diff(path, axis=0)).max() / DT
    assert speed < 1.6 * np.abs(path[0] - REST).max() / 1.5, "a bow, with no dash in it"
    assert np.abs(np.diff(path, 2, axis=0)).max() / DT**2 < 6.0


def test_a_hand_that_comes_back_must_settle_and_is_followed_by_a_ramp() -> None:
    bench = Bench(rest_after_s=0.5).engaged()
    bench.hand = None
    bench.run(3.0)
    bench.hand = hand_at(1.4)
    came = bench.now
    bench.run(2.5)
    assert 0.2 <= first(bench, ENGAGED, came) <= 0.3
    np.testing.assert_allclose(bench.commands[-1].positions[0], 1.4, atol=0.01)
    assert bench.mapping.resets >= 2


def test_a_silent_stream_is_stale_even_when_the_clock_stands_still() -> None:
    bench = Bench().engaged()
    bench.camera = False
    frozen = bench.now
    states = []
    for _ in range(25):
        bench.core.robot_state(frozen, frozen, bench.robot)
        states.append(bench.core.step(frozen).state)
    assert states[-1] is HOLD
    assert bench.core.step(frozen).reason == "no new hands: the input is stale"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": 0.2}, "score"),
        ({"score": math.nan}, "score"),
        ({"state": "predicted"}, "predicted"),
        ({"side": "left", "track_id": 9}, "no right hand in view, only a left one"),
        ({"joints_m": np.full((21, 3), np.nan)}, "not possible"),
        ({"joints_m": np.full((20, 3), 0.1)}, "not possible"),
        ({"joints_m": np.linspace(0, 1e6, 63).reshape(21, 3)}, "not possible"),
    ],
)
def test_bad_hands_lead_to_hold_with_the_reason(change: dict, words: str) -> None:
    bench = Bench().engaged()
    began = bench.now
    bench.hand = hand_at(0.1, **change)
    command = bench.run(0.5)
    assert command.state is HOLD
    assert words in command.reason
    assert first(bench, HOLD, began) <= 0.25


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"side": "left"}, "changed its side"),
        ({"track_id": 8}, "another hand"),
        ({"joints_m": hand_at(0.8).joints_m + np.array((1.0, 0.0, 0.0))}, "jumped"),
    ],
)
def test_another_hand_is_never_followed_at_once(change: dict, words: str) -> None:
    bench = Bench().engaged()
    bench.hand = hand_at(0.1, **change)
    bench.run(2 * 0.034)
    assert bench.commands[-1].state is HOLD
    assert any(words in command.reason for command in bench.commands[-7:])


def test_two_publishers_of_hands_are_noticed() -> None:
    bench = Bench().engaged()
    bench.core.observe(bench.frame(latency_s=0.001, publishers=2))
    command = bench.step()
    assert command.state is HOLD
    assert "2 publishers" in command.reason


@pytest.mark.parametrize("jump_s", [-5.0, -0.03, 3.0, math.nan])
def test_a_clock_that_jumps_leads_to_hold(jump_s: float) -> None:
    bench = Bench().engaged()
    held = bench.now
    command = bench.core.step(bench.now + DT + jump_s)
    if math.isnan(jump_s):
        assert command.state is HOLD
        return
    assert command.state is HOLD
    assert "clock jumped" in command.reason
    bench.now = held + DT + jump_s
    bench._next_frame = bench.now
    assert bench.run(0.5).state is ENGAGED, "it goes on with hands of the new time"


@pytest.mark.parametrize(
    ("shift_s", "words"),
    [(0.2, "future"), (-0.5, "too old"), (math.nan, "not numbers"), (-math.inf, "not numbers")],
)
def test_stamps_that_cannot_be_are_refused(shift_s: float, words: str) -> None:
    bench = Bench().engaged()
    bench.camera = False
    for _ in range(30):
        bench.core.observe(bench.frame(latency_s=-shift_s))
        command = bench.step()
    assert command.state is HOLD
    assert words in command.reason


def test_reordered_hands_do_not_lead() -> None:
    bench = Bench().engaged()
    goal = bench.commands[-1].positions
    bench.hand = hand_at(-0.4)
    for _ in range(3):
        bench.core.observe(bench.frame(latency_s=0.19))
    np.testing.assert_allclose(bench.step().positions, goal, atol=1e-3)


@pytest.mark.parametrize("error", [RuntimeError("no solution"), ValueError("bad")])
def test_a_mapping_that_fails_leads_to_hold(error: Exception) -> None:
    bench = Bench().engaged()
    bench.mapping.error = error
    command = bench.run(0.4)
    assert command.state is HOLD
    assert str(error) in command.reason


def test_engaging_needs_the_robot_s_state_inside_its_limits() -> None:
    bench = Bench()
    bench.tells = False
    bench.run(0.3)
    assert "joint state is not known" in bench.core.engage()
    bench.robot, bench.tells = np.array([0.0, 2.4]), True
    bench.run(0.3)
    assert "'second' at 2.400, allowed -1.000 to 2.000" in bench.core.engage()
    bench.robot = np.array([0.0, 2.02])  # an encoder's noise
    bench.run(0.1)
    assert bench.core.engage() == ""
    np.testing.assert_array_equal(bench.step().positions, (0.0, 2.0))


def test_a_robot_that_falls_silent_or_does_not_follow_is_a_fault() -> None:
    bench = Bench().engaged()
    bench.tells = False
    command = bench.run(0.6)
    assert command.state is FAULT
    assert "joint state is lost" in command.reason
    assert bench.run(0.5).positions is None
    bench.tells = True
    assert bench.run(0.5).state is FAULT, "it waits for a person"
    assert bench.core.engage() == ""
    assert bench.run(1.5).state is ENGAGED
    bench.obeys = False
    bench.hand = hand_at(-0.4)
    command = bench.run(1.5)
    assert command.state is FAULT
    assert "does not follow" in command.reason


def test_without_robot_states_it_starts_from_the_rest_pose() -> None:
    bench = Bench(require_robot_state=False)
    bench.tells = False
    bench.run(0.5)
    assert bench.core.engage() == ""
    np.testing.assert_array_equal(bench.step().positions, REST)
    assert bench.run(2.0).state is ENGAGED


def test_the_dead_man_switch_must_keep_arriving() -> None:
    bench = Bench(engage_by="deadman")
    bench.run(0.5)
    assert "deadman" in bench.core.engage()
    for _ in range(50):
        bench.core.deadman(True)
        bench.step()
    assert bench.commands[-1].state is ENGAGED
    pressed = bench.now
    bench.run(0.5)
    assert 0.28 <= first(bench, STOPPED, pressed) <= 0.32
    assert "let go" in bench.commands[-1].reason
    bench.core.deadman(True)
    assert bench.step().state is ENGAGED
    bench.core.deadman(False)
    assert bench.step().state is STOPPED


def test_after_a_stop_the_dead_man_switch_must_be_let_go_first() -> None:
    bench = Bench(engage_by="deadman")
    bench.run(0.5)
    bench.core.deadman(True)
    assert bench.step().state is ENGAGED
    bench.core.stop()
    for _ in range(100):
        bench.core.deadman(True)
        assert bench.step().state is STOPPED
    bench.core.deadman(False)
    bench.core.deadman(True)
    assert bench.step().state is ENGAGED


def test_limits_of_another_robot_are_refused() -> None:
    with pytest.raises(ValueError, match="tells 2 joints"):
        TeleopCore(TwoJoints(), LIMITS, np.zeros(3), "right", SafetyConfig(), DT)
