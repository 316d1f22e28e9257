"""Photographs label themselves where copies agree, and training takes them in."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from dotted_hands import TIP, WRIST, picture, reader

from hand_recon_ros import cli
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.training import self_labels
from hand_recon_ros.training.agreement import agreed_hands
from hand_recon_ros.training.label_sheet import write_label_sheets
from hand_recon_ros.training.material import photographs_file
from hand_recon_ros.training.photographs import SOURCES, Photographs, packed_hands
from hand_recon_ros.training.picture_file import read_notes
from hand_recon_ros.training.provenance import provenance
from hand_recon_ros.types import Frame

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.mark.parametrize("left", [False, True])
def test_copies_that_tell_the_same_agree(left: bool) -> None:
    image = picture(left=left)
    told = agreed_hands(reader(), image, (15.0, -20.0))
    (hand,) = told.hands
    (plain,) = reader().estimator.estimate(Frame(image, 0.0, None), [])  # type: ignore[arg-type]
    assert told.seen == 1
    assert (hand.side == "left") == left
    assert hand.disagreement < 0.01
    np.testing.assert_allclose(hand.points_px, plain.points_px, atol=0.7)
    np.testing.assert_allclose(hand.relative_m, plain.relative_m, atol=1e-3)


def test_a_hand_that_a_mirror_shows_elsewhere_is_no_label() -> None:
    image = picture()  # its box is some 125 px: a mirror doubles the error
    assert len(agreed_hands(reader(off=2.0), image).hands) == 1
    assert len(agreed_hands(reader(off=5.0), image).hands) == 0
    assert agreed_hands(reader(off=5.0), image).seen == 1


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), picture()[..., ::-1])
    cv2.imwrite(str(folder / "more" / "a.png"), picture(left=True)[..., ::-1])
    cv2.imwrite(str(folder / "none.png"), np.full((90, 90, 3), 40, np.uint8))
    (folder / "broken.jpg").write_bytes(b"not a picture")
    return folder


def readers(monkeypatch: pytest.MonkeyPatch, ours_longer: float = 1.0) -> list[FrontEnd]:
    made: list[FrontEnd] = []

    def build(config: DetectorConfig, static: bool) -> FrontEnd:
        assert static
        made.append(reader(longer=ours_longer if config.front_end == "learned" else 1.0))
        return made[-1]

    monkeypatch.setattr(self_labels, "build_front_end", build)
    return made


def label(pictures: Path, output: Path, source: str = "dots") -> int:
    return cli.main(["label", str(pictures), "-o", str(output), "--source", source,
                     "--terms", "drawn here, CC0"])  # fmt: skip


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "labels.jsonl").read_text().splitlines()]


def test_pictures_are_labelled_once(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    made = readers(monkeypatch)
    out = pictures / "labelled"  # its copies are no new pictures
    assert label(pictures, out) == 0
    told = capfd.readouterr()
    assert "2 hands labelled in 4 pictures" in told.out
    assert "broken.jpg: not a readable picture" in told.err + told.out
    assert all(stage.detector.closed for stage in made)  # type: ignore[attr-defined]
    first, second = lines_of(out)
    assert (first["side"], second["side"]) == ("right", "left")
    assert first["file"] != second["file"]  # both were a.png
    assert all((out / line["file"]).is_file() for line in (first, second))
    assert not first["unconfirmed"]
    wrist = np.array(first["joints_px"])[0]
    np.testing.assert_allclose(wrist, (160, 200), atol=1.0)
    assert f"look at them before you train: {out / 'dots_1.jpg'}" in told.out
    assert label(pictures, out) == 0
    assert "0 hands labelled in 2 pictures" in capfd.readouterr().out
    assert len(lines_of(out)) == 2


def test_what_ours_does_not_confirm_counts_half(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, reaches = [], []
    for k, longer in enumerate((1.0, 1.08, 1.4)):
        readers(monkeypatch, ours_longer=longer)
        folder = tmp_path / f"labelled{k}"
        assert label(pictures, folder) == 0
        lines = lines_of(folder)
        assert [line["unconfirmed"] for line in lines] == [longer > 1.2] * 2
        points = np.array(lines[0]["joints_px"])
        reaches.append(float(np.linalg.norm(points[TIP] - points[WRIST])))
        packed = photographs_file(tmp_path / f"out{k}", tmp_path, [folder])
        assert packed is not None
        weights.append(Photographs.load(packed, "cpu").labels["weight"])
    np.testing.assert_allclose(weights[1], weights[0], rtol=0.05)
    np.testing.assert_allclose(weights[2], weights[0] / 2, rtol=0.05)
    # Ours is a quarter of a label that it confirms, and no part of another.
    assert reaches[1] == pytest.approx(1.02 * reaches[0], rel=0.005)
    assert reaches[2] == pytest.approx(reaches[0], rel=0.005)


def test_sheets_show_what_is_labelled_and_what_is_not(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers(monkeypatch)
    out = tmp_path / "labelled"
    assert label(pictures, out) == 0
    labels = out / "labels.jsonl"
    first, second = lines_of(out)
    many = [{**first, "hands_seen_in_file": 2}, second, *[{**second, "source": "others"}] * 2]
    labels.write_text("".join(json.dumps(line) + "\n" for line in many))
    (path,) = write_label_sheets(out, "dots")
    sheet = cv2.imread(str(path))[..., ::-1].astype(int)
    assert sheet.shape == (194, 8 * 180, 3), "a row, for two pictures of this source"
    texts = sheet[182:, :180], sheet[182:, 180:360]
    red = [((t[..., 0] - t[..., 2]) > 60).sum() > 40 for t in texts]
    assert red == [True, False], "the first lacks a label"
    assert sheet[182:, 180:360].max() > 150
    blue = [((s[..., 2] - s[..., 0]) > 90).sum() for s in (sheet[:160, :180], sheet[:160, 180:360])]
    assert blue[1] > 2 * blue[0], "bones of left hands are blue"
    names = {f"dots/{k}.jpg" for k in range(60)}
    image = (out / first["file"]).read_bytes()
    for name in names:
        (out / name).write_bytes(image)
    labels.write_text("".join(json.dumps({**first, "file": name}) + "\n" for name in names))
    assert [path.name for path in write_label_sheets(out, "dots")] == ["dots_1.jpg", "dots_2.jpg"]
    assert write_label_sheets(out, "nobody") == []


def test_training_takes_in_more_photographs(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers(monkeypatch)
    folder, runs = tmp_path / "labelled", tmp_path / "runs"
    assert label(pictures, folder) == 0
    packed = photographs_file(runs, tmp_path, [folder])
    assert packed is not None
    assert read_notes(packed) == {"dots": "drawn here, CC0"}
    photos = Photographs.load(packed, "cpu", only=["dots"])
    assert set(photos.labels["source"]) == {len(SOURCES)}
    assert photos.labels["left"].tolist() == [False, True]
    card = provenance(packed_hands(packed), read_notes(packed))["data"]
    assert card["photographs: dots"] == "drawn here, CC0"
    assert "photographs: video" not in card
    # It is there: it is not packed again, unless a folder brings something else.
    before = packed.stat().st_mtime_ns
    assert photographs_file(runs, tmp_path, [folder]) == packed
    assert packed.stat().st_mtime_ns == before
    # It is, where an earlier version wrote less.
    with np.load(packed) as file:
        fields = {name: file[name] for name in file.files if not name.startswith("other")}
    np.savez_compressed(packed, **fields)
    photographs_file(runs, tmp_path, [folder])
    assert len(Photographs.load(packed, "cpu")) == 2
    other = tmp_path / "other"
    other.mkdir()
    text = (folder / "labels.jsonl").read_text().replace('"source": "dots"', '"source": "more"')
    (other / "labels.jsonl").write_text(text)
    (other / "dots").symlink_to(folder / "dots")
    photographs_file(runs, tmp_path, [folder, other])
    assert set(read_notes(packed)) == {"dots", "more"}
    assert len(Photographs.load(packed, "cpu")) == 4
    cv2.imwrite(str(pictures / "b.png"), picture(at=(170, 180))[..., ::-1])
    assert label(pictures, folder) == 0
    photographs_file(runs, tmp_path, [folder, other])
    assert packed_hands(packed) == {"dots": 3, "more": 2}
    # What only the old file holds is not thrown away.
    (other / "labels.jsonl").write_text(text.splitlines()[0])
    with pytest.raises(ValueError, match=r"not at hand now \(dots\)"):
        photographs_file(runs, tmp_path, [other])
    assert packed_hands(packed) == {"dots": 3, "more": 2}


def test_folders_without_pictures_or_labels_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(tmp_path, tmp_path / "out") == cli.BAD_USE
    assert "no pictures (.jpg" in capsys.readouterr().err
    for name in ("../outside", "digits", "synthetic", ""):
        assert label(tmp_path, tmp_path / "out", name) == cli.BAD_USE
        assert f"source '{name}'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="hand_recon label"):
        photographs_file(tmp_path, tmp_path, [tmp_path])
    for damaged in (b'{"file": "a.jpg", "sou', b'{"file": "a.jpg"}', b'["file"]', b"\xff\xfe"):
        (tmp_path / "labels.jsonl").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"labels.jsonl' is damaged"):
            photographs_file(tmp_path, tmp_path, [tmp_path])


def test_real_photographs_get_the_labels_that_they_have(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    labels = DATA / "photos" / "labels.jsonl"
    if not labels.is_file():
        pytest.skip(f"no photographs at {labels}")
    known = [json.loads(line) for line in labels.read_text().splitlines()][:200:50]
    (tmp_path / "in").mkdir()
    for k, hand in enumerate(known):
        (tmp_path / "in" / f"{k}.jpg").symlink_to(DATA / "photos" / hand["file"])
    assert label(tmp_path / "in", tmp_path / "out") == 0
    told = {line["file"].split("_")[0]: line for line in lines_of(tmp_path / "out")}
    assert len(told) >= 3
    for k, hand in enumerate(known):
        line = told.get(f"dots/{k}")
        if line is None:
            continue
        truth = np.array(hand["joints_px"])
        off = np.linalg.norm(np.array(line["joints_px"]) - truth, axis=1).mean()
        assert line["side"] == hand["side"]
        assert off < 0.05 * np.ptp(truth, axis=0).max()
