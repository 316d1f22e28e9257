"""Draws hand shapes over the model's whole range."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.mano.data import NUM_BETAS
from hand_recon_ros.types import Array

MAX_BETA = 3.0
_UNIFORM_SHARE = 0.35
_UNIFORM_RANGE = 2.0
_BETWEEN_HANDS = 0.15
"""Standard deviation of betas between the hands of a person: lengths differ by a per cent or so."""


def draw_betas(rng: np.random.Generator) -> Array:
    """(10,) betas: most like people are (standard normal), some evenly over the range."""
    if rng.random() < _UNIFORM_SHARE:
        return np.asarray(rng.uniform(-_UNIFORM_RANGE, _UNIFORM_RANGE, NUM_BETAS))
    return np.clip(rng.normal(0, 1, NUM_BETAS), -MAX_BETA, MAX_BETA)


def betas_of_other_hand(betas: Array, rng: np.random.Generator) -> Array:
    """(10,) betas of the same person's other hand, which is nearly a mirror image."""
    return np.clip(betas + rng.normal(0, _BETWEEN_HANDS, NUM_BETAS), -MAX_BETA, MAX_BETA)
