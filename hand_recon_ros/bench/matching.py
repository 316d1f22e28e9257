"""Which detection, if any, is the labelled hand."""

from __future__ import annotations

import numpy as np

from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.training.real_exam import MATCH
from hand_recon_ros.types import Array, Frame, Keypoints


def best_match(
    front_end: FrontEnd, frame: Frame, joints_px: Array, size_px: float
) -> tuple[float, Keypoints | None]:
    """The detection nearest to a label, and its mean distance over ``size_px``; NaN = none."""
    best, chosen = float("nan"), None
    for keypoints in front_end.see(frame):
        apart = np.linalg.norm(keypoints.points_px - joints_px, axis=1)
        error = float(apart.mean()) / size_px
        if error < MATCH and not error >= best:
            best, chosen = error, keypoints
    return best, chosen
