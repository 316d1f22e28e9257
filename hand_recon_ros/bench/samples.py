"""Legal random hands with known truth, seen by a camera: for benches and tests of the fit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.mano import collision, priors
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.kinematics import FROM_SKELETON, TO_SKELETON, pose_joints
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.results import FitResult
from hand_recon_ros.mano.states import HandConstants
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, Keypoints, ManoParameters

CAMERA = Camera(1280, 720, np.array([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]]))


@cache
def model(side: Side) -> HandModelData:
    """The embedded model of a side."""
    return load_hand_model(side)


@cache
def constants(side: Side) -> HandConstants:
    """What the fit reads off it."""
    return HandConstants.of(model(side))


@dataclass(frozen=True)
class TrueHand:
    """A hand whose truth is known.

    Attributes:
        side: which hand.
        position: (3,) wrist joint, camera frame, m.
        orientation: (3, 3) camera from wrist.
        pose: (15, 3, 3) joint rotations, MANO order.
        betas: (10,).
        joints: (21, 3) camera frame, m.
    """

    side: Side
    position: Array
    orientation: Array
    pose: Array
    betas: Array
    joints: Array

    def parameters(self, **changes: Array) -> ManoParameters:
        """As MANO parameters, with some of position, orientation, pose and betas changed."""
        values: dict[str, Any] = {
            k: getattr(self, k) for k in ("position", "orientation", "pose", "betas")
        }
        values |= changes
        wrist = constants(self.side).skeleton.rest_wrist(0, values["betas"])
        return ManoParameters(
            self.side,
            log_so3(values["orientation"]),
            log_so3(values["pose"]).reshape(45),
            values["betas"],
            values["position"] - wrist,
        )

    @property
    def length(self) -> float:
        """Flat length from the wrist to the middle finger tip, m."""
        return float(constants(self.side).skeleton.flat_length(self.betas[None])[0][0])

    def keypoints(
        self,
        rng: np.random.Generator,
        noise_px: float = 1.0,
        noise_m: float | None = None,
        camera: Camera = CAMERA,
    ) -> Keypoints:
        """What a front end with this noise sees; ``noise_m`` adds relative 3D."""
        points = camera.project(self.joints) + rng.normal(size=(21, 2)) * noise_px
        relative = None
        if noise_m is not None:
            relative = self.joints + rng.normal(size=(21, 3)) * noise_m
            relative -= relative[0]
        box = np.concatenate((points.min(axis=0), np.ptp(points, axis=0)))
        return Keypoints(self.side, 1.0, points, np.ones(21), box, relative_m=relative)

    def joint_error(self, joints: Array) -> float:
        """Mean root-relative joint error, m."""
        apart = (joints - joints[0]) - (self.joints - self.joints[0])
        return float(np.linalg.norm(apart, axis=1).mean())

    def wrist_error(self, joints: Array) -> float:
        """Wrist error as a share of the distance."""
        return float(np.linalg.norm(joints[0] - self.joints[0]) / np.linalg.norm(self.joints[0]))

    def tangent_error(self, result: FitResult) -> Array:
        """Error in the tangent state of ``results.STATE_SIZE``."""
        p = result.parameters
        wrist = constants(self.side).skeleton.rest_wrist(0, p.betas)
        pose = exp_so3(p.hand_pose.reshape(15, 3))
        return np.concatenate(
            (
                p.transl + wrist - self.position,
                log_so3(result.wrist_rotation @ self.orientation.T),
                log_so3(np.swapaxes(self.pose, -1, -2) @ pose).reshape(45),
            )
        )


def random_hand(
    rng: np.random.Generator,
    side: Side = "right",
    distance: float = 0.5,
    betas: Array | None = None,
) -> TrueHand:
    """A hand within its joint limits, not through itself, in view, DIP near 2/3 PIP."""
    hand = constants(side)
    shape = rng.normal(size=10) if betas is None else betas
    low, high = priors.LOWER_LIMITS, priors.UPPER_LIMITS
    while True:
        angles = low + (high - low) * rng.uniform(0.05, 0.95, size=(15, 3))
        dip, pip, bend = priors.DIP_JOINTS, priors.PIP_JOINTS, priors.BEND
        coupled = priors.COUPLING * angles[pip, bend] + rng.normal(size=4) * np.deg2rad(10)
        angles[dip, bend] = np.clip(coupled, low[dip, bend], high[dip, bend])
        pose = priors.rotations_of(hand.anatomy.axes, angles[None])
        axis = rng.normal(size=3)
        orientation = exp_so3(axis / np.linalg.norm(axis) * rng.uniform(0, np.pi))
        posed = pose_joints(hand.skeleton, np.zeros((1, 3)), orientation[None], pose, shape[None])
        contacts = collision.contacts_within(hand.spheres, collision.sphere_centres(posed))
        if contacts is not None and contacts.depth.max() > 0.002:
            continue
        middle = np.array((rng.uniform(-0.1, 0.1), rng.uniform(-0.05, 0.05), distance))
        position = middle - posed.points[0].mean(axis=0)
        joints = (posed.points[0] + position)[TO_SKELETON]
        pixels = CAMERA.project(joints)
        if (pixels > 0).all() and (pixels < (CAMERA.width, CAMERA.height)).all():
            return TrueHand(side, position, orientation, pose[0], shape, joints)


def turned(rng: np.random.Generator, rotations: Array, degrees: float) -> Array:
    """Rotations (..., 3, 3) each turned by so many degrees about a random axis."""
    axis = rng.normal(size=(*rotations.shape[:-2], 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return rotations @ exp_so3(axis * np.deg2rad(degrees))


def mirrored_in_depth(hand: TrueHand) -> Array:
    """Joint rotations (15, 3, 3) with every bone beyond the knuckle mirrored in depth."""
    joints = hand.joints[FROM_SKELETON]
    rest = constants(hand.side).skeleton.rest_points(hand.betas[None])[0]
    start = np.arange(1, 16).reshape(5, 3)
    end = np.column_stack((start[:, 1:], np.arange(16, 21)))
    pose = np.empty((5, 3, 3, 3))
    for finger in range(5):
        parent = hand.orientation
        for level in range(3):
            j, k = start[finger, level], end[finger, level]
            bone = (joints[k] - joints[j]) * (1, 1, -1)
            source = (rest[k] - rest[j]) / np.linalg.norm(rest[k] - rest[j])
            target = parent.T @ bone / np.linalg.norm(bone)
            axis = np.cross(source, target)
            sine = np.linalg.norm(axis)
            turn = exp_so3(axis / max(sine, 1e-12) * np.arctan2(sine, source @ target))
            pose[finger, level] = turn
            parent = parent @ turn
    return pose.reshape(15, 3, 3)
