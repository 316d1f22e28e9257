"""The project's own test input: a rendered clip of two hands, with the truth behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.mano.priors import LOWER_LIMITS, UPPER_LIMITS, Anatomy, rotations_of
from hand_recon_ros.rendering.raster import Patch
from hand_recon_ros.rendering.skin import SkinnedHand
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.types import Array, ManoParameters

_HFOV_DEG = 60.0
_DISTANCE_M = 0.52
_FINGERS_UP = {
    "right": np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=np.float64),
    "left": np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], dtype=np.float64),
}
"""Camera from hand: fingers up, palm to the camera."""


@dataclass(frozen=True, slots=True)
class TrueHand:
    """What was rendered.

    Attributes:
        joints_m: (21, 3) camera's optical frame.
    """

    side: Side
    mano: ManoParameters
    joints_m: Array


def render_clip(
    n_frames: int = 300, width: int = 640, height: int = 480, fps: float = 30.0, seed: int = 0
) -> Iterator[tuple[NDArray[np.uint8], Camera, list[TrueHand]]]:
    """Render two hands at arm's length that sway, turn, open and close.

    Args:
        n_frames: length of the clip.
        width, height: image size, px.
        fps: frames a second; the motion depends on time only.
        seed: draws background, skin, hand size and motion.

    Yields:
        RGB image (height, width, 3) uint8, its camera, and the true hands, left first.
    """
    rng = np.random.default_rng(seed)
    camera = Camera(width, height, Camera.from_fov(width, height, _HFOV_DEG).K)
    background = _background(width, height, rng)
    tone = np.array([0.62, 0.36, 0.25]) * rng.uniform(0.75, 1.1)
    sleeve = rng.uniform(0.03, 0.25, 3)
    actors = [_Actor(side, tone, sleeve, rng) for side in SIDES]
    noise = rng.normal(0, 1.2, (height + 64, width + 64, 1)).astype(np.float32)
    for index in range(n_frames):
        image = background.copy()
        hands = [actor.pose(index / fps, camera) for actor in actors]
        for actor, (hand, vertices) in sorted(
            zip(actors, hands, strict=True), key=lambda pair: -pair[1][0].joints_m[0, 2]
        ):
            patch = actor.render(vertices, hand, camera)
            if patch is not None:
                patch.blend(image)
        dx, dy = rng.integers(0, 64, 2)
        grain = noise[dy : dy + height, dx : dx + width]
        yield (image + grain + 0.5).clip(0, 255).astype(np.uint8), camera, [h for h, _ in hands]


class _Actor:
    """One hand: how it looks and how it moves."""

    def __init__(self, side: Side, tone: Array, sleeve: Array, rng: np.random.Generator) -> None:
        model = load_hand_model(side)
        self._side = side
        self._model = HandModel(model)
        self._axes = Anatomy.of(model).axes[0]
        self._skin = SkinnedHand(model, tone, sleeve)
        self._betas = np.clip(rng.normal(0, 0.7, 10), -1.5, 1.5)
        self._phase = rng.uniform(0, 2 * np.pi, 10)
        self._pace = rng.uniform(0.8, 1.2, 10)
        at_zero = self._parameters(np.zeros((15, 3)), np.eye(3), np.zeros(3))
        self._wrist = self._model.forward_parameters(at_zero)[1][0]

    def pose(self, t: float, camera: Camera) -> tuple[TrueHand, Array]:
        """The hand at a time: truth and mesh."""
        outwards = 1.0 if self._side == "left" else -1.0
        tilt = np.deg2rad([10, 22, 14]) * [self._wave(t, k, 5.0) for k in range(3)]
        tilt[2] += outwards * np.deg2rad(8)  # forearms converge on a body below the image
        # At this distance the hand's middle, half a hand above the wrist, is in the centre.
        half_view = _DISTANCE_M * camera.width / (2 * camera.fx)
        wrist = np.array([outwards * 0.43 * half_view, 0.08, _DISTANCE_M])
        wrist += np.array([0.02, 0.02, 0.04]) * [self._wave(t, k, 4.0) for k in (3, 4, 5)]
        parameters = self._parameters(
            self._finger_angles(t), exp_so3(tilt) @ _FINGERS_UP[self._side], wrist - self._wrist
        )
        vertices, joints = self._model.forward_parameters(parameters)
        return TrueHand(self._side, parameters, joints), vertices

    def render(self, vertices: Array, hand: TrueHand, camera: Camera) -> Patch | None:
        """The picture of the posed hand."""
        to_elbow = exp_so3(hand.mano.global_orient)[:, 0] * (1 if self._side == "right" else -1)
        # Larger pictures need less smoothing, and the time is bounded.
        supersample = float(np.clip(960 / camera.width, 1.2, 1.5))
        return self._skin.render(vertices, to_elbow, camera, supersample)

    def _wave(self, t: float, k: int, period_s: float) -> float:
        return float(np.sin(2 * np.pi * t * self._pace[k] / period_s + self._phase[k]))

    def _finger_angles(self, t: float) -> Array:
        """(15, 3) twist, spread and bend in MANO's joint order."""
        angles = np.zeros((5, 3, 3))
        spread = np.deg2rad([7, 0, -11, -5, 0])  # index, middle, little, ring, thumb
        for finger, late in enumerate((0.0, 0.25, 0.75, 0.5, 0.4)):
            cycle = 2 * np.pi * t * self._pace[6] / 4.0 + self._phase[6] - late
            closed = 0.5 - 0.5 * np.cos(cycle)
            if finger < 4:
                angles[finger, :, 2] = closed * np.deg2rad([62, 80, 50])
                angles[finger, 0, 1] = (1 - closed) * spread[finger]
            else:
                angles[finger, :, 2] = closed * np.deg2rad([12, 30, 40])
        flat = angles.reshape(15, 3)
        return np.clip(flat, LOWER_LIMITS, UPPER_LIMITS)

    def _parameters(self, angles: Array, orient: Array, transl: Array) -> ManoParameters:
        return ManoParameters(
            side=self._side,
            global_orient=log_so3(orient),
            hand_pose=log_so3(rotations_of(self._axes, angles)).reshape(45),
            betas=self._betas,
            transl=transl,
        )


def _background(width: int, height: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A wall out of focus: soft blobs of muted colour, darker towards the corners."""
    coarse = rng.uniform(0, 1, (5, 7, 1)) + rng.normal(0, 0.12, (5, 7, 3))
    wall = rng.uniform(90, 150, 3) + 34 * (coarse - 0.5)
    soft = cv2.resize(wall.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shade = 1.0 - 0.22 * (x**2 + y**2)[..., None]
    return np.asarray(np.clip(soft * shade, 0, 255), dtype=np.uint8)
