"""Fits a MANO-compatible hand to 2D key points, relative 3D and what is known of hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano import start
from hand_recon_ros.mano.data import NUM_BETAS, HandModelData
from hand_recon_ros.mano.kinematics import BETAS, TO_SKELETON
from hand_recon_ros.mano.measure import FitError, fittable, measure
from hand_recon_ros.mano.residuals import FitProblem
from hand_recon_ros.mano.results import STATE_SIZE, FitRequest, FitResult
from hand_recon_ros.mano.solver import Minimum, minimise
from hand_recon_ros.mano.states import HandConstants, HandStates
from hand_recon_ros.rotations import log_so3
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, ManoParameters

__all__ = ["FitError", "ManoFitter", "fittable"]

_TRIAL_ITERATIONS = 8
"""Steps from each guess before the best is chosen."""
_DOUBT_3D, _DOUBT_2D = 2.5, 4.0
"""Cost a point (of a finger's relative 3D, of all key points) that makes a warm fit doubtful."""
_CLEARLY_BETTER = 8.0
"""Drop of the cost that a new guess must bring to replace a track's own pose."""


class ManoFitter:
    """Fits all hands of a frame together by Levenberg-Marquardt (000 section 3.4).

    A hand with a warm start goes on from there. When the outcome contradicts the relative 3D or
    the key points (a finger mirrored in depth, a jump), fresh guesses are tried as well, as they
    are for a new hand, and the lowest cost wins.

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
        alone = FitProblem(hands, measured.without_last(), self._config, same_frame=False)
        warm = measured.last_precision.any(axis=1) 
        first = [
            measured.last.take(np.array([b])) if warm[b] else self._best_guess(alone, b, request)
            for b, request in enumerate(requests)
        ]
        state = first[0] if len(first) == 1 else HandStates.concatenate(first)
        most = self._config.max_iterations_warm if warm.all() else self._config.max_iterations
        minimum = minimise(problem, state, most)
        ...
