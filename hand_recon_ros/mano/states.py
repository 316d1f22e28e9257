"""State, measurements and models of a batch of hands under fit, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.collision import SphereHand
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.kinematics import BETAS, POSITION, HandSkeleton
from hand_recon_ros.mano.priors import Anatomy
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array


@dataclass(frozen=True, slots=True)
class HandStates:
    """Current estimate of B hands.

    Attributes:
        position: (B, 3) wrist joint, camera frame, m.
        orientation: (B, 3, 3) camera from wrist.
        pose: (B, 15, 3, 3) joint rotations, MANO order.
        betas: (B, 10).
        scale: (B,) true size over that of the relative 3D.
    """

    position: Array
    orientation: Array
    pose: Array
    betas: Array
    scale: Array

    def moved(self, step: Array, free_betas: bool) -> HandStates:
        """Take a step (B, columns) along the tangents."""
        count = len(step)
        turns = exp_so3(step[:, 3:51].reshape(count, 16, 3))
        return HandStates(
            self.position + step[:, POSITION],
            turns[:, 0] @ self.orientation,
            self.pose @ turns[:, 1:],
            self.betas + step[:, BETAS] if free_betas else self.betas,
            self.scale + step[:, -1],
        )

    def take(self, index: NDArray[np.int64]) -> HandStates:
        """The hands of ``index`` (may repeat)."""
        return HandStates(*(getattr(self, f.name)[index] for f in fields(self)))

    def where(self, mask: NDArray[np.bool_], other: HandStates) -> HandStates:
        """These hands where ``mask`` (B,) is set, the other ones elsewhere."""
        merged = []
        for f in fields(self):
            mine = getattr(self, f.name)
            at = mask.reshape(-1, *(1,) * (mine.ndim - 1))
            merged.append(np.where(at, mine, getattr(other, f.name)))
        return HandStates(*merged)

    @classmethod
    def resting(cls) -> HandStates:
        """One flat hand at the origin (B = 1)."""
        pose = np.tile(np.eye(3), (1, 15, 1, 1))
        return cls(np.zeros((1, 3)), pose[:, 0], pose, np.zeros((1, 10)), np.ones(1))

    @classmethod
    def concatenate(cls, parts: Sequence[HandStates]) -> HandStates:
        """Several batches as one."""
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))


@dataclass(frozen=True, slots=True)
class Measurements:
    """What is known of B hands in this frame; points in the order of ``kinematics``.

    Attributes:
        rays: (B, 21, 2) undistorted key points x/z, y/z; anything where invalid.
        whitening: (B, 21, 2, 2) pixels a ray unit times confidence / sigma; 0 where invalid.
        relative: (B, 21, 3) relative 3D; anything where absent.
        relative_weight: (B, 21, 3) 1 / sigma along each axis; 0 where absent.
        warm: (B,) whether there is a prediction from the frames before.
        last: this prediction; anything where absent.
        last_angles: (B, 15, 3) its joint angles.
        last_precision: (B, 4) 1 / sigma^2 of its position, orientation, angles and betas.
        free_betas: (B,) 1 where the shape is estimated, 0 where it is held.
        guessed: (B,) whether the front end told a pose.
        guess: this pose and its shape, position unknown; anything where absent.
        guess_angles: (B, 15, 3) its joint angles.
        other_wrist: (B, 3) from this wrist to the other hand's; NaN where not told.
    """

    rays: Array
    whitening: Array
    relative: Array
    relative_weight: Array
    warm: NDArray[np.bool_]
    last: HandStates
    last_angles: Array
    last_precision: Array
    free_betas: Array
    guessed: NDArray[np.bool_]
    guess: HandStates
    guess_angles: Array
    other_wrist: Array

    def forget(self, hands: NDArray[np.bool_]) -> Measurements:
        """The same, with nothing but the shape of some hands (B,) tied to the last frame."""
        precision = self.last_precision.copy()
        precision[hands, :3] = 0.0
        return replace(self, last_precision=precision)

    def take(self, index: NDArray[np.int64]) -> Measurements:
        """The hands of ``index`` (may repeat)."""
        parts: dict[str, Any] = {
            f.name: value.take(index) if isinstance(value, HandStates) else value[index]
            for f in fields(self)
            for value in (getattr(self, f.name),)
        }
        return Measurements(**parts)


@dataclass(frozen=True, slots=True)
class HandConstants:
    """What the fit reads off the models of B hands."""

    sides: tuple[Side, ...]
    skeleton: HandSkeleton
    anatomy: Anatomy
    spheres: SphereHand

    @classmethod
    def of(cls, model: HandModelData) -> HandConstants:
        """The constants of one model (B = 1)."""
        return cls((model.side,), HandSkeleton.of(model), Anatomy.of(model), SphereHand.of(model))

    @classmethod
    def stack(cls, parts: Sequence[HandConstants]) -> HandConstants:
        """Several hands as one batch."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            tuple(side for part in parts for side in part.sides),
            HandSkeleton.stack([part.skeleton for part in parts]),
            Anatomy.stack([part.anatomy for part in parts]),
            SphereHand.stack([part.spheres for part in parts]),
        )

    def take(self, index: NDArray[np.int64]) -> HandConstants:
        """The hands of ``index`` (may repeat)."""
        return HandConstants(
            tuple(self.sides[i] for i in index),
            self.skeleton.take(index),
            self.anatomy.take(index),
            self.spheres.take(index),
        )
