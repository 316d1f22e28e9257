"""The generic WebXR hand in MANO's layout, where the user has installed it."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.priors import BEND, LOWER_LIMITS, UPPER_LIMITS
from hand_recon_ros.synthesis.gestures import gesture
from hand_recon_ros.synthesis.hands import HandSource
from hand_recon_ros.synthesis.second_mesh import SecondMeshError, second_model
from hand_recon_ros.synthesis.settings import SynthesisConfig

PLACES = [Path(os.environ.get("WEBXR_ASSETS", "/nonexistent")), SynthesisConfig().second_mesh]


def glb(folder: Path, content: dict[str, object]) -> Path:
    path = folder / "dist" / "profiles" / "generic-hand" / "right.glb"
    path.parent.mkdir(parents=True)
    text = json.dumps(content).encode()
    head = struct.pack("<4sII", b"glTF", 2, 0) + struct.pack("<II", len(text), 0)
    path.write_bytes(head + text + struct.pack("<II", 0, 0))
    return path


def test_a_missing_package_is_no_error(tmp_path: Path) -> None:
    assert second_model(tmp_path) is None


def test_another_file_is_named(tmp_path: Path) -> None:
    path = glb(tmp_path, {"meshes": []})
    with pytest.raises(SecondMeshError, match=r"right\.glb: not the hand it should be"):
        second_model(tmp_path)
    path.write_bytes(b"short")
    with pytest.raises(SecondMeshError, match="install"):
        second_model(tmp_path)


@pytest.fixture(scope="module")
def model() -> HandModelData:
    for place in PLACES:
        found = second_model(place)
        if found is not None:
            return found
    pytest.skip("@webxr-input-profiles/assets is not installed (WEBXR_ASSETS names its folder)")


def test_it_is_a_right_hand_in_manos_layout(model: HandModelData) -> None:
    joints = model.j_regressor @ model.v_template
    assert len(model.v_template) > 1000
    assert np.allclose(model.j_regressor.sum(axis=1), 1)
    assert np.allclose(model.weights.sum(axis=1), 1)
    assert joints[0, 0] > joints[1, 0] > joints[2, 0] > joints[3, 0]  # fingers along -x
    assert joints[15, 2] > joints[2, 2] > joints[8, 2]  # thumb side +z, little finger -z
    a, b, c = (model.v_template[model.faces[:, k]] for k in range(3))
    volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6
    assert 2e-4 < volume < 6e-4  # m^3, outwards


def test_its_hands_pose_like_the_first(model: HandModelData) -> None:
    source = HandSource(model)
    flat = source.posed("flat", gesture("flat"), np.zeros(10)).joints
    fist = source.posed("fist", gesture("fist"), np.zeros(10)).joints
    for tip in (8, 12, 16, 20):
        assert np.linalg.norm(fist[tip]) < 0.75 * np.linalg.norm(flat[tip])
    bent = np.zeros((15, 3))
    bent[[0, 3, 6, 9], BEND] = 0.6
    straight = source.posed("flat", np.zeros((15, 3)), np.zeros(10)).joints
    towards_palm = source.posed("flat", bent, np.zeros(10)).joints - straight
    assert (towards_palm[[8, 12, 16, 20], 1] < -0.02).all()
    hand = source.draw(np.random.default_rng(0), ("thumbs_up",))
    assert hand.kind == "thumbs_up"
    assert ((hand.angles >= LOWER_LIMITS) & (hand.angles <= UPPER_LIMITS)).all()
