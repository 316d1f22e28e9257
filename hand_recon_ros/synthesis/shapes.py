"""Draws hand shapes over the model's whole range."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.mano.data import NUM_BETAS
from hand_recon_ros.types import Array

MAX_BETA = 3.0
_UNIFORM_SHARE = 0.35
_UNIFORM_RANGE = 2.0


def draw_betas(rng: np.random.Generator) -> Array:
    """(10,) betas: most like people are (standard normal), some evenly over the range."""
    if rng.random() < _UNIFORM_SHARE:
        return np.asarray(rng.uniform(-_UNIFORM_RANGE, _UNIFORM_RANGE, NUM_BETAS))
    return np.clip(rng.normal(0, 1, NUM_BETAS), -MAX_BETA, MAX_BETA)
