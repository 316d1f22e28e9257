"""The SSD + RPN network: shapes, size limits, independence of the picture's shape."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hand_recon_ros.detection import anchors
from hand_recon_ros.detection.network import Proposals, RunningSsdRpn, SsdRpn


@pytest.fixture(scope="module")
def network() -> SsdRpn:
    torch.manual_seed(0)
    return SsdRpn().eval()


def test_it_is_as_light_as_promised(network: SsdRpn) -> None:
    parameters = sum(p.numel() for p in network.parameters())
    products = 0

    def count(module: nn.Module, _: object, result: torch.Tensor) -> None:
        nonlocal products
        products += module.weight.numel() * result.shape[2] * result.shape[3]

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        network(torch.rand(1, 3, 192, 320))
    for hook in hooks:
        hook.remove()
    assert parameters <= 1_000_000
    assert 50e6 < products <= 130e6


@pytest.mark.parametrize("shape", [(192, 320), (256, 320), (320, 320), (320, 192), (96, 320)])
def test_any_shape_gives_a_row_for_each_prior(network: SsdRpn, shape: tuple[int, int]) -> None:
    with torch.no_grad():
        out = network(torch.rand(2, 3, *shape))
    number = out.priors.shape[0]
    assert out.class_logits.shape == (2, number, 3)
    for boxes in (out.ssd_boxes, out.boxes, out.ssd_deltas, out.rpn_deltas):
        assert boxes.shape == (2, number, 4)
    assert out.objectness.shape == (2, number)
    assert torch.allclose(out.directions.norm(dim=-1), torch.ones(2, number), atol=1e-5)
    low = out.priors[:, :2].min(dim=0).values
    assert (out.priors[:, :2] + low <= torch.tensor([shape[1] + 63.0, shape[0] + 63.0])).all()


def test_boxes_of_an_untrained_network_are_near_the_priors(network: SsdRpn) -> None:
    with torch.no_grad():
        out = network(torch.rand(1, 3, 192, 320))
    overlap = anchors.iou(anchors.corners(out.priors)[:, None], out.boxes[0][:, None])
    assert float(overlap.median()) > 0.8
    assert float(torch.softmax(out.class_logits, -1)[..., 1:].max()) < 0.2


def test_pictures_of_odd_sizes_are_refused(network: SsdRpn) -> None:
    with pytest.raises(ValueError, match=r"300 x 192 px.*multiples of 32"):
        network(torch.rand(1, 3, 192, 300))


def test_rows_belong_to_the_cells_of_their_priors() -> None:
    """A change of the picture moves most what is said at that place."""
    torch.manual_seed(1)
    network = SsdRpn().eval()
    with torch.no_grad():  # the heads start almost silent
        for head in network.ssd:
            head.out.weight.mul_(50)
    x = torch.full((1, 3, 192, 320), 0.5)
    changed = x.clone()
    changed[:, :, 128:160, 224:256] = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        change = (network(x).class_logits - network(changed).class_logits).abs().sum(-1)[0]
    fine = 240 * anchors.PRIORS_A_CELL
    priors = network(x).priors[:fine]
    near = priors[change[:fine].argmax()]
    assert abs(float(near[0]) - 240) < 48
    assert abs(float(near[1]) - 144) < 48


def test_gradients_reach_every_weight_and_the_rpn_leaves_the_ssd_alone() -> None:
    network = SsdRpn()
    out = network(torch.rand(2, 3, 64, 96))
    (out.boxes.sum() + out.objectness.sum() + out.directions.sum()).backward()
    assert all(p.grad is None for p in network.ssd.parameters())
    (network(torch.rand(2, 3, 64, 96)).class_logits.square().sum()).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_what_is_run_gives_probabilities(network: SsdRpn) -> None:
    x = torch.rand(1, 3, 96, 320)
    with torch.no_grad():
        proposals = RunningSsdRpn(network)(x)
        out = network(x)
    assert isinstance(proposals, Proposals)
    assert torch.allclose(
        proposals.scores, torch.softmax(out.class_logits, dim=-1)[..., 1:], atol=1e-6
    )
    assert 0 <= float(proposals.objectness.min()) <= float(proposals.objectness.max()) <= 1
    assert torch.equal(proposals.boxes, out.boxes)


def test_what_was_run_first_can_be_trained_later() -> None:
    """Priors are kept; those made without gradients must not disturb training."""
    network = SsdRpn()
    x = torch.rand(2, 3, 32, 224)  # no other test has this size
    with torch.inference_mode():
        network(x)
    network(x).boxes.sum().backward()
    assert all(p.grad is not None for p in network.rpn.parameters())
