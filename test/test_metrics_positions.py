"""Position errors, alignment and shares: by hand, by invariances, against SciPy and FreiHAND."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from evaluated_hands import open_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes

from hand_recon_ros.evaluation.running import JointErrors, PckCount
from hand_recon_ros.metrics import curves, positions
from hand_recon_ros.metrics.procrustes import aligned, fit_similarity
from hand_recon_ros.rotations import exp_so3

SEEDS = st.integers(0, 2**32 - 1)


def cloud(seed: int, n: int = 21) -> tuple[np.ndarray, np.ndarray]:
    """A hand-sized point set and a disturbed copy of it."""
    rng = np.random.default_rng(seed)
    truth = rng.normal((0.1, -0.05, 0.6), 0.05, (n, 3))
    return truth + rng.normal(0, 0.01, (n, 3)) + rng.normal(0, 0.1, 3), truth


def test_mpjpe_by_hand() -> None:
    truth = open_hand()
    found = np.add(truth, (0.3, 0.0, 0.1))  # all of it is off by the same: nothing remains
    assert positions.mean_position_error(found, truth) == pytest.approx(0.0, abs=1e-12)
    found[8] += (0.0, 0.003, 0.004)
    assert positions.mean_position_error(found, truth) == pytest.approx(0.005 / 21)
    moved = np.add(truth, (0.03, 0, 0.04))
    assert positions.mean_position_error(moved, truth, None) == pytest.approx(0.05)


def test_joints_without_label_do_not_count() -> None:
    truth, found = open_hand(), open_hand()
    found[5] += (0.01, 0, 0)
    found[6] += (9.0, 0, 0)
    truth[6] = np.nan
    assert positions.mean_position_error(found, truth) == pytest.approx(0.01 / 20)
    truth[0] = np.nan  # facts A5.2: without its root a hand has no root-relative error
    assert np.isnan(positions.mean_position_error(found, truth))
    error = positions.mean_known(positions.distances(aligned(found, truth), truth))
    assert 0 < error < 0.01


def test_true_scale_takes_out_the_size_only() -> None:
    truth = open_hand()
    found = truth[0] + 1.3 * (truth - truth[0]) + (0.0, 0.0, 0.2)
    scaled = positions.at_true_scale(found, truth)
    np.testing.assert_allclose(scaled - scaled[0], truth - truth[0], atol=1e-12)
    np.testing.assert_allclose(scaled[0], found[0], atol=1e-12)


def test_relative_wrists_by_hand() -> None:
    left, right = np.array([-0.1, 0.0, 0.5]), np.array([0.1, 0.0, 0.5])
    moved = np.array([0.0, 0.0, 0.7])
    assert positions.relative_root_error(left + moved, right + moved, left, right) < 1e-12
    off = positions.relative_root_error(np.add(left, (0, 0.03, 0.04)), right, left, right)
    assert off == pytest.approx(0.05)


def test_half_a_bone_by_hand() -> None:
    truth = open_hand()[:, :2] * 1000  # finger bones are 25 px long, the wrist's is 80
    found = truth.copy()
    found[7] += (12.4, 0)
    found[8] += (0, 12.6)
    found[0] += (39.9, 0)
    truth[20] = np.nan
    right = positions.within_half_a_bone(found, truth)
    assert right[7] == 1
    assert right[8] == 0
    assert right[0] == 1
    assert np.isnan(right[20])
    assert positions.mean_known(right) == pytest.approx(19 / 20)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans(), st.floats(0.05, 20.0))
def test_alignment_undoes_every_similarity(seed: int, reflection: bool, scale: float) -> None:
    rng = np.random.default_rng(seed)
    _, truth = cloud(seed)
    turn = exp_so3(rng.normal(0, 2, 3))
    if reflection:
        turn = turn @ np.diag([1.0, 1.0, -1.0])
    found = scale * truth @ turn.T + rng.normal(0, 3, 3)
    np.testing.assert_allclose(aligned(found, truth, reflection=True), truth, atol=1e-9)
    if reflection:  # a hand is not its mirror image: without reflection it cannot be reached
        error = positions.distances(aligned(found, truth), truth).mean()
        assert error > 0.005
        assert np.linalg.det(fit_similarity(found, truth).rotation) == pytest.approx(1.0)
    else:
        np.testing.assert_allclose(aligned(found, truth), truth, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_aligned_error_does_not_depend_on_the_pose_of_the_finding(seed: int) -> None:
    found, truth = cloud(seed)
    rng = np.random.default_rng(seed)
    moved = rng.uniform(0.2, 5) * found @ exp_so3(rng.normal(0, 2, 3)).T + rng.normal(0, 2, 3)
    np.testing.assert_allclose(aligned(moved, truth), aligned(found, truth), atol=1e-9)
    # and no move of the aligned points comes nearer
    best = np.square(aligned(found, truth) - truth).sum()
    other = aligned(found, truth) @ exp_so3(rng.normal(0, 0.01, 3)).T + rng.normal(0, 1e-4, 3)
    assert best <= np.square(other - truth).sum()


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.booleans())
def test_scipy_aligns_alike(seed: int, mirror: bool) -> None:
    found, truth = cloud(seed)
    found = found * (1, 1, -1 if mirror else 1)
    rest = np.square(aligned(found, truth, reflection=True) - truth).sum()
    size = np.square(truth - truth.mean(axis=0)).sum()
    assert procrustes(truth, found)[2] * size == pytest.approx(rest, rel=1e-9)
    rotation, _ = orthogonal_procrustes(found - found.mean(axis=0), truth - truth.mean(axis=0))
    similarity = fit_similarity(found, truth, reflection=True)
    np.testing.assert_allclose(similarity.rotation, rotation.T, atol=1e-9)


def test_a_finding_shrunk_to_a_point_lands_on_the_middle() -> None:
    truth = open_hand()
    np.testing.assert_allclose(aligned(np.zeros((21, 3)), truth), np.tile(truth.mean(0), (21, 1)))


def test_too_few_points_cannot_be_aligned() -> None:
    truth = open_hand()
    truth[2:] = np.nan
    assert np.isnan(aligned(open_hand(), truth)).all()


def freihand_aligned(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """FreiHAND's alignment, from its description (facts A5.1)."""
    t, f = truth - truth.mean(0), found - found.mean(0)
    t_size, f_size = np.linalg.norm(t) + 1e-8, np.linalg.norm(f) + 1e-8
    R, s = orthogonal_procrustes(t / t_size, f / f_size)
    return f / f_size @ R.T * s * t_size + truth.mean(0)


def freihand_scores(errors: np.ndarray) -> tuple[float, float]:
    """Mean error and AUC of (N, points) errors, m, from their description (facts A5.1)."""
    thresholds = np.linspace(0.0, 0.05, 100)
    areas = []
    for column in errors.T:
        curve = [np.mean(column <= t) for t in thresholds]
        area = sum((a + b) / 2 for a, b in pairwise(curve)) * thresholds[1]
        areas.append(area / 0.05)
    return float(np.mean(errors.mean(axis=0))), float(np.mean(areas))


@pytest.mark.parametrize("points", [21, 100])
def test_freihand_definitions(points: int) -> None:
    pck, means, official = PckCount(points), JointErrors(points), []
    for seed in range(30):
        found, truth = cloud(seed, points)
        if seed == 7:
            found = found * (1, 1, -1)
        if seed == 8:
            found = np.zeros_like(found)
        theirs, ours = freihand_aligned(truth, found), aligned(found, truth, reflection=True)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        official.append(np.linalg.norm(theirs - truth, axis=1))
        pck.add(positions.distances(ours, truth))
        means.add(positions.distances(ours, truth))
        for threshold, score in zip((0.005, 0.015), curves.f_scores(ours, truth), strict=True):
            apart = np.linalg.norm(theirs[:, None] - truth, axis=2)
            precision = np.mean(apart.min(axis=1) < threshold)
            recall = np.mean(apart.min(axis=0) < threshold)
            both = precision + recall
            assert score == pytest.approx(2 * precision * recall / both if both else 0, abs=1e-6)
    mean, area = freihand_scores(np.array(official))
    assert means.mean() == pytest.approx(mean, abs=1e-6)
    assert pck.area() == pytest.approx(area, abs=1e-6)


def test_pck_by_hand() -> None:
    count = PckCount(2)
    count.add(np.array([0.010, 0.010]))
    count.add(np.array([0.030, np.nan]))  # the second point is labelled once only
    thresholds = np.array([0.0, 0.02, 0.04])
    errors = np.array([[0.01, 0.01], [0.03, np.nan]])
    curve = curves.pck_curve(curves.counts_within(errors, thresholds), np.array([2, 1]))
    np.testing.assert_allclose(curve, [0, 0.75, 1.0])
    assert curves.area_under(curve, thresholds) == pytest.approx((0.375 + 0.875) / 2)
    assert count.area() == pytest.approx(1 - (0.02 + 0.01) / 2 / 0.05, abs=0.006)
    assert np.isnan(PckCount(2).area())


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_pck_rises_and_its_area_is_a_share(seed: int) -> None:
    errors = np.abs(np.random.default_rng(seed).normal(0, 0.03, 21))
    count = PckCount(21)
    count.add(errors)
    assert (np.diff(count.curve()) >= 0).all()
    assert 0 <= count.area() <= 1
    better = PckCount(21)
    better.add(0.9 * errors)
    assert better.area() >= count.area()


def test_f_score_by_hand() -> None:
    truth = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0], [3.0, 0, 0]])
    found = np.array([[0.0, 0.004, 0], [1.0, 0.01, 0]])
    # precision 1/2 and recall 1/4 at 5 mm; 1 and 1/2 at 15 mm
    assert curves.f_scores(found, truth) == pytest.approx((1 / 3, 2 / 3))
    far = np.add(truth, (0, 0.5, 0))
    assert curves.f_scores(far, truth) == (0.0, 0.0)
    at_the_limit = curves.f_scores(far, truth, (0.5,))
    assert at_the_limit == (0.0,)  # nearer than, not as near as
