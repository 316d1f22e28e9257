"""A robot hand: its kinematic tree, limits and simple shapes, as a URDF tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array

JointKind = Literal["revolute", "continuous", "prismatic", "fixed"]
GREY: Final = (0.7, 0.7, 0.7)


class RobotError(ValueError):
    """A robot's description is of no use; the message names the file, the part and the remedy."""


@dataclass(frozen=True)
class Shape:
    """A box, cylinder (along z) or sphere of a link.

    Attributes:
        kind: which.
        size: box: (x, y, z) edges; cylinder: (radius, length, 0); sphere: (radius, 0, 0), metres.
        pose: (4, 4) link from shape.
        colour: RGB, 0..1.
    """

    kind: Literal["box", "cylinder", "sphere"]
    size: tuple[float, float, float]
    pose: Array
    colour: tuple[float, float, float] = GREY


@dataclass(frozen=True)
class Mimic:
    """A joint that another one moves: ``multiplier * joint + offset``."""

    joint: str
    multiplier: float
    offset: float


@dataclass(frozen=True)
class Joint:
    """One joint.

    Attributes:
        pose: (4, 4) parent link from joint frame at zero.
        axis: (3,) unit, joint frame.
        lower, upper: rad or m; infinite where there is no limit.
        velocity: rad/s or m/s; infinite where there is no limit.
        mimic: what moves it; None = it is commanded.
    """

    name: str
    kind: JointKind
    parent: str
    child: str
    pose: Array
    axis: Array
    lower: float
    upper: float
    velocity: float
    mimic: Mimic | None = None

    def transform(self, position: float) -> Array:
        """(4, 4) parent link from child link at a position, rad or m."""
        moved = np.eye(4)
        if self.kind == "prismatic":
            moved[:3, 3] = position * self.axis
        elif self.kind != "fixed":
            moved[:3, :3] = exp_so3(position * self.axis)
        return np.asarray(self.pose @ moved)


@dataclass(frozen=True)
class RobotModel:
    """A robot hand's kinematic tree.

    Attributes:
        name: the robot's.
        root: its base link.
        joints: parents before their children.
        shapes: of each link that has some.
    """

    name: str
    root: str
    joints: tuple[Joint, ...]
    shapes: Mapping[str, tuple[Shape, ...]]

    @property
    def commanded(self) -> tuple[Joint, ...]:
        """The joints that a controller moves, in the order of the file's tree."""
        return tuple(j for j in self.joints if j.kind != "fixed" and j.mimic is None)

    def joint(self, name: str) -> Joint:
        """A joint by its name.

        Raises:
            RobotError: there is none; the message lists those there are.
        """
        for joint in self.joints:
            if joint.name == name:
                return joint
        known = ", ".join(j.name for j in self.joints if j.kind != "fixed")
        raise RobotError(f"robot '{self.name}' has no joint '{name}'; it has: {known}")

    def forward(self, positions: Mapping[str, float]) -> dict[str, Array]:
        """(4, 4) base from link, of every link.

        Args:
            positions: by joint name, rad or m; joints that are not named stay at zero, those that
                mimic others follow them.
        """
        poses = {self.root: np.eye(4)}
        for joint in self.joints:
            poses[joint.child] = poses[joint.parent] @ joint.transform(self._at(joint, positions))
        return poses

    def _at(self, joint: Joint, positions: Mapping[str, float]) -> float:
        if joint.mimic is None:
            return float(positions.get(joint.name, 0.0))
        leader = self._at(self.joint(joint.mimic.joint), positions)
        return joint.mimic.multiplier * leader + joint.mimic.offset
