"""Interpenetration of fingers and hands, by spheres along the bones (000 section 3.4, 001 L_inter).

Spheres with the mesh's own radii stand for the skin. Within a hand, fingers may not enter each
other or the palm; two hands may not enter one another. Only pairs that overlap cost anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.kinematics import HandSkeleton, PosedJoints, pose_joints
from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.types import Array

IntArray = NDArray[np.int64]

SIGMA_M = 0.002
"""Depth of an overlap that costs as much as one standard deviation of a measurement."""
_SHRINK = 0.9
"""Radii are taken a little small: skin is soft, and touching is not entering."""
_REST_SLACK = 0.95
_NEAREST = 8
_NEVER = -1.0
_REACH_M = 0.5
"""Wrists farther apart than two hand lengths need no look at each other."""

_START = [*(1 + 3 * f + level for f in range(5) for level in range(3)), 0, 0, 0, 0]
_END = [
    *(16 + f if level == 2 else 2 + 3 * f + level for f in range(5) for level in range(3)),
    *(1, 4, 7, 10),
]
_ALONG = np.array([*(15 * [(0.3, 0.8)]), *(4 * [(0.55, 0.9)])])
START = np.repeat(_START, 2)
END = np.repeat(_END, 2)
ALONG: Array = _ALONG.reshape(-1)
"""Sphere i has its centre at (1 - ALONG) points[START] + ALONG points[END]; the last eight are the
palm's."""
NUM_SPHERES = len(ALONG)
_BLEND = np.zeros((NUM_SPHERES, 21))
_BLEND[np.arange(NUM_SPHERES), START] = 1 - ALONG
_BLEND[np.arange(NUM_SPHERES), END] += ALONG


@dataclass(frozen=True, slots=True)
class SphereHand:
    """Spheres of B hands.

    Attributes:
        radii: (B, 38) m.
        least: (B, 38, 38) squared least distance of two spheres' centres; negative where a pair is
            free to overlap, and below the diagonal. Never more than in the model's rest poses.
    """

    radii: Array
    least: Array

    @classmethod
    def of(cls, model: HandModelData) -> SphereHand:
        """Measure the spheres on a model's rest mesh (B = 1)."""
        skeleton = HandSkeleton.of(model)
        mean = np.zeros((1, 10))
        relaxed = exp_so3(model.hands_mean.reshape(1, 15, 3))
        wrist = skeleton.rest_wrist(0, mean[0])[None]
        centres = [
            _BLEND @ pose_joints(skeleton, wrist, np.eye(3)[None], pose, mean).points[0]
            for pose in (np.tile(np.eye(3), (1, 15, 1, 1)), relaxed)
        ]
        to_skin = np.linalg.norm(centres[0][:, None] - model.v_template, axis=-1)
        radii = _SHRINK * np.sort(to_skin, axis=1)[:, :_NEAREST].mean(axis=1)
        least = radii[:, None] + radii
        for c in centres:
            apart = np.linalg.norm(c[:, None] - c, axis=-1)
            least = np.minimum(least, _REST_SLACK * apart)
        least = np.where(_may_collide(), np.square(least), _NEVER)
        return cls(radii[None], least[None])

    @classmethod
    def stack(cls, parts: Sequence[SphereHand]) -> SphereHand:
        """Several hands as one batch."""
        return cls(
            np.concatenate([p.radii for p in parts]), np.concatenate([p.least for p in parts])
        )

    def take(self, index: IntArray) -> SphereHand:
        """The hands of ``index`` (may repeat)."""
        return SphereHand(self.radii[index], self.least[index])


@dataclass(frozen=True, slots=True)
class Contacts:
    """m overlapping pairs of spheres.

    Attributes:
        hand_a, sphere_a, hand_b, sphere_b: (m,) which spheres.
        normal: (m, 3) unit vector from b to a.
        depth: (m,) overlap, m.
    """

    hand_a: IntArray
    sphere_a: IntArray
    hand_b: IntArray
    sphere_b: IntArray
    normal: Array
    depth: Array


def sphere_centres(posed: PosedJoints) -> Array:
    """(B, 38, 3) centres in the camera frame, m."""
    return np.asarray(_BLEND @ posed.points)


def contacts_within(spheres: SphereHand, centres: Array) -> Contacts | None:
    """Overlaps of each hand with itself, or None."""
    twice = centres @ centres.swapaxes(-1, -2)
    square = twice.reshape(len(twice), -1)[:, :: NUM_SPHERES + 1]
    apart = square[:, :, None] + square[:, None]
    twice *= 2.0
    apart -= twice
    close = apart < spheres.least
    if not close.any():
        return None
    hand, a, b = close.nonzero()
    return _contacts(hand, a, hand, b, centres, np.sqrt(spheres.least[hand, a, b]))


def contacts_between(spheres: SphereHand, centres: Array) -> Contacts | None:
    """Overlaps of different hands of the batch, or None."""
    found = []
    for i in range(len(centres)):
        for j in range(i + 1, len(centres)):
            if np.abs(centres[i, 0] - centres[j, 0]).max() > _REACH_M:
                continue
            apart = _squared_distances(centres[i] - centres[i, 0], centres[j] - centres[i, 0])
            least = spheres.radii[i][:, None] + spheres.radii[j]
            a, b = np.nonzero(apart < least * least)
            if len(a):
                hand_a, hand_b = np.full_like(a, i), np.full_like(a, j)
                found.append(_contacts(hand_a, a, hand_b, b, centres, least[a, b]))
    if not found:
        return None
    return Contacts(
        *(np.concatenate([getattr(c, name) for c in found]) for name in Contacts.__slots__)
    )


def depth_jacobian(contacts: Contacts, J: Array) -> tuple[Array, Array]:
    """d depth / d tangents of hand a and of hand b: (m, n) each, from (B, 21, 3, n)."""
    rows = []
    for hand, sphere, sign in (
        (contacts.hand_a, contacts.sphere_a, -1.0),
        (contacts.hand_b, contacts.sphere_b, 1.0),
    ):
        along = ALONG[sphere][:, None, None]
        centre = (1 - along) * J[hand, START[sphere]] + along * J[hand, END[sphere]]
        rows.append((sign * contacts.normal[:, None] @ centre)[:, 0])
    return rows[0], rows[1]


def _contacts(
    hand_a: IntArray, a: IntArray, hand_b: IntArray, b: IntArray, centres: Array, least: Array
) -> Contacts:
    between = centres[hand_a, a] - centres[hand_b, b]
    distance = np.sqrt(np.einsum("mi,mi->m", between, between))
    normal = between / np.maximum(distance, 1e-9)[:, None]
    return Contacts(hand_a, a, hand_b, b, normal, least - distance)


def _squared_distances(a: Array, b: Array) -> Array:
    """(..., n, m) of points (..., n, 3) and (..., m, 3) near the origin."""
    square_a = np.einsum("...i,...i->...", a, a)
    square_b = np.einsum("...i,...i->...", b, b)
    cross = a @ np.swapaxes(b, -1, -2)
    return np.asarray(square_a[..., :, None] + square_b[..., None, :] - 2.0 * cross)


def _may_collide() -> NDArray[np.bool_]:
    """(38, 38) pairs of a hand that count: different fingers, and free phalanges with the palm."""
    bone = np.repeat(np.arange(19), 2)
    finger = np.where(bone < 15, bone // 3, 5)
    free = (bone < 15) & (bone % 3 > 0)
    is_palm = finger == 5
    fingers = ~is_palm[:, None] & ~is_palm & (finger[:, None] != finger)
    palm = (free[:, None] & is_palm) | (is_palm[:, None] & free)
    return np.triu(fingers | palm, 1)
