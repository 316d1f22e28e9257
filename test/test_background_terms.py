"""Whose backgrounds are trained with (``training.background_terms``)."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand_recon_ros.synthesis import backgrounds
from hand_recon_ros.synthesis.backgrounds import Backgrounds
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.background_terms import (
    TERMS_FILE,
    background_terms,
)
from hand_recon_ros.training.provenance import provenance, with_earlier

ROOM = {"my_room": "me, CC0"}


def pictures(folder: Path, names: tuple[str, ...] = ("my_room_1",), terms: object = ROOM) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        image = np.full((90, 120, 3), (10, 20, 200), np.uint8)  # BGR
        assert cv2.imwrite(str(folder / f"{name}.jpg"), image)
    if terms is not None:
        text = terms if isinstance(terms, str) else json.dumps(terms)
        (folder / TERMS_FILE).write_text(text)
    return folder


def test_all_folders_are_told_of(tmp_path: Path) -> None:
    other = {"lab": "Lab, MIT", "hall": "Hall, CC BY 4.0"}
    folders = [
        pictures(tmp_path / "a"),
        pictures(tmp_path / "b", ("lab_001", "hall_7"), other),
    ]
    assert background_terms(folders) == ROOM | other
    assert background_terms([]) == {}


@pytest.mark.parametrize(
    ("names", "terms", "complaint"),
    [
        (("my_room_1",), None, "terms.json' is missing: write {"),
        (("my_room_1",), "{", "terms.json' is damaged .*: write {"),
        (("my_room_1",), ["my_room"], "terms.json' tells something else: write {"),
        (("my_room_1",), {"my_room": ""}, "something else"),
        (("my_room_1",), {"my_room": 3}, "something else"),
        (("my_room_1",), ROOM | {"": "x"}, "something else"),
        (("my_room_1", "your_room_1"), ROOM, "your_room_1.jpg'.*no source"),
        (("my_rooms",), ROOM, "my_rooms.jpg'.*no source"),
        ((), ROOM, "holds no backgrounds"),
    ],
)
def test_backgrounds_of_nobody_are_refused(
    tmp_path: Path, names: tuple[str, ...], terms: object, complaint: str
) -> None:
    folder = pictures(tmp_path / "room", names, terms)
    with pytest.raises(ValueError, match=complaint) as caught:
        background_terms([folder])
    assert str(folder) in str(caught.value)


def test_what_is_no_folder_or_file_is_named(tmp_path: Path) -> None:
    for wrong in (tmp_path / "mistyped", pictures(tmp_path / "a") / TERMS_FILE):
        with pytest.raises(ValueError, match="is no folder") as caught:
            background_terms([wrong])
        assert str(wrong) in str(caught.value)
    (pictures(tmp_path / "b", terms=None) / TERMS_FILE).mkdir()
    with pytest.raises(ValueError, match=f"{TERMS_FILE}' cannot be read"):
        background_terms([tmp_path / "b"])


def test_the_longest_name_is_the_source_and_others_were_not_used(tmp_path: Path) -> None:
    told = {"my": "you, MIT", "my_room": "me, CC0", "lab": "Lab, MIT"}
    assert background_terms([pictures(tmp_path / "a", terms=told)]) == ROOM


def test_one_source_has_one_licence(tmp_path: Path) -> None:
    folders = [pictures(tmp_path / "a"), pictures(tmp_path / "b", terms={"my_room": "me, MIT"})]
    with pytest.raises(ValueError, match=r"b/terms.json.*my_room.*CC0"):
        background_terms(folders)
    assert background_terms([folders[0], pictures(tmp_path / "c")]) == ROOM


def test_model_cards_list_them() -> None:
    data = provenance(["digits"], backgrounds=ROOM | {"lab": "Lab, MIT"})["data"]
    assert data["backgrounds: my_room"] == "me, CC0"
    assert data["backgrounds: lab"] == "Lab, MIT"
    assert not any(name.startswith("backgrounds:") for name in provenance(["digits"])["data"])


def test_they_are_drawn(tmp_path: Path) -> None:
    config = SynthesisConfig(data_dir=tmp_path, more_backgrounds=(pictures(tmp_path / "a"),))
    assert config.backgrounds_dirs == (tmp_path / "photos" / "backgrounds", tmp_path / "a")
    source = Backgrounds(0, config.backgrounds_dirs)
    rng = np.random.default_rng(0)
    drawn = [source.draw(64, rng) for _ in range(60)]
    photos = [ground.image for ground in drawn if ground.kind == "photo"]
    assert len(photos) > 20
    for image in photos:
        red, green, blue = image.reshape(-1, 3).mean(axis=0)
        assert red > 5 * green > 5 * blue


def test_large_pictures_are_kept_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pictures(tmp_path / "a")
    cv2.imwrite(str(folder / "my_room_1.jpg"), np.zeros((1600, 2400, 3), np.uint8))
    kept = []
    read = backgrounds._photo
    monkeypatch.setattr(backgrounds, "_photo", lambda path: kept.append(read(path)) or kept[-1])
    Backgrounds(0, [folder]).paint()
    assert [picture.shape for picture in kept] == [(540, 810, 3)]


def test_what_was_learned_from_earlier_is_told_too() -> None:
    rendered, shared = provenance([]), provenance(["digits", "digits_held_out"])
    further = provenance(["digits", "mine"], {"mine": "me, CC0"}, ROOM)
    assert with_earlier(rendered, {}) == rendered
    assert with_earlier(rendered, rendered)["limits"] == rendered["limits"]
    for now, earlier in ((rendered, further), (further, rendered), (shared, further)):
        told = with_earlier(now, earlier)
        assert told["data"].items() >= further["data"].items() - {("held out", "")}
        assert "rendered hands only" not in " ".join(told["limits"])
        assert set(further["limits"]) <= set(told["limits"])
    assert with_earlier(rendered, shared)["data"]["held out"] == "digits_held_out"
    corrected = {"data": {"photographs: mine": "me, MIT"}}
    assert with_earlier(corrected, further)["data"]["photographs: mine"] == "me, MIT"
