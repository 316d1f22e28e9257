"""True meshes from MANO parameters or vertices, with the user's own MANO files.

Without those files there is no true mesh: the embedded hand has other vertices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.skeleton import MANO_TO_JOINTS, Side
from hand_recon_ros.types import Array

EMBEDDED = "embedded"
NEEDS_MANO = (
    "true meshes need the MANO files: --set model.right_path=MANO_RIGHT.pkl "
    "--set model.left_path=MANO_LEFT.pkl (https://mano.is.tue.mpg.de, own licence)"
)


class TrueMeshes:
    """The MANO hands that the user has files of.

    Args:
        models: of each side; embedded ones do not count.
    """

    def __init__(self, models: Mapping[Side, HandModelData]) -> None:
        """Keep the user's models."""
        self._models = {
            side: HandModel(data, torch.float64)
            for side, data in models.items()
            if data.name != EMBEDDED
        }

    @property
    def sides(self) -> tuple[Side, ...]:
        """Which hands have a MANO file."""
        return tuple(self._models)

    def faces(self, side: Side) -> NDArray[np.int64] | None:
        """(1538, 3) triangles, None without the file."""
        return self._models[side].data.faces if side in self._models else None

    def posed(
        self, side: Side, pose: ArrayLike, shape: ArrayLike, trans: Sequence[float] = (0, 0, 0)
    ) -> tuple[Array, Array] | None:
        """Vertices (778, 3) and joints (21, 3), metres; None without the file of that side.

        Args:
            side: which hand.
            pose: (48,) axis-angle, the wrist's first, the fingers' relative to the mean pose
                (``flat_hand_mean=False``, as InterHand2.6M and FreiHAND store it).
            shape: (10,) betas.
            trans: (3,) metres.
        """
        model = self._models.get(side)
        if model is None:
            return None
        turns, betas, shift = (
            torch.tensor(np.asarray(v, dtype=np.float64).reshape(1, -1))
            for v in (pose, shape, trans)
        )
        with torch.inference_mode():
            mesh = model(turns[:, :3], turns[:, 3:], betas, shift, flat_hand_mean=False)
        return mesh.vertices[0].numpy(), mesh.joints[0].numpy()

    def joints(self, side: Side, vertices_m: Array) -> Array | None:
        """(21, 3) joints of a posed mesh by MANO's regressor and tips; None without the file."""
        model = self._models.get(side)
        if model is None:
            return None
        data = model.data
        joints = np.concatenate([data.j_regressor @ vertices_m, vertices_m[data.tips]])
        return joints[list(MANO_TO_JOINTS)]
