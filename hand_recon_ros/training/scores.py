"""Numbers of an exam: how far predictions are from labels."""

from __future__ import annotations

import torch
from torch import Tensor

_REFERENCE = 256.0
"""Pixel errors are told for windows of this side, whatever their true one."""


def pixel_errors(points: Tensor, truth: Tensor, known: Tensor, side: int) -> Tensor:
    """Distances of the known points, px of a 256 px window, in one row.

    Args:
        points, truth: (N, 21, 2) px of a window of ``side`` px.
        known: (N, 21) bool.
        side: px.
    """
    return ((points - truth).norm(dim=-1) * (_REFERENCE / side))[known]


def aligned(joints: Tensor, truth: Tensor) -> Tensor:
    """(N, 21, 3) joints turned, scaled and moved onto the truth (Procrustes, no reflection)."""
    a = joints - joints.mean(1, keepdim=True)
    b = truth - truth.mean(1, keepdim=True)
    u, s, vt = torch.linalg.svd(a.transpose(1, 2) @ b)
    sign = torch.ones_like(s)
    sign[:, -1] = torch.linalg.det(u @ vt).sign()
    turn = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / a.square().sum((1, 2)).clamp(min=1e-12)
    return scale[:, None, None] * (a @ turn) + truth.mean(1, keepdim=True)


def joint_errors_mm(joints: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Mean joint error of each hand, mm: root-relative at true scale, and Procrustes-aligned.

    Args:
        joints, truth: (N, 21, 3) metres, wrist at the origin.

    "At true scale" gives the prediction the truth's overall bone length: one picture alone does
    not tell a hand's size.
    """
    size = _bone_sum(truth) / _bone_sum(joints).clamp(min=1e-6)
    scaled = joints * size[:, None, None]
    root = (scaled - truth).norm(dim=-1).mean(1)
    return 1e3 * root, 1e3 * (aligned(joints, truth) - truth).norm(dim=-1).mean(1)


def turned_deg(joints: Tensor, truth: Tensor) -> Tensor:
    """Angle by which each palm is turned against the truth, degrees."""
    palm = [0, 5, 9, 13, 17]
    a, b = joints[:, palm], truth[:, palm]
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    u, s, vt = torch.linalg.svd(a.transpose(1, 2) @ b)
    sign = torch.ones_like(s)
    sign[:, -1] = torch.linalg.det(u @ vt).sign()
    trace = ((u * sign[:, None]) @ vt).diagonal(dim1=1, dim2=2).sum(1)
    return torch.rad2deg(((trace - 1) / 2).clamp(-1, 1).acos())


def _bone_sum(joints: Tensor) -> Tensor:
    from hand_recon_ros.training.losses import bones

    return bones(joints).norm(dim=-1).sum(1)
