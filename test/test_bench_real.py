"""The bench on real pictures with stand-ins for the chains: what it makes of what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_hands import DotReader, Drawn, DrawnBoxes, RigidRegressor, frame

from hand_recon_ros.bench.entrants import LEARNED, MEDIAPIPE, Entrants
from hand_recon_ros.bench.real import Judged, _judge, agreement, bench_real, digit_rows, photo_rows
from hand_recon_ros.bench.real_clip import errors_mm
from hand_recon_ros.bench.real_pictures import Picture, digit_picture, digit_pictures, photographs
from hand_recon_ros.bench.real_windows import WindowErrors
from hand_recon_ros.bench.worst import WorstCases
from hand_recon_ros.camera import Camera
from hand_recon_ros.detection.learned import LearnedParts
from hand_recon_ros.keypoints.windows import WindowReading
from hand_recon_ros.skeleton import Side
from hand_recon_ros.training.fingers import extended_fingers
from hand_recon_ros.training.real_exam import KnownHand, SeenHand, judge
from hand_recon_ros.types import Frame

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
POINTS = np.random.default_rng(0).uniform(100, 200, (21, 2))
JOINTS = np.concatenate([POINTS, np.full((21, 1), 500.0)], axis=1) / 1000
FRAME = Frame(np.full((240, 320, 3), 90, np.uint8), 0.0, Camera.from_fov(320, 240))


def hand(dx: float = 0.0, side: Side = "right") -> SeenHand:
    return SeenHand(side, np.add(POINTS, (dx, 0.0)), JOINTS)


class Chain:
    """Says the same hands of every picture."""

    def __init__(self, *hands: SeenHand) -> None:
        self.hands = list(hands)
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def chains(monkeypatch: pytest.MonkeyPatch) -> dict[str, Chain]:
    said = {LEARNED: Chain(hand(1, "left"), hand(900)), MEDIAPIPE: Chain(hand())}
    monkeypatch.setattr(Entrants, "chains", lambda self, static: said)
    monkeypatch.setattr("hand_recon_ros.bench.real.seen_by", lambda chain, frame: chain.hands)
    return said


def by_what(rows: list) -> dict[str, object]:
    return {row.what: row for row in rows}


def test_digits_take_their_points_from_the_peer(chains: dict[str, Chain], tmp_path: Path) -> None:
    pictures = [Picture(str(k), FRAME, (KnownHand(digit=k),), held_out=k > 7) for k in range(10)]
    worst = WorstCases(each=4)
    judged, windows = _judge(pictures, "digit", Entrants("cpu"), worst)
    assert all(chain.closed for chain in chains.values())
    assert windows.rows("x") == []
    learned, peer = judged.told[LEARNED], judged.told[MEDIAPIPE]
    assert [j.ghosts for j in learned] == [1] * 10
    assert [j.verdicts[0].right_side for j in learned] == [False] * 10
    assert np.isfinite([j.verdicts[0].error for j in learned]).all()
    assert all(np.isnan(j.verdicts[0].error) for j in peer), "not measured against itself"
    rows = by_what(digit_rows("digits", judged))
    assert rows["digits, learned: hand found, of 10"].value == 100
    assert rows["digits, learned: side as MediaPipe's"].value == 0
    assert rows["digits, learned: ghosts over pictures"].value == 100
    assert rows["digits, MediaPipe: ghosts over pictures"].value == 0
    assert "digits, learned: hand found, of 2" in by_what(
        digit_rows("digits", judged.only_held_out())
    )
    assert worst.write(tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (240, 6 * 240, 3)
    assert [sheet[:, k * 240 : (k + 1) * 240].any() for k in range(6)] == [True] * 4 + [False] * 2


def test_agreement_counts_only_where_the_peer_is_right() -> None:
    count = int(extended_fingers(JOINTS).sum())
    right, wrong = (KnownHand(points_px=POINTS, digit=d) for d in (count, (count + 1) % 6))
    peers = [judge("peer", [hand()], [known]) for known in (right, right, wrong)]
    told = [judge("a", [hand()], [right]), judge("b", [], [right]), judge("c", [], [wrong])]
    assert agreement(told, peers) == [True, False]


def test_rows_leave_out_what_nothing_tells() -> None:
    judged = Judged([True], {LEARNED: [judge("", [], [KnownHand("left", POINTS)], others=True)]})
    assert [row.value for row in photo_rows(judged)] == [0.0]
    assert digit_rows("digits", Judged([], {LEARNED: []})) == []


class RightHandsOnly(DotReader):
    """Takes every hand for a right one, as a network that was taught only those."""

    def _read(self, window: np.ndarray) -> WindowReading:
        told = super()._read(window)
        mirrored = told.points_px * (-1, 1) + (window.shape[1] - 1, 0)
        return replace(told, points_px=mirrored) if told.presence < 0 else told


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("reader", "knows_hands"), [(RightHandsOnly(), True), (DotReader(), False)]
)
def test_mirror_images_are_worse_only_if_hands_are_known(
    side: Side, reader: DotReader, knows_hands: bool
) -> None:
    drawn = Drawn(side, at=(0.05, 0.06, 0.6), turn=(0.1, 0.2, 0.5))
    errors = WindowErrors()
    parts = LearnedParts(DrawnBoxes({}), reader, RigidRegressor())
    errors.add(parts, frame([drawn]), KnownHand(side, drawn.points_px))
    told, refined, mirrored, factor, sides = errors.rows("drawn")
    assert told.value < 3
    assert refined.value == pytest.approx(told.value)
    assert (mirrored.value > 50) == knows_hands
    assert factor.met == knows_hands
    assert sides.value == 1


def test_3d_errors_know_place_scale_and_turn() -> None:
    truth = np.random.default_rng(1).normal((0, 0, 0.5), 0.05, (21, 3))
    turned = (truth - truth[0]) @ np.diag([-1.0, -1.0, 1.0]) + truth[0]
    larger = 1.3 * (truth - truth[0]) + truth[0] + (0.03, 0, 0.04)
    root, aligned, wrist = errors_mm([(truth, truth), (larger, truth), (turned, truth)])
    assert root[:2] == pytest.approx(0, abs=1e-6)
    assert root[2] > 20
    assert aligned == pytest.approx(0, abs=1e-6)
    assert wrist == pytest.approx([0, 50, 0], abs=1e-6)


def test_missing_data_and_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hand_recon_ros.bench.real.clip_rows", lambda *_: [])
    rows = bench_real(tmp_path, str(tmp_path), peer="none", sheet=tmp_path / "sheet.png")
    assert [row.measured.split(":")[0] for row in rows] == ["does not take part", *["skipped"] * 3]
    assert "detector.safetensors" in rows[0].measured
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.skipif(not (DATA / "digits").is_dir(), reason="needs ../shared/data/digits")
def test_digits_are_padded_and_labelled_by_their_folder() -> None:
    files = digit_pictures(DATA / "digits", 40)
    assert len(files) == 40
    assert len({file.parent.name for file, _ in files}) == 10
    assert 0 < sum(out for _, out in files) < 20
    picture = digit_picture(*files[0])
    assert picture.frame.image.shape == (480, 480, 3)
    assert picture.known[0].digit == int(files[0][0].parent.name)
    assert sum(out for _, out in digit_pictures(DATA / "digits")) == 200


@pytest.mark.skipif(not (DATA / "photos").is_dir(), reason="needs ../shared/data/photos")
def test_photographs_are_whole_and_nobody_trained_on_them() -> None:
    pictures = list(photographs(DATA / "photos", 12))
    assert len(pictures) == 12
    for picture in pictures:
        height, width = picture.frame.image.shape[:2]
        assert (picture.frame.camera.width, picture.frame.camera.height) == (width, height)
        assert picture.known[0].side in ("left", "right")
        for label in picture.known:
            inside = (label.points_px > -20) & (label.points_px < (width + 20, height + 20))
            assert inside.all()
