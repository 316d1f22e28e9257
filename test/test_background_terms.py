"""Whose backgrounds are trained with (``training.background_terms``)."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand_recon_ros.synthesis.backgrounds import Backgrounds
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.background_terms import (
    TERMS_FILE,
    USED_FILE,
    background_terms,
    remember,
)
from hand_recon_ros.training.provenance import provenance

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
        (("my_room_1",), None, "terms.json' is missing: it must be"),
        (("my_room_1",), "{", "cannot be read"),
        (("my_room_1",), ["my_room"], "it must be"),
        (("my_room_1",), {"my_room": ""}, "it must be"),
        (("my_room_1",), {"my_room": 3}, "it must be"),
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


def test_what_was_used_once_is_told_for_good(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert remember(runs, {}) == {}
    assert not runs.exists()
    assert remember(runs, ROOM) == ROOM
    assert remember(runs, {"lab": "Lab, MIT"}) == ROOM | {"lab": "Lab, MIT"}
    assert remember(runs, {}) == ROOM | {"lab": "Lab, MIT"}
    assert remember(runs, {"lab": "Lab, CC0"})["lab"] == "Lab, CC0"
    assert json.loads((runs / USED_FILE).read_text()) == ROOM | {"lab": "Lab, CC0"}
    (runs / USED_FILE).write_text("?")
    with pytest.raises(ValueError, match=USED_FILE):
        remember(runs, ROOM)


def test_model_cards_list_them() -> None:
    data = provenance(["digits"], backgrounds=ROOM)["data"]
    assert data["backgrounds: my_room"] == "me, CC0"
    assert not any(name.startswith("backgrounds:") for name in provenance(["digits"])["data"])


def test_they_are_drawn(tmp_path: Path) -> None:
    config = SynthesisConfig(
        data_dir=tmp_path / "nothing", more_backgrounds=(pictures(tmp_path / "a"),)
    )
    source = Backgrounds(0, config.backgrounds_dirs)
    rng = np.random.default_rng(0)
    drawn = [source.draw(64, rng) for _ in range(60)]
    photos = [ground.image for ground in drawn if ground.kind == "photo"]
    assert len(photos) > 20
    for image in photos:
        red, green, blue = image.reshape(-1, 3).mean(axis=0)
        assert red > 5 * green > 5 * blue
