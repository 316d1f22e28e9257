"""Levenberg-Marquardt over a batch of hands, each with its own damping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros import cholesky
from hand_recon_ros.mano.kinematics import POSITION
from hand_recon_ros.mano.residuals import Evaluation, FitProblem, NormalEquations
from hand_recon_ros.mano.states import HandStates
from hand_recon_ros.types import Array

_START_DAMPING, _MIN_DAMPING, _MAX_DAMPING = 1e-3, 1e-6, 1e8
_ENOUGH = 3.0
"""A step that promises to lower the cost (half a chi-square) by less than this is the last one:
Gauss-Newton's next step would be far below the measurements' noise."""
_ENOUGH_TOUCHING = 0.1
"""The same for hands within each other: they come apart in many small steps."""
_MAX_TURN = 0.7
"""Longest step of any angle, rad: beyond it the linearisation means nothing."""
_MAX_APPROACH = 0.4
"""Longest step of the wrist, as a share of its distance."""


@dataclass(frozen=True, slots=True)
class Minimum:
    """Where the minimisation of B hands ended.

    Attributes:
        evaluation: residuals there.
        cost: (B,) there.
        equations: the last linearisation, at most one small step away.
        iterations: (B,) steps tried.
        converged: (B,) no step promised anything more.
    """

    evaluation: Evaluation
    cost: Array
    equations: NormalEquations
    iterations: NDArray[np.int64]
    converged: NDArray[np.bool_]


def minimise(problem: FitProblem, start: HandStates, max_iterations: int) -> Minimum:
    """Minimise from ``start``; never fails, at worst it returns the start itself."""
    e = problem.evaluate(start)
    kernel = problem.kernel(e)
    cost = problem.cost(e, kernel)
    count = len(cost)
    damping = np.full(count, _START_DAMPING)
    iterations = np.zeros(count, dtype=np.int64)
    active = np.isfinite(cost)
    settled = np.zeros(count, dtype=np.bool_)
    equations = problem.normal_equations(e, kernel)
    stale = False
    for _ in range(max_iterations):
        if stale:
            equations = problem.normal_equations(e, kernel)
        step = _solve(equations.matrix, equations.gradient, damping)
        gain = -0.5 * (step * equations.gradient).sum(axis=1)
        settled |= gain < (_ENOUGH if e.between is None else _ENOUGH_TOUCHING)
        iterations += active
        step = _shortened(step, e.state.position) * active[:, None]
        trial = problem.evaluate(e.state.moved(step, problem.free_betas))
        trial_cost = problem.cost(trial, kernel)
        better = active & (trial_cost < cost)
        damping = np.maximum(np.where(better, 0.1, 10.0) * damping, _MIN_DAMPING)
        stale = bool(better.any())
        if stale:
            e = trial if better.all() else problem.evaluate(trial.state.where(better, e.state))
            cost = np.where(better, trial_cost, cost)
            if problem.is_wide(kernel):
                kernel = problem.kernel(e)
                cost = problem.cost(e, kernel)
        active &= ~settled & (damping < _MAX_DAMPING)
        if not active.any():
            break
    return Minimum(e, cost, equations, iterations, np.isfinite(cost) & ~active)


def _solve(H: Array, g: Array, damping: Array) -> Array:
    """Damped step (B, n); zero for a hand whose equations cannot be solved."""
    n = H.shape[1]
    damped = H.copy()
    damped.reshape(len(H), -1)[:, :: n + 1] *= 1.0 + damping[:, None]
    step = np.empty_like(g)
    for b in range(len(H)):
        found = cholesky.solve(damped[b], -g[b])
        if found is None and np.isfinite(H[b]).all():  # rounding made it indefinite
            again = H[b] + np.diag(damping[b] * H[b].diagonal())
            found = np.linalg.lstsq(again, -g[b], rcond=None)[0]
        step[b] = 0.0 if found is None else found
    step[~np.isfinite(step).all(axis=1)] = 0.0
    return step


def _shortened(step: Array, position: Array) -> Array:
    turn = np.abs(step[:, 3:51]).max(axis=1)
    approach = np.abs(step[:, POSITION]).max(axis=1)
    allowed = _MAX_APPROACH * np.maximum(position[:, 2], 0.1)
    length = np.maximum(np.maximum(turn / _MAX_TURN, approach / allowed), 1.0)
    return np.asarray(step / length[:, None])
