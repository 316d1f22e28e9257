"""Motion trails of a hand as flat drawings, from any point of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.rendering.figures import rgba, ribbons
from hand_recon_ros.rendering.gl.scene import Drawing
from hand_recon_ros.rendering.palette import SIDE_COLOURS, TIP_COLOUR, confidence_colours
from hand_recon_ros.rendering.trails import PALM_CENTRE
from hand_recon_ros.skeleton import TIPS, WRIST
from hand_recon_ros.types import Array, Hand

_MAIN = (*TIPS, WRIST, PALM_CENTRE)
_TRAIL_PX, _MINOR_TRAIL_PX = 3.2, 1.4
_TRAIL_ALPHA, _MINOR_TRAIL_ALPHA = 0.9, 0.45


@dataclass(frozen=True)
class Viewpoint:
    """Who looks: a camera and its (4, 4) pose, camera from world."""

    camera: Camera
    pose: NDArray[np.float64]

    def see(self, points_m: Array) -> tuple[Array, Array]:
        """Pixels (..., 2) and distances (...) of world points (..., 3)."""
        points = points_m @ self.pose[:3, :3].T + self.pose[:3, 3]
        return self.camera.project(points), points[..., 2]


def trails(hand: Hand, places_m: Array, viewpoint: Viewpoint, scale: float) -> list[Drawing]:
    """Paths (n, 22, 3) that fade and thin out with age; the hand's surface hides them.

    Tips, wrist and the palm's centre stand out against the other joints.
    """
    if len(places_m) < 2:
        return []
    points, far = viewpoint.see(places_m.transpose(1, 0, 2))
    age = np.linspace(0, 1, len(places_m))
    colours = np.tile(SIDE_COLOURS[hand.side], (PALM_CENTRE + 1, 1))
    colours[list(TIPS)] = TIP_COLOUR
    colours[PALM_CENTRE] = 1.0
    colours = confidence_colours(colours, np.full(len(colours), hand.score))
    result = []
    minor = [k for k in range(PALM_CENTRE + 1) if k not in _MAIN]
    for chosen, width, alpha in (
        (minor, _MINOR_TRAIL_PX, _MINOR_TRAIL_ALPHA),
        (list(_MAIN), _TRAIL_PX, _TRAIL_ALPHA),
    ):
        lines = np.broadcast_to(colours[chosen][:, None], (len(chosen), len(age), 3))
        widths = scale * width * (0.25 + 0.75 * age)
        result.append(ribbons(points[chosen], widths, rgba(lines, alpha * age**1.5), far[chosen]))
    return result
