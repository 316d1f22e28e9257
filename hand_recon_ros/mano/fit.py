"""Fits a MANO-compatible hand to 2D key points, relative 3D and what is known of hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros import cholesky
from hand_recon_ros.camera import Camera
from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano.data import NUM_BETAS, HandModelData
from hand_recon_ros.mano.kinematics import BETAS, TO_SKELETON
from hand_recon_ros.mano.measure import FitError, fittable, measure, usable
from hand_recon_ros.mano.residuals import FitProblem
from hand_recon_ros.mano.results import STATE_SIZE, FitRequest, FitResult
from hand_recon_ros.mano.search import best_guess, doubts_of, repaired
from hand_recon_ros.mano.solver import Minimum, minimise
from hand_recon_ros.mano.start import start_from_guess
from hand_recon_ros.mano.states import HandConstants, HandStates
from hand_recon_ros.rotations import log_so3
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, Keypoints, ManoParameters

__all__ = ["FitError", "ManoFitter", "fittable"]

_CLEARLY_BETTER = 5.0
"""Drop of the cost that a new guess must bring to replace a track's own pose."""


class ManoFitter:
    """Fits all hands of a frame together by Levenberg-Marquardt (000 section 3.4).

    A hand with a warm start goes on from there, a new one from the pose that the front end told.
    When the outcome contradicts the relative 3D or the key points (a finger mirrored in depth, a
    jump), fresh guesses are tried as well, as they are for a new hand of which nothing is told, and
    the lowest cost wins.

    Args:
        models: hand model of each side that may be asked for.
        config: weights and limits.
    """

    def __init__(self, models: Mapping[Side, HandModelData], config: FitConfig) -> None:
        """Read the constants off the models."""
        self._config = config
        self._constants = {side: HandConstants.of(model) for side, model in models.items()}
        self._names = {side: model.name for side, model in models.items()}
        self._first_betas = {
            side: _betas_of_length(hand, config.hand_length_m)
            for side, hand in self._constants.items()
        }

    def fit(self, requests: Sequence[FitRequest], camera: Camera) -> list[FitResult]:
        """Fit the hands of one frame.

        Args:
            requests: the hands.
            camera: intrinsics of the image that the key points were found in.

        Returns:
            One result a request, in order, never with NaN.

        Raises:
            FitError: a hand has too few key points (see ``fittable``), or no model of its side.
        """
        if not requests:
            return []
        for request in requests:
            if request.side not in self._constants:
                raise FitError(f"no {request.side} hand model was given to the fit")
        hands = HandConstants.stack([self._constants[r.side] for r in requests])
        measured = measure(requests, hands, camera, self._config)
        problem = FitProblem(hands, measured, self._config, same_frame=True)
        first = [
            measured.last.take(np.array([b]))
            if measured.warm[b]
            else self._cold(problem, b, request)
            for b, request in enumerate(requests)
        ]
        c = self._config
        most = c.max_iterations_warm if measured.warm.all() else c.max_iterations
        minimum = minimise(problem, HandStates.concatenate(first), most)
        state, renewed = self._reconsidered(problem, minimum)
        if renewed.any():
            # from here on nothing may speak of the ties that were cut, the covariance least of all
            problem = FitProblem(hands, measured.forget(renewed), c, same_frame=True)
            minimum = minimise(problem, state, c.max_iterations)
        return self._results(requests, problem, minimum, camera)

    def _cold(self, problem: FitProblem, b: int, request: FitRequest) -> HandStates:
        chosen = self._first_betas[request.side] if request.betas is None else request.betas
        betas, alone = np.asarray(chosen, dtype=np.float64), problem.alone(b)
        if problem.measured.guessed[b]:
            return start_from_guess(alone, betas[None])
        return best_guess(alone, betas)[0]

    def _reconsidered(
        self, problem: FitProblem, minimum: Minimum
    ) -> tuple[HandStates, NDArray[np.bool_]]:
        """Fit doubtful hands anew that had a start; (B,) says where that is clearly better."""
        doubts = doubts_of(problem, minimum)
        state = minimum.evaluation.state
        renewed = np.zeros(len(doubts.hand), dtype=np.bool_)
        started = problem.measured.warm | problem.measured.guessed
        for b in np.nonzero(started & doubts.any)[0]:
            own = state.take(np.array([b]))
            alone = problem.alone(b)
            own_cost = float(alone.cost(alone.evaluate(own))[0])
            if doubts.hand[b]:
                guess, cost = best_guess(alone, own.betas[0])
            else:
                guess, cost = repaired(alone, own, doubts.fingers[b])
            if cost < own_cost - _CLEARLY_BETTER:
                renewed[b] = True
                same = np.zeros(len(renewed), dtype=np.int64)
                state = state.where(np.arange(len(renewed)) != b, guess.take(same))
        return state, renewed

    def _results(
        self,
        requests: Sequence[FitRequest],
        problem: FitProblem,
        minimum: Minimum,
        camera: Camera,
    ) -> list[FitResult]:
        e = minimum.evaluation
        state = e.state
        covariance = np.stack([_inverse(each) for each in problem.information(minimum.equations)])
        turns = log_so3(np.concatenate((state.orientation[:, None], state.pose), axis=1))
        joints = e.posed.points[:, TO_SKELETON]
        projected = camera.project(joints)
        results = []
        for b, request in enumerate(requests):
            betas = state.betas[b]
            wrist = problem.hands.skeleton.rest_wrist(b, betas)
            parameters = ManoParameters(
                side=request.side,
                global_orient=turns[b, 0],
                hand_pose=turns[b, 1:].reshape(45),
                betas=betas,
                transl=state.position[b] - wrist,
                model=self._names[request.side],
            )
            results.append(
                FitResult(
                    parameters=parameters,
                    joints_m=joints[b],
                    wrist_rotation=state.orientation[b],
                    covariance=covariance[b, :STATE_SIZE, :STATE_SIZE],
                    betas_information=self._shape_information(problem, b, covariance[b]),
                    residual_px=_residual_px(request.keypoints, projected[b]),
                    iterations=int(minimum.iterations[b]),
                    scale_source="hand_length" if self._config.hand_length_m > 0 else "adult_prior",
                )
            )
        return results

    def _shape_information(self, problem: FitProblem, b: int, covariance: Array) -> Array:
        """(10, 10) information on the betas without their own prior; 0 where they are held."""
        if not problem.measured.free_betas[b]:
            return np.zeros((NUM_BETAS, NUM_BETAS))
        information = np.linalg.inv(covariance[BETAS, BETAS])
        return np.asarray(information - problem.soft.betas_precision(b) * np.eye(NUM_BETAS))


def _inverse(information: Array) -> Array:
    try:
        W = cholesky.whitener(information.copy())
    except np.linalg.LinAlgError:  # rounding made it indefinite
        return np.asarray(np.linalg.inv(information))
    return W.T @ W


def _residual_px(keypoints: Keypoints, projected: Array) -> float:
    """Mean distance of projected joints to the usable key points, weighted by confidence."""
    weight = np.where(usable(keypoints), keypoints.confidence, 0.0)
    apart = np.hypot(*(projected - keypoints.points_px).T)
    known = np.isfinite(apart) & (weight > 0)
    total = float(weight[known].sum())
    return float(weight[known] @ apart[known]) / total if total > 0 else 0.0


def _betas_of_length(hand: HandConstants, length_m: float) -> Array:
    """Smallest betas (10,) that give the flat hand this length; zero where it is unknown."""
    betas = np.zeros(NUM_BETAS)
    if length_m > 0:
        problem = hand.skeleton
        for _ in range(5):
            length, slope = problem.flat_length(betas[None])
            betas = betas + slope[0] * (length_m - length[0]) / (slope[0] @ slope[0])
    return betas
