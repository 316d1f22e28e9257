"""Meshes of found hands, from their MANO parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.evaluation.truth import TrueHand
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.metrics.closing import sealed
from hand_recon_ros.skeleton import WRIST, Side
from hand_recon_ros.types import Array, Hand

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FoundMesh:
    """A found hand's mesh.

    Attributes:
        vertices_m: (778, 3) camera frame.
        wrist_m: (3,) wrist joint of the same pose.
        faces: (1538, 3).
        sealed_faces: the same and those that close the wrist.
    """

    vertices_m: Array
    wrist_m: Array
    faces: IntArray
    sealed_faces: IntArray

    def corresponds(self, truth: TrueHand) -> bool:
        """Whether vertex i is the same spot of the hand in both meshes."""
        vertices, faces = truth.vertices_m, truth.faces
        if vertices is None or len(vertices) != len(self.vertices_m):
            return False
        return faces is None or np.array_equal(np.sort(faces, axis=1), np.sort(self.faces, axis=1))


class MeshMaker:
    """Poses the hand models.

    Args:
        models: of each side; hands that were fitted with another model have no mesh here.
    """

    def __init__(self, models: Mapping[Side, HandModelData]) -> None:
        """Prepare both models."""
        import torch  # not needed where only joints are compared

        from hand_recon_ros.mano.model import HandModel

        self._models = {side: HandModel(data, torch.float64) for side, data in models.items()}
        self._sealed = {side: sealed(data.faces) for side, data in models.items()}
        self.other_models: set[str] = set()
        """Names of models that hands were fitted with and that are not at hand."""

    def mesh(self, hand: Hand) -> FoundMesh | None:
        """The mesh of a hand, or None where its parameters or its model are not known."""
        parameters = hand.mano
        model = self._models.get(parameters.side)
        if model is None or model.data.name != parameters.model:
            self.other_models.add(parameters.model)
            return None
        numbers = (parameters.global_orient, parameters.hand_pose, parameters.betas)
        if not all(np.isfinite(x).all() for x in (*numbers, parameters.transl)):
            return None
        vertices, joints = model.forward_parameters(parameters)
        return FoundMesh(vertices, joints[WRIST], model.data.faces, self._sealed[parameters.side])
