"""Shape of a person's hand, gathered over a track's confident frames and then held."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano.data import NUM_BETAS
from hand_recon_ros.mano.results import FitResult
from hand_recon_ros.types import Array

_CONFIDENT_SIGMAS = 3.0
"""A frame counts when its key points lie within so many of their sigmas."""


class ShapeEstimator:
    """Betas of one track.

    Confident frames are averaged by what each says of the shape
    (``FitResult.betas_information``); after ``FitConfig.shape_frames`` of them the shape is
    settled and no longer changes. The average counts as one frame against the prior N(0, 1):
    a front end and a guessed focal length err alike in all frames, so that summing up their
    information would turn these errors into shape.

    Args:
        config: ``shape_frames``, ``shape_weight`` and ``sigma_px``.
    """

    def __init__(self, config: FitConfig) -> None:
        """Start knowing only the prior."""
        self._config = config
        self._information = np.zeros((NUM_BETAS, NUM_BETAS))
        self._weighted = np.zeros(NUM_BETAS)
        self._frames = 0
        self._betas: Array | None = None

    def add(self, result: FitResult) -> None:
        """Take in a fitted frame; frames of held shape or poor agreement change nothing."""
        information = result.betas_information
        if self._betas is not None or not information.any():
            return
        if not result.residual_px <= _CONFIDENT_SIGMAS * self._config.sigma_px:
            return
        prior = self._config.shape_weight * np.eye(NUM_BETAS)
        # the fit's betas are (information + prior)^-1 times the frame's own weighted mean
        self._weighted += (information + prior) @ result.parameters.betas
        self._information += information + prior
        self._frames += 1
        if self._frames >= self._config.shape_frames:
            self._betas = np.linalg.solve(self._information, self._weighted)

    @property
    def betas(self) -> Array | None:
        """The settled shape (10,), or None while it is still being estimated."""
        return self._betas
