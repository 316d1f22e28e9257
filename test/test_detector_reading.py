"""From a frame to the detector's input, and from its proposals to hands in the frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hand_recon_ros.detection import ssd_rpn
from hand_recon_ros.detection.ssd_rpn import SsdRpnDetector, box_round, find_hands, letterbox


@pytest.mark.parametrize(
    ("frame", "wanted"),
    [
        ((1280, 720), (320, 192)),
        ((640, 480), (320, 256)),
        ((480, 640), (256, 320)),
        ((100, 100), (320, 320)),
        ((1920, 200), (320, 64)),
    ],
)
def test_input_has_a_long_side_of_320_and_multiples_of_32(
    frame: tuple[int, int], wanted: tuple[int, int]
) -> None:
    seen = letterbox(np.zeros((frame[1], frame[0], 3), np.uint8))
    assert seen.image.shape == (1, 3, wanted[1], wanted[0])
    assert ssd_rpn.input_size(*frame) == wanted
    assert seen.image.dtype == np.float32


def test_letterbox_keeps_places_and_pads_with_grey() -> None:
    image = np.zeros((720, 1280, 3), np.uint8)
    cv2.circle(image, (900, 400), 24, (255, 128, 0), -1)
    seen = letterbox(image)
    assert (seen.image[0, :, 180:] == 0.5).all()
    assert (seen.image[0, 1, :180] != 0.5).any()
    red = seen.image[0, 0, :180]
    y, x = np.mgrid[:180, :320]
    centre = np.array([(red * x).sum(), (red * y).sum()]) / red.sum()
    assert np.allclose(seen.to_raw(centre), (900, 400), atol=0.3)
    inside = seen.image[0, :, round(centre[1]), round(centre[0])]
    assert np.allclose(inside, (1, 128 / 255, 0), atol=1e-6)  # RGB stays RGB


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="RGB image, got"):
        letterbox(image)


def proposals(rows: list[tuple[float, float, list[float], float, list[float]]]) -> list[np.ndarray]:
    """Outputs of a network: (left, right, SSD box, objectness, RPN box) of each prior."""
    left, right, ssd, objectness, boxes = zip(*rows, strict=True)
    angle = np.arange(len(rows)) * 0.3
    directions = np.stack([np.sin(angle), -np.cos(angle)], axis=-1)
    arrays = (np.stack([left, right], axis=-1), ssd, objectness, boxes, directions)
    return [np.asarray(array, np.float32)[None] for array in arrays]


def test_the_best_proposal_on_an_ssd_box_replaces_it() -> None:
    outputs = proposals(
        [
            (0.1, 0.8, [10, 10, 110, 110], 0.3, [12, 10, 112, 110]),
            (0.1, 0.2, [0, 0, 90, 90], 0.9, [20, 15, 118, 108]),  # refined best, from elsewhere
            (0.0, 0.1, [200, 0, 290, 90], 0.99, [200, 0, 290, 90]),  # not on it
        ]
    )
    (hand,) = find_hands(outputs)
    assert hand.side == "right"
    assert hand.score == pytest.approx(0.9, abs=1e-6)
    assert hand.side_score == pytest.approx(8 / 9, abs=1e-6)
    assert hand.box_px.tolist() == [20, 15, 98, 93]
    assert np.allclose(hand.direction, (np.sin(0.3), -np.cos(0.3)))


def test_without_a_proposal_on_it_the_ssd_box_stays() -> None:
    outputs = proposals([(0.7, 0.1, [10, 10, 60, 60], 0.9, [200, 10, 260, 60])])
    (hand,) = find_hands(outputs)
    assert hand.side == "left"
    assert hand.box_px.tolist() == [10, 10, 50, 50]


def test_boxes_that_are_refined_onto_one_hand_are_one() -> None:
    outputs = proposals(
        [
            (0.1, 0.8, [0, 0, 100, 100], 0.2, [0, 0, 100, 100]),
            (0.7, 0.1, [40, 0, 140, 100], 0.2, [40, 0, 140, 100]),  # IoU 0.43: both survive
            (0.0, 0.0, [20, 0, 120, 100], 0.9, [20, 0, 120, 100]),  # fits both
        ]
    )
    (hand,) = find_hands(outputs)
    assert hand.side == "right"


def test_a_doubtful_side_is_still_one_hand() -> None:
    outputs = proposals(
        [
            (0.45, 0.4, [0, 0, 100, 100], 0.5, [0, 0, 100, 100]),
            (0.4, 0.45, [2, 0, 101, 100], 0.4, [2, 0, 101, 100]),
        ]
    )
    (hand,) = find_hands(outputs)
    assert hand.score == pytest.approx(0.85)
    assert find_hands(outputs, min_score=0.9) == []


def test_hands_come_out_in_px_of_the_frame() -> None:
    shapes = []

    def run(x: np.ndarray) -> tuple[np.ndarray, ...]:
        shapes.append(x.shape)
        return tuple(proposals([(0.9, 0.0, [9.5, 19.5, 59.5, 99.5], 0.9, [9.5, 19.5, 59.5, 99.5])]))

    (hand,) = SsdRpnDetector(run).find(np.zeros((480, 640, 3), np.uint8))
    assert shapes == [(1, 3, 256, 320)]
    assert np.allclose(hand.box_px, (19.5, 39.5, 100, 160))  # edges at 20 and 40 px from the border
    assert np.allclose(hand.direction, (0, -1))


def test_boxes_round_key_points_have_a_margin() -> None:
    points = np.random.default_rng(0).uniform(0, 1, (3, 21, 2)) * (40, 100)
    points[:, 0], points[:, 1] = (0, 0), (40, 100)
    assert np.allclose(box_round(points), np.tile([-15, -15, 70, 130], (3, 1)))
