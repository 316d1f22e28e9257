"""Finds where to start a fit: for a new hand, and for one whose own track led into a wrong pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano import start
from hand_recon_ros.mano.residuals import FitProblem
from hand_recon_ros.mano.solver import Minimum, minimise
from hand_recon_ros.mano.states import HandStates
from hand_recon_ros.types import Array

_TRIAL_ITERATIONS = 8
"""Steps from each guess before the best is chosen."""
_DOUBT_2D, _DOUBT_3D = 4.0, 1.6
"""Cost a point, of all key points and of a finger's relative 3D, that makes a fit doubtful."""
_NEW_DOUBT_2D, _NEW_DOUBT_LIMITS = 1.0, 2.0
"""Cost a point, and of all joint limits, that makes a new hand's fit doubtful: fingers bent the
wrong way fit the key points nearly as well, and a needless search costs one frame's time."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """What of a fit contradicts the measurements more than noise would.

    Attributes:
        hand: (B,) the key points as a whole (the hand jumped, or is turned the wrong way); of a new
            hand its joint limits, too.
        fingers: (B, 5) relative 3D of a finger, MANO's order (it is mirrored in depth).
    """

    hand: NDArray[np.bool_]
    fingers: NDArray[np.bool_]

    @property
    def any(self) -> NDArray[np.bool_]:
        """(B,) whether there is any doubt of a hand."""
        return np.asarray(self.hand | self.fingers.any(axis=1))


def doubts_of(problem: FitProblem, minimum: Minimum) -> Doubts:
    """Judge the fits of B hands."""
    points, relative = problem.point_costs(minimum.evaluation)
    seen = np.count_nonzero(problem.measured.whitening[..., 0, 0], axis=1)
    hand = (points.sum(axis=1) > _DOUBT_2D * seen) | ~np.isfinite(minimum.cost)
    new = ~problem.measured.warm
    if new.any():
        limits = problem.soft.limit_cost(minimum.evaluation.soft)
        unlikely = (points.sum(axis=1) > _NEW_DOUBT_2D * seen) | (limits > _NEW_DOUBT_LIMITS)
        hand |= new & unlikely
    finger = relative[:, 1:16].reshape(-1, 5, 3).sum(axis=2) + relative[:, 16:]
    return Doubts(hand, finger > 4 * _DOUBT_3D)


def best_guess(problem: FitProblem, betas: Array) -> tuple[HandStates, float]:
    """The best of several quick fits of one hand from scratch, and its cost.

    Args:
        problem: the hand alone (B = 1).
        betas: (10,) shape to start from.
    """
    guesses = start.starts_from_points(problem, betas[None])
    if problem.measured.guessed.all():
        guesses.append(start.start_from_guess(problem, betas[None]))
    if problem.has_relative:
        guesses.append(start.start_from_relative(problem, betas[None]))
    return _best(problem, guesses)


def repaired(
    problem: FitProblem, state: HandStates, fingers: NDArray[np.bool_]
) -> tuple[HandStates, float]:
    """The best quick fit of one hand whose ``fingers`` (5,) contradict its relative 3D.

    Tried are the fitted hand (B = 1) with these fingers set anew, and the relative 3D alone.
    """
    anew = start.start_from_relative(problem, state.betas)
    pose = np.where(np.repeat(fingers, 3)[None, :, None, None], anew.pose, state.pose)
    mended = HandStates(state.position, state.orientation, pose, state.betas, state.scale)
    return _best(problem, [mended, anew])


def _best(problem: FitProblem, guesses: list[HandStates]) -> tuple[HandStates, float]:
    trial = problem.repeated(len(guesses))
    found = minimise(trial, HandStates.concatenate(guesses), _TRIAL_ITERATIONS)
    cost = trial.cost(found.evaluation)
    best = int(np.argmin(cost))
    return found.evaluation.state.take(np.array([best])), float(cost[best])
