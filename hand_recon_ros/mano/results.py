"""What goes into the MANO fit and what comes out."""

from __future__ import annotations

from dataclasses import dataclass

from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array, Keypoints, ManoParameters, ScaleSource

STATE_SIZE = 51
"""Tangent state of a hand: wrist position (3, m), orientation (3, rad, rotation about the camera's
axes: R <- exp(w) R), then 45 = 15 joints x 3 (rad, right-perturbation R <- R exp(w) in the
joint's own frame, MANO order)."""


@dataclass(frozen=True, slots=True)
class FitRequest:
    """One hand to fit in this frame.

    Attributes:
        side: side of the track (may differ from a doubtful ``keypoints.side``).
        keypoints: what was measured.
        warm: parameters predicted for this frame from the frames before, or None at a cold start.
        betas: shape to hold, (10,), or None while it is still being estimated.
        dt: seconds since ``warm`` was measured (scales the temporal term).
    """

    side: Side
    keypoints: Keypoints
    warm: ManoParameters | None = None
    betas: Array | None = None
    dt: float = 1 / 30


@dataclass(frozen=True, slots=True)
class FitResult:
    """The fitted hand.

    Attributes:
        parameters: MANO parameters in the camera's optical frame.
        joints_m: (21, 3) forward kinematics of ``parameters``.
        wrist_rotation: (3, 3) camera from hand.
        covariance: (51, 51) of the tangent state, see ``STATE_SIZE``.
        betas_information: (10, 10) what this frame says of the shape (for the shape estimate).
        residual_px: mean distance of projected joints to key points, confidence weighted.
        iterations: steps taken.
        scale_source: what fixed the size.
    """

    parameters: ManoParameters
    joints_m: Array
    wrist_rotation: Array
    covariance: Array
    betas_information: Array
    residual_px: float
    iterations: int
    scale_source: ScaleSource
