"""What the filters of a hand take and give: a pose on its manifold, a filtered state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hand_recon_ros.mano.results import FitResult
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.types import Array, ManoParameters


class StampError(ValueError):
    """A time stamp is not finite or not later than the one before."""


@dataclass(frozen=True, slots=True)
class FilterState:
    """What the filter knows of a hand at ``stamp``.

    Attributes:
        stamp: seconds.
        parameters: filtered MANO parameters. ``global_orient`` is the logarithm nearest to the
            one before, so that it never jumps between two vectors of one rotation while the hand
            turns through half a turn; its length may then exceed pi.
        wrist_position: (3,) m, camera frame.
        wrist_rotation: (3, 3) camera from hand.
        wrist_velocity: (6,) linear m/s and angular rad/s, camera axes.
        joint_velocities: (15, 3) angular rad/s, each in its joint's own frame, MANO order.
        wrist_covariance: (6, 6) of position (m) and rotation (rad, about the camera's axes).
        outlier: True when a part of the measurement was rejected.
    """

    stamp: float
    parameters: ManoParameters
    wrist_position: Array
    wrist_rotation: Array
    wrist_velocity: Array
    joint_velocities: Array
    wrist_covariance: Array
    outlier: bool = False


class PoseFilter(Protocol):
    """A filter of one hand's fits."""

    def update(self, result: FitResult, stamp: float) -> FilterState:
        """Take in the fit of the frame at ``stamp``."""

    def predict(self, stamp: float) -> FilterState:
        """Return where the hand should be at ``stamp``, without changing the filter."""

    def reset(self) -> None:
        """Forget everything."""


@dataclass(frozen=True, slots=True)
class HandPose:
    """A pose of the hand as a point of the manifold to which the tangent state is attached.

    Attributes:
        position: (3,) wrist, m, camera frame.
        rotations: (16, 3, 3) wrist in the camera frame, then 15 joints in their parents' frames.
    """

    position: Array
    rotations: Array

    @classmethod
    def of(cls, result: FitResult) -> HandPose:
        """The pose of a fit."""
        joints = exp_so3(result.parameters.hand_pose.reshape(-1, 3))
        return cls(result.joints_m[0], np.concatenate([result.wrist_rotation[None], joints]))

    def minus(self, other: HandPose) -> Array:
        """Tangent (51,) at ``other`` that leads to this pose."""
        transposed = np.swapaxes(other.rotations, -1, -2)
        relative = transposed @ self.rotations
        relative[0] = self.rotations[0] @ transposed[0]
        return np.concatenate([self.position - other.position, log_so3(relative).ravel()])

    def plus(self, tangent: Array) -> HandPose:
        """The pose that the tangent (51,) leads to."""
        turn = exp_so3(tangent[3:].reshape(-1, 3))
        rotations = self.rotations @ turn
        rotations[0] = turn[0] @ self.rotations[0]
        return HandPose(self.position + tangent[:3], rotations)

    def with_group(self, other: HandPose, axes: np.ndarray) -> HandPose:
        """This pose with the whole parts that tangent ``axes`` belong to taken from ``other``."""
        position = other.position if axes[0] == 0 else self.position
        rotations = self.rotations.copy()
        parts = [axis // 3 - 1 for axis in axes[::3] if axis > 0]
        rotations[parts] = other.rotations[parts]
        return HandPose(position, rotations)


def nearest_axis_angle(vector: Array, previous: Array) -> Array:
    """Of the two shortest axis-angle vectors (3,) of a rotation, the one nearest to ``previous``.

    Args:
        vector: (3,) axis-angle, angle 0..pi.
        previous: (3,) axis-angle of a rotation nearby.
    """
    angle = np.linalg.norm(vector)
    if angle < 1e-9:
        return vector
    other = vector * (1.0 - 2.0 * np.pi / angle)
    nearer = np.linalg.norm(other - previous) < np.linalg.norm(vector - previous)
    return np.asarray(other if nearer else vector)


def check_stamp(stamp: float) -> None:
    """Raise StampError unless the stamp is finite."""
    if not np.isfinite(stamp):
        raise StampError(f"stamp {stamp!r} is not a finite number of seconds")


def check_finite(result: FitResult) -> None:
    """Raise ValueError where a fit holds NaN or infinity."""
    p = result.parameters
    for name, values in (
        ("joints_m", result.joints_m[0]),
        ("wrist_rotation", result.wrist_rotation),
        ("hand_pose", p.hand_pose),
        ("betas", p.betas),
        ("covariance", result.covariance),
    ):
        if not np.isfinite(values).all():
            raise ValueError(f"the fit's {name} is not finite: call predict for this frame instead")
