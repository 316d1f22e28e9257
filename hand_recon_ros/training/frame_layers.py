"""Where rendered views are put in a frame, and what of their hands is then seen.

All on the host, for many views at once; ``frame_composer`` draws the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.detection.ssd_rpn import box_round
from hand_recon_ros.skeleton import KNUCKLES
from hand_recon_ros.training.detector_batch import IGNORED, NOTHING
from hand_recon_ros.training.view_set import MOST_HANDS, Labels
from hand_recon_ros.types import Array

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

HAND_SHARE: Final = (0.05, 0.95)
"""Longer side of a rendered hand's box over the long side of the frame; log-uniform."""
_OFTEN_INSIDE: Final = 0.85
"""Share of views whose hands are moved so that they fit into the frame."""
_ROLL_DEG: Final = 15.0
_WILD_SHARE: Final = 0.3
"""Share of views, rendered and photographed, that are turned by any angle: most photographs show
hands that point up, but hands also hang down."""
_LEAST_INSIDE: Final = 0.55
"""Share of a hand's key points in the frame below which it is not learned from."""
_LEAST_SEEN: Final = 0.25
LEAST_SIDE_PX: Final = 16.0
"""Longer side of a hand's box below which it is not learned from."""


@dataclass(frozen=True)
class HandRows:
    """Hands of L layers, h rows each: ``MOST_HANDS`` of views, more of whole photographs.

    Attributes:
        points_px: (L, h, 21, 2) px of the frame.
        visible: (L, h, 21) not hidden by what is rendered with it.
        kinds: (L, h) ``NOTHING``, 1 left, 2 right; ``IGNORED`` where the view shows it in part.
    """

    points_px: Array
    visible: Flags
    kinds: Numbers

    def boxes(self) -> Array:
        """(L, h, 4) x0, y0, x1, y1 px."""
        box = box_round(self.points_px)
        return np.concatenate([box[..., :2], box[..., :2] + box[..., 2:]], axis=-1)

    def directions(self) -> Array:
        """(L, h, 2) unit vectors, wrist to middle MCP."""
        return directions_of(self.points_px)


def directions_of(points_px: Array) -> Array:
    """(..., 2) unit vectors, wrist to middle MCP, of key points (..., 21, 2)."""
    along = points_px[..., KNUCKLES[2], :] - points_px[..., 0, :]
    return np.asarray(along / np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6))


def learnable(kinds: Numbers, points_px: Array, seen: Flags, width: int, height: int) -> Numbers:
    """(...) kinds, ``IGNORED`` where too little of a hand is seen or it is too small.

    Args:
        kinds: (...).
        points_px: (..., 21, 2) px of the frame.
        seen: (..., 21) nothing hides the point; points outside may be anything.
        width, height: of the frame, px.
    """
    inside = ((points_px > -0.5) & (points_px < np.array([width, height]) - 0.5)).all(axis=-1)
    poor = inside.mean(axis=-1) < _LEAST_INSIDE
    poor |= (inside & seen).mean(axis=-1) < _LEAST_SEEN
    poor |= box_round(points_px)[..., 2:].max(axis=-1) < LEAST_SIDE_PX
    return np.where((kinds != NOTHING) & poor, IGNORED, kinds)


def rows_of(labels: Labels) -> HandRows:
    """The hands of views (L,) in px of the views."""
    joints = labels["joints_m"].astype(np.float64)
    there = np.arange(MOST_HANDS) < labels["hands"][:, None]
    depth = np.where(there[..., None], joints[..., 2], 1.0)
    seen = np.einsum("lij,lhpj->lhpi", labels["K"], joints)
    points = np.where(there[..., None, None], seen[..., :2] / depth[..., None], 0.0)
    side = np.where(labels["left"], 1, 2)
    kinds = np.where(labels["shown"], side, IGNORED)
    return HandRows(points, labels["visible"], np.where(there, kinds, NOTHING))


def moved(rows: HandRows, matrices: Array) -> HandRows:
    """The hands after similarities (L, 3, 3) of the plane."""
    linear, shift = matrices[:, None, :2, :2], matrices[:, None, None, :2, 2]
    points = rows.points_px @ linear.swapaxes(-1, -2) + shift
    return HandRows(points, rows.visible, rows.kinds)


def draw_places(
    rows: HandRows,
    width: int,
    height: int,
    largest: Array,
    rng: np.random.Generator,
    smallest: float | Array = HAND_SHARE[0],
) -> Array:
    """(L, 3, 3) similarities that put views into frames: turned, scaled, somewhere.

    Args:
        rows: the hands in px of the views.
        width, height: of the frame, px.
        largest: (L,) most that a hand's box may have over the long side of the frame.
        rng: source of randomness.
        smallest: (L,) or one number, least that it may have.
    """
    count = len(rows.kinds)
    there = rows.kinds != NOTHING
    rotation = turns(count, _ROLL_DEG, _WILD_SHARE, rng)
    box = box_round(moved(rows, rotation).points_px)
    side = np.where(there, box[..., 2:].max(axis=-1), 0.0).max(axis=1)
    most = np.maximum(np.minimum(HAND_SHARE[1], largest), smallest)
    share = np.exp(rng.uniform(np.log(smallest), np.log(most)))
    scale = share * max(width, height) / np.maximum(side, 1.0)
    far = np.where(there[..., None], box[..., :2], np.inf).min(axis=1) * scale[:, None]
    near = np.where(there[..., None], box[..., :2] + box[..., 2:], -np.inf).max(axis=1)
    near *= scale[:, None]
    frame = np.array([width, height], float)
    inside = rng.random(count) < _OFTEN_INSIDE
    # Either anywhere so that all fits in (or covers the frame), or with the middle anywhere.
    fitting = -far + rng.random((count, 2)) * (frame - (near - far))
    loose = rng.random((count, 2)) * frame - (near + far) / 2
    rotation[:, :2] *= scale[:, None, None]
    rotation[:, :2, 2] = np.where(inside[:, None], fitting, loose)
    return rotation


def turns(count: int, roll_deg: float, wild_share: float, rng: np.random.Generator) -> Array:
    """(count, 3, 3) rotations of the plane about its origin.

    Args:
        count: how many.
        roll_deg: standard deviation of the angle, degrees.
        wild_share: share that is turned by any angle instead.
        rng: source of randomness.
    """
    turn = np.deg2rad(rng.normal(0, roll_deg, count))
    wild = rng.random(count) < wild_share
    turn[wild] = rng.uniform(-np.pi, np.pi, int(wild.sum()))
    rotation = np.zeros((count, 3, 3))
    rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(turn)
    rotation[:, 1, 0] = np.sin(turn)
    rotation[:, 0, 1] = -rotation[:, 1, 0]
    rotation[:, 2, 2] = 1.0
    return rotation
