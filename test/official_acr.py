"""The published ACR network with the weights of the parity fixture, and tellers in its place."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from hand_recon_ros.acr_official.hands import ORIGIN_JOINT
from hand_recon_ros.acr_official.network import (
    MAP_SIZE,
    PARAMETERS,
    POSE_AND_SHAPE,
    HandMaps,
    OfficialAcr,
)
from hand_recon_ros.acr_official.picture import Padding
from hand_recon_ros.acr_official.readout import HandReading, Readings, read_maps
from hand_recon_ros.bench.samples import TrueHand, model
from hand_recon_ros.camera import Camera
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.types import Array

FIXTURE = Path(__file__).resolve().parents[2] / "shared" / "acr_parity"
needs_fixture = pytest.mark.skipif(
    not (FIXTURE / "keys.json").exists(), reason=f"{FIXTURE} is not here"
)


@functools.cache
def rules() -> ModuleType:
    """The fixture's own rules of weights, image and comparison."""
    spec = importlib.util.spec_from_file_location("verify_fixture", FIXTURE / "verify_fixture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def published_keys() -> list[dict[str, Any]]:
    """Name, shape and type of every published weight."""
    return list(json.loads((FIXTURE / "keys.json").read_text())["keys"])


@functools.cache
def filled_state() -> dict[str, torch.Tensor]:
    """Weights by the fixture's rule."""
    return {
        k["key"]: torch.from_numpy(np.asarray(rules().fill(k["key"], k["shape"], k["dtype"])))
        for k in published_keys()
    }


@functools.cache
def random_network() -> OfficialAcr:
    """The network as it is before training."""
    torch.manual_seed(0)
    return OfficialAcr().eval()


def empty_maps() -> tuple[HandMaps, HandMaps]:
    """Maps of both sides that tell of nothing; change them at will."""
    left, right = (
        HandMaps(
            torch.zeros(1, PARAMETERS, MAP_SIZE, MAP_SIZE),
            torch.zeros(1, 1, MAP_SIZE, MAP_SIZE),
            torch.zeros(1, POSE_AND_SHAPE, MAP_SIZE, MAP_SIZE),
        )
        for _ in range(2)
    )
    return left, right


def read(left: HandMaps, right: HandMaps) -> Readings:
    """The readings as arrays, as a compiled network gives them."""
    return Readings(*(tensor.numpy() for tensor in read_maps(left, right)))


def fitted_camera(hand: TrueHand, camera: Camera) -> Array:
    """(3,) the weak perspective s, tx, ty that comes nearest to what the camera sees."""
    padding = Padding.of(camera.width, camera.height)
    seen = camera.project(hand.joints) + np.array([padding.left, padding.top])
    places = seen / (padding.side / 2) - 1.0
    centred = (hand.joints - hand.joints[ORIGIN_JOINT])[:, :2]
    s = (centred - centred.mean(0)).ravel() @ (places - places.mean(0)).ravel()
    s /= np.square(centred - centred.mean(0)).sum()
    return np.array([s, *(places.mean(0) - s * centred.mean(0))])


def telling(hand: TrueHand, camera: Camera) -> HandReading:
    """The reading of a network that knows the hand, as seen by a camera."""
    added = log_so3(hand.pose).reshape(45) - model(hand.side).hands_mean
    turns = np.concatenate([hand.orientation[None], exp_so3(added.reshape(15, 3))])
    six = turns[..., :2].reshape(96)  # rows of two: the columns interleaved
    parameters = np.concatenate([fitted_camera(hand, camera), six, hand.betas])
    return HandReading(hand.side, 0.9, np.zeros(2), parameters)
