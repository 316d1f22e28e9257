"""What a data set knows about one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array


@dataclass(frozen=True, slots=True)
class TrueHand:
    """One labelled hand.

    Attributes:
        side: which hand.
        joints_m: (21, 3) metres in the camera's optical frame, the package's joint order; NaN
            where a joint is not labelled.
        vertices_m: (778, 3) mesh in the same frame, or None.
        faces: (F, 3) triangles of that mesh, or None.
        joints_px: (21, 2) pixels in the raw image, or None = project ``joints_m``.
        identity: constant while the same physical hand is meant.
    """

    side: Side
    joints_m: Array
    vertices_m: Array | None = None
    faces: NDArray[np.int64] | None = None
    joints_px: Array | None = None
    identity: int = 0


@dataclass(frozen=True, slots=True)
class TrueFrame:
    """All labelled hands of one picture.

    Attributes:
        index: running number within its source; with ``source`` the key that predictions share.
        source: file, sequence or topic.
        stamp: seconds.
        camera: intrinsics.
        hands: the labelled hands.
        complete: every hand in the picture is labelled, so that any other found hand is a ghost.
    """

    index: int
    source: str
    stamp: float
    camera: Camera
    hands: tuple[TrueHand, ...] = ()
    complete: bool = True
