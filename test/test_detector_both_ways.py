"""Search of an image and its mirror image (``detection.both_ways``)."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.assembly import learned_hands, random_networks
from hand_recon_ros.detection.both_ways import averaged, found_both_ways, mirrored_hand
from hand_recon_ros.detection.ssd_rpn import FoundHand, SsdRpnDetector
from hand_recon_ros.types import Frame

WIDTH, HEIGHT = 200, 120
BAR = 0.1


def hand(score: float = 0.8, side: str = "right", side_score: float = 0.7, x: float = 30.0,
         direction: tuple[float, float] = (0.6, -0.8)) -> FoundHand:  # fmt: skip
    box = np.array([x, 20.0, 40.0, 50.0])
    return FoundHand(side, score, side_score, box, np.array(direction))  # type: ignore[arg-type]


def scene(*columns: int) -> NDArray[np.uint8]:
    """An image with bright columns, where ``lopsided`` sees hands."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, list(columns)] = 255
    return image


def lopsided(image: NDArray[np.uint8]) -> list[FoundHand]:
    """Takes what is on the left for a surer hand than what is on the right, and misplaces it."""
    columns = np.flatnonzero(image[0, :, 0])
    return [hand(0.9 - 0.004 * x, "left", 0.8, x - 17.0, (0.0, -1.0)) for x in columns]


def check_same(one: FoundHand, other: FoundHand) -> None:
    assert one.side == other.side
    for name in ("score", "side_score", "box_px", "direction"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-9)


def test_a_mirror_twice_changes_nothing() -> None:
    once = mirrored_hand(hand(), WIDTH)
    assert once.side == "left"
    np.testing.assert_allclose(once.box_px, [WIDTH - 1 - 70, 20, 40, 50])
    np.testing.assert_allclose(once.direction, [-0.6, -0.8])
    check_same(mirrored_hand(once, WIDTH), hand())


@pytest.mark.parametrize("columns", [(40,), (20, 150), (99,), ()])
def test_what_is_found_in_the_mirror_image_is_mirrored(columns: tuple[int, ...]) -> None:
    image = scene(*columns)
    here = found_both_ways(lopsided, image, BAR)
    there = found_both_ways(lopsided, np.ascontiguousarray(image[:, ::-1]), BAR)
    back = sorted((mirrored_hand(h, WIDTH) for h in there), key=lambda h: h.box_px[0])
    assert len(here) == len(columns)
    for one, other in zip(sorted(here, key=lambda h: h.box_px[0]), back, strict=True):
        check_same(one, other)


def test_the_best_comes_first_and_the_average_must_reach_the_bar() -> None:
    weak, strong = hand(0.3, x=10.0), hand(0.9, x=120.0)

    def search(image: NDArray[np.uint8]) -> list[FoundHand]:
        """Sees the weak hand only one way round."""
        if image[0, 0, 0]:
            return [mirrored_hand(strong, WIDTH)]
        return [weak, strong]

    image = scene(WIDTH - 1)
    found = found_both_ways(search, image, BAR)
    assert [h.score for h in found] == pytest.approx([0.9, (0.3 + BAR / 2) / 2])
    assert [h.score for h in found_both_ways(search, image, 0.25)] == pytest.approx([0.9])


def test_opinions_are_weighted_by_score() -> None:
    sure = hand(0.9, "right", 0.8, 30.0, (0.0, -1.0))
    unsure = hand(0.3, "left", 0.9, 36.0, (1.0, 0.0))
    (found,) = averaged([sure], [unsure], unseen=0.05)
    assert found.score == pytest.approx(0.6)
    assert found.side == "right"
    assert found.side_score == pytest.approx((0.9 * 0.8 + 0.3 * 0.1) / 1.2)
    assert found.box_px[0] == pytest.approx((0.9 * 30 + 0.3 * 36) / 1.2)
    np.testing.assert_allclose(found.direction, np.array([0.3, -0.9]) / np.hypot(0.3, 0.9))
    (turned,) = averaged([unsure], [sure], unseen=0.05)
    check_same(turned, found)


def test_hands_that_touch_stay_two() -> None:
    one = [hand(0.8, "left", x=30.0), hand(0.7, "right", x=58.0)]
    other = [hand(0.7, "right", x=46.0), hand(0.8, "left", x=42.0)]
    found = averaged(one, other, unseen=0.05)
    assert [h.side for h in found] == ["left", "right"]
    assert [h.box_px[0] for h in found] == pytest.approx([36.0, 52.0])
    assert [h.score for h in found] == pytest.approx([0.8, 0.7])


def test_boxes_of_one_side_belong_together_before_those_that_overlap_more() -> None:
    other = [hand(0.7, "right", x=32.0), hand(0.8, "left", x=38.0)]
    (found,) = averaged([hand(0.8, "left", x=30.0)], other, unseen=0.05)
    assert found.side == "left"
    assert found.box_px[0] == pytest.approx(34.0)
    assert found.score == pytest.approx(0.8)
    assert found.side_score == pytest.approx(0.7)


def test_what_lies_on_one_hand_after_averaging_is_one_hand() -> None:
    found = averaged([hand(0.9, x=30.0)], [hand(0.8, x=32.0), hand(0.7, x=34.0)], unseen=0.05)
    assert [h.score for h in found] == pytest.approx([0.85])


def test_boxes_far_apart_are_two_hands() -> None:
    found = averaged([hand(0.8, x=30.0)], [hand(0.6, x=90.0)], unseen=0.2)
    assert [h.score for h in found] == pytest.approx([0.5, 0.4])


def test_opposite_directions_leave_the_first() -> None:
    (found,) = averaged([hand(direction=(0.0, 1.0))], [hand(direction=(0.0, -1.0))], unseen=0.0)
    np.testing.assert_allclose(found.direction, [0.0, 1.0])


@pytest.mark.parametrize(("static", "searches"), [(True, 2), (False, 1)])
def test_single_pictures_are_searched_both_ways(
    static: bool, searches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images: list[NDArray[np.uint8]] = []

    def find(self: SsdRpnDetector, image: NDArray[np.uint8]) -> list[FoundHand]:
        images.append(image)
        return []

    monkeypatch.setattr(SsdRpnDetector, "find", find)
    hands = learned_hands(random_networks(), DetectorConfig(), static=static)
    image = scene(30)
    seen = Frame(image, 0.0, Camera.from_fov(WIDTH, HEIGHT))
    assert hands.estimate(seen, hands.detect(seen, ())) == []
    assert len(images) == searches
    np.testing.assert_array_equal(images[0], image)
    np.testing.assert_array_equal(images[-1], image[:, ::-1] if static else image)
