"""Scenes for the tests of the OpenGL renderer."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rendering.clip import TrueHand, render_clip
from hand_recon_ros.rendering.gl.context import RendererUnavailableError, create_context
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Hand, HandFrame


def need_opengl() -> None:
    """Skip the module where there is no OpenGL."""
    try:
        create_context().release()
    except RendererUnavailableError as error:
        pytest.skip(str(error), allow_module_level=True)


@functools.cache
def models() -> dict[Side, HandModelData]:
    return {side: load_hand_model(side) for side in SIDES}


@functools.cache
def posers() -> dict[Side, HandModel]:
    return {side: HandModel(model) for side, model in models().items()}


def as_hand(true: TrueHand, camera: Camera, track_id: int, **changes: object) -> Hand:
    points = camera.project(true.joints_m)
    low, high = points.min(axis=0), points.max(axis=0)
    fields: dict[str, object] = {
        "side": true.side,
        "track_id": track_id,
        "state": "tracked",
        "score": 1.0,
        "box_px": np.concatenate([low, high - low]),
        "joints_px": points,
        "joint_confidence": np.ones(21),
        "joints_m": true.joints_m,
        "mano": true.mano,
        "wrist_rotation": np.eye(3),
        "joint_velocities": np.zeros((21, 3)),
        "wrist_velocity": np.zeros(6),
        "wrist_covariance": np.zeros((6, 6)),
    }
    return Hand(**(fields | changes))  # type: ignore[arg-type]


Shot = tuple[np.ndarray, HandFrame, dict[int, np.ndarray]]


@functools.cache
def shots(count: int, width: int, height: int, fps: float = 15.0, seed: int = 1) -> list[Shot]:
    """Images of a rendered clip, their hands and meshes by track id."""
    result = []
    for k, (image, camera, truth) in enumerate(render_clip(count, width, height, fps, seed)):
        hands = tuple(as_hand(true, camera, i) for i, true in enumerate(truth))
        meshes = {
            i: posers()[true.side].forward_parameters(true.mano)[0] for i, true in enumerate(truth)
        }
        result.append((image, HandFrame(k, "", k / fps, camera, hands), meshes))
    return result
