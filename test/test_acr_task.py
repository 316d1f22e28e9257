"""The regressor's losses: which labels of rendered and of photographed hands they learn from."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.training.acr_task import AcrTask
from hand_recon_ros.training.batch import CROP_SIZE, SYNTHETIC, CropBatch
from hand_recon_ros.training.settings import TrainingConfig

PHOTOGRAPH = 1
N = 4


@pytest.fixture(scope="module")
def batch() -> CropBatch:
    """Two rendered hands, then two photographed ones with a peer's relative 3D."""
    torch.manual_seed(3)
    hand = HandModel(load_hand_model("right"))
    rotations = torch.eye(3).expand(N, 16, 3, 3).clone()
    joints = hand.forward_rotations(rotations, torch.zeros(N, 10), torch.zeros(N, 3)).joints
    rendered = torch.tensor([True, True, False, False])
    yes, no = torch.ones(N, dtype=torch.bool), torch.zeros(N, dtype=torch.bool)
    return CropBatch(
        image=torch.rand(N, 3, CROP_SIZE, CROP_SIZE),
        points_px=torch.rand(N, 21, 2) * CROP_SIZE,
        inside=yes[:, None].expand(N, 21),
        visible=yes[:, None].expand(N, 21),
        joints_m=joints - joints[:, :1],
        has_3d=yes,
        rotations=rotations,
        betas=torch.zeros(N, 10),
        has_mano=rendered,
        wrist_m=torch.tensor([0.0, 0.0, 0.5]).expand(N, 3),
        focal=torch.full((N,), 200.0),
        partner=torch.full((N,), -1),
        geometry=torch.zeros(N, 6),
        other_wrist_m=torch.zeros(N, 3),
        has_other=no,
        presence=torch.ones(N),
        weight=torch.ones(N),
        source=torch.where(rendered, SYNTHETIC, PHOTOGRAPH).to(torch.int8),
    )


def parts(batch: CropBatch, photo_depth: float) -> dict[str, float]:
    torch.manual_seed(0)
    task = AcrTask(TrainingConfig(photo_depth=photo_depth, losses={"cosine": 1.0}), {})
    with torch.no_grad():
        _, found = task.loss(task.model.eval(), batch, seen=0)
    return {name: float(value) for name, value in found.items()}


def changed(batch: CropBatch, photo_depth: float, hand: int) -> set[str]:
    """Losses that change when a hand's relative 3D is turned over."""
    turned = batch.joints_m.clone()
    turned[hand, :, 2] *= -1
    turned[hand, :, 0] += 0.03 * torch.arange(21)
    before = parts(batch, photo_depth)
    after = parts(replace(batch, joints_m=turned), photo_depth)
    return {name for name, value in before.items() if abs(after[name] - value) > 1e-6}


def test_a_rendered_hand_teaches_joints_bones_and_mano(batch: CropBatch) -> None:
    learnt = {"pose", "length", "direction", "cosine", "mano", "mano_direction"}
    assert changed(batch, 0.0, hand=0) == learnt
    assert changed(batch, 0.3, hand=0) == learnt


def test_a_photograph_teaches_directions_of_bones_only_where_it_is_trusted(
    batch: CropBatch,
) -> None:
    assert changed(batch, 0.0, hand=2) == set()
    assert changed(batch, 0.3, hand=2) == {"direction", "cosine", "mano_direction"}


def test_a_hand_that_is_not_there_teaches_no_3d(batch: CropBatch) -> None:
    absent = replace(batch, presence=torch.tensor([0.0, 1.0, 1.0, 1.0]))
    assert changed(absent, 0.3, hand=0) == set()


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(ValueError, match="sharpness"):
        AcrTask(TrainingConfig(losses={"sharpness": 1.0}), {})
