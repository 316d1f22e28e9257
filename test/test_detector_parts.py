"""Search for small hands in parts of an image (``detection.parts``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.assembly import learned_hands, random_networks
from hand_recon_ros.detection.parts import found_in_parts, parts_of
from hand_recon_ros.detection.ssd_rpn import FoundHand, SsdRpnDetector
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, Frame

WIDTH, HEIGHT = 640, 480
SEEN = 0.06
"""Share of an image's longer side from which on ``Spotter`` sees a spot."""
SMALL = 24
"""Side (px) of a spot that is seen in parts only."""


def scene(*spots: tuple[int, int], side: int = SMALL) -> NDArray[np.uint8]:
    """An image with bright squares; ``spots`` are their upper left corners."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for number, (x, y) in enumerate(spots):
        image[y : y + side, x : x + side] = 255 - number
    return image


def upright(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image.transpose(1, 0, 2))


class Spotter:
    """A search that sees spots, or what is left of them, if they are large enough."""

    def __init__(self, score: float = 0.9, unsteady: float = 0.0) -> None:
        self.score, self.unsteady = score, unsteady
        self.rng = np.random.default_rng(0)
        self.sizes: list[tuple[int, int]] = []

    def __call__(self, image: NDArray[np.uint8]) -> list[FoundHand]:
        self.sizes.append((image.shape[1], image.shape[0]))
        hands = []
        for value in np.unique(image[..., 0][image[..., 0] > 0]):
            ys, xs = np.nonzero(image[..., 0] == value)
            low, high = np.array((xs.min(), ys.min())), np.array((xs.max(), ys.max())) + 1
            if (high - low).max() >= SEEN * max(image.shape[:2]):
                off = self.rng.uniform(-self.unsteady, self.unsteady, 2)
                hands.append(hand_in(np.array((*(low + off), *(high - low))), self.score))
        return hands

    def more(self, image: NDArray[np.uint8], max_hands: int = 2) -> list[FoundHand]:
        return in_parts(self, image, self(image), max_hands)


def in_parts(search: Spotter, image: NDArray[np.uint8], found: Sequence[FoundHand],
             max_hands: int = 2, sure: float = 0.5) -> list[FoundHand]:  # fmt: skip
    return found_in_parts(search, image, found, max_hands=max_hands, sure=sure)


def hand_in(box: Array, score: float = 0.9, side: Side = "right") -> FoundHand:
    return FoundHand(side, score, 0.9, box.astype(float), np.array((0.0, -1.0)))


def boxes(hands: Sequence[FoundHand]) -> list[list[float]]:
    return sorted(hand.box_px.tolist() for hand in hands)


@given(st.integers(2, 900), st.integers(2, 900))
def test_parts_are_half_the_image_and_leave_nothing_out(width: int, height: int) -> None:
    covered = np.zeros((height, width), int)
    for part in parts_of(width, height):
        assert (part.width, part.height) == (width // 2, height // 2)
        assert part.of(covered).shape == (part.height, part.width)
        part.of(covered)[:] += 1
    # an odd side is one px longer than two halves
    assert (covered > 0).mean() >= (1 - width % 2 / width) * (1 - height % 2 / height) - 1e-9


def test_neighbours_share_half() -> None:
    parts = parts_of(400, 300)
    assert sorted({part.x for part in parts}) == [0, 100, 200]
    assert sorted({part.y for part in parts}) == [0, 75, 150]
    assert len(parts) == 9
    np.testing.assert_allclose(parts[4].middle, (200, 150))


def test_parts_are_as_large_as_asked_where_the_image_is() -> None:
    assert {(part.width, part.height) for part in parts_of(600, 240, 200)} == {(300, 200)}
    assert parts_of(150, 120, 200) == []


@given(st.integers(0, WIDTH - SMALL), st.integers(0, HEIGHT - SMALL))
def test_a_small_hand_is_found_once_wherever_it_is(x: int, y: int) -> None:
    spotter, image = Spotter(), scene((x, y))
    assert spotter(image) == []
    assert boxes(spotter.more(image)) == [[x, y, SMALL, SMALL]]


def test_two_small_hands_are_found_in_one_part() -> None:
    spots = [(100, 100), (130, 110)]
    assert boxes(Spotter().more(scene(*spots))) == [[*spot, SMALL, SMALL] for spot in spots]


def test_the_best_comes_first() -> None:
    doubtful = hand_in(np.array((10, 10, 20, 20)), 0.4)
    hands = in_parts(Spotter(), scene((300, 300)), [doubtful])
    assert [hand.score for hand in hands] == [0.9, 0.4]
    assert hands[1] is doubtful


@pytest.mark.parametrize("score", [0.29, 0.31])
def test_doubtful_boxes_of_parts_are_left_out(score: float) -> None:
    assert len(Spotter(score).more(scene((300, 300)))) == (score > 0.3)


@pytest.mark.parametrize(("side", "found"), [(120, 1), (136, 0)])
def test_what_is_large_in_a_part_would_have_been_found_without(side: int, found: int) -> None:
    assert len(in_parts(Spotter(), scene((300, 300), side=side), [])) == found


def test_the_surer_finding_of_one_hand_stays() -> None:
    image, at = scene((300, 300), (80, 80)), np.array((298, 296, SMALL, SMALL))
    doubtful, sure = hand_in(at, 0.15), hand_in(at, 0.95)
    for known, stays in ((doubtful, [300, 300]), (sure, [298, 296])):
        hands = in_parts(Spotter(), image, [known])
        assert boxes(hands) == [[80, 80, SMALL, SMALL], [*stays, SMALL, SMALL]]


def test_a_left_hand_on_a_right_one_stays() -> None:
    clasped = hand_in(np.array((300, 312, SMALL, SMALL)), 0.4, "left")  # a third of both
    assert len(in_parts(Spotter(), scene((300, 300)), [clasped])) == 2


@pytest.mark.parametrize("x", range(226, 248, 2))
def test_a_hand_between_two_parts_is_found_once(x: int) -> None:
    """Its box is not the same to a pixel in both."""
    for _ in range(10):
        assert len(Spotter(unsteady=2.0).more(scene((x, 200)))) == 1


def test_what_a_part_cuts_is_taken_from_another() -> None:
    assert boxes(Spotter().more(scene((250, 100), side=120))) == [[250, 100, 120, 120]]


@pytest.mark.parametrize(
    ("image", "max_hands", "searched"),
    [
        (scene(), 2, True),
        (scene((300, 200), side=40), 2, True),
        (scene((300, 200), side=40), 1, False),
        (scene((300, 200), (80, 80), side=40), 2, False),
        (scene((300, 200), side=150), 2, True),
        (scene((300, 200), side=170), 2, False),
        (upright(scene((200, 300), side=150)), 2, True),
        (upright(scene((200, 300), side=170)), 2, False),
        (scene()[:, :490], 2, True),
        (scene()[:360, :470], 2, False),
    ],
    ids=[
        "nothing",
        "one",
        "one of one",
        "two",
        "one",
        "a large one",
        "one upright",
        "a large one upright",
        "a small image",
        "a smaller image",
    ],
)
def test_parts_are_searched_where_small_hands_may_be_missing(
    image: NDArray[np.uint8], max_hands: int, searched: bool
) -> None:
    spotter = Spotter()
    spotter.more(image, max_hands)
    assert spotter.sizes[1:] == 9 * searched * [(image.shape[1] // 2, image.shape[0] // 2)]


@pytest.mark.parametrize(("score", "sure", "searched"), [
    (0.45, 0.5, True), (0.55, 0.5, False), (0.45, 0.4, False), (0.55, 0.6, True),
])  # fmt: skip
def test_doubtful_hands_do_not_end_the_search(score: float, sure: float, searched: bool) -> None:
    spotter = Spotter(score)
    for image in (scene((300, 200), (80, 80), side=40), scene((300, 200), side=170)):
        spotter.sizes.clear()
        in_parts(spotter, image, spotter(image), sure=sure)
        assert len(spotter.sizes) == 1 + 9 * searched


def test_long_things_are_as_large_as_they_are_long() -> None:
    image = scene()
    image[200:224, 200:340] = 255
    assert in_parts(Spotter(), image, []) == []
    long = [hand_in(np.array((200, 200, 170, 20)))]
    assert in_parts(Spotter(), scene((80, 80)), long) == long


@pytest.mark.parametrize(("static", "searches"), [(True, 20), (False, 1)])
def test_single_pictures_are_searched_in_parts(
    static: bool, searches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture and nine parts, and the mirror images of all."""
    spotter = Spotter()
    monkeypatch.setattr(SsdRpnDetector, "find", lambda self, image: spotter(image))
    hands = learned_hands(random_networks(), DetectorConfig(), static=static)
    frame = Frame(scene((560, 420)), 0.0, Camera.from_fov(WIDTH, HEIGHT))
    found = hands.detect(frame, ())
    assert len(spotter.sizes) == searches
    assert len(found) == static
    for detection in found:
        np.testing.assert_allclose(detection.box_px, (560, 420, SMALL, SMALL), atol=0.5)
        assert isinstance(detection.hint, FoundHand)


@pytest.mark.parametrize(("max_hands", "searches"), [(1, 2), (2, 20), (3, 20)])
def test_the_chain_knows_how_many_hands_are_wanted(
    max_hands: int, searches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spotter = Spotter()
    monkeypatch.setattr(SsdRpnDetector, "find", lambda self, image: spotter(image))
    config = DetectorConfig(max_hands=max_hands)
    hands = learned_hands(random_networks(), config, static=True)
    hands.detect(Frame(scene((300, 200), side=40), 0.0, Camera.from_fov(WIDTH, HEIGHT)), ())
    assert len(spotter.sizes) == searches
