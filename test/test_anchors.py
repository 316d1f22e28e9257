"""Priors, encoding, matching and suppression of the detector against naive references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hand_recon_ros.detection import anchors
from hand_recon_ros.detection.suppression import suppressed

SHAPES = [(12, 20), (6, 10), (3, 5)]  # of an input of 320 x 192 px


def naive_iou(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / area


def random_boxes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    low = rng.uniform(-20, 250, (*shape, 2))
    return np.concatenate([low, low + rng.uniform(15, 200, (*shape, 2))], axis=-1)


def test_priors_lie_in_the_middle_of_their_cells_level_by_level() -> None:
    priors = anchors.make_priors(SHAPES)
    assert priors.shape == ((240 + 60 + 15) * anchors.PRIORS_A_CELL, 4)
    per_cell = anchors.PRIORS_A_CELL
    assert priors[0, :2].tolist() == [7.5, 7.5]
    assert priors[per_cell, :2].tolist() == [23.5, 7.5]  # columns run first
    assert priors[20 * per_cell, :2].tolist() == [7.5, 23.5]
    assert priors[240 * per_cell, :2].tolist() == [15.5, 15.5]
    assert priors[-1, :2].tolist() == [4.5 * 64 - 0.5, 2.5 * 64 - 0.5]
    sides = (priors[:, 2] * priors[:, 3]).sqrt()
    assert torch.isclose(sides[0], torch.tensor(32.0))
    assert torch.isclose(sides[-1], torch.tensor(280.0))
    ratios = (priors[:, 2] / priors[:, 3]).round(decimals=3).unique().tolist()
    assert ratios == pytest.approx([0.714, 1.0, 1.4], abs=1e-3)


@pytest.mark.parametrize("ratio", [1.0, 1.4, 1 / 1.4])
def test_priors_cover_hands_of_8_to_95_percent(ratio: float) -> None:
    priors = anchors.corners(anchors.make_priors(SHAPES))
    rng = np.random.default_rng(0)
    for side in np.geomspace(0.08 * 320, 0.95 * 320, 40):
        w, h = side * math.sqrt(ratio), side / math.sqrt(ratio)
        x, y = rng.uniform((30, 30), (290, 162))
        box = torch.tensor([x - w / 2, y - h / 2, x + w / 2, y + h / 2]).float()
        best = float(anchors.iou(priors, box[None]).max())
        assert best > (0.5 if side > 45 else 0.33), side  # small ones: the best-prior rule


def test_iou_is_that_of_a_naive_reference() -> None:
    rng = np.random.default_rng(1)
    a, b = random_boxes(rng, 2, 7), random_boxes(rng, 2, 5)
    got = anchors.iou(torch.tensor(a), torch.tensor(b)).numpy()
    want = [[[naive_iou(p, q) for q in b[n]] for p in a[n]] for n in range(2)]
    assert np.allclose(got, want)
    assert got.max() > 0.3


def test_encoding_has_the_variances_of_ssd() -> None:
    prior = torch.tensor([[100.0, 50.0, 40.0, 20.0]])
    box = torch.tensor([[84.0, 42.0, 124.0, 62.0]])  # centre (104, 52), as large
    assert torch.allclose(anchors.encode(box, prior), torch.tensor([[1.0, 1.0, 0.0, 0.0]]))
    wide = torch.tensor([[100 - 20 * math.e**0.2, 40.0, 100 + 20 * math.e**0.2, 60.0]])
    deltas = anchors.encode(wide, prior)
    assert torch.allclose(deltas, torch.tensor([[0.0, 0.0, 1.0, 0.0]]), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31))
def test_decode_undoes_encode(seed: int) -> None:
    rng = np.random.default_rng(seed)
    boxes = torch.tensor(random_boxes(rng, 50))
    priors = anchors.centred(torch.tensor(random_boxes(rng, 50)))
    growth = (anchors.centred(boxes)[:, 2:] / priors[:, 2:]).log().abs().amax(dim=1)
    near = growth < math.log(8)
    again = anchors.decode(anchors.encode(boxes, priors), priors)
    assert torch.allclose(again[near], boxes[near], atol=1e-6)
    assert near.any()


def test_decoded_sizes_stay_finite() -> None:
    prior = torch.tensor([[100.0, 50.0, 40.0, 20.0]])
    box = anchors.decode(torch.full((1, 4), 1e4), prior)
    assert box.isfinite().all()


def naive_match(overlaps: np.ndarray, valid: np.ndarray) -> list[int]:
    result = []
    for row in overlaps:
        candidates = [(v, m) for m, v in enumerate(row) if valid[m]]
        best = max(candidates, key=lambda c: c[0], default=(0.0, -1))
        result.append(best[1] if best[0] >= 0.5 else -1)
    for m in range(overlaps.shape[1]):
        if valid[m] and overlaps[:, m].max() > 0:
            result[int(overlaps[:, m].argmax())] = m
    return result


def test_matching_is_that_of_a_naive_reference() -> None:
    rng = np.random.default_rng(2)
    priors = anchors.corners(anchors.make_priors(SHAPES)).double()
    boxes = torch.tensor(random_boxes(rng, 12, 4))
    valid = torch.tensor(rng.random((12, 4)) < 0.7)
    valid[0] = False
    overlaps = anchors.iou(priors.expand(12, -1, 4), boxes)
    got = anchors.match(overlaps, valid)
    assert (got[0] == anchors.BACKGROUND).all()
    for n in range(12):
        assert got[n].tolist() == naive_match(overlaps[n].numpy(), valid[n].numpy())
        assert set(got[n].unique().tolist()) - {-1} == set(np.flatnonzero(valid[n]))


def test_a_hand_too_small_for_all_priors_gets_the_best_one() -> None:
    priors = anchors.corners(anchors.make_priors(SHAPES))
    box = torch.tensor([[[151.0, 95.0, 161.0, 105.0]]])
    overlaps = anchors.iou(priors[None], box)
    assert float(overlaps.max()) < 0.2
    matched = anchors.match(overlaps, torch.tensor([[True]]))[0]
    assert matched.tolist().count(0) == 1
    assert int((matched == 0).nonzero()) == int(overlaps[0, :, 0].argmax())


def naive_suppression(boxes: np.ndarray, sides: np.ndarray, scores: np.ndarray) -> list[int]:
    kept: list[int] = []
    for k in sorted(range(len(boxes)), key=lambda k: -scores[k]):
        if all(
            naive_iou(boxes[k], boxes[j]) <= (0.45 if sides[j] == sides[k] else 0.6) for j in kept
        ):
            kept.append(k)
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_that_of_a_naive_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 100, (60, 2))
    boxes = np.concatenate([low, low + rng.uniform(40, 90, (60, 2))], axis=1).astype(np.float32)
    sides, scores = rng.integers(1, 3, 60), rng.random(60).astype(np.float32)
    kept = suppressed(boxes, sides, scores).tolist()
    assert kept == naive_suppression(boxes, sides, scores)
    assert 1 < len(kept) < 60


def test_one_hand_never_comes_out_as_both_sides() -> None:
    boxes = np.array([[0, 0, 100, 100], [2, 1, 101, 99], [60, 0, 160, 100]], np.float32)
    scores = np.array([0.6, 0.9, 0.8], np.float32)
    kept = suppressed(boxes, np.array([1, 2, 1]), scores).tolist()
    assert kept == [1, 2]  # the left hand beside it stays


def test_suppression_of_nothing_is_nothing() -> None:
    empty = np.zeros((0, 4), np.float32)
    assert suppressed(empty, np.zeros(0, np.int64), np.zeros(0, np.float32)).tolist() == []
