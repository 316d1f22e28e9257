"""Similarity alignment of corresponding points (Procrustes analysis)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.types import Array

LEAST_POINTS = 3
"""Fewer points leave the rotation open."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """x -> scale * rotation x + shift; ``rotation`` may mirror where that was allowed."""

    scale: float
    rotation: Array
    shift: Array

    def __call__(self, points: Array) -> Array:
        """Move (n, 3) points."""
        return np.asarray(self.scale * points @ self.rotation.T + self.shift)


def fit_similarity(found: Array, truth: Array, *, reflection: bool = False) -> Similarity:
    """The similarity that takes (n, 3) points nearest to the truth in the sense of least squares.

    Points that are NaN in either are left out; with fewer than three, everything is NaN.

    Args:
        found: (n, 3).
        truth: (n, 3).
        reflection: allow mirroring, as FreiHAND's official evaluation does (facts A5.1); papers
            that print PA-MPJPE forbid it.

    Source: Umeyama, PAMI 1991, eq. 40-43; with ``reflection`` its sign matrix is the identity.
    """
    known = np.isfinite(found).all(axis=1) & np.isfinite(truth).all(axis=1)
    if np.count_nonzero(known) < LEAST_POINTS:
        nothing = float("nan")
        return Similarity(nothing, np.full((3, 3), nothing), np.full(3, nothing))
    a, b = found[known], truth[known]
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    a, b = a - mean_a, b - mean_b
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.ones(3)
    if not reflection and np.linalg.det(u @ vt) < 0:
        signs[-1] = -1.0
    rotation = (u * signs) @ vt
    spread = float(np.square(a).sum())
    # A prediction shrunk to a point has no size to scale: it lands on the truth's middle.
    scale = float((s * signs).sum()) / spread if spread > 0 else 0.0
    return Similarity(scale, rotation, mean_b - scale * rotation @ mean_a)


def aligned(found: Array, truth: Array, *, reflection: bool = False) -> Array:
    """``found`` (n, 3) after ``fit_similarity`` to ``truth``."""
    return fit_similarity(found, truth, reflection=reflection)(found)
