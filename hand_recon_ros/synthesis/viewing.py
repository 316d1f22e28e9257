"""Where the camera stands, what it is, and which part of its picture is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hand_recon_ros.camera import Camera, DistortionModel
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.synthesis.body import ARM_RINGS
from hand_recon_ros.synthesis.placing import PlacedHand
from hand_recon_ros.types import Array

VIEW_KINDS: Final[dict[str, float]] = {
    "facing": 0.46,
    "egocentric": 0.35,
    "side": 0.11,
    "free": 0.08,
}
_NEAREST_M, _FARTHEST_M = 0.16, 0.9
_LEAST_Z_M = 0.06
_ARM_M, _LEAST_ARM_M = 0.36, 0.13
"""A lens inside a sleeve sees nothing."""
_SENSORS = ((640, 480), (1280, 720), (1920, 1080), (848, 480), (480, 640), (720, 1280))
_WIDE = (1.7, 2.0)
"""Side of a wide picture over the hands' extent: a turned crop round a hand fits in."""
_ATTEMPTS = 40
_END_ON, _END_ON_DROPPED = 0.55, 0.85
"""A palm seen along its length tells little: most such views are drawn again."""


@dataclass(frozen=True)
class Viewpoint:
    """A camera in a scene.

    Attributes:
        kind: one of ``VIEW_KINDS``.
        camera: of the square picture that is kept.
        pose: (4, 4) camera from scene.
        cut: whether the hands were meant to be cut off by the border.
        distance_m: to the hands' middle.
    """

    kind: str
    camera: Camera
    pose: Array
    cut: bool
    distance_m: float


def draw_viewpoint(
    hands: list[PlacedHand],
    size: int,
    cut_share: float,
    rng: np.random.Generator,
    wide: bool = False,
) -> Viewpoint:
    """Look at the hands from somewhere; all their joints lie before the camera.

    Args:
        hands: in the scene.
        size: side of the picture, px.
        cut_share: share of pictures that cut the hands off.
        rng: source of randomness.
        wide: see ``SynthesisConfig.wide``.
    """
    points = np.concatenate([hand.vertices for hand in hands])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    for attempt in range(_ATTEMPTS):
        kind = str(rng.choice(list(VIEW_KINDS), p=list(VIEW_KINDS.values())))
        rotation = _orientation(hands[int(rng.integers(len(hands)))], kind, rng)
        lens = draw_camera(rng)
        if wide:
            lens = Camera(lens.width, lens.height, lens.K)
        away = np.exp(rng.uniform(np.log(_NEAREST_M), np.log(_FARTHEST_M)))
        away += 0.01 * attempt + (0.08 if len(hands) > 1 else 0.0)
        px = np.array([lens.width, lens.height]) * rng.uniform(0.22, 0.78, 2)
        ray = np.append(lens.normalize(px), 1.0)
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = away * ray / np.linalg.norm(ray) - rotation @ middle
        seen = points @ rotation.T + pose[:3, 3]
        if seen[:, 2].min() < _LEAST_Z_M:
            continue
        if any(_arm_distance(hand, pose) < _LEAST_ARM_M for hand in hands):
            continue
        end_on = min(_slant(hand, pose) for hand in hands) < _END_ON
        if end_on and kind != "free" and rng.random() < _END_ON_DROPPED:
            continue
        projected = lens.project(seen[::4])
        cut = not wide and bool(rng.random() < cut_share)
        camera = _window(lens, projected, hands, size, cut, wide, rng)
        if attempt < _ATTEMPTS // 2 and any(_ends_in(hand, camera, pose) for hand in hands):
            continue
        return Viewpoint(kind, camera, pose, cut, float(away))
    raise RuntimeError("no place for the camera was found: a hand is too large")


def _slant(hand: PlacedHand, pose: Array) -> float:
    """Sine of the angle between the palm's length and the line of sight: 0 = seen end-on."""
    ends = hand.joints[[0, 9]] @ pose[:3, :3].T + pose[:3, 3]
    along, sight = ends[1] - ends[0], ends.mean(axis=0)
    return float(
        np.linalg.norm(np.cross(along, sight)) / (np.linalg.norm(along) * np.linalg.norm(sight))
    )


def _ends_in(hand: PlacedHand, camera: Camera, pose: Array) -> bool:
    """Whether the picture shows where the forearm ends: nobody is there to go on from it."""
    end = pose[:3, :3] @ (hand.position + ARM_RINGS[-1][0] * hand.to_elbow) + pose[:3, 3]
    if end[2] < _LEAST_Z_M:
        return False
    px = camera.project(end[None])[0]
    return bool(((px > 0) & (px < camera.width)).all())


def _arm_distance(hand: PlacedHand, pose: Array) -> float:
    """Distance from the camera to the middle line of the forearm, m."""
    arm = hand.position + np.linspace(0, _ARM_M, 13)[:, None] * hand.to_elbow
    return float(np.linalg.norm(arm @ pose[:3, :3].T + pose[:3, 3], axis=1).min())


def draw_camera(rng: np.random.Generator) -> Camera:
    """A camera of the market: size, field of view and distortion."""
    width, height = _SENSORS[int(rng.integers(len(_SENSORS)))]
    diagonal = np.deg2rad(rng.uniform(50, 105))
    f = 0.5 * float(np.hypot(width, height)) / np.tan(diagonal / 2)
    centre = np.array([width, height]) / 2 + rng.normal(0, 0.01, 2) * width
    K = np.array([[f, 0, centre[0]], [0, f, centre[1]], [0, 0, 1]])
    draw = rng.random()
    model: DistortionModel = "plumb_bob"
    D = np.zeros(0)
    if draw < 0.55:
        k1 = rng.normal(-0.03, 0.09)
        D = np.array([k1, rng.normal(-0.3 * k1, 0.03), *rng.normal(0, 0.001, 2), 0.0])
        # Barrel distortion that folds back inside the picture is no lens.
        corner = float(np.tan(diagonal / 2)) ** 2
        if np.min(1 + 3 * D[0] * corner * _HALVES + 5 * D[1] * (corner * _HALVES) ** 2) < 0.25:
            D = np.zeros(0)
    elif draw < 0.6:
        model, D = "equidistant", rng.normal(0, (0.02, 0.01, 0.004, 0.002))
    return Camera(width, height, K, D, model)


_HALVES = np.linspace(0.1, 1.2, 12)


def _orientation(hand: PlacedHand, kind: str, rng: np.random.Generator) -> Array:
    """(3, 3) camera from scene."""
    if kind == "free":
        quaternion = rng.normal(size=4)
        angle = 2 * np.arctan2(np.linalg.norm(quaternion[:3]), quaternion[3])
        return exp_so3(angle * quaternion[:3] / np.linalg.norm(quaternion[:3]))
    outwards = -1.0 if hand.side == "left" else 1.0
    if kind == "egocentric" or (kind == "side" and rng.random() < 0.5):
        elbow = np.array(
            [outwards * rng.normal(0.3, 0.4), rng.uniform(0.5, 1.0), rng.uniform(-0.9, 0.0)]
        )
    else:
        elbow = np.array([rng.normal(0, 0.4), rng.uniform(0.4, 1.0), rng.uniform(-0.15, 0.8)])
    elbow /= np.linalg.norm(elbow)
    aligned = _turn(hand.to_elbow, elbow)
    # Hands mostly show their palm or back; of many rolls, "side" takes the one nearest the edge.
    rolls = rng.uniform(-np.pi, np.pi, 12 if kind == "side" else 2)
    flatness = [abs((exp_so3(r * elbow) @ aligned @ hand.rotation[:, 1])[2]) for r in rolls]
    roll = float(rolls[int(np.argmin(flatness) if kind == "side" else np.argmax(flatness))])
    in_plane = exp_so3([0.0, 0.0, rng.normal(0, 0.3)])
    return np.asarray(in_plane @ exp_so3(roll * elbow) @ aligned)


def _turn(a: Array, b: Array) -> Array:
    """(3, 3) the shortest rotation that takes unit vector a to b."""
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3) if a @ b > 0 else exp_so3(np.pi * np.cross(a, np.roll(a, 1)))
    return exp_so3(axis / sine * np.arctan2(sine, a @ b))


def _window(
    lens: Camera,
    points: Array,
    hands: list[PlacedHand],
    size: int,
    cut: bool,
    wide: bool,
    rng: np.random.Generator,
) -> Camera:
    """The camera of a square window round the hands, scaled to ``size``."""
    if len(hands) > 1 and rng.random() < 0.45:
        half = len(points) // len(hands)
        first = int(rng.integers(len(hands))) * half
        points = points[first : first + half]
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    extent = float((high - low).max())
    if cut:
        side = extent * rng.uniform(0.7, 1.2)
        centre = (low + high) / 2 + rng.choice([-1, 1], 2) * rng.uniform(0.1, 0.4, 2) * extent
    elif wide:
        side = extent * rng.uniform(*_WIDE)
        centre = (low + high) / 2
    else:
        side = extent * rng.uniform(1.3, 2.4)
        room = 0.5 * (side - 1.06 * extent)
        centre = (low + high) / 2 + rng.uniform(-room, room, 2)
    scale = size / side
    K = lens.K.copy()
    K[0, 0] *= scale
    K[1, 1] *= scale
    K[:2, 2] = (K[:2, 2] + 0.5 - (centre - side / 2)) * scale - 0.5
    return Camera(size, size, K, lens.D, lens.model)
