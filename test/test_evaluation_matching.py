"""Which found hand lies on which labelled one."""

from __future__ import annotations

import numpy as np
from evaluated_hands import CAMERA, found_hand, open_hand, pair

from hand_recon_ros.evaluation.matching import Match, Matching, match
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.types import Hand

LEFT, RIGHT = open_hand("left", (-0.12, 0.05, 0.5)), open_hand("right", (0.12, 0.05, 0.5))
BOTH = (TrueHand("left", LEFT), TrueHand("right", RIGHT))


def matched(truth: tuple[TrueHand, ...], *found: Hand) -> Matching:
    return match(pair(0, truth, found)[0], found)


def test_each_finds_its_own() -> None:
    result = matched(BOTH, found_hand("right", RIGHT + 0.004), found_hand("left", LEFT - 0.004))
    assert set(result.matches) == {Match(0, 1, True), Match(1, 0, True)}
    assert not result.missed
    assert not result.ghosts


def test_a_wrong_side_in_the_right_place_is_a_side_error() -> None:
    result = matched(BOTH, found_hand("right", RIGHT), found_hand("right", LEFT))
    assert set(result.matches) == {Match(0, 1, False), Match(1, 0, True)}
    assert not result.missed
    assert not result.ghosts


def test_swapped_sides_are_two_side_errors() -> None:
    result = matched(BOTH, found_hand("right", LEFT), found_hand("left", RIGHT))
    assert set(result.matches) == {Match(0, 0, False), Match(1, 1, False)}


def test_elsewhere_is_a_miss_and_a_ghost() -> None:
    elsewhere = found_hand("right", open_hand("right", (-0.2, -0.1, 0.5)))
    result = matched((TrueHand("right", RIGHT),), elsewhere)
    assert result == Matching((), (0,), (0,))


def test_the_side_decides_between_two_on_one_hand() -> None:
    other = found_hand("left", RIGHT)
    mine = found_hand("right", np.add(RIGHT, (0.01, 0.0, 0.0)))
    assert matched(BOTH[1:], other, mine) == Matching((Match(0, 1, True),), (), (0,))


def test_of_two_findings_of_a_side_the_nearer_is_taken() -> None:
    near, far = found_hand("right", RIGHT + 0.002), found_hand("right", RIGHT + 0.03)
    assert matched(BOTH[1:], far, near) == Matching((Match(0, 1, True),), (), (0,))


def test_two_people_with_two_right_hands() -> None:
    one, two = RIGHT, open_hand("right", (-0.15, 0.05, 0.6))
    truth = (TrueHand("right", one, identity=1), TrueHand("right", two, identity=2))
    result = matched(truth, found_hand("right", two), found_hand("right", one))
    assert set(result.matches) == {Match(0, 1, True), Match(1, 0, True)}


def test_key_points_alone_place_a_hand() -> None:
    unknown = np.full((21, 3), np.nan)
    truth = (TrueHand("right", unknown, joints_px=CAMERA.project(RIGHT)),)
    assert matched(truth, found_hand("right", RIGHT)).matches == (Match(0, 0, True),)


def test_space_places_a_finding_without_key_points() -> None:
    found = found_hand("right", RIGHT + 0.01, joints_px=np.full((21, 2), np.nan))
    assert matched(BOTH, found).matches == (Match(1, 0, True),)


def test_a_few_labelled_joints_place_a_hand() -> None:
    joints = RIGHT.copy()
    joints[2:] = np.nan
    found = found_hand("right", np.add(RIGHT, (0.01, 0, 0)))
    assert matched((TrueHand("right", joints),), found).matches == (Match(0, 0, True),)


def test_a_hand_out_of_the_picture_is_not_missed() -> None:
    truth = (TrueHand("right", open_hand("right", (0.9, 0.0, 0.5))),)
    assert matched(truth) == Matching((), (), ())
    behind = (TrueHand("right", open_hand("right", (0.0, 0.0, -0.5))),)
    assert matched(behind).missed == (0,)  # known in space only: counts


def test_a_hand_labelled_without_a_place_may_be_any_found_one() -> None:
    truth = (TrueHand("right", np.full((21, 3), np.nan)),)
    result = matched(truth, found_hand("right", RIGHT))
    assert result == Matching((), (), (0,), unplaced=True)


def test_nothing_there_and_nothing_found() -> None:
    assert match(TrueFrame(0, "", 0.0, CAMERA), ()) == Matching((), (), ())
