"""Losses against plain formulas, and what they must not do."""

import numpy as np
import pytest
import torch

from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel, rotation_matrices
from hand_recon_ros.skeleton import BONES
from hand_recon_ros.training import losses
from hand_recon_ros.training.scores import aligned, joint_errors_mm, turned_deg

G = torch.Generator().manual_seed(0)
ONES = torch.ones(5)


def hands(n: int = 5) -> torch.Tensor:
    model = HandModel(load_hand_model("right"))
    pose = 0.3 * torch.randn(n, 45, generator=G)
    zero = torch.zeros(n, 3)
    joints = model(torch.randn(n, 3, generator=G), pose, torch.randn(n, 10, generator=G), zero)
    return joints.joints - joints.joints[:, :1]


def test_bone_losses_follow_the_paper() -> None:
    a, b = hands().numpy().astype(float), hands().numpy().astype(float)
    length, direction, cosine = [], [], []
    for x, y in zip(a, b, strict=True):
        for start, end in BONES:
            p, q = x[end] - x[start], y[end] - y[start]
            length.append(abs(np.linalg.norm(p) - np.linalg.norm(q)))
            p, q = p / np.linalg.norm(p), q / np.linalg.norm(q)
            direction.append(np.linalg.norm(p - q))
            cosine.append(p @ q)
    args = (torch.tensor(a).float(), torch.tensor(b).float(), ONES)
    assert float(losses.length_loss(*args)) == pytest.approx(np.mean(length), rel=1e-4)
    assert float(losses.direction_loss(*args)) == pytest.approx(np.mean(direction), rel=1e-3)
    assert float(losses.cosine_loss(*args)) == pytest.approx(1 - np.mean(cosine), rel=1e-4)


def test_every_3d_loss_is_nothing_at_the_truth_and_has_finite_slopes() -> None:
    truth = hands()
    shape = losses.ActiveShape(hands(200), components=63)
    for loss in (
        losses.pose_loss,
        losses.length_loss,
        losses.direction_loss,
        losses.cosine_loss,
        shape.loss,
    ):
        at = truth.clone().requires_grad_()
        value = loss(at, truth, ONES)
        value.backward()
        assert float(value.detach()) < 2e-4
        assert at.grad is not None
        assert torch.isfinite(at.grad).all()


def test_unlabelled_hands_cost_nothing() -> None:
    truth = hands()
    truth[2] = float("nan")
    weight = torch.tensor([1.0, 1, 0, 1, 1])
    here = hands()
    keep = [0, 1, 3, 4]
    expected = losses.pose_loss(here[keep], truth[keep], torch.ones(4))
    torch.testing.assert_close(losses.pose_loss(here, truth, weight), expected)


def test_active_shape_keeps_common_hands_and_tames_rare_ones() -> None:
    many = hands(400)
    shape = losses.ActiveShape(many, components=12)
    common = shape.smoothed(many)
    assert (common - many).norm(dim=-1).mean() < 0.012
    rare = many.mean(0, keepdim=True) + 10 * (many[:1] - many.mean(0, keepdim=True))
    far = (rare - many.mean(0)).norm()
    assert (shape.smoothed(rare) - many.mean(0)).norm() < 0.6 * far


def test_belief_loss_weighs_foreground_and_leaves_unknown_points_out() -> None:
    target = torch.zeros(1, 21, 8, 8)
    target[0, 0, 3, 3] = 1.0
    known = torch.zeros(1, 21)
    known[0, 0] = 1
    nothing = torch.zeros(1, 6, 21, 8, 8)
    # One cell of 64 is off by one, with weight 1 + 4, in each of six stages.
    assert float(losses.belief_loss(nothing, target, known)) == pytest.approx(6 * 5 / 64)
    nothing[:, :, 5] = 100.0
    assert float(losses.belief_loss(nothing, target, known)) == pytest.approx(6 * 5 / 64)


def test_point_loss_teaches_an_honest_spread() -> None:
    truth = torch.zeros(4000, 21, 2)
    points = 3.0 * torch.distributions.Laplace(0.0, 1.0).sample(truth.shape)
    log_sigma = torch.zeros(1, 21, requires_grad=True)
    optimizer = torch.optim.Adam([log_sigma], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        known = torch.ones(4000, 21)
        losses.point_loss(points, log_sigma.expand(4000, 21), truth, known).backward()
        optimizer.step()
    assert log_sigma.detach().exp().mean() == pytest.approx(3.0, rel=0.05)


def test_six_numbers_make_the_rotation_they_came_from() -> None:
    turn = rotation_matrices(torch.randn(7, 3, generator=G))
    sixd = turn[..., :2].transpose(-1, -2).flatten(-2)
    torch.testing.assert_close(losses.rotation_from_6d(sixd), turn, atol=1e-5, rtol=1e-5)
    broken = losses.rotation_from_6d(torch.zeros(1, 6))
    assert torch.isfinite(broken).all()


def test_alignment_undoes_a_similarity_but_no_reflection() -> None:
    truth = hands()
    turn = rotation_matrices(torch.randn(5, 3, generator=G))
    moved = 1.3 * truth @ turn + 0.2
    assert (aligned(moved, truth) - truth).abs().max() < 1e-5
    mirrored = truth * torch.tensor([-1.0, 1, 1])
    assert (aligned(mirrored, truth) - truth).norm(dim=-1).mean() > 0.003
    root, procrustes = joint_errors_mm(1.3 * truth, truth)
    assert root.max() < 1e-2
    assert procrustes.max() < 1e-2


def test_turn_of_the_palm_is_told_in_degrees() -> None:
    truth = hands()
    turn = rotation_matrices(torch.tensor([[0.0, 0.35, 0.0]]))
    assert torch.allclose(
        turned_deg(truth @ turn, truth), torch.rad2deg(torch.tensor(0.35)), atol=0.1
    )
