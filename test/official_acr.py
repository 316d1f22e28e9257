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

from hand_recon_ros.acr_official.network import (
    MAP_SIZE,
    PARAMETERS,
    POSE_AND_SHAPE,
    HandMaps,
    OfficialAcr,
)
from hand_recon_ros.acr_official.readout import Readings, read_maps

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
