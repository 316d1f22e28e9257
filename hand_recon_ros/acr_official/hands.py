"""Hands that the network tells of, as key points that the project's own fit lifts to the camera.

The network sees by a weak perspective, of which no distance follows. So its hand, posed by the
hand model, gives the relative 3D and the guess where the fit starts. It is put where the user's
camera sees it nearest to where the weak perspective does; how it looks from there gives the key
points: a weak perspective of a hand at arm's length is off by tens of pixels at the finger tips.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from hand_recon_ros.acr_official.picture import Padding
from hand_recon_ros.acr_official.readout import HandReading
from hand_recon_ros.camera import Camera
from hand_recon_ros.detection.common import hand_box
from hand_recon_ros.keypoints.confidence import joint_confidence
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.kinematics import TO_SKELETON, HandSkeleton, pose_joints
from hand_recon_ros.mano.measure import MIN_KEYPOINTS, seen_rays
from hand_recon_ros.mano.start import placed_on_rays
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import NUM_JOINTS
from hand_recon_ros.types import Array, Keypoints, PoseGuess

ORIGIN_JOINT: Final = 9
"""The middle finger's knuckle: where the network's camera has its origin."""
_EVENLY: Final = np.ones(NUM_JOINTS)


class HandLift:
    """Poses one side's hand model as the network says.

    Args:
        model: of that side; its mean pose is the network's zero.
    """

    def __init__(self, model: HandModelData) -> None:
        """Read the constants off the model."""
        self._skeleton = HandSkeleton.of(model)
        self._mean = np.concatenate([np.zeros(3), model.hands_mean])

    def guess(self, hand: HandReading) -> PoseGuess:
        """Its pose, from the flat hand on, and shape."""
        rotations = exp_so3((hand.poses + self._mean).reshape(16, 3))
        return PoseGuess(rotations[0], rotations[1:], hand.betas)

    def joints(self, guess: PoseGuess) -> Array:
        """(21, 3) metres about the wrist, camera axes."""
        posed = pose_joints(
            self._skeleton,
            np.zeros((1, 3)),
            guess.wrist_rotation[None],
            guess.joint_rotations[None],
            guess.betas[None],
        )
        return posed.points[0, TO_SKELETON]

    def keypoints(self, hand: HandReading, padding: Padding, camera: Camera) -> Keypoints | None:
        """The hand in an image.

        Args:
            hand: as the network tells of it.
            padding: of the image.
            camera: that took it.

        Returns:
            None where no hand can be there: seen as in a mirror (the scale is not positive), with
            no joint in the image, or with hardly one within what the lens sees.
        """
        if hand.camera[0] <= 0:
            return None
        guess = self.guess(hand)
        joints = self.joints(guess)
        told = padding.to_image(projected(joints, hand.camera))
        seen, _, rays = seen_rays(camera, told, _EVENLY)
        if np.count_nonzero(seen) < MIN_KEYPOINTS:
            return None
        points = camera.project(joints + placed_on_rays(joints, rays, seen.astype(np.float64)))
        size = camera.width, camera.height
        inside = ((points >= 0) & (points <= np.array(size) - 1)).all(axis=1)
        if not inside.any():
            return None
        score = float(np.clip(hand.score, 0.0, 1.0))
        return Keypoints(
            side=hand.side,
            score=score,
            points_px=points,
            confidence=joint_confidence(points, joints, size, score),
            box_px=hand_box(points, *size),
            relative_m=joints,
            guess=guess,
        )


def projected(joints: Array, camera: Array) -> Array:
    """(..., 21, 2) places -1..1 in the square of joints (..., 21, 3) m, by s, tx, ty (..., 3)."""
    centred = joints - joints[..., ORIGIN_JOINT, None, :]
    return np.asarray(camera[..., None, :1] * centred[..., :2] + camera[..., None, 1:])
