"""The arrays of one MANO-compatible hand model, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.skeleton import MANO_PARENTS, Side, other_side

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
NUM_VERTICES = 778
NUM_FACES = 1538
NUM_BETAS = 10
EMBEDDED = "embedded"
"""Name of the model that comes with the package."""
_MIRROR = np.array([-1.0, 1.0, 1.0])
"""Left and right are mirror images in x (facts A2.3)."""


@dataclass(frozen=True, slots=True)
class HandModelData:
    """A hand model in MANO's layout. Metres; axes of MANO's rest frame.

    Rest frame of a right hand: fingers along -x, thumb side +z, back of the hand +y.

    Attributes:
        name: ``EMBEDDED``, or the file name of the user's model.
        side: which hand the arrays describe.
        v_template: (778, 3).
        shapedirs: (778, 3, 10).
        posedirs: (778, 3, 135), for the row-major elements of R_1..R_15 minus identity.
        j_regressor: (16, 778), rows sum to 1.
        weights: (778, 16) skin weights, rows sum to 1.
        faces: (1538, 3) vertex indices, counter-clockwise seen from outside.
        hands_mean: (45,) relaxed pose, axis-angle.
        hands_components: (45, 45) principal components of the pose, one a row.
        tips: (5,) vertex of each finger tip, thumb first.
        wrist_loop: (16,) vertices round the open wrist, in cyclic order.
        palm: (n,) vertices whose mean is the palm's centre.
        uv: (m, 2) texture coordinates, or None.
        uv_faces: (1538, 3) indices into ``uv``, or None.
    """

    name: str
    side: Side
    v_template: FloatArray
    shapedirs: FloatArray
    posedirs: FloatArray
    j_regressor: FloatArray
    weights: FloatArray
    faces: IntArray
    hands_mean: FloatArray
    hands_components: FloatArray
    tips: IntArray
    wrist_loop: IntArray
    palm: IntArray
    uv: FloatArray | None = None
    uv_faces: IntArray | None = None

    @property
    def parents(self) -> tuple[int, ...]:
        """Parent of each of the 16 joints (-1 for the wrist)."""
        return MANO_PARENTS

    def mirrored(self) -> HandModelData:
        """The other hand: mirrored in x, faces turned so that they still look outwards."""
        flip_rotation = np.outer(_MIRROR, _MIRROR).reshape(9)  # M R M, element by element
        posedirs = self.posedirs * _MIRROR[None, :, None] * np.tile(flip_rotation, 15)
        flip_axis = np.tile(-_MIRROR, 15)  # a mirrored axis-angle is (x, -y, -z)
        return replace(
            self,
            side=other_side(self.side),
            v_template=self.v_template * _MIRROR,
            shapedirs=self.shapedirs * _MIRROR[None, :, None],
            posedirs=posedirs,
            faces=self.faces[:, [0, 2, 1]],
            hands_mean=self.hands_mean * flip_axis,
            hands_components=self.hands_components * flip_axis,
            wrist_loop=self.wrist_loop[::-1].copy(),
            uv_faces=None if self.uv_faces is None else self.uv_faces[:, [0, 2, 1]],
        )
