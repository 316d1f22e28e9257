"""Losses, exam and learning of the detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hand_recon_ros.detection import anchors
from hand_recon_ros.detection.network import SsdRpn, SsdRpnOutput
from hand_recon_ros.detection.ssd_rpn import FoundHand
from hand_recon_ros.training.detector_batch import IGNORED, DetectorBatch, joined, mirrored
from hand_recon_ros.training.detector_exam import Tally, average_precision
from hand_recon_ros.training.detector_loss import detector_losses, hard_negatives
from hand_recon_ros.training.detector_task import DetectorTask
from hand_recon_ros.training.settings import TrainingConfig

SHAPES = [(6, 10), (3, 5), (2, 3)]  # of an input of 160 x 96 px


def a_batch(count: int = 3, rows: int = 2) -> DetectorBatch:
    generator = torch.Generator().manual_seed(0)
    low = torch.rand((count, rows, 2), generator=generator) * torch.tensor([90.0, 40.0])
    size = 30 + 30 * torch.rand((count, rows, 2), generator=generator)
    kinds = torch.tensor([[1, 2], [2, 0], [0, 0]])[:count, :rows]
    directions = torch.randn((count, rows, 2), generator=generator)
    directions = torch.nn.functional.normalize(directions, dim=-1)
    image = torch.rand((count, 3, 96, 160), generator=generator)
    return DetectorBatch(image, torch.cat([low, low + size], -1), kinds, directions)


def told(batch: DetectorBatch, right: bool) -> SsdRpnOutput:
    """What a perfect network (or one that never finds anything) would say of a batch."""
    priors = anchors.make_priors(SHAPES)
    overlaps = anchors.iou(anchors.corners(priors)[None], batch.boxes)
    matched = anchors.match(overlaps, batch.hands)
    index = matched.clamp(min=0)
    boxes = torch.gather(batch.boxes, 1, index[..., None].expand(-1, -1, 4))
    kinds = torch.where(matched >= 0, torch.gather(batch.kinds, 1, index), 0) * right
    deltas = torch.where((matched >= 0)[..., None], anchors.encode(boxes, priors), 0.0) * right
    directions = torch.gather(batch.directions, 1, index[..., None].expand(-1, -1, 2))
    ssd_boxes = anchors.decode(deltas, priors)
    return SsdRpnOutput(
        priors=priors,
        class_logits=20.0 * torch.nn.functional.one_hot(kinds, 3).float() - 10,
        ssd_deltas=deltas,
        ssd_boxes=ssd_boxes,
        objectness=20.0 * (kinds > 0) - 10.0,
        rpn_deltas=torch.zeros_like(deltas),
        boxes=ssd_boxes,
        directions=directions if right else -directions,
    )


def test_a_perfect_answer_costs_nothing_and_a_wrong_one_much() -> None:
    batch = a_batch()
    perfect = detector_losses(told(batch, True), batch)
    assert set(perfect) == {"class", "box", "objectness", "refined", "direction"}
    assert all(float(value) < 1e-3 for value in perfect.values())
    wrong = detector_losses(told(batch, False), batch)
    assert float(wrong["class"]) > 10
    assert float(wrong["box"]) > 0.5
    assert float(wrong["direction"]) > 1.9


def test_hands_that_are_to_be_ignored_teach_nothing() -> None:
    batch = a_batch()
    ghost = told(batch, True)  # finds all hands
    there = batch.kinds > 0
    ignoring = DetectorBatch(
        batch.image, batch.boxes, torch.where(there, IGNORED, 0), batch.directions
    )
    absent = DetectorBatch(batch.image, batch.boxes, 0 * batch.kinds, batch.directions)
    spared = detector_losses(ghost, ignoring)
    punished = detector_losses(ghost, absent)
    for name in ("class", "objectness"):
        assert float(spared[name]) < 0.1 * float(punished[name])
    assert float(spared["box"]) == float(spared["refined"]) == float(spared["direction"]) == 0


def test_hard_negatives_are_the_worst_three_a_positive() -> None:
    rng = np.random.default_rng(0)
    errors = rng.random((4, 200))
    positive = rng.random((4, 200)) < 0.05
    positive[3] = False
    candidates = ~positive & (rng.random((4, 200)) < 0.8)
    got = hard_negatives(*(torch.tensor(a) for a in (errors, positive, candidates))).numpy()
    for n in range(4):
        wanted = max(3 * positive[n].sum(), 8)
        worst = sorted(np.flatnonzero(candidates[n]), key=lambda k: -errors[n, k])[:wanted]
        assert set(np.flatnonzero(got[n])) == set(worst)


def test_the_mirror_swaps_sides_and_comes_back() -> None:
    batch = a_batch()
    which = torch.tensor([True, False, True])
    once = mirrored(batch, which)
    assert once.kinds[:2].tolist() == [[2, 1], [2, 0]]
    assert torch.equal(once.image[0], batch.image[0].flip(2))
    x0, _, x1, _ = once.boxes[0, 0].tolist()
    old_x0, _, old_x1, _ = batch.boxes[0, 0].tolist()
    assert (x0, x1) == pytest.approx((159 - old_x1, 159 - old_x0))
    again = mirrored(once, which)
    assert torch.allclose(again.boxes, batch.boxes, atol=1e-4)
    assert torch.equal(again.kinds, batch.kinds)
    assert torch.equal(again.directions, batch.directions)


def test_batches_with_different_numbers_of_rows_are_joined() -> None:
    both = joined([a_batch(2, 1), a_batch(3, 2)])
    assert len(both) == 5
    assert both.kinds.tolist() == [[1, 0], [2, 0], [1, 2], [2, 0], [0, 0]]
    with pytest.raises(ValueError, match="no batch"):
        joined([])


def test_average_precision_by_hand() -> None:
    # Precision 1, 1/2, 2/3 at the hits' recalls 1/3 and 2/3; the third hand is never found.
    assert average_precision([0.9, 0.8, 0.7], [True, False, True], 3) == pytest.approx(5 / 9)
    assert average_precision([], [], 3) == 0.0
    assert average_precision([0.9, 0.8], [True, True], 2) == 1.0


def found(box: list[float], side: str, score: float) -> FoundHand:
    x0, y0, x1, y1 = box
    place = np.array([x0, y0, x1 - x0, y1 - y0])
    return FoundHand(side, score, 1.0, place, np.array([0.0, -1.0]))  # type: ignore[arg-type]


def test_the_exam_counts_hits_ghosts_sides_and_turns() -> None:
    boxes = np.array([[0, 0, 50, 50], [100, 0, 150, 50], [200, 0, 250, 50.0]])
    kinds = np.array([1, 2, IGNORED])
    directions = np.array([[0, -1], [1, 0], [0, -1.0]])
    tally = Tally()
    hands = [
        found([0, 0, 50, 50], "left", 0.9),
        found([100, 0, 150, 50], "left", 0.8),  # wrong side, a quarter turn off
        found([1, 0, 50, 50], "left", 0.7),  # a second box on the first hand
        found([205, 0, 250, 50], "right", 0.95),  # on an ignored one
        found([300, 0, 350, 50], "right", 0.3),  # below the bar
    ]
    tally.add(hands, boxes, kinds, directions)
    told = tally.metrics()
    assert told["recall"] == 1
    assert told["side"] == 0.5
    assert told["turned_deg"] == pytest.approx(45)
    assert told["ghosts"] == 1
    assert told["iou"] == pytest.approx(1)
    assert told["ap50"] == 1.0  # the ghosts come after all hits


def a_scene(rng: np.random.Generator) -> tuple[torch.Tensor, list[float], int]:
    """A coloured square on noise: red ones are left hands, green ones right ones."""
    image = torch.tensor(0.3 * rng.random((3, 96, 160)), dtype=torch.float32)
    x, y = rng.uniform((5, 5), (95, 35))
    kind = int(rng.integers(1, 3))
    image[kind - 1, int(y) : int(y) + 50, int(x) : int(x) + 50] = 1.0
    return image, [x, y, x + 50, y + 50], kind


def scenes(seed: int, count: int) -> DetectorBatch:
    images, boxes, kinds = zip(
        *(a_scene(rng) for rng in [np.random.default_rng(seed)] for _ in range(count)), strict=True
    )
    up = torch.tensor([0.0, -1.0]).expand(count, 1, 2)
    return DetectorBatch(
        torch.stack(images), torch.tensor(boxes)[:, None], torch.tensor(kinds)[:, None], up
    )


@pytest.mark.timeout(600)  # seconds of work, minutes on a busy machine
def test_it_learns_what_can_be_learned(tmp_path: Path) -> None:
    torch.manual_seed(0)
    exam = scenes(1, 12)
    task = DetectorTask(TrainingConfig(), {"squares": [exam]})
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=3e-3)
    first = last = 0.0
    for step in range(45):
        loss, parts = task.loss(task.model, scenes(100 + step, 6), 6 * step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        first = first or float(loss.detach())
        last = float(loss.detach())
    assert last < 0.3 * first
    assert all(value.isfinite() for value in parts.values())
    task.model.eval()
    with torch.no_grad():
        told = task.validate(task.model)
        task.draw(task.model, tmp_path / "predictions.png")
    assert told["squares_ap50"] > 0.6
    assert told["score"] == pytest.approx(1 - told["squares_ap50"])
    assert (tmp_path / "squares_predictions.png").exists()


def test_losses_that_there_are_not_are_refused() -> None:
    with pytest.raises(ValueError, match="losses: sharpness unknown; known: class, box"):
        DetectorTask(TrainingConfig(losses={"sharpness": 1.0}), {})


def test_the_task_trains_the_network_that_is_run() -> None:
    task = DetectorTask(TrainingConfig(), {})
    assert isinstance(task.model, SsdRpn)
    assert task.size(a_batch()) == 3
