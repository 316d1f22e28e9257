"""The numbers of one found hand against its truth."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.evaluation.matching import true_pixels
from hand_recon_ros.evaluation.meshes import FoundMesh
from hand_recon_ros.evaluation.truth import TrueHand
from hand_recon_ros.metrics import positions
from hand_recon_ros.metrics.curves import f_scores
from hand_recon_ros.metrics.procrustes import aligned, fit_similarity
from hand_recon_ros.skeleton import WRIST
from hand_recon_ros.types import Array, Hand

_MM = 1000.0


@dataclass(frozen=True, slots=True)
class HandNumbers:
    """What one hand's comparison gives.

    Attributes:
        values: by metric name.
        joints_m: (21,) wrist-aligned error of each joint, NaN unknown.
        joints_aligned_m: (21,) after FreiHAND's similarity.
        vertices_aligned_m: (778,) after FreiHAND's similarity of the mesh, or None.
    """

    values: dict[str, float] = field(default_factory=dict)
    joints_m: Array = field(default_factory=lambda: np.full(21, np.nan))
    joints_aligned_m: Array = field(default_factory=lambda: np.full(21, np.nan))
    vertices_aligned_m: Array | None = None


def compare_hand(
    truth: TrueHand, found: Hand, camera: Camera, mesh: FoundMesh | None
) -> HandNumbers:
    """Compare joints, key points and, where both are known, meshes."""
    values = _image_values(truth, found, camera)
    joints = found.joints_m
    if not np.isfinite(positions.distances(joints, truth.joints_m)).any():
        return HandNumbers(values)
    relative = positions.distances(
        positions.root_relative(joints), positions.root_relative(truth.joints_m)
    )
    scaled = positions.at_true_scale(joints, truth.joints_m)
    upright = positions.distances(aligned(joints, truth.joints_m), truth.joints_m)
    mirrored = positions.distances(aligned(joints, truth.joints_m, reflection=True), truth.joints_m)
    camera_space = positions.distances(joints, truth.joints_m)
    values |= {
        "mpjpe_mm": _MM * positions.mean_known(relative),
        "mpjpe_scaled_mm": _MM * positions.mean_position_error(scaled, truth.joints_m),
        "pa_mpjpe_mm": _MM * positions.mean_known(upright),
        "pa_mpjpe_reflect_mm": _MM * positions.mean_known(mirrored),
        "camera_space_mm": _MM * positions.mean_known(camera_space),
        "wrist_mm": _MM * float(camera_space[WRIST]),
    }
    vertices_aligned = None
    if mesh is not None and truth.vertices_m is not None:
        more, vertices_aligned = _mesh_values(truth, joints, mesh)
        values |= more
    return HandNumbers(values, relative, mirrored, vertices_aligned)


def _image_values(truth: TrueHand, found: Hand, camera: Camera) -> dict[str, float]:
    pixels = true_pixels(truth, camera)
    off = positions.mean_known(positions.distances(found.joints_px, pixels))
    known = pixels[np.isfinite(pixels).all(axis=1)]
    box = float(np.ptp(known, axis=0).max()) if len(known) > 1 else 0.0
    within = positions.within_half_a_bone(found.joints_px, pixels)
    return {
        "error_2d_px": off,
        "error_2d_box_pct": 100.0 * off / box if box > 0 else float("nan"),
        "pck_half_bone": 100.0 * positions.mean_known(within),
    }


def _mesh_values(
    truth: TrueHand, joints: Array, mesh: FoundMesh
) -> tuple[dict[str, float], Array | None]:
    true_vertices = truth.vertices_m
    assert true_vertices is not None
    vertices, values, errors = mesh.vertices_m, {}, None
    if mesh.corresponds(truth):
        root_relative = positions.distances(
            vertices - mesh.wrist_m, true_vertices - truth.joints_m[WRIST]
        )
        upright = positions.distances(aligned(vertices, true_vertices), true_vertices)
        values["mpvpe_mm"] = _MM * positions.mean_known(root_relative)
        values["pa_mpvpe_mm"] = _MM * positions.mean_known(upright)
        moved = aligned(vertices, true_vertices, reflection=True)
        errors = positions.distances(moved, true_vertices)
    else:
        moved = fit_similarity(joints, truth.joints_m, reflection=True)(vertices)
    values["f5"], values["f15"] = f_scores(vertices, true_vertices)
    values["pa_f5"], values["pa_f15"] = f_scores(moved, true_vertices)
    return values, errors
