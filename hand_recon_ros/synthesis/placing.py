"""Puts hands into a scene: one alone, two apart, two that touch or overlap.

Two hands are one person's: that their sizes agree is what tells how far each is (001 L_mano).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.rendering.gl.mesh import Mesh
from hand_recon_ros.rotations import exp_so3, log_so3
from hand_recon_ros.skeleton import Side, other_side
from hand_recon_ros.synthesis.hands import HandSource, LegalHand
from hand_recon_ros.synthesis.legality import entry_depth
from hand_recon_ros.types import Array, ManoParameters

_MIRROR: Final = np.array([-1.0, 1.0, 1.0])
_SAFE_DEPTH_M = 0.0012
_SKIN_REACH_M = 0.025
_PUSHES = 16
_ATTEMPTS = 8
_CONTACTS: Final = (4, 8, 12, 16, 20, 6, 10, 5, 9, 17)
"""Joints near which hands touch one another."""
_CLOSEST_ARMS_M = 0.07
_ARM_M = 0.22


@dataclass(frozen=True, slots=True)
class PlacedHand:
    """A hand in the scene's frame.

    Attributes:
        side: which hand.
        hand: the legal right hand that it is, or whose mirror image it is.
        rotation: (3, 3) scene from wrist.
        position: (3,) of the wrist, m.
        to_elbow: (3,) unit vector along the forearm, scene.
        vertices: (778, 3) scene, m.
        joints: (21, 3) scene, m.
    """

    side: Side
    hand: LegalHand
    rotation: Array
    position: Array
    to_elbow: Array
    vertices: Array
    joints: Array

    def moved(self, shift: Array) -> PlacedHand:
        """The hand somewhere else."""
        return replace(
            self,
            position=self.position + shift,
            vertices=self.vertices + shift,
            joints=self.joints + shift,
        )

    def parameters(self, pose: Array) -> ManoParameters:
        """MANO parameters in the frame that ``pose`` (4, 4) takes the scene to."""
        mirrored = self.side == "left"
        rotation, shift = pose[:3, :3], pose[:3, 3]
        hand_pose = self.hand.pose.reshape(15, 3) * (-_MIRROR if mirrored else 1.0)
        rest_wrist = self.hand.wrist * (_MIRROR if mirrored else 1.0)
        return ManoParameters(
            side=self.side,
            global_orient=log_so3(rotation @ self.rotation),
            hand_pose=hand_pose.reshape(45),
            betas=self.hand.betas,
            transl=rotation @ self.position + shift - rest_wrist,
            model=self.hand.model,
        )


def place(
    hand: LegalHand, side: Side, rotation: Array, position: Array, bend: tuple[float, float]
) -> PlacedHand:
    """Place a hand whose wrist is bent by (flexion, deviation), rad, against the forearm."""
    mirror = _MIRROR if side == "left" else np.ones(3)
    flexed = exp_so3([0.0, 0.0, bend[0]]) @ exp_so3([0.0, bend[1], 0.0])
    to_elbow = (flexed @ np.array([1.0, 0.0, 0.0])) * mirror
    return PlacedHand(
        side=side,
        hand=hand,
        rotation=rotation,
        position=position,
        to_elbow=rotation @ to_elbow,
        vertices=(hand.vertices * mirror) @ rotation.T + position,
        joints=(hand.joints * mirror) @ rotation.T + position,
    )


class Placer:
    """Draws scenes of hands.

    Args:
        source: of legal hands.
        models: both sides' models.
    """

    def __init__(self, source: HandSource, models: dict[Side, HandModelData]) -> None:
        """Prepare the contact test."""
        self._source = source
        self._meshes = {s: Mesh.of(m.faces, len(m.v_template)) for s, m in models.items()}

    def draw(self, kind: str, rng: np.random.Generator) -> list[PlacedHand]:
        """A scene of one kind: "single", "apart" or "interacting".

        Pairs that cannot be had without a collision become simpler scenes.

        Raises:
            ValueError: there is no such kind.
        """
        scenes = {
            "single": self.single,
            "apart": self.apart,
            "interacting": self.interacting,
        }
        if kind not in scenes:
            raise ValueError(f"unknown scene {kind!r}: use one of {', '.join(scenes)}")
        return scenes[kind](rng)

    def single(self, rng: np.random.Generator) -> list[PlacedHand]:
        """One hand, its wrist at the origin."""
        side: Side = "left" if rng.random() < 0.5 else "right"
        return [self._placed(side, np.eye(3), np.zeros(3), rng)]

    def apart(self, rng: np.random.Generator) -> list[PlacedHand]:
        """Two hands beside or behind each other, arms from the same side, without contact."""
        first = self._placed("right", np.eye(3), np.zeros(3), rng)
        for _ in range(_ATTEMPTS):
            turn = exp_so3(rng.normal(0, 0.6, 3)) @ exp_so3([rng.uniform(-np.pi, np.pi), 0, 0])
            mirrored = turn @ np.diag([-1.0, -1.0, 1.0])  # fingers point along -x, as the right's
            second = self._placed("left", mirrored, np.zeros(3), rng, first)
            direction = rng.normal(0, (0.3, 1.0, 1.0))
            direction /= np.linalg.norm(direction)
            gap = rng.uniform(0.02, 0.16)
            reach = np.ptp(first.vertices @ direction) / 2 + np.ptp(second.vertices @ direction) / 2
            shift = first.vertices.mean(axis=0) - second.vertices.mean(axis=0)
            second = second.moved(shift + direction * (reach + gap))
            if self.depth_between(first, second) <= 0 and _arms_apart(first, second):
                return self._shuffled(first, second, rng)
        return [first]

    def interacting(self, rng: np.random.Generator) -> list[PlacedHand]:
        """Two hands that touch, or one close behind the other."""
        first = self._placed("right", np.eye(3), np.zeros(3), rng)
        for _ in range(_ATTEMPTS):
            second = self._touching(first, rng)
            if second is not None:
                return self._shuffled(first, second, rng)
        return self.apart(rng)

    def depth_between(self, a: PlacedHand, b: PlacedHand) -> float:
        """How deep one hand enters the other, m; 0 = not at all."""
        return max(self._entry(a, b)[0], self._entry(b, a)[0])

    def _touching(self, first: PlacedHand, rng: np.random.Generator) -> PlacedHand | None:
        at = int(rng.choice(_CONTACTS))
        to = int(rng.choice(_CONTACTS))
        turn = exp_so3(rng.normal(0, 0.7, 3)) @ exp_so3([rng.uniform(-np.pi, np.pi), 0, 0])
        second = self._placed("left", turn @ np.diag([-1.0, -1.0, 1.0]), np.zeros(3), rng, first)
        away = rng.normal(0, (0.4, 1.0, 0.8))
        away /= np.linalg.norm(away)
        gap = 0.008 + (rng.uniform(0, 0.05) if rng.random() < 0.3 else 0.0)
        second = second.moved(first.joints[at] - second.joints[to] + gap * away)
        for _ in range(_PUSHES):
            depth_a, push_a = self._entry(first, second)
            depth_b, push_b = self._entry(second, first)
            if max(depth_a, depth_b) <= _SAFE_DEPTH_M:
                return second if _arms_apart(first, second) else None
            push = push_b if depth_b > depth_a else -push_a
            step = 0.7 * max(depth_a, depth_b)
            second = second.moved(step * push + 0.3 * step * away)
        return None

    def _entry(self, a: PlacedHand, b: PlacedHand) -> tuple[float, Array]:
        """Deepest entry of a's vertices into b, and the unit vector that leads out."""
        origin = b.vertices[0]
        points = (a.vertices - origin).astype(np.float32)
        surface = (b.vertices - origin).astype(np.float32)
        near = _close_to(points, surface)
        if not near.any():
            return 0.0, np.zeros(3)
        beside = _close_to(surface, points[near], _SKIN_REACH_M)
        normals = self._meshes[b.side].normals(surface)[beside]
        if not beside.any():
            return 0.0, np.zeros(3)
        depth, nearest = entry_depth(points[near], surface[beside], normals)
        deepest = int(depth.argmax())
        return max(float(depth[deepest]), 0.0), normals[nearest[deepest]].astype(np.float64)

    def _placed(
        self,
        side: Side,
        rotation: Array,
        position: Array,
        rng: np.random.Generator,
        other: PlacedHand | None = None,
    ) -> PlacedHand:
        flexion = float(np.clip(rng.normal(-0.08, 0.28), -1.0, 1.0))
        deviation = float(np.clip(rng.normal(0, 0.14), -0.4, 0.35))
        hand = self._source.draw(rng, other=other.hand if other is not None else None)
        return place(hand, side, rotation, position, (flexion, deviation))

    def _shuffled(
        self, first: PlacedHand, second: PlacedHand, rng: np.random.Generator
    ) -> list[PlacedHand]:
        """Half of the pairs mirrored, so that neither side is always the reference."""
        pair = [first, second]
        if rng.random() < 0.5:
            pair = [_mirror_image(hand) for hand in pair]
        return pair


def _mirror_image(placed: PlacedHand) -> PlacedHand:
    """The other side's hand as a mirror in the scene's x shows it."""
    flip = np.diag(_MIRROR)
    return PlacedHand(
        side=other_side(placed.side),
        hand=placed.hand,
        rotation=flip @ placed.rotation @ flip,
        position=placed.position * _MIRROR,
        to_elbow=placed.to_elbow * _MIRROR,
        vertices=placed.vertices * _MIRROR,
        joints=placed.joints * _MIRROR,
    )


def _close_to(
    points: NDArray[np.float32], others: NDArray[np.float32], margin: float = 0.0
) -> NDArray[np.bool_]:
    """(n,) points inside the others' bounding box with a margin, m."""
    low, high = others.min(axis=0) - margin, others.max(axis=0) + margin
    return np.asarray(((points >= low) & (points <= high)).all(axis=1))


def _arms_apart(a: PlacedHand, b: PlacedHand) -> bool:
    """Whether forearms and the other hand keep clear of one another."""
    steps = np.linspace(0.25, 1, 7)[:, None] * _ARM_M
    arm_a = a.position + steps * a.to_elbow
    arm_b = b.position + steps * b.to_elbow
    between_arms = np.linalg.norm(arm_a[:, None] - arm_b, axis=-1).min()
    to_hands = [
        np.linalg.norm(arm[:, None] - hand.vertices, axis=-1).min()
        for arm, hand in ((arm_a, b), (arm_b, a))
    ]
    return bool(between_arms > _CLOSEST_ARMS_M and min(to_hands) > 0.6 * _CLOSEST_ARMS_M)
