"""The other hand of a pair that the detector saw as one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from drawn_hands import DotReader, Drawn, Merged, frame
from drawn_scenes import LEFT, RIGHT, Stand, check

from hand_recon_ros.detection.evidence import new_hand_belief, partner_evidence
from hand_recon_ros.detection.looking import Look
from hand_recon_ros.detection.ssd_rpn import box_round
from hand_recon_ros.skeleton import other_side
from hand_recon_ros.types import Detection

BESIDE = (Drawn("left", at=(-0.07, 0.06, 0.6)), Drawn("right", at=(0.07, 0.06, 0.6)))
BOTH = tuple(box_round(np.concatenate([hand.points_px for hand in BESIDE])))


def test_the_other_hand_of_a_pair_that_the_detector_saw_as_one_is_found() -> None:
    stand = Stand([BESIDE], static=True, boxes=Merged(BOTH))
    for found, hand in zip(stand.see(0), BESIDE, strict=True):
        check(found, hand)
    assert stand.regressor.groups == [2], "both go through the regressor together"


@pytest.mark.parametrize(("presence", "count"), [(-1.0, 1), (1.0, 2)])
def test_the_other_hand_of_a_pair_needs_evidence(presence: float, count: int) -> None:
    boxes, reader = Merged(BOTH), DotReader(presence=presence)
    boxes.score = 0.99
    assert len(Stand([BESIDE], static=True, boxes=boxes, reader=reader).see(0)) == count


@pytest.mark.parametrize(("presence", "count"), [(2.0, 1), (3.0, 2)])
def test_it_needs_more_of_it_in_a_stream(presence: float, count: int) -> None:
    reader = DotReader(presence=presence, reach=50.0)
    stand = Stand([BESIDE] * 12, boxes=Merged(BOTH), reader=reader, search_interval=2)
    assert len(stand.run()[-1]) == count


def test_what_would_change_its_side_is_no_partner_in_a_stream() -> None:
    """There it would come and go: its windows are read better as those of the found hand's side."""
    stand = Stand([BESIDE], reader=DotReader(reach=50.0))
    looker, seen = stand.stage._looker, frame(BESIDE)
    both = Detection("right", 0.9, np.array(BOTH))
    found = looker.find(seen, both)
    assert found is not None
    assert any(looker.partner(seen, found, turn=turn) for turn in range(4))
    read = looker._read

    def biased(*args: Any) -> list[Look]:
        gain = {found.side: 20.0, other_side(found.side): 0.0}
        looks = read(*args)
        presences = [look.reading.presence + gain[look.side] for look in looks]
        return [
            replace(look, reading=replace(look.reading, presence=presence))
            for look, presence in zip(looks, presences, strict=True)
        ]

    looker._read = biased  # type: ignore[method-assign]
    assert not any(looker.partner(seen, found, turn=turn) for turn in range(4))
    assert looker.partner(seen, found, both) is not None


def test_a_second_box_on_a_found_hand_does_not_bar_its_place() -> None:
    hand = Drawn(at=(0, 0.06, 0.6))
    box = tuple(box_round(hand.points_px))
    stand = Stand([[hand]], boxes=Merged(box, box))
    assert len(stand.see(0)) == 1
    assert (np.array(box), 0.1) not in stand.stage._refused


def test_a_box_on_both_hands_is_not_spent_on_the_one_that_is_found() -> None:
    stand = Stand([BESIDE], boxes=Merged(BOTH, BOTH))
    stand.stage._looker.partner = lambda *_: None  # type: ignore[method-assign]
    for found, hand in zip(stand.see(0), BESIDE, strict=True):
        check(found, hand)


def test_of_equal_sides_the_one_that_is_not_found_yet_is_more_likely() -> None:
    stand = Stand([[LEFT, RIGHT]], static=True, reader=DotReader(blind_sides=True))
    assert {hand.side for hand in stand.see(0)} == {"left", "right"}


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(
    ("metres", "presence", "count"),
    [(0.8, 5.0, 2), (0.45, 5.0, 1), (0.45, 7.0, 2), (0.3, 7.0, 1), (0.3, 20.0, 1)],
)
def test_what_is_far_too_small_beside_a_hand_must_be_sure(
    metres: float, presence: float, count: int, static: bool
) -> None:
    """A fingertip looks like a small hand; that two metres away is a quarter of that at 0.45 m."""
    pair = [Drawn("right", at=(0.1, 0.06, metres)), Drawn("left", at=(-0.4, -0.3, 2.0))]
    found = Stand([pair], static=static, reader=DotReader(presence=presence)).see(0)
    assert len(found) == count
    check(max(found, key=lambda hand: hand.box_px[2]), pair[0])


SHAPE = RIGHT.points_px
SIZE = float(np.ptp(SHAPE, axis=0).max())


def evidence(
    presence: float = 2.0, peak: float = 0.65, aside: float = 0.2, scale: float = 1.0
) -> float:
    """Of a hand that lies ``aside`` hand sizes beside the found one, fingers along fingers."""
    points = SHAPE + np.array([aside * SIZE + np.ptp(SHAPE[:, 0]), 0])
    return partner_evidence((presence, presence), np.full(21, peak), scale * points, scale * SHAPE)


def test_points_on_the_found_hand_are_no_evidence_of_another() -> None:
    """However sure the network is of them: it is trained on one hand in the middle of a window."""
    sure = ((20.0, 20.0), np.ones(21))
    assert partner_evidence(*sure, SHAPE[::-1], SHAPE) < 0.75 < evidence(8.0, 0.8)


@pytest.mark.parametrize(("aside", "is_other"), [(0.06, False), (0.18, False), (0.3, True)])
def test_no_reading_on_the_found_hand_is_sure_enough(aside: float, is_other: bool) -> None:
    """Networks that were trained on pairs are sure of a second reading of one hand, too."""
    points = SHAPE + np.array([aside * SIZE, 0])  # 0.18: fingers on the fingers beside
    assert (partner_evidence((20.0, 20.0), np.ones(21), points, SHAPE) > 2.5) == is_other


def test_evidence_grows_with_all_that_speaks_for_a_hand() -> None:
    assert evidence(presence=3.0) > evidence()
    assert evidence(peak=0.75) > evidence()
    np.testing.assert_allclose(evidence(scale=3.0), evidence(), atol=1e-9)


def test_a_place_far_away_is_no_more_evidence_than_one_beside() -> None:
    """There the detector would have seen a hand: it is mostly a face."""
    assert evidence(aside=2.0) == evidence(aside=0.3)


def test_no_other_hand_is_looked_for_where_one_is_wanted() -> None:
    stand = Stand([BESIDE], static=True, boxes=Merged(BOTH), max_hands=1)
    assert len(stand.see(0)) == 1
    assert stand.reader.windows == [2, 2]


def test_no_other_hand_is_looked_for_beside_a_pair() -> None:
    stand = Stand([BESIDE], static=True, max_hands=3)
    assert {k.side for k in stand.see(0)} == {"left", "right"}
    assert stand.reader.windows == [2, 2, 2, 2]


def test_a_hand_alone_stays_alone() -> None:
    """Seen as the other side too, it is still one hand."""
    hand = Drawn(at=(0, 0.06, 0.6))
    stand = Stand([[hand]] * 12, reader=DotReader(blind_sides=True), search_interval=2)
    assert [len(found) for found in stand.run()] == [1] * 12


def test_a_hand_without_a_box_of_its_own_joins_a_followed_one() -> None:
    """Once it is beside it, the detector's box is taken for the followed hand's."""
    left, right = BESIDE
    late, frames = 10, 20
    scenes = [[right]] * late + [[left, right]] * frames
    reader = DotReader(reach=50.0)
    stand = Stand(scenes, boxes=Merged(BOTH), reader=reader, search_interval=2)
    spent, counts = [], []
    for index in range(late + frames):
        before = sum(reader.windows)
        found = stand.see(index)
        spent.append(sum(reader.windows) - before)
        counts.append(len(found))
        check(found[-1], right)
    assert counts == [1] * counts.count(1) + [2] * counts.count(2), "nobody is lost"
    assert late <= counts.count(1) < late + 8, "each direction has its turn"
    check(found[0], left)
    assert max(spent[1:]) <= 5, "a search must not make a frame late"


def test_a_stream_is_searched_for_a_partner_in_one_direction_at_a_time() -> None:
    stand = Stand([[RIGHT]] * 20, search_interval=4)
    asked: list[tuple[object, int]] = []
    stand.stage._looker.partner = lambda *args: asked.append(args[2:])  # type: ignore[method-assign]
    stand.run()
    assert len(asked) >= 8
    assert asked == [(None, turn) for turn in range(len(asked))]


def test_belief_in_a_new_hand_grows_with_all_that_speaks_for_it() -> None:
    low, high = np.full(21, 0.55), np.full(21, 0.87)
    assert new_hand_belief(0.8, 3.0, low) < new_hand_belief(0.9, 3.0, low)
    assert new_hand_belief(0.8, 3.0, low) < new_hand_belief(0.8, 4.0, low)
    assert new_hand_belief(0.8, 3.0, low) < new_hand_belief(0.8, 3.0, high)


def test_a_face_is_no_hand() -> None:
    """Of photographs: scores, presence and peaks of middling ghosts and of weak hands."""
    assert new_hand_belief(0.55, 2.5, np.full(21, 0.60)) < 0.5
    assert new_hand_belief(0.27, 4.2, np.full(21, 0.74)) > 0.5
