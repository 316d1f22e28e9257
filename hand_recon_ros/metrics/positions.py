"""Distances between found and true points. NaN in either means: this point does not count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.skeleton import JOINT_PARENTS, WRIST
from hand_recon_ros.types import Array

_WRIST_BONE = 9
"""The wrist ends no bone; it is measured by the one to the middle knuckle."""
PCK_BONE_SHARE = 0.5
"""Paper 000, section 5.1: a key point within half of the true bone's length is right."""


def distances(found: Array, truth: Array) -> Array:
    """Euclidean distance of corresponding points, (..., n, d) each -> (..., n), same unit."""
    return np.asarray(np.linalg.norm(found - truth, axis=-1))


def root_relative(joints: Array, root: int = WRIST) -> Array:
    """Joints (..., 21, 3) with the root joint at the origin (facts A5.2)."""
    return joints - joints[..., root : root + 1, :]


def mean_known(values: Array) -> float:
    """Mean of the values that are not NaN; NaN when there are none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def mean_position_error(found: Array, truth: Array, root: int | None = WRIST) -> float:
    """Mean distance of corresponding points (n, d), after aligning the root point (MPJPE, MPVPE).

    Args:
        found: (n, d).
        truth: (n, d), same unit as ``found``.
        root: index of the point that both are moved to; None = as they are.

    Source: facts A5.2; paper 001, section 4.1.
    """
    if root is not None:
        found, truth = root_relative(found, root), root_relative(truth, root)
    return mean_known(distances(found, truth))


def at_true_scale(found: Array, truth: Array, root: int = WRIST) -> Array:
    """Joints (21, 3) enlarged about their root until their bones are as long in all as the truth's.

    One picture alone does not tell a hand's size; this leaves out the error that comes from it.
    """
    bones_found, bones_true = bone_lengths(found)[1:], bone_lengths(truth)[1:]
    known = np.isfinite(bones_found) & np.isfinite(bones_true)
    length = bones_found[known].sum()
    scale = bones_true[known].sum() / length if length > 0 else 1.0
    root_found = found[root]
    return root_found + scale * (found - root_found)


def relative_root_error(
    found_left: Array, found_right: Array, true_left: Array, true_right: Array
) -> float:
    """Error of the way from the right wrist to the left one, (3,) each (MRRPE of one frame).

    Source: InterHand2.6M, facts A5.2.
    """
    return float(np.linalg.norm((found_left - found_right) - (true_left - true_right)))


def bone_lengths(joints: Array) -> Array:
    """(21,) length of the bone that ends at each joint of (21, d); the wrist's: to joint 9."""
    parents = np.array([_WRIST_BONE, *JOINT_PARENTS[1:]])
    return distances(joints, joints[parents])


def within_half_a_bone(found_px: Array, truth_px: Array) -> NDArray[np.float64]:
    """(21,) 1 where a key point lies within half its true bone's length, else 0; NaN unknown.

    Source: paper 000, section 5.1 ("within 50% of the ground truth joint length"), in the image.
    """
    apart, limit = distances(found_px, truth_px), PCK_BONE_SHARE * bone_lengths(truth_px)
    known = np.isfinite(apart) & np.isfinite(limit)
    return np.where(known, apart <= limit, np.nan)
