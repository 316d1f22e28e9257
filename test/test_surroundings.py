"""Small hands of people who are shown whole are found in parts of a picture and cut out."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from dotted_hands import GROUND, near_sighted, picture

from hand_recon_ros import cli
from hand_recon_ros.camera import Camera
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.training import self_labels
from hand_recon_ros.training.agreement import found_hands
from hand_recon_ros.training.surroundings import cut_round_hands
from hand_recon_ros.types import Frame, Keypoints

APART = ((100, 120), (800, 600))
BESIDE = ((100, 120), (190, 120))


def people(
    places: tuple[tuple[int, int], ...] = APART, size: float = 0.5, large: float = 1.0
) -> np.ndarray:
    """Hands of some 62 px in a picture of 1020 x 900 px; all of it enlarged by ``large``."""
    image = np.full((900, 1020, 3), GROUND, np.uint8)
    small = cv2.resize(picture(), None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
    small = small[int(60 * size) : int(230 * size), int(80 * size) : int(260 * size)]
    for x, y in places:
        image[y : y + small.shape[0], x : x + small.shape[1]] = small
    return cv2.resize(image, None, fx=large, fy=large, interpolation=cv2.INTER_CUBIC)


def seen(front_end: FrontEnd, image: np.ndarray) -> list[Keypoints]:
    height, width = image.shape[:2]
    return front_end.estimator.estimate(Frame(image, 0.0, Camera.from_fov(width, height)), [])


def test_hands_that_are_too_small_in_the_whole_picture_are_cut_out() -> None:
    assert found_hands(near_sighted(), people()) == []
    cuts = cut_round_hands(near_sighted(), people())
    assert len(cuts) == 2, "each once, though parts overlap"
    for cut in cuts:
        (hand,) = seen(near_sighted(), cut)
        assert max(cut.shape) >= 320, "enlarged"
        box = np.ptp(hand.points_px, axis=0).max()
        assert 0.15 < box / max(cut.shape) < 0.25
        middle = (hand.points_px.min(axis=0) + hand.points_px.max(axis=0)) / 2
        assert np.abs(middle - np.array(cut.shape[1::-1]) / 2).max() < 0.6 * box


def test_hands_side_by_side_share_a_cut_out() -> None:
    (cut,) = cut_round_hands(near_sighted(), people(BESIDE))
    assert len(seen(near_sighted(), cut)) == 2


def test_a_hand_that_only_the_whole_picture_shows_is_cut_out_too() -> None:
    """Larger than the parts."""
    image = cv2.resize(picture(at=(120, 240), length=170), None, fx=4, fy=4)
    (cut,) = cut_round_hands(near_sighted(), image)
    assert cut.shape == image.shape


def test_hands_of_less_than_20_px_are_left() -> None:
    for length, count in ((13, 0), (20, 1)):
        image = picture(at=(60, 80), length=length)[:150, :150]
        assert len(found_hands(near_sighted(), image)) == 1
        assert len(cut_round_hands(near_sighted(), image)) == count


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (90, 120), (201, 201)])
def test_pictures_of_any_shape_are_searched(shape: tuple[int, int]) -> None:
    assert cut_round_hands(near_sighted(), np.full((*shape, 3), GROUND, np.uint8)) == []


def test_the_cut_outs_are_labelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []

    def build(config: DetectorConfig, static: bool) -> FrontEnd:
        asked.append(config.max_hands)
        return near_sighted()

    monkeypatch.setattr(self_labels, "build_front_end", build)
    (tmp_path / "in").mkdir()
    # Digits that are like a digest, and cut-outs that are larger than copies may be.
    cv2.imwrite(str(tmp_path / "in" / "555_abcdef0123.png"), people(large=3.0)[..., ::-1])
    out = tmp_path / "out"
    for count, pictures in ((2, 1), (0, 0)):
        command = ["label", str(tmp_path / "in"), "-o", str(out), "--source", "people", "--terms",
                   "drawn here", "--people"]  # fmt: skip
        assert cli.main(command) == 0
        assert f"{count} hands labelled in {pictures} pictures" in capfd.readouterr().out
    assert min(asked) > 2, "somebody may stand among others"
    lines = [json.loads(line) for line in (out / "labels.jsonl").read_text().splitlines()]
    assert [line["file"][-6:] for line in lines] == ["_0.jpg", "_1.jpg"]
    for line in lines:
        shown = cv2.imread(str(out / line["file"]))[..., ::-1]
        assert max(shown.shape) == 640
        (hand,) = seen(near_sighted(), shown)
        np.testing.assert_allclose(hand.points_px, line["joints_px"], atol=2.0)


def test_a_digest_of_digits_is_no_number_of_a_cut_out() -> None:
    def known(name: str) -> str:
        return self_labels._NUMBERED.sub(r"\1", name)

    assert known("s/5551234_abcdef0123_0123456789.jpg") == "s/5551234_abcdef0123_0123456789"
    assert known("s/a_abcdef0123_12.jpg") == known("s/a_abcdef0123.jpg") == "s/a_abcdef0123"
