"""Ranges for 8 bits are shipped only where they were seen to cost next to nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from hand_recon_ros.keypoints.network import Cpm
from hand_recon_ros.networks.int8 import in_int8
from hand_recon_ros.training import int8_facts as module
from hand_recon_ros.training.batch import CropBatch
from hand_recon_ros.training.int8_facts import int8_facts

RNG = np.random.default_rng(4)


def batch(hands: int = 4, side: int = 64) -> CropBatch:
    """Blobs whose key points are where the first network sees them."""
    tensor = torch.from_numpy
    image = tensor(RNG.random((hands, 3, side, side)).astype(np.float32))
    image = torch.nn.functional.avg_pool2d(image, 5, 1, 2)
    points = tensor(RNG.uniform(8, side - 8, (hands, 21, 2)).astype(np.float32))
    flags, zeros = torch.ones(hands, 21, dtype=torch.bool), torch.zeros
    return CropBatch(
        image=image,
        points_px=points,
        inside=flags,
        visible=flags,
        joints_m=zeros(hands, 21, 3),
        has_3d=flags[:, 0],
        rotations=zeros(hands, 16, 3, 3),
        betas=zeros(hands, 10),
        has_mano=flags[:, 0],
        wrist_m=zeros(hands, 3),
        focal=torch.ones(hands),
        partner=torch.full((hands,), -1),
        geometry=zeros(hands, 6),
        other_wrist_m=zeros(hands, 3),
        has_other=~flags[:, 0],
        presence=torch.ones(hands),
        weight=torch.ones(hands),
        source=zeros(hands, dtype=torch.int8),
    )


@pytest.fixture(scope="module")
def network() -> Cpm:
    torch.manual_seed(0)
    return Cpm().eval()


def test_ranges_come_with_what_they_cost(network: Cpm) -> None:
    facts = int8_facts(network, {"exam": [batch(), batch()]})
    assert in_int8(network, facts["int8_ranges"]), "every convolution has its range"
    cost = facts["int8_cost"]
    assert 0 < cost["error_int8_px"] <= 1.03 * cost["error_px"]


def test_no_ranges_where_they_cost_too_much(network: Cpm, monkeypatch: pytest.MonkeyPatch) -> None:
    class Shifted(nn.Module):
        def forward(self, image: torch.Tensor) -> object:
            told = network(image)
            return told._replace(beliefs=torch.roll(told.beliefs, 9, -1))

    exams = {"exam": [batch(), batch()]}
    points = [module.read_beliefs(network(b.image).beliefs[:, -1])[0] for b in exams["exam"]]
    for one, found in zip(exams["exam"], points, strict=True):
        one.points_px.copy_(found.detach() + 1.0)
    monkeypatch.setattr(module, "in_int8", lambda *_: Shifted())
    assert int8_facts(network, exams) == {}


def test_nothing_is_said_where_nothing_judges(network: Cpm) -> None:
    assert int8_facts(network, {"exam": [batch()]}) == {}
