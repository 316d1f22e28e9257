"""What the networks are punished for. All take and give torch tensors and run on any device.

Sources: 000 eq. 1 (weighted L2 on belief maps); 004 section 3 (pose, bone length, bone direction,
cosine and active-shape-model losses).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from hand_recon_ros.skeleton import BONES, JOINT_PARENTS, TIPS, WRIST

JOINT_WEIGHTS: Final = tuple(
    1.0 if joint == WRIST else 1.3 if joint in TIPS else 1.0 for joint in range(len(JOINT_PARENTS))
)
"""Importance of each key point, 000 eq. 1. Tips are what users grip with, and the hardest."""
_FOREGROUND: Final = 4.0
"""Extra weight of the cells near a key point; without it a network answers nothing everywhere."""
_START = [bone[0] for bone in BONES]
_END = [bone[1] for bone in BONES]


def belief_loss(beliefs: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Weighted L2 over all stages (000 eq. 1).

    Args:
        beliefs: (N, T, 21, H, W) maps of T stages.
        target: (N, 21, H, W).
        known: (N, 21) weight of each label; 0 = not labelled.

    Returns:
        A number: the mean over cells and known points, summed over stages.
    """
    joints = known * torch.tensor(JOINT_WEIGHTS, device=known.device)
    wrong = (beliefs.float() - target[:, None]).square() * (1 + _FOREGROUND * target[:, None])
    each = wrong.mean((3, 4)).sum(1)  # (N, 21)
    return (each * joints).sum() / joints.sum().clamp(min=1.0)


def point_loss(points: Tensor, log_sigma: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Negative log-likelihood of a Laplace distribution: teaches points and their trust together.

    Args:
        points, target: (N, 21, 2) px.
        log_sigma: (N, 21) logarithm of the expected error along an axis, px.
        known: (N, 21) weight of each label.
    """
    log_sigma = log_sigma.clamp(-3.0, 5.0)
    gap = (points - torch.nan_to_num(target)).abs().sum(-1)
    each = gap * (-log_sigma).exp() + 2 * log_sigma
    return (each * known).sum() / known.sum().clamp(min=1.0)


def bones(joints: Tensor) -> Tensor:
    """(..., 21, 3) joints to (..., 20, 3) bones."""
    return joints[..., _END, :] - joints[..., _START, :]


def pose_loss(joints: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error of the joints, in the joints' unit (004: L_pose, with L1 for its tails).

    Args:
        joints, truth: (N, 21, 3).
        weight: (N,).
    """
    return _mean((joints - truth).abs().sum(-1).mean(1), weight)


def length_loss(joints: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean difference of bone lengths (004: L_len)."""
    gap = bones(joints).norm(dim=-1) - bones(truth).norm(dim=-1)
    return _mean(gap.abs().mean(1), weight)


def direction_loss(joints: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean distance of the bones' unit vectors (004: L_dir)."""
    gap = normalize(bones(joints), dim=-1, eps=1e-6) - normalize(bones(truth), dim=-1, eps=1e-6)
    # A norm has no slope at zero.
    return _mean((gap.square().sum(-1) + 1e-10).sqrt().mean(1), weight)


def cosine_loss(joints: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """One minus the mean cosine between bones (004: L_cos)."""
    alike = cosine_similarity(bones(joints), bones(truth), dim=-1, eps=1e-8)
    return _mean(1 - alike.mean(1), weight)


class ActiveShape:
    """Draws truth towards the common shapes of a hand (004 section 3.2.2).

    Args:
        joints: (S, 21, 3) many hands.
        components: principal components that are kept.
    """

    def __init__(self, joints: Tensor, components: int = 20) -> None:
        """Find mean, components and their variances."""
        flat = joints.flatten(1).double()
        self._mean = flat.mean(0)
        gap = flat - self._mean
        values, vectors = torch.linalg.eigh(gap.T @ gap / max(len(flat) - 1, 1))
        self._axes = vectors.flip(1)[:, :components]
        self._limit = 3 * values.flip(0)[:components].clamp(min=0).sqrt()

    def smoothed(self, truth: Tensor) -> Tensor:
        """(N, 21, 3) truth with its coordinates along the components kept within 3 sigma."""
        mean, axes, limit = (
            x.to(truth.device, truth.dtype) for x in (self._mean, self._axes, self._limit)
        )
        b = (truth.flatten(1) - mean) @ axes
        return (mean + b.clamp(-limit, limit) @ axes.T).view_as(truth)

    def loss(self, joints: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
        """Squared distance from the smoothed truth, summed over a hand's joints (L_asm)."""
        return _mean((joints - self.smoothed(truth)).square().sum((1, 2)), weight)


def rotation_from_6d(sixd: Tensor) -> Tensor:
    """(..., 6) two columns to (..., 3, 3) rotations (Zhou et al., 2019, section B)."""
    first = normalize(sixd[..., :3], dim=-1, eps=1e-6)
    rest = sixd[..., 3:]
    second = normalize(rest - (first * rest).sum(-1, keepdim=True) * first, dim=-1, eps=1e-6)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def rotation_loss(sixd: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean squared entry difference of (N, 16, 3, 3) rotations."""
    return _mean((rotation_from_6d(sixd) - truth).square().mean((1, 2, 3)), weight)


def weighted_l1(values: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error of (N, K) values of the hands that have them."""
    return _mean((values - truth).abs().mean(1), weight)


def _mean(each: Tensor, weight: Tensor) -> Tensor:
    # Labels that a hand lacks may be NaN; zero times NaN would spread.
    each = torch.where(weight > 0, each, torch.zeros_like(each))
    return (each * weight).sum() / weight.sum().clamp(min=1.0)
