"""Counting fingers on poses of the hand model, and judging hand-made findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.mano.priors import Anatomy, rotations_of
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import FINGERS, Side
from hand_recon_ros.synthesis.gestures import gesture
from hand_recon_ros.training.fingers import DIGIT_FINGERS, extended_fingers
from hand_recon_ros.training.real_exam import (
    MATCH,
    KnownHand,
    SeenHand,
    box_share,
    judge,
    real_scores,
)
from hand_recon_ros.types import ManoParameters

ALL = set(FINGERS)
POSES = {
    "flat": ALL,
    "spread": ALL,
    "fist": set(),
    "thumb_in_fist": set(),
    "hook": {"thumb"},
    "claw": set(),
    "o_shape": set(),
    "grasp": set(),
    "point": {"index"},
    "little": {"little"},
    "thumbs_up": {"thumb"},
    "victory": {"index", "middle"},
    "gun": {"thumb", "index"},
    "shaka": {"thumb", "little"},
    "horns": {"index", "little"},
    "three": {"index", "middle", "ring"},
    "three_thumb": {"thumb", "index", "middle"},
    "ok": {"middle", "ring", "little"},
    "four": ALL - {"thumb"},
}


def posed(name: str, side: Side = "right", betas: np.ndarray | None = None) -> np.ndarray:
    model = load_hand_model(side)
    turns = rotations_of(Anatomy.of(model).axes[0], gesture(name))
    shape = np.zeros(10) if betas is None else betas
    pose = ManoParameters(side, np.zeros(3), log_so3(turns).reshape(45), shape, np.zeros(3))
    return HandModel(model).forward_parameters(pose)[1]


def named(joints: np.ndarray) -> set[str]:
    return {name for name, out in zip(FINGERS, extended_fingers(joints), strict=True) if out}


@pytest.mark.parametrize("name", POSES)
def test_fingers_of_model_poses(name: str) -> None:
    assert named(posed(name)) == POSES[name]


@pytest.mark.parametrize("name", ["flat", "fist", "thumbs_up", "three_thumb", "ok"])
def test_fingers_do_not_depend_on_side_place_size_view_or_person(name: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        side: Side = "left" if rng.random() < 0.5 else "right"
        joints = posed(name, side, rng.uniform(-1, 1, 10))
        moved = 7 * joints @ exp_so3(rng.normal(0, 2, 3)).T + rng.normal(0, 1, 3)
        assert named(joints) == named(moved) == POSES[name], side


def test_a_finger_is_extended_until_it_bends() -> None:
    joints = posed("flat")
    found = []
    for angle in np.radians(np.arange(0, 181, 5)):
        bent = joints.copy()
        axis = np.cross(joints[6] - joints[5], joints[4] - joints[5])
        turn = exp_so3(angle * axis / np.linalg.norm(axis))
        bent[7:9] = joints[6] + (joints[7:9] - joints[6]) @ turn.T
        found.append(bool(extended_fingers(bent)[1]))
    assert found[0]
    assert not found[-1]
    assert np.count_nonzero(np.diff(found)) == 1, "one threshold, no islands"


def test_digits_extend_different_fingers() -> None:
    assert [sum(fingers) for fingers in DIGIT_FINGERS] == [0, 1, 2, 3, 4, 5, 3, 3, 3, 3]
    assert len(set(DIGIT_FINGERS)) == 10


POINTS = np.column_stack([np.linspace(100, 200, 21), np.linspace(50, 90, 21)])
FLAT = posed("flat")


def hand(dx: float = 0.0, side: Side = "right", joints: np.ndarray = FLAT) -> SeenHand:
    return SeenHand(side, np.add(POINTS, (dx, 0.0)), joints)


KNOWN = KnownHand("right", POINTS)


def test_distance_is_told_in_longer_sides_of_the_known_box() -> None:
    assert box_share(np.add(POINTS, (3.0, 4.0)), POINTS) == pytest.approx(0.05)
    assert box_share(10 * POINTS + 7, 10 * (np.add(POINTS, (3.0, 4.0))) + 7) == pytest.approx(0.05)


def test_the_nearest_is_the_hand_and_the_others_are_ghosts() -> None:
    told = judge("a", [hand(500), hand(8), hand(2)], [KNOWN])
    assert told.verdicts[0].error == pytest.approx(0.02)
    assert told.ghosts == 2
    assert judge("a", [hand(2), hand(8)], [KNOWN], others=True).ghosts is None


def test_what_is_far_away_is_a_miss_and_a_ghost() -> None:
    told = judge("a", [hand(51)], [KNOWN])
    assert told.verdicts[0].seen is None
    assert np.isnan(told.verdicts[0].error)
    assert told.verdicts[0].right_side is None
    assert told.ghosts == 1


def test_a_hand_that_is_misread_where_it_is_is_missed_but_no_ghost() -> None:
    at, beyond = hand(100 * MATCH - 1), hand(100 * MATCH + 1)
    assert judge("a", [at], [KNOWN]).verdicts[0].seen is at
    told = judge("a", [beyond], [KNOWN])
    assert told.verdicts[0].seen is None
    assert told.ghosts == 0
    assert judge("a", [beyond, beyond], [KNOWN]).ghosts == 1, "the second one is"
    assert judge("a", [at, beyond], [KNOWN]).ghosts == 1


def test_two_known_hands_get_a_hand_each() -> None:
    other = KnownHand("left", np.add(POINTS, (10, 0)))
    told = judge("a", [hand(9, "left"), hand(4)], [KNOWN, other])
    assert [v.error for v in told.verdicts] == pytest.approx([0.04, 0.01])
    assert [v.right_side for v in told.verdicts] == [True, True]
    one = judge("a", [hand(9, "left")], [KNOWN, other])
    assert [v.seen is not None for v in one.verdicts] == [False, True]


def test_without_known_points_any_hand_counts_and_the_second_is_a_ghost() -> None:
    told = judge("a", [hand(300), hand(0)], [KnownHand(digit=5)])
    assert told.verdicts[0].right_count
    assert np.isnan(told.verdicts[0].error)
    assert told.ghosts == 1


def test_scores_of_a_few_pictures() -> None:
    five, two = replace(KNOWN, digit=5), replace(KNOWN, digit=2)
    victory, horns = posed("victory"), posed("horns")
    scores = real_scores(
        [
            judge("right", [hand(2)], [five]),
            judge("other side, and a ghost", [hand(4, "left"), hand(500)], [five]),
            judge("right", [hand(9, joints=victory)], [two]),
            judge("other fingers", [hand(joints=horns)], [two]),
            judge("missed", [], [five]),
        ]
    )
    assert scores["found"] == pytest.approx(4 / 5)
    assert scores["side"] == pytest.approx(3 / 4)
    assert scores["ghosts"] == pytest.approx(1 / 5)
    assert scores["error"] == pytest.approx((0.02 + 0.04 + 0.09) / 4)
    assert scores["error_median"] == pytest.approx(0.03)
    assert scores["count"] == pytest.approx(4 / 5)
    assert scores["fingers"] == pytest.approx(3 / 5)


def test_what_nothing_tells_is_left_out() -> None:
    assert set(real_scores([judge("a", [], [KNOWN], others=True)])) == {"found"}
    assert real_scores([]) == {}
    with pytest.raises(ValueError, match="digits"):
        _ = judge("a", [hand()], [KNOWN]).verdicts[0].right_count


def test_the_worst_comes_first() -> None:
    five = replace(KNOWN, digit=5)
    cases = [
        judge("missed", [], [five]),
        judge("ghost", [hand(), hand(500)], [five]),
        judge("side", [hand(side="left")], [five]),
        judge("count", [hand(joints=posed("fist"))], [five]),
        judge("far", [hand(20)], [five]),
        judge("near", [hand(1)], [five]),
    ]
    assert sorted(cases, key=lambda case: -case.badness) == cases
