"""The safety core of one robot hand: who may move it, when, and how it comes to rest.

States (``TeleopState``):

* STOPPED: at the start, after stop or disengaging. Brakes, then falls silent: no commands at all.
* ENGAGED: follows the hand; the way there from wherever the robot is takes ``engage_ramp_s``.
* HOLD: engaged, but no hand may lead: stands still.
* REST: the same for longer than ``rest_after_s``: goes to the rest pose and stays there.
* FAULT: the robot cannot be trusted. Brakes, falls silent, and waits to be engaged again.

Commands keep the limits from the first after a silence, which repeats the robot's own state, to the
last. Times are passed in; one call of ``step`` is one command, and ``dt`` of motion.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.retarget.command import Command, TeleopState
from hand_recon_ros.retarget.config import SafetyConfig
from hand_recon_ros.retarget.input_watch import HandObservation, InputWatch
from hand_recon_ros.retarget.limits import JointLimits, MotionLimiter
from hand_recon_ros.retarget.mapping import Retargeter
from hand_recon_ros.retarget.reference import Reference
from hand_recon_ros.retarget.robot_watch import RobotWatch
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array

_TRACKER_S: Final = 0.02
"""Time constant of the limiter; the reference is smooth already."""
_HOLD_SHARE: Final = 0.5
"""Of the acceleration limit, with which a hold brakes: softer than a stop."""


_SILENT_STATES: Final = (TeleopState.STOPPED, TeleopState.FAULT)


class TeleopCore:
    """Turns hands into commands for one robot hand; see the module.

    All methods may be called from any thread; ``observe`` retargets outside the lock, so that
    neither a command nor a stop waits for it.
    """

    def __init__(
        self,
        retargeter: Retargeter,
        limits: JointLimits,
        rest: ArrayLike,
        side: Side,
        config: SafetyConfig,
        dt: float,
    ) -> None:
        """Start disengaged.

        Args:
            retargeter: from hands to joints; used by the thread that calls ``observe``.
            limits: of its joints, in its order.
            rest: (J,) pose when nobody leads; taken into the limits.
            side: of the human hand.
            config: options.
            dt: seconds between commands.

        Raises:
            ValueError: limits or rest pose are for another number of joints.
        """
        joints = len(retargeter.joint_names)
        if np.shape(limits.low) != (joints,) or np.shape(rest) != (joints,):
            raise ValueError(
                f"the retargeter tells {joints} joints; limits and rest must be so many"
            )
        self._retargeter, self._side, self._config, self._dt = retargeter, side, config, dt
        self._limits = limits
        self._rest = np.clip(rest, limits.low, limits.high)
        self._limiter = MotionLimiter(limits, dt, _TRACKER_S)
        self._limiter.reset(self._rest)
        self._reference = Reference(self._rest)
        self._hands = InputWatch(side, config)
        self._robot = RobotWatch(retargeter.joint_names, limits, config)
        self._lock = threading.Lock()
        self._state, self._reason = TeleopState.STOPPED, "not engaged yet"
        self._engaged = self._moving = self._first = self._released = False
        self._fault = ""
        self._since_s = 0.0  # in this state
        self._goal: tuple[float, Array, Array] | None = None  # stamp, positions, velocities
        self._new_goal = False
        self._pressed, self._armed, self._press_age_s = False, True, 0.0

    # What people ask for

    def engage(self) -> str:
        """Ask for the robot; return "" or why it is refused."""
        with self._lock:
            if self._config.engage_by == "deadman":
                return "engaging is by ~/deadman: set safety.engage_by to service"
            return self._engage()

    def disengage(self, reason: str = "disengaged") -> None:
        """Give the robot up, whatever else is asked for until the next command.

        It brakes as hard as its limits allow, and commands end.
        """
        with self._lock:
            self._release(reason)

    def stop(self) -> None:
        """``disengage``, by the name that people look for."""
        self.disengage("stop was asked for")

    def deadman(self, pressed: bool) -> None:
        """Take a message of the dead-man switch; after a stop it must be let go first."""
        with self._lock:
            if self._config.engage_by != "deadman":
                return
            self._pressed, self._press_age_s = pressed, 0.0
            if not pressed:
                self._armed = True
            elif self._armed and not self._engaged and (refused := self._engage()):
                self._reason = refused

    # What comes in

    def robot_state(self, stamp: float, received: float, positions: ArrayLike) -> None:
        """Take the robot's joint state: (J,) in the retargeter's order, seconds."""
        with self._lock:
            self._robot.take(stamp, received, positions)

    def observe(self, observation: HandObservation) -> None:
        """Take a message of hands."""
        with self._lock:
            lead = self._hands.judge(observation)
        if lead is None:
            return
        try:
            if lead.first:
                self._retargeter.reset()
            goal = np.array(self._retargeter.retarget(lead.hand.joints_m, self._side), np.float64)
            problem = "" if goal.shape == self._rest.shape else f"it tells {goal.shape} targets"
            if not problem and not np.isfinite(goal).all():
                problem = "a target is not finite"
        except Exception as error:  # the user's mapping must not end the node
            problem = repr(error)
        with self._lock:
            if problem:
                self._hands.problem = f"retargeting failed: {problem}"
            elif self._hands.accept(lead):
                self._take_goal(lead.stamp, np.clip(goal, self._limits.low, self._limits.high))

    # What goes out

    def step(self, now: float, elapsed_s: float = 0.0) -> Command:
        """Make the next command.

        Args:
            now: by the clock of the stamps, seconds.
            elapsed_s: since the last step by a steady clock, where it may be more than ``dt``.
        """
        with self._lock:
            self._tick(now, max(elapsed_s, self._dt))
            state, reason = self._decide()
            if state != self._state:
                self._since_s = 0.0
                self._enter(state)
            self._state, self._reason = state, reason
            self._released = False
            return self._move(state, reason)

    def _tick(self, now: float, elapsed_s: float) -> None:
        self._since_s += elapsed_s
        self._hands.tick(now, elapsed_s)
        self._robot.tick(self._limiter.position if self._moving else None, elapsed_s)
        self._press_age_s += elapsed_s
        if self._pressed and self._press_age_s > self._config.deadman_timeout_s:
            self._pressed, self._armed = False, True
        if self._config.engage_by == "deadman" and self._engaged and not self._pressed:
            self._release("the dead-man switch was let go")
        if self._engaged and not self._fault:
            self._fault = self._robot.fault or ("" if self._moving else self._start())
            if self._fault:
                self._engaged, self._armed = False, False

    def _decide(self) -> tuple[TeleopState, str]:
        if self._fault:
            return TeleopState.FAULT, self._fault
        if not self._engaged:
            return TeleopState.STOPPED, self._reason
        if self._hands.usable and self._goal is not None:
            return TeleopState.ENGAGED, ""
        held = self._state is TeleopState.HOLD
        waited = held and self._since_s >= self._config.rest_after_s
        resting = waited or self._state is TeleopState.REST
        return TeleopState.REST if resting else TeleopState.HOLD, self._hands.reason

    def _enter(self, state: TeleopState) -> None:
        limiter, reference = self._limiter, self._reference
        if state in _SILENT_STATES:
            return
        if state is not TeleopState.REST or self._state is not TeleopState.HOLD:
            reference.reset(limiter.position, limiter.velocity)
        if state is TeleopState.HOLD:
            softly = _HOLD_SHARE * self._limits.acceleration
            stop_s = np.maximum(np.abs(limiter.velocity) / softly, self._dt)
            reference.aim(limiter.standstill(_HOLD_SHARE), np.zeros_like(self._rest), stop_s)
        elif state is TeleopState.REST:
            way = np.abs(self._rest - reference.position)
            # A cubic from rest to rest peaks at 1.5 times its mean speed, and at 6 way / T^2.
            fastest = np.maximum(
                1.5 * way / self._limits.velocity, np.sqrt(6.0 * way / self._limits.acceleration)
            )
            duration = max(self._config.rest_ramp_s, float(fastest.max(initial=0.0)))
            reference.aim(self._rest, np.zeros_like(self._rest), duration)
        else:
            self._new_goal = True

    def _move(self, state: TeleopState, reason: str) -> Command:
        limiter, reference = self._limiter, self._reference
        if state in _SILENT_STATES:
            if self._moving and limiter.at_rest:
                self._moving = False
            if not self._moving:
                still = np.zeros_like(self._rest)
                return Command(None, still, still, state, reason)
            limiter.brake()
        else:
            if state is TeleopState.ENGAGED and self._new_goal and self._goal is not None:
                _, goal, velocity = self._goal
                left = self._config.engage_ramp_s - self._since_s
                reference.aim(goal, velocity, max(left, self._config.smoothing_s))
                self._new_goal = False
            if self._first:
                self._first = False  # the robot's own state, as it is
            else:
                reference.advance(self._dt)
                limiter.follow(reference.position, reference.velocity)
        leads = state is TeleopState.ENGAGED and self._goal is not None
        stamp = self._goal[0] if leads and self._goal is not None else None
        return Command(
            limiter.position, limiter.velocity, limiter.acceleration, state, reason, stamp
        )

    def _start(self) -> str:
        """Begin to command, from where the robot is; return "" or why that cannot be."""
        if refused := self._robot.refusal:
            return refused
        if self._robot.positions is not None:
            self._limiter.reset(self._robot.positions)
        self._moving = self._first = True
        return ""

    def _engage(self) -> str:
        if self._released:
            return self._reason  # a stop holds at least until the command that shows it
        if not self._moving and (refused := self._robot.refusal):
            return refused
        self._engaged, self._fault, self._reason = True, "", ""
        self._robot.forgive()
        return ""

    def _release(self, reason: str) -> None:
        self._engaged, self._fault, self._reason = False, "", reason
        self._released = True
        self._armed = not self._pressed

    def _take_goal(self, stamp: float, goal: Array) -> None:
        velocity = np.zeros_like(goal)
        if self._goal is not None:
            before, last, _ = self._goal
            if 0.0 < stamp - before <= self._config.max_age_s:
                velocity = (goal - last) / (stamp - before)
        self._goal, self._new_goal = (stamp, goal, velocity), True
