"""The embedded hand in bent poses: no collapse, no self-intersection."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.embedded import anatomy, poses, topology
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.skeleton import MANO_PARENTS

RIGHT = load_hand_model("right")


def posed(data: HandModelData, pose: np.ndarray) -> np.ndarray:
    model = HandModel(data, dtype=torch.float64)
    values = [torch.tensor(v[None]) for v in (np.zeros(3), pose, np.zeros(10), np.zeros(3))]
    return model(*values).vertices[0].numpy()


def edges(faces: np.ndarray) -> list[tuple[int, int]]:
    return [tuple(e) for k in range(3) for e in faces[:, [k, (k + 1) % 3]].tolist()]


@pytest.mark.parametrize(
    ("digit", "joint", "level"),
    [(1, 2, 3), (1, 3, 7), (2, 5, 3), (3, 11, 3), (4, 8, 3), (4, 9, 7), (0, 15, 7)],
)
def test_a_bent_finger_does_not_collapse(digit, joint, level) -> None:
    angles = np.zeros((15, 3))
    angles[joint - 1, 0] = np.pi / 2
    axes = poses.joint_axes(anatomy.Anatomy())
    pose = poses.axis_angles(axes, angles).reshape(45)
    rings = topology.build().digits[digit][level - 1 : level + 2]
    members = set(np.concatenate(rings).tolist())
    tube = np.array([f for f in RIGHT.faces.tolist() if set(f) <= members])

    def section(vertices: np.ndarray) -> float:
        points = vertices[rings[1]] - vertices[rings[1]].mean(axis=0)
        return float(np.linalg.norm(np.cross(points, np.roll(points, -1, 0)).sum(axis=0)) / 2)

    def kept(data: HandModelData) -> tuple[float, float]:
        bent = posed(data, pose)
        before, after = (_tube_volume(v, tube, rings) for v in (data.v_template, bent))
        return section(bent) / section(data.v_template), after / before

    area, inside = kept(RIGHT)
    plain_area, _ = kept(replace(RIGHT, posedirs=RIGHT.posedirs * 0))
    assert plain_area < 0.75, "without correctives it must collapse, or this proves nothing"
    assert area > 0.85
    assert inside > 0.8


def _tube_volume(vertices: np.ndarray, tube: np.ndarray, rings: tuple[np.ndarray, ...]) -> float:
    centre = vertices[rings[1]].mean(axis=0)
    triangles = [vertices[tube]]
    for ring, sign in ((rings[0], -1), (rings[-1], 1)):
        middle = vertices[ring].mean(axis=0)
        for a, b in zip(ring, np.roll(ring, -1), strict=True):
            pair = (vertices[a], vertices[b]) if sign > 0 else (vertices[b], vertices[a])
            triangles.append(np.array([[*pair, middle]]))
    return float(np.linalg.det(np.concatenate(triangles) - centre).sum() / 6.0)


def crossings(vertices: np.ndarray, data: HandModelData) -> list[tuple[int, int]]:
    """Pairs of bones, not neighbours in the tree, of which an edge pierces a face."""
    related = np.eye(16, dtype=bool)
    for joint, parent in enumerate(MANO_PARENTS[1:], start=1):
        related[joint, parent] = related[parent, joint] = True
    part = data.weights.argmax(axis=1)
    lines = np.array(sorted({tuple(sorted(e)) for e in edges(data.faces)}))
    corners = vertices[data.faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    found = []
    for chunk in np.array_split(lines, 10):
        ends = vertices[chunk]
        near = (ends.min(axis=1)[:, None] <= high) & (ends.max(axis=1)[:, None] >= low)
        line, face = np.nonzero(near.all(axis=-1))
        pairs = related[part[chunk[line]][:, :, None], part[data.faces[face]][:, None]]
        line, face = line[~pairs.any(axis=(1, 2))], face[~pairs.any(axis=(1, 2))]
        start, along = ends[line, 0], ends[line, 1] - ends[line, 0]
        a = corners[face, 0]
        system = np.stack([corners[face, 1] - a, corners[face, 2] - a, -along], axis=2)
        solvable = np.abs(np.linalg.det(system)) > 1e-18
        solved = np.linalg.solve(system[solvable], (start - a)[solvable][..., None])[..., 0]
        hit = (solved >= 0).all(axis=1) & (solved[:, :2].sum(axis=1) <= 1) & (solved[:, 2] <= 1)
        bones = part[chunk[line[solvable], 0]], part[data.faces[face[solvable], 0]]
        found += list(zip(bones[0][hit].tolist(), bones[1][hit].tolist(), strict=True))
    return found


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", list(poses.NAMED_POSES))
def test_no_self_intersection(name, side) -> None:
    data = load_hand_model(side)
    pose = poses.named_pose(name)
    if side == "left":
        pose = pose * np.tile([1.0, -1.0, -1.0], 15)
    assert not Counter(crossings(posed(data, pose), data))


def test_the_intersection_test_sees_one() -> None:
    pose = poses.named_pose("fist").reshape(15, 3)
    pose[[1, 4, 7, 10]] *= 1.4
    assert crossings(posed(RIGHT, pose.reshape(45)), RIGHT)


def test_pinch_touches_and_flat_is_flat() -> None:
    connectivity = topology.build()
    pads = [np.concatenate(connectivity.digits[k][8:]) for k in (0, 1)]

    def gap(name: str) -> float:
        vertices = posed(RIGHT, poses.named_pose(name))
        between = vertices[pads[0]][:, None] - vertices[pads[1]][None]
        return float(np.linalg.norm(between, axis=2).min())

    assert gap("pinch") < 0.004
    assert gap("flat") > 0.05
    assert not poses.named_pose("flat").any()
