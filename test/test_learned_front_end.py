"""The learned front end with stand-in networks that read drawn hands exactly (``drawn_hands``)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_hands import (
    CAMERA,
    JOINT_TURNS,
    DotReader,
    Drawn,
    DrawnBoxes,
    frame,
)
from drawn_hands import RIGHT as SHAPE
from drawn_scenes import LEFT, RIGHT, Stand, check

from hand_recon_ros.config import Config
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.stages import Detector, KeypointEstimator, Regressor
from hand_recon_ros.types import Detection


def moving(hand: Drawn, frames: int, step: tuple[float, float, float]) -> list[list[Drawn]]:
    at = np.array(hand.at)
    return [[replace(hand, at=tuple(at + k * np.array(step)))] for k in range(frames)]


def test_fills_all_three_slots() -> None:
    stage = Stand([[]]).stage
    assert isinstance(stage, Detector)
    assert isinstance(stage, KeypointEstimator)
    assert isinstance(stage, Regressor)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("at", [(0, 0.06, 0.6), (0.2, 0.16, 0.6), (-0.2, 0.02, 0.6), (0, 0.1, 1.0)])
@pytest.mark.parametrize("turn", [(0, 0, 0), (0, 0, 0.9), (0, 0.5, 0.3), (0.4, -0.4, -0.7)])
def test_points_and_3d_come_back_to_the_camera(
    side: str, at: tuple[float, float, float], turn: tuple[float, float, float]
) -> None:
    """Windows at the image's border look up to 25 degrees aside; left hands are mirrored."""
    hand = Drawn(side, at, turn)  # type: ignore[arg-type]
    (found,) = Stand([[hand]], static=True).see(0)
    check(found, hand)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_pose_comes_back_to_the_camera(side: str) -> None:
    hand = Drawn(side, (0.2, 0.1, 0.6), (0.3, -0.4, 0.6))  # type: ignore[arg-type]
    (found,) = Stand([[hand]], static=True).see(0)
    assert found.guess is not None
    assert found.relative_m is not None
    mirror = np.array([-1.0 if side == "left" else 1.0, 1.0, 1.0])
    turned = (SHAPE * mirror) @ found.guess.wrist_rotation.T
    np.testing.assert_allclose(turned, found.relative_m, atol=1e-9)
    # a mirror turns the sense of the turns about its own axes only
    turns = exp_so3(JOINT_TURNS * (1.0, *(2 * [mirror[0]])))
    np.testing.assert_allclose(found.guess.joint_rotations, turns, atol=1e-12)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_hands_in_any_direction_are_found(degrees: float) -> None:
    hand = Drawn(at=(0, 0, 0.6), turn=(0, 0, np.deg2rad(degrees)))
    (found,) = Stand([[hand]], static=True).see(0)
    check(found, hand)


def test_the_detectors_direction_and_side_save_looks() -> None:
    hand = Drawn(at=(0, 0, 0.6), turn=(0, 0, np.pi))
    lost, told = (
        Stand([[hand]], static=True, max_hands=1),
        Stand([[hand]], static=True, max_hands=1, boxes=DrawnBoxes({}, sure=True)),
    )
    check(lost.see(0)[0], hand)
    check(told.see(0)[0], hand)
    assert told.reader.windows == [1, 2]
    assert sum(lost.reader.windows) > 6


@pytest.mark.parametrize("degrees", [80, 180, -100])
def test_a_wrong_direction_of_the_detector_is_mended(degrees: float) -> None:
    hand = Drawn(at=(0, 0, 0.6), turn=(0, 0, 0.4))
    boxes = DrawnBoxes({}, sure=True, turned=degrees)
    stand = Stand([[hand]], static=True, max_hands=1, boxes=boxes)
    check(stand.see(0)[0], hand)
    assert stand.reader.windows == [1, 3, 2]


@pytest.mark.parametrize(
    ("score", "presence", "believed"),
    [(0.9, 1.0, True), (0.5, 3.0, True), (0.15, 6.0, True), (0.15, 2.0, False), (0.3, 0.5, False)],
)
def test_detector_and_key_points_vouch_for_a_new_hand_together(
    score: float, presence: float, believed: bool
) -> None:
    boxes = DrawnBoxes({}, sure=True, score=score)
    found = Stand([[RIGHT]], boxes=boxes, reader=DotReader(presence=presence)).see(0)
    assert bool(found) == believed


@pytest.mark.parametrize(("peak", "believed"), [(0.6, False), (0.85, True)])
def test_so_do_the_heights_of_the_belief_maps(peak: float, believed: bool) -> None:
    boxes, reader = DrawnBoxes({}, sure=True, score=0.5), DotReader(presence=2.5, peak=peak)
    assert bool(Stand([[RIGHT]], boxes=boxes, reader=reader).see(0)) == believed


def test_a_sure_box_outweighs_low_presence_only_where_the_hand_need_not_be_followed() -> None:
    sure = DrawnBoxes({}, sure=True, score=0.97)
    doubtful = DotReader(presence=-2.0)
    assert Stand([[RIGHT]], boxes=sure, reader=doubtful, static=True).see(0)
    assert not Stand([[RIGHT]], boxes=sure, reader=doubtful).see(0)
    weak = DrawnBoxes({}, sure=True, score=0.6)
    assert not Stand([[RIGHT]], boxes=weak, reader=doubtful, static=True).see(0)


@pytest.mark.parametrize("sure", [False, True])
def test_the_second_look_corrects_the_detectors_side(sure: bool) -> None:
    hands = [LEFT, RIGHT]
    boxes = DrawnBoxes({}, confused=True, sure=sure)
    reader = DotReader(blind_sides=False)
    found = Stand([hands], static=True, boxes=boxes, reader=reader).see(0)
    if sure:  # its window was cut for the wrong side and shows no hand of that side
        assert [k.side for k in found] in ([], ["left", "right"])
    else:
        for one, truth in zip(found, hands, strict=True):
            check(one, truth)


def test_two_hands_are_read_and_regressed_together() -> None:
    stand = Stand([[LEFT, RIGHT]] * 6, boxes=DrawnBoxes({}, sure=True))
    for found in stand.run():
        for one, truth in zip(found, [LEFT, RIGHT], strict=True):
            check(one, truth)
    assert stand.reader.windows[-1] == 2
    assert stand.regressor.groups == [2] * 6
    assert stand.boxes.searched == [0]


def test_two_left_hands_are_no_pair() -> None:
    other = replace(LEFT, at=RIGHT.at)
    stand = Stand([[LEFT, other]], static=True)
    assert [k.side for k in stand.see(0)] == ["left", "left"]
    assert stand.regressor.groups == [1, 1]


def test_a_hand_is_followed_without_searching() -> None:
    scenes = moving(Drawn(at=(-0.25, 0.06, 0.6)), 30, (0.016, 0, 0))  # half a metre a second
    stand = Stand(scenes, max_hands=1)
    for found, truth in zip(stand.run(), scenes, strict=True):
        check(found[0], truth[0])
    assert stand.boxes.searched == [0]
    assert stand.reader.windows[-10:] == [1] * 10  # one look a frame: speed is foreseen


def test_searches_come_now_and_then_while_a_hand_may_be_missing() -> None:
    stand = Stand([[RIGHT]] * 40, search_interval=10)
    stand.run()
    assert stand.boxes.searched[:7] == list(range(7))  # a second hand often comes along
    assert stand.boxes.searched[7:] == [16, 26, 36]


def test_a_second_hand_joins_at_the_next_search() -> None:
    stand = Stand([[RIGHT]] * 12 + [[LEFT, RIGHT]] * 10, search_interval=5)
    found = stand.run()
    assert {len(f) for f in found[:12]} == {1}
    assert len(found[17]) == 2
    check(found[-1][0], LEFT)


def test_a_lost_hand_is_found_again_at_once() -> None:
    far = replace(RIGHT, at=(-0.2, -0.02, 0.6))
    stand = Stand([[RIGHT]] * 3 + [[]] * 2 + [[far]] * 2, search_interval=300)
    found = stand.run()
    assert [len(f) for f in found] == [1, 1, 1, 0, 0, 1, 1]
    check(found[-1][0], far)


def test_a_jump_is_seen_as_loss_and_new_hand() -> None:
    far = replace(RIGHT, at=(-0.25, -0.02, 0.6))
    stand = Stand([[RIGHT]] * 3 + [[far]] * 2, max_hands=1)
    found = stand.run()
    assert [len(f) for f in found] == [1, 1, 1, 0, 1]
    check(found[-1][0], far)


def test_a_badly_placed_window_is_cut_again() -> None:
    near = replace(RIGHT, at=(RIGHT.at[0] - 0.06, *RIGHT.at[1:]))
    stand = Stand([[RIGHT]] * 15 + [[near]], max_hands=1)
    found = stand.run()
    check(found[-1][0], near)
    assert stand.reader.windows[-2:] == [1, 1]


def test_the_side_never_flips_on_a_settled_hand() -> None:
    """A reader that is misled for a while loses the hand at worst."""
    stand = Stand([[RIGHT]] * 30, max_hands=1)
    sides = []
    for index in range(30):
        stand.reader.blind_sides = index > 10
        sides += [k.side for k in stand.see(index)]
    assert set(sides) == {"right"}
    assert len(sides) == 30


def test_an_undecided_side_is_asked_for_a_while_only() -> None:
    stand = Stand([[RIGHT]] * 20, max_hands=1, reader=DotReader(blind_sides=True))
    found = stand.run()
    assert stand.reader.windows[3] == 2
    assert stand.reader.windows[-1] == 1
    assert found[-1][0].side_score == pytest.approx(0.5)


def test_a_wrong_side_is_corrected_while_undecided() -> None:
    stand = Stand([[LEFT]] * 12, max_hands=1, reader=DotReader(blind_sides=True))
    stand.boxes.confused = True
    (wrong,) = stand.see(0)
    stand.reader.blind_sides = False
    sides = [k.side for index in range(1, 12) for k in stand.see(index)]
    assert sides[-8:] == ["left"] * 8
    assert sides.count("right") == 0 or wrong.side == "right"


def test_no_second_hand_on_the_same_hand_and_none_in_the_air() -> None:
    x, y = RIGHT.points_px.min(axis=0)
    boxes = DrawnBoxes({}, extra=[(x - 10, y - 10, 150, 150), (20, 20, 120, 120)])
    for static in (False, True):
        stand = Stand([[RIGHT]] * 4, static=static, boxes=boxes)
        assert [len(found) for found in stand.run()] == [1] * 4


def test_a_weak_box_that_showed_no_hand_is_left_alone_for_a_second() -> None:
    def looks(score: float, static: bool = False) -> list[int]:
        boxes = DrawnBoxes({}, extra=[(20, 20, 120, 120)], extra_score=score)
        stand = Stand([[]] * 61, static=static, boxes=boxes)
        frames = []
        for index in range(61):
            before = len(stand.reader.windows)
            stand.see(index)
            frames += [index] * (len(stand.reader.windows) > before)
        assert len(stand.boxes.searched) == 61
        return frames

    assert looks(0.3) == [0, 30, 60]
    assert looks(0.8) == looks(0.3, static=True) == list(range(61))


@pytest.mark.parametrize("ghosts", [[(0, 0, 640, 480)], [(20, 20, 90, 90), (500, 20, 90, 90)]])
def test_strong_ghosts_do_not_hide_a_weak_hand(ghosts: list[tuple[float, ...]]) -> None:
    boxes = DrawnBoxes({}, sure=True, score=0.3, extra=ghosts, extra_score=0.6)  # type: ignore[arg-type]
    stand = Stand([[]] * 3 + [[RIGHT]] * 3, boxes=boxes)
    found = stand.run()
    assert found[:3] == [[], [], []]
    assert [[k.side for k in hands] for hands in found[3:]] == [["right"]] * 3


def test_a_ghost_does_not_hide_a_weak_hand_in_a_single_picture() -> None:
    ghost = [(20, 20, 90, 90)]  # comes with both sides: as many boxes as hands are wanted
    boxes = DrawnBoxes({}, sure=True, score=0.3, extra=ghost, extra_score=0.6)  # type: ignore[arg-type]
    (found,) = Stand([[RIGHT]], static=True, boxes=boxes).see(0)
    check(found, RIGHT)


def test_a_ghost_that_was_refused_gets_no_turned_windows_again() -> None:
    boxes = DrawnBoxes({}, extra=[(20, 20, 120, 120)], extra_score=0.8)
    stand = Stand([[]] * 2, boxes=boxes)
    spent = []
    for index in range(2):
        before = sum(stand.reader.windows)
        stand.see(index)
        spent.append(sum(stand.reader.windows) - before)
    assert 0 < spent[1] <= spent[0] / 2


def test_two_followed_hands_on_one_hand_are_merged() -> None:
    meeting = [[LEFT, replace(LEFT, at=(0.25 - 0.05 * k, 0.06, 0.6))] for k in range(7)]
    stand = Stand([*meeting, [LEFT], [LEFT]])
    found = stand.run()
    assert len(found[0]) == 2
    assert len(found[-1]) == 1


def test_static_images_have_no_memory() -> None:
    stand = Stand([[RIGHT], [], [LEFT], [LEFT, RIGHT]], static=True)
    assert [[k.side for k in found] for found in stand.run()] == [
        ["right"], [], ["left"], ["left", "right"],
    ]  # fmt: skip
    assert stand.boxes.searched == [0, 1, 2, 3]


def test_reset_forgets_the_hands() -> None:
    stand = Stand([[RIGHT]] * 6, max_hands=1)
    for index in range(3):
        stand.see(index)
    stand.stage.reset()
    stand.see(3)
    assert stand.boxes.searched == [0, 3]


def test_no_more_than_max_hands() -> None:
    third = Drawn("right", at=(0.0, -0.1, 0.6))
    assert len(Stand([[LEFT, RIGHT, third]], static=True).see(0)) == 2


def test_boxes_of_another_detector_are_read_too() -> None:
    stand = Stand([[RIGHT]], static=True)
    seen = frame([RIGHT])
    low, high = RIGHT.points_px.min(axis=0), RIGHT.points_px.max(axis=0)
    box = np.concatenate([low - 20, high - low + 40])
    found = stand.stage.estimate(seen, [Detection("left", 0.6, box)])
    check(stand.stage.regress(seen, found)[0], RIGHT)


def test_foreign_key_points_are_refused() -> None:
    stand = Stand([[RIGHT]])
    (found,) = stand.see(0)
    with pytest.raises(TypeError, match="its own"):
        stand.stage.regress(frame([RIGHT]), [replace(found)])


def test_confidence_falls_outside_the_image() -> None:
    hand = Drawn(at=(0.36, 0.06, 0.6))
    (found,) = Stand([[hand]], static=True).see(0)
    outside = found.points_px[:, 0] > CAMERA.width - 1
    assert outside.any()
    assert found.confidence[outside].max() < 0.3 * found.confidence[~outside].min()
    assert not outside.all()


def test_an_unfit_image_is_refused() -> None:
    seen = replace(frame([]), image=np.zeros((480, 640), np.uint8))
    with pytest.raises(ValueError, match="the learned front end needs"):
        Stand([[]]).stage.detect(seen, ())


def test_the_whole_chain_runs_on_it() -> None:
    scenes = [[LEFT, RIGHT]] * 5
    stage = Stand(scenes).stage
    chain = HandReconstructor(Config(), front_end=FrontEnd(stage, stage, stage))
    frames = [chain.process(frame(hands, index)) for index, hands in enumerate(scenes)]
    assert sorted(hand.side for hand in frames[-1].hands) == ["left", "right"]
    assert "regressor" in frames[-1].timings_ms
    for hand in frames[-1].hands:
        truth = LEFT if hand.side == "left" else RIGHT
        off = np.linalg.norm(CAMERA.project(hand.joints_m) - truth.points_px, axis=1)
        assert off.mean() < 8
