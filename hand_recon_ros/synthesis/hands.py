"""Legal hands: a pose and a shape whose mesh neither leaves the joint limits nor enters itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.mano.priors import Anatomy, rotations_of
from hand_recon_ros.rotations import log_so3
from hand_recon_ros.synthesis.legality import SelfContact, drawn_back, is_legal
from hand_recon_ros.synthesis.poses import POSE_KINDS, draw_pose, opened
from hand_recon_ros.synthesis.shapes import betas_of_other_hand, draw_betas
from hand_recon_ros.types import Array

_STEPS = 14
_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class LegalHand:
    """A right hand in its own frame: wrist at the origin, fingers along -x, back +y.

    Attributes:
        model: name of the hand model.
        kind: of pose, one of ``POSE_KINDS``.
        angles: (15, 3) twist, spread and bend, rad.
        pose: (45,) axis-angle.
        betas: (10,).
        vertices: (778, 3) m.
        joints: (21, 3) m.
        wrist: (3,) wrist joint in the model's rest frame, J0(betas), m.
    """

    model: str
    kind: str
    angles: Array
    pose: Array
    betas: Array
    vertices: Array
    joints: Array
    wrist: Array


class HandSource:
    """Draws legal right hands (a left hand is the mirror image of one).

    Args:
        model: the right hand's model.
        recorded: (n, 15, 3) angles of real motion, if there are any.
        kinds: share of each pose kind.
    """

    def __init__(
        self,
        model: HandModelData,
        recorded: Array | None = None,
        kinds: dict[str, float] | None = None,
    ) -> None:
        """Prepare model and contact test."""
        self._model = HandModel(model, dtype=torch.float64)
        self._axes = Anatomy.of(model).axes[0]
        self._contact = SelfContact(model)
        self._recorded = recorded
        shares = POSE_KINDS if kinds is None else kinds
        self._kinds = list(shares)
        self._shares = np.array(list(shares.values())) / sum(shares.values())

    def draw(
        self,
        rng: np.random.Generator,
        kinds: tuple[str, ...] = (),
        other: LegalHand | None = None,
    ) -> LegalHand:
        """One hand; of one of ``kinds`` where given, of the person of ``other`` where given."""
        kind = str(rng.choice(kinds or self._kinds, p=None if kinds else self._shares))
        betas = draw_betas(rng) if other is None else betas_of_other_hand(other.betas, rng)
        for _ in range(_ATTEMPTS):
            hand = self._resolved(kind, draw_pose(kind, rng, self._recorded), betas)
            if hand is not None:
                return hand
        for shape in (betas, np.zeros(10)):
            relaxed = self._resolved("relaxed", draw_pose("relaxed", rng), shape)
            if relaxed is not None:
                return relaxed
        raise RuntimeError("the relaxed hand enters itself: the hand model is damaged")

    def posed(self, kind: str, angles: Array, betas: Array) -> LegalHand:
        """Pose the hand as told, without a test."""
        turns = rotations_of(self._axes, angles)
        rotations = np.concatenate([np.eye(3)[None], turns])
        shape = torch.from_numpy(betas)[None]
        with torch.inference_mode():
            mesh = self._model.forward_rotations(
                torch.from_numpy(rotations)[None], shape, torch.zeros(1, 3, dtype=torch.float64)
            )
        vertices, joints = mesh.vertices[0].numpy(), mesh.joints[0].numpy()
        wrist = joints[0].copy()
        return LegalHand(
            model=self._model.data.name,
            kind=kind,
            angles=angles,
            pose=log_so3(turns).reshape(45),
            betas=betas,
            vertices=vertices - wrist,
            joints=joints - wrist,
            wrist=wrist,
        )

    def _resolved(self, kind: str, angles: Array, betas: Array) -> LegalHand | None:
        """The pose, drawn back until nothing overlaps; None where that fails."""
        towards = opened(angles)
        for step in range(_STEPS):
            hand = self.posed(kind, angles, betas)
            overlap = self._contact.measure(hand.vertices)
            if is_legal(overlap):
                return hand
            angles = drawn_back(angles, towards, overlap.digits, step)
        return None
