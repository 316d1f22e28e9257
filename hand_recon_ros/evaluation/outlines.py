"""Outlines of true and found hands."""

from __future__ import annotations

from hand_recon_ros.camera import Camera
from hand_recon_ros.evaluation.meshes import FoundMesh
from hand_recon_ros.evaluation.truth import TrueHand
from hand_recon_ros.metrics.silhouettes import silhouette_iou


def outline_iou(truth: TrueHand, found: FoundMesh, camera: Camera) -> float:
    """Intersection over union of one hand's two outlines; NaN without a true mesh.

    A true mesh without faces is read with the found one's, if it has as many vertices.
    """
    vertices, faces = truth.vertices_m, truth.faces
    if vertices is None:
        return float("nan")
    if faces is None:
        if len(vertices) != len(found.vertices_m):
            return float("nan")
        faces = found.faces
    return silhouette_iou(
        camera.project(found.vertices_m),
        found.faces,
        camera.project(vertices),
        faces,
        (camera.width, camera.height),
    )
