"""The learned front end as the configuration loads it, with the weights of a folder."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hand_recon_ros.camera import Camera
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.config_io import config_from_mapping
from hand_recon_ros.detection.assembly import load_networks, random_networks
from hand_recon_ros.detection.mediapipe_graph import FrontEndError
from hand_recon_ros.front_end import FrontEnd, build_front_end
from hand_recon_ros.networks.int8 import activation_ranges
from hand_recon_ros.networks.weights import WeightsError, save_weights
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.types import Detection, Frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights, saved as the trainer saves them."""
    torch.manual_seed(0)
    networks, path = random_networks(), tmp_path_factory.mktemp("weights")
    ranges = activation_ranges(networks.cpm.eval(), [torch.rand(1, 3, 128, 128)])
    save_weights(networks.detector, path / "detector.safetensors", {})
    save_weights(networks.cpm, path / "cpm.safetensors", {"int8_ranges": ranges})
    save_weights(networks.acr, path / "acr.safetensors", {"calibration": {"constant": 0.5}})
    return path


def test_a_folder_of_weights_becomes_a_front_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(
        DetectorConfig(), front_end="learned", weights_dir=str(folder), min_tracking_score=0.0
    )
    stages = build_front_end(config, static=True)
    assert stages.regressor is stages.detector
    image = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    frame = Frame(image, 0.0, Camera.from_fov(160, 120))
    assert stages.detector.detect(frame, ()) == []  # untrained, it is sure of nothing
    box = Detection("right", 0.9, np.array([40.0, 30, 60, 60]))
    found = stages.estimator.estimate(frame, [box])
    for hand in stages.regressor.regress(frame, found):
        assert hand.relative_m is not None
        assert np.isfinite(hand.relative_m).all()
        assert np.isfinite(hand.points_px).all()
    monkeypatch.setattr(stages.detector, "detect", lambda *_: [box])
    monkeypatch.setattr(stages.estimator, "estimate", lambda _, boxes: boxes)
    monkeypatch.setattr(stages.regressor, "regress", lambda _, hands: [*hands, "in 3D"])
    assert stages.see(frame) == [box, "in 3D"]
    assert FrontEnd(stages.detector, stages.estimator).see(frame) == [box]
    stages.close()


def test_the_usual_chain_needs_no_mediapipe(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mediapipe", "mediapipe.python.solution_base"):  # other tests may have loaded it
        monkeypatch.setitem(sys.modules, name, None)
    chain = HandReconstructor()
    frame = Frame(np.zeros((120, 160, 3), np.uint8), 0.0, Camera.from_fov(160, 120))
    assert chain.process(frame).hands == ()
    chain.close()
    with pytest.raises(FrontEndError, match=r"hand-recon-ros\[mediapipe\]"):
        HandReconstructor(config_from_mapping({"detector.front_end": "mediapipe"}))


def test_what_was_measured_comes_with_the_weights(folder: Path) -> None:
    networks = load_networks(str(folder))
    assert networks.calibration.constant == 0.5
    assert set(networks.int8_ranges) == {
        name for name, m in networks.cpm.named_modules() if isinstance(m, torch.nn.Conv2d)
    }
    assert "int8" not in (folder / "cpm.md").read_text()


def test_a_folder_without_weights_says_what_to_do(tmp_path: Path) -> None:
    config = replace(DetectorConfig(), front_end="learned", weights_dir=str(tmp_path))
    with pytest.raises(WeightsError, match="hand_recon train detector"):
        build_front_end(config, static=False)


def test_a_front_end_that_is_gone_leaves_ctrl_c_alone() -> None:
    """OpenVINO sets a handler of its own and would leave it behind without its code."""
    code = """
import gc, os, signal, time
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.assembly import learned_hands, random_networks

signal.signal(signal.SIGINT, signal.default_int_handler)
hands = learned_hands(random_networks(), DetectorConfig())
del hands
gc.collect()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(20)
except KeyboardInterrupt:
    print("interrupted")
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "interrupted\n"), ran.stderr
