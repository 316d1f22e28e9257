"""The published ACR network in the chain: known hands, real frames, configuration."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from official_acr import empty_maps, random_network, read, telling

from hand_recon_ros import front_end as front_ends
from hand_recon_ros.acr_official.checkpoint import CheckpointError
from hand_recon_ros.acr_official.network import OfficialAcr
from hand_recon_ros.acr_official.picture import squared
from hand_recon_ros.acr_official.readout import Reader, Readings
from hand_recon_ros.bench.samples import CAMERA, TrueHand, model, random_hand
from hand_recon_ros.camera import Camera
from hand_recon_ros.config import Config
from hand_recon_ros.config_io import apply_overrides, config_from_mapping
from hand_recon_ros.detection import official
from hand_recon_ros.detection.official import OfficialAcrHands, ReadPicture
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.io.cameras import load_cameras
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.options import ConfigError
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.stages import Detector, KeypointEstimator
from hand_recon_ros.types import Detection, Frame, HandFrame

VIDEO = Path(__file__).parents[2] / "shared/data/video/right_hand_fingers_720p30.mp4"
WIDE = Camera(640, 480, np.array([[420.0, 0, 300], [0, 420, 250], [0, 0, 1]]))
BENT = replace(CAMERA, D=np.array([-0.25, 0.08, 0.001, -0.001, 0.0]))
MODELS: dict[Side, HandModelData] = {side: model(side) for side in SIDES}
PLACES = {"left": (20, 30), "right": (40, 30)}


def frame(camera: Camera = CAMERA, k: int = 0) -> Frame:
    return Frame(np.zeros((camera.height, camera.width, 3), np.uint8), k / 30, camera, k)


def telling_of(hands: list[TrueHand], camera: Camera) -> Readings:
    """What the maps say when known hands are written into them."""
    maps = dict(zip(SIDES, empty_maps(), strict=True))
    for hand in hands:
        x, y = PLACES[hand.side]
        told = torch.from_numpy(telling(hand, camera).parameters)
        maps[hand.side].parameters[0, :, y, x] = told
        maps[hand.side].centre[0, 0, y, x] = 0.9
    return read(maps["left"], maps["right"])


def chain_around(
    readings: Callable[[], Readings], *, static: bool = True, **options: Any
) -> HandReconstructor:
    stage = OfficialAcrHands(lambda _: readings(), MODELS, **options)
    return HandReconstructor(Config(), static=static, front_end=FrontEnd(stage, stage))


# -- known hands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("camera", [CAMERA, WIDE, BENT], ids=["narrow", "wide", "distorted"])
@pytest.mark.parametrize("side", SIDES)
def test_a_known_hand_is_recovered_under_the_users_camera(side: Side, camera: Camera) -> None:
    """Within millimetres, though the maps hold a weak perspective, of which no distance follows."""
    rng = np.random.default_rng(10)
    for distance in (0.45, 0.8):
        hand = random_hand(rng, side, distance, betas=np.zeros(10))
        told = telling_of([hand], camera)
        (found,) = chain_around(lambda told=told: told).process(frame(camera)).hands
        assert found.side == side
        assert hand.joint_error(found.joints_m) < 0.003
        assert np.linalg.norm(found.joints_m - hand.joints, axis=1).max() < 0.01
        assert np.abs(found.joints_px - camera.project(hand.joints)).max() < 4.0


def test_two_hands_one_and_none_over_time() -> None:
    rng = np.random.default_rng(11)
    both = [random_hand(rng, side, 0.6, betas=np.zeros(10)) for side in SIDES]
    both = [moved(hand, 0.12 if hand.side == "right" else -0.12) for hand in both]
    shown: list[TrueHand] = []
    chain = chain_around(lambda: telling_of(shown, CAMERA), static=False)
    seen: list[HandFrame] = []
    for k, count in enumerate([2] * 4 + [1] * 12 + [0] * 12):
        shown[:] = both[:count]
        seen.append(chain.process(frame(k=k)))
    assert seen[0].hands == ()  # a hand must be seen twice
    for hand in seen[3].hands:
        truth = both[SIDES.index(hand.side)]
        assert np.linalg.norm(hand.joints_m - truth.joints, axis=1).max() < 0.012
    assert {hand.side for hand in seen[3].hands} == set(SIDES)
    assert len({hand.track_id for hand in seen[3].hands}) == 2
    (left,) = seen[15].hands
    assert left.side == "left"
    assert left.track_id in {hand.track_id for hand in seen[3].hands}
    assert seen[-1].hands == ()


def moved(hand: TrueHand, x: float) -> TrueHand:
    away = np.array([x, 0.0, 0.0])
    return replace(hand, position=hand.position + away, joints=hand.joints + away)


def test_the_surest_hand_is_kept_where_one_is_asked_for() -> None:
    rng = np.random.default_rng(12)
    hands = [moved(random_hand(rng, s, 0.6), x) for s, x in zip(SIDES, (-0.1, 0.1), strict=True)]
    readings = telling_of(hands, CAMERA)
    readings.scores[0] = 0.5, 0.8
    stage = OfficialAcrHands(lambda _: readings, MODELS, max_hands=1)
    assert [d.side for d in stage.detect(frame(), ())] == ["right"]
    stage = OfficialAcrHands(lambda _: readings, MODELS)
    assert [d.side for d in stage.detect(frame(), ())] == ["right", "left"]


def test_the_stage_keeps_the_promises_of_its_slots() -> None:
    stage = OfficialAcrHands(lambda _: read(*empty_maps()), MODELS)
    assert isinstance(stage, Detector)
    assert isinstance(stage, KeypointEstimator)
    assert stage.detect(frame(), ()) == []
    with pytest.raises(TypeError, match="its own detections"):
        stage.estimate(frame(), [Detection("left", 1.0, np.zeros(4))])
    with pytest.raises(ValueError, match="ACR network needs"):
        stage.detect(Frame(np.zeros((4, 4), np.uint8), 0.0, CAMERA), ())


# -- real frames, random weights ------------------------------------------------------------------


@pytest.mark.skipif(not VIDEO.exists(), reason=f"{VIDEO} is not here")
def test_random_weights_on_real_frames_neither_crash_nor_invent_hands() -> None:
    network = copy.deepcopy(random_network())
    for side in (4, 5):  # or its cameras have any sign, and then there is nothing to see
        network.contact_layers[side].bias.data[0] += 3.0
    with open_video(str(VIDEO), load_cameras(None)) as source:
        shots = [shot for shot, _ in zip(source, range(3), strict=False)]
    with torch.inference_mode():
        told = [
            Readings(*(t.numpy() for t in Reader(network)(torch.from_numpy(picture)[None])))
            for picture, _ in (squared(shot.image) for shot in shots)
        ]
    anything, sure = (
        chain_around(iter(told).__next__, static=False, threshold=t) for t in (-1e9, 1.0)
    )
    seen = [anything.process(shot).hands for shot in shots]
    assert len(seen[-1]) > 0
    for hand in (hand for hands in seen for hand in hands):
        assert np.isfinite(hand.joints_m).all()
        assert np.isfinite(anything.vertices(hand)).all()
    assert all(sure.process(shot).hands == () for shot in shots)


# -- configuration --------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "wild.pkl"
    torch.save({f"module.{k}": t for k, t in random_network().state_dict().items()}, path)
    return path


def test_the_network_is_chosen_by_regressor_and_checkpoint(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = telling_of([random_hand(np.random.default_rng(13), "left", 0.6)], CAMERA)
    loaded: list[Any] = []

    def reader(network: OfficialAcr, *_: Any) -> ReadPicture:
        loaded.append(network)
        return lambda _: readings

    monkeypatch.setattr(official, "compiled_reader", reader)
    monkeypatch.setattr(front_ends, "build_front_end", None)  # no other front end is built
    config = apply_overrides(
        Config(), ["regressor=acr_official", f"acr_checkpoint={checkpoint}", "device=cpu"]
    )
    found = {}
    for threshold in (0.85, 0.95):
        chain = HandReconstructor(replace(config, acr_centre_threshold=threshold), static=True)
        found[threshold] = [hand.side for hand in chain.process(frame()).hands]
        (warning,) = chain.warnings
        assert "approximate" in warning
        assert "model.right_path" in warning
        chain.close()
    assert found == {0.85: ["left"], 0.95: []}
    assert torch.equal(loaded[0].contact_layers[4].bias, random_network().contact_layers[4].bias)


def test_the_users_models_need_no_warning(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "compiled_reader", lambda *_: None)
    config = Config(regressor="acr_official", acr_checkpoint=str(checkpoint))
    own = {side: replace(data, name=f"MANO_{side}.pkl") for side, data in MODELS.items()}
    assert front_ends.configured_front_end(config, own, static=False).warnings == ()
    half = own | {"left": MODELS["left"]}
    (warning,) = front_ends.configured_front_end(config, half, static=False).warnings
    assert "(left side)" in warning


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="acr_checkpoint"):
        apply_overrides(Config(), ["regressor=acr_official"])
    with pytest.raises(ConfigError, match="auto, acr_official"):
        config_from_mapping({"regressor": "acr"})
    assert Config().acr_centre_threshold == 0.35


def test_a_missing_checkpoint_is_told_at_once(tmp_path: Path) -> None:
    config = Config(regressor="acr_official", acr_checkpoint=str(tmp_path / "wild.pkl"))
    with pytest.raises(CheckpointError, match=r"wild.pkl' is no file"):
        HandReconstructor(config)
