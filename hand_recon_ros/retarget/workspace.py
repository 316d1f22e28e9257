"""A person's wrist in a robot's workspace: change of frame, scale, mirror and tool rotation.

Positions are metres, rotations (3, 3), velocities m/s and rad/s in the axes of the frame that the
pose is told in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Final

import numpy as np

from hand_recon_ros.skeleton import Side, other_side
from hand_recon_ros.types import Array, Hand

_HAND_MIRROR: Final = np.diag((-1.0, 1.0, 1.0))
"""The left hand model is the right one with x turned round (MANO), and so is its wrist frame."""
_ORTHOGONAL: Final = 1e-6


@dataclass(frozen=True)
class Wrist:
    """Pose and velocity of one wrist in some frame.

    Attributes:
        side: which hand's wrist frame ``rotation`` tells.
        position_m: (3,).
        rotation: (3, 3), frame from wrist.
        linear: (3,) velocity of the wrist, m/s, in the frame's axes.
        angular: (3,) its turning, rad/s, in the frame's axes.
    """

    side: Side
    position_m: Array
    rotation: Array
    linear: Array = field(default_factory=lambda: np.zeros(3))
    angular: Array = field(default_factory=lambda: np.zeros(3))

    @classmethod
    def of(cls, hand: Hand) -> Wrist:
        """The wrist of a reconstructed hand, in the camera's optical frame."""
        return cls(
            side=hand.side,
            position_m=hand.joints_m[0],
            rotation=hand.wrist_rotation,
            linear=hand.wrist_velocity[:3],
            angular=hand.wrist_velocity[3:],
        )

    def in_frame(self, rotation: Array, translation_m: Array) -> Wrist:
        """The same wrist told in another frame that does not move against this one.

        Args:
            rotation: (3, 3) of the transform, other frame from this one.
            translation_m: (3,) of the transform: this frame's origin in the other.
        """
        return Wrist(
            side=self.side,
            position_m=rotation @ self.position_m + translation_m,
            rotation=rotation @ self.rotation,
            linear=rotation @ self.linear,
            angular=rotation @ self.angular,
        )

    @property
    def finite(self) -> bool:
        """Whether every number is; nothing else should be sent on."""
        parts = (self.position_m, self.rotation, self.linear, self.angular)
        return all(bool(np.isfinite(part).all()) for part in parts)


@dataclass(frozen=True)
class Workspace:
    """Where a person's wrist puts the robot's, both told in the target frame.

    A wrist at ``origin_m`` puts the robot at ``target_m``; steps from there are ``scale`` times as
    long. With ``mirrored`` the person is a mirror image, as for a robot that faces them: steps and
    turns are reflected across the plane through ``origin_m`` normal to ``mirror_normal``, and the
    left wrist leads the robot's right one, with the right wrist's frame.

    Attributes:
        scale: robot's metres for each of the person's; more than 0. Turns are not scaled.
        origin_m: (3,) on the person's side.
        target_m: (3,) on the robot's side.
        mirrored: reflect.
        mirror_normal: (3,) of any length; y is left and right in a REP-103 body frame.
        tool_rotation: (3, 3), wrist from the tool that follows it.
    """

    scale: float = 1.0
    origin_m: Array = field(default_factory=lambda: np.zeros(3))
    target_m: Array = field(default_factory=lambda: np.zeros(3))
    mirrored: bool = False
    mirror_normal: Array = field(default_factory=lambda: np.array((0.0, 1.0, 0.0)))
    tool_rotation: Array = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one cannot be used; the message names it.
        """
        for item in fields(self):
            if not np.isfinite(getattr(self, item.name)).all():
                raise ValueError(f"workspace: {item.name} is not finite: give numbers")
        if not self.scale > 0:
            raise ValueError(f"workspace: scale is {self.scale}: give a number above 0")
        for name in ("origin_m", "target_m", "mirror_normal"):
            if np.shape(getattr(self, name)) != (3,):
                raise ValueError(f"workspace: {name} must be three numbers")
        if not np.linalg.norm(self.mirror_normal) > 0:
            raise ValueError("workspace: mirror_normal is zero: give a direction, such as 0 1 0")
        R = self.tool_rotation
        if (
            np.shape(R) != (3, 3)
            or np.abs(R.T @ R - np.eye(3)).max() > _ORTHOGONAL
            or np.linalg.det(R) < 0
        ):
            raise ValueError("workspace: tool_rotation is no rotation matrix (3, 3)")

    def apply(self, wrist: Wrist) -> Wrist:
        """The robot's wrist for a person's, both in the target frame."""
        side, rotation = wrist.side, wrist.rotation
        step, linear, angular = wrist.position_m - self.origin_m, wrist.linear, wrist.angular
        if self.mirrored:
            mirror = self._mirror
            side = other_side(side)
            # the mirror image of one hand's frame is the other hand's with its own x turned round
            rotation = mirror @ rotation @ _HAND_MIRROR
            step, linear = mirror @ step, mirror @ linear
            angular = -mirror @ angular  # an axial vector
        return Wrist(
            side=side,
            position_m=self.target_m + self.scale * step,
            rotation=rotation @ self.tool_rotation,
            linear=self.scale * linear,
            angular=angular,
        )

    @property
    def _mirror(self) -> Array:
        normal = self.mirror_normal / np.linalg.norm(self.mirror_normal)
        return np.asarray(np.eye(3) - 2.0 * np.outer(normal, normal))
