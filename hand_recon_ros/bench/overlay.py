"""Overlay frames a second at 720p, drawing alone, for each style and for one and two hands."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand_recon_ros.bench.rows import Row, at_least
from hand_recon_ros.camera import Camera
from hand_recon_ros.config import RenderConfig
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rendering.clip import TrueHand, render_clip
from hand_recon_ros.rendering.overlay import Overlay
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Array, Hand, HandFrame

WIDTH, HEIGHT, FPS = 1280, 720, 30.0
MIN_RATE = 100.0
DEFAULT = RenderConfig().styles
STYLES = (
    DEFAULT,
    "mesh",
    "textured",
    "wireframe",
    "skeleton",
    "mesh,wireframe",
    "mesh,trails",
    "mesh,side_view",
    "textured,skeleton,trails,side_view",
)


@dataclass(frozen=True)
class Shot:
    """An image, its hands, and their (778, 3) meshes by track id."""

    image: NDArray[np.uint8]
    frame: HandFrame
    meshes: dict[int, Array]


@dataclass(frozen=True)
class Speed:
    """Time of drawing, without waiting for the first pictures.

    Attributes:
        wall_ms: (n,) of each picture.
        cpu_ms: mean of a picture, all threads of the process.
    """

    wall_ms: Array
    cpu_ms: float

    @property
    def rate(self) -> float:
        """Pictures a second, from the median."""
        return 1e3 / float(np.median(self.wall_ms))


def series(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[Shot]:
    """Images of two moving hands at arm's length, some 260 of 720 px high, and the truth."""
    models = _models()
    posers = {side: HandModel(model) for side, model in models.items()}
    result = []
    for k, (image, camera, truth) in enumerate(render_clip(count, width, height, FPS)):
        hands = tuple(_as_hand(true, camera, track) for track, true in enumerate(truth))
        meshes = {
            track: posers[true.side].forward_parameters(true.mano)[0]
            for track, true in enumerate(truth)
        }
        result.append(Shot(image, HandFrame(k, "", k / FPS, camera, hands), meshes))
    return result


def measure(config: RenderConfig, shots: list[Shot], rounds: int) -> Speed:
    """Draw the series once to warm up, then time it ``rounds`` times."""
    overlay = Overlay(_models(), config)
    try:
        wall = []
        for k in range(rounds + 1):
            if k == 1:
                began = _cpu_s()
            for shot in shots:
                start = time.perf_counter()
                overlay.draw(shot.image, shot.frame, shot.meshes)
                if k:
                    wall.append(1e3 * (time.perf_counter() - start))
        spent = _cpu_s() - began
    finally:
        overlay.close()
    return Speed(np.array(wall), 1e3 * spent / len(wall))


def bench_overlay(frames: int = 30, rounds: int = 5) -> list[Row]:
    """Measure every style; the bar is for the one that the node starts with."""
    shots = series(frames)
    rows = []
    cases = [(count, styles) for count in (1, 2) for styles in STYLES]
    for count, styles in tqdm(cases, unit="style", leave=False):
        some = [replace(s, frame=replace(s.frame, hands=s.frame.hands[:count])) for s in shots]
        speed = measure(RenderConfig(styles=styles), some, rounds)
        what = f"overlay, 720p, {('one hand', 'two hands')[count - 1]}, {styles}"
        if styles == DEFAULT:
            rows.append(at_least(what, speed.rate, MIN_RATE, "frames/s"))
            rows.append(Row("the same: processor time", f"{speed.cpu_ms:.1f} ms a frame"))
        else:
            rows.append(Row(what, f"{speed.rate:.4g} frames/s, {speed.cpu_ms:.1f} ms of processor"))
    return rows


def _models() -> dict[Side, HandModelData]:
    return {side: load_hand_model(side) for side in SIDES}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _as_hand(true: TrueHand, camera: Camera, track: int) -> Hand:
    places = camera.project(true.joints_m)
    low, high = places.min(axis=0), places.max(axis=0)
    return Hand(
        side=true.side,
        track_id=track,
        state="tracked",
        score=1.0,
        box_px=np.concatenate([low, high - low]),
        joints_px=places,
        joint_confidence=np.ones(len(places)),
        joints_m=true.joints_m,
        mano=true.mano,
        wrist_rotation=np.eye(3),
        joint_velocities=np.zeros((len(places), 3)),
        wrist_velocity=np.zeros(6),
        wrist_covariance=np.zeros((6, 6)),
    )
