"""Plain data that travels along the chain. Metres, radians, seconds, pixels.

Camera frame: REP-103 optical (x right, y down, z forward). Joint order: ``skeleton.JOINT_NAMES``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.skeleton import Side

Array = NDArray[np.float64]
TrackState = Literal["tracked", "predicted"]
ScaleSource = Literal["hand_length", "adult_prior"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of one camera.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        stamp: acquisition time, seconds.
        camera: intrinsics that belong to this very image size.
        index: running number within its source.
        source: file or topic that it came from.
    """

    image: NDArray[np.uint8]
    stamp: float
    camera: Camera
    index: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Detection:
    """A hand's box: (x, y, width, height) in px, its physical side, score 0..1.

    ``hint`` is private to a detector and key point estimator that are made for each other
    (MediaPipe finds boxes and key points in one graph).
    """

    side: Side
    score: float
    box_px: Array
    hint: object | None = None


@dataclass(frozen=True, slots=True)
class PoseGuess:
    """MANO's pose and shape of one hand, read off the image: where a fit may start.

    Attributes:
        wrist_rotation: (3, 3) camera from wrist.
        joint_rotations: (15, 3, 3) each joint in its parent's frame, MANO order.
        betas: (10,) shape.
    """

    wrist_rotation: Array
    joint_rotations: Array
    betas: Array


@dataclass(frozen=True, slots=True)
class Keypoints:
    """21 key points of one hand.

    Attributes:
        side: physical side, as far as this frame alone tells.
        side_score: 0.5 (a guess) .. 1 (certain).
        score: how sure it is that there is a hand at all, 0..1.
        points_px: (21, 2) pixels in the raw image.
        confidence: (21,) 0..1.
        relative_m: (21, 3) optional 3D prior: metres, wrist at the origin, camera axes.
        box_px: (4,) x, y, width, height of the hand.
        guess: optional pose and shape, of the hand model of ``side``.
        other_wrist_m: (3,) optional, from this wrist to that of the other hand of a pair, metres,
            camera axes.
    """

    side: Side
    score: float
    points_px: Array
    confidence: Array
    box_px: Array
    side_score: float = 1.0
    relative_m: Array | None = None
    guess: PoseGuess | None = None
    other_wrist_m: Array | None = None


@dataclass(frozen=True, slots=True)
class ManoParameters:
    """Parameters of a MANO-compatible hand in the camera's optical frame.

    The convention is ``smplx.MANO(use_pca=False, flat_hand_mean=True)`` of the given side:
    vertices = R(global_orient) (v - J0) + J0 + transl, so the wrist lies at J0(betas) + transl.

    Attributes:
        side: which hand; the left model is the mirror of the right one.
        global_orient: (3,) axis-angle, rad.
        hand_pose: (45,) axis-angle of 15 joints in MANO order, rad; zero is the flat hand.
        betas: (10,) shape.
        transl: (3,) m.
        model: name of the hand model that they belong to.
    """

    side: Side
    global_orient: Array
    hand_pose: Array
    betas: Array
    transl: Array
    model: str = "embedded"

    def replace(self, **changes: object) -> ManoParameters:
        """Return a copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Hand:
    """One reconstructed hand of one frame (what every output format is made from).

    Attributes:
        joints_m: (21, 3) in the camera's optical frame; smoothed (Savitzky-Golay) where the
            configuration says so, otherwise the forward kinematics of ``mano``.
        joints_px: (21, 2) key points of the front end, or projected ``joints_m`` when predicted.
        wrist_rotation: (3, 3) orientation of the wrist, camera from hand.
        joint_velocities: (21, 3) m/s.
        wrist_velocity: (6,) linear m/s and angular rad/s, camera axes.
        wrist_covariance: (6, 6) of position and rotation (about the camera's axes).
    """

    side: Side
    track_id: int
    state: TrackState
    score: float
    box_px: Array
    joints_px: Array
    joint_confidence: Array
    joints_m: Array
    mano: ManoParameters
    wrist_rotation: Array
    joint_velocities: Array
    wrist_velocity: Array
    wrist_covariance: Array
    scale_source: ScaleSource = "adult_prior"


@dataclass(frozen=True, slots=True)
class HandFrame:
    """What the chain says of one frame. ``hands`` is empty when no hand is there."""

    index: int
    source: str
    stamp: float
    camera: Camera
    hands: tuple[Hand, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
