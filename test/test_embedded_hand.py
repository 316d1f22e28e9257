"""The embedded hand: topology, skin, shape, correctives, poses and texture."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros.mano.embedded import anatomy, generate, mesh, poses, shape, topology
from hand_recon_ros.mano.loader import EMBEDDED_FILE, load_hand_model

RIGHT = load_hand_model("right")


def edges(faces: np.ndarray) -> list[tuple[int, int]]:
    return [tuple(e) for k in range(3) for e in faces[:, [k, (k + 1) % 3]].tolist()]


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume of a closed or, closed by a fan, once opened surface."""
    directed = set(edges(faces))
    border = [(b, a) for a, b in directed if (b, a) not in directed]
    middle = vertices[[a for a, _ in border]].mean(axis=0) if border else np.zeros(3)
    triangles = np.concatenate(
        [vertices[faces], *([[vertices[a], vertices[b], middle]] for a, b in border)]
    )
    return float(np.linalg.det(triangles).sum() / 6.0)


# ---------------------------------------------------------------------- topology and file


@pytest.mark.parametrize("side", ["right", "left"])
def test_counts_manifold_and_orientation(side) -> None:
    data = load_hand_model(side)
    assert data.v_template.shape == (778, 3)
    assert data.faces.shape == (1538, 3)
    directed = Counter(edges(data.faces))
    assert max(directed.values()) == 1, "an edge is used twice in one direction: not orientable"
    border = {a: b for a, b in directed if (b, a) not in directed}
    assert len(border) == 16
    loop = [int(data.wrist_loop[0])]
    while len(loop) < 16:
        loop.append(border[loop[-1]])
    assert loop == data.wrist_loop.tolist() or loop[::-1] == np.roll(data.wrist_loop, -1).tolist()
    assert sorted(set(data.faces.ravel().tolist())) == list(range(778))
    assert 250e-6 < volume(data.v_template, data.faces) < 450e-6  # outwards, and a hand's volume


def test_triangles_are_well_shaped() -> None:
    corners = RIGHT.v_template[RIGHT.faces]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    quality = 2 * np.sqrt(3) * area / np.square(sides).sum(axis=1)
    assert quality.min() > 0.15
    assert np.median(quality) > 0.8


def test_file_is_small_and_listed() -> None:
    manifest = json.loads((EMBEDDED_FILE.parent / "manifest.json").read_text())
    (entry,) = [e for e in manifest if e["name"] == EMBEDDED_FILE.name]
    raw = EMBEDDED_FILE.read_bytes()
    assert entry["sha256"] == hashlib.sha256(raw).hexdigest()
    assert {"licence", "source"} <= set(entry)
    assert len(raw) < 300_000


def test_committed_file_is_what_the_generator_makes(tmp_path) -> None:
    """The template is rebuilt; the shape directions (20 more builds) by one beta."""
    connectivity = topology.build()
    vertices, _ = shape.model_frame(connectivity, anatomy.Anatomy())
    assert np.abs(vertices - RIGHT.v_template).max() < 2e-6
    assert (connectivity.faces == RIGHT.faces).all()
    sigma = shape.SIGMAS["little_length"]
    longer = replace(anatomy.Anatomy(), little_length=1 + sigma)
    vertices, _ = shape.model_frame(connectivity, longer)
    predicted = RIGHT.v_template + RIGHT.shapedirs[:, :, list(shape.SIGMAS).index("little_length")]
    assert np.abs(vertices - predicted).max() < 3e-4


def test_writes_the_same_bytes_twice(tmp_path, monkeypatch) -> None:
    none = (np.zeros((778, 3, 10)), np.zeros((16, 3, 10)))
    monkeypatch.setattr(generate.shape, "shape_directions", lambda _: none)  # 40 s of the same
    monkeypatch.setattr(generate.correctives, "_SAMPLES", 60)
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        files.append(generate.write(folder).read_bytes())
    assert files[0] == files[1]


# ---------------------------------------------------------------------- skeleton and skin


def test_hand_has_adult_proportions() -> None:
    joints = RIGHT.j_regressor @ RIGHT.v_template
    length = np.linalg.norm(RIGHT.v_template[RIGHT.tips[2]] - joints[0])
    assert 0.170 < length < 0.190
    np.testing.assert_allclose(joints[0], anatomy.WRIST_MM / 1000, atol=2e-5)
    middle, thumb = joints[4] - joints[0], joints[15] - joints[0]
    assert middle[0] < 0  # fingers along -x
    assert thumb[2] > 0.04  # thumb towards +z
    order = joints[[1, 4, 10, 7], 2]
    assert (np.diff(order) < 0).all()  # index, middle, ring, little towards -z
    knuckles = (np.abs(RIGHT.v_template[:, 0] - 0.002) < 0.01) & (
        RIGHT.weights[:, 13:].max(1) < 0.5
    )
    width = np.ptp(RIGHT.v_template[knuckles, 2])
    assert 0.07 < width < 0.095


def test_skin_weights() -> None:
    weights = RIGHT.weights
    assert (weights >= 0).all()
    assert (weights > 0).sum(axis=1).max() <= 4
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    assert (weights[RIGHT.tips, [15, 3, 6, 12, 9]] == 1.0).all()
    assert (weights[RIGHT.wrist_loop, 0] == 1.0).all()
    assert not RIGHT.posedirs[RIGHT.tips].any()
    # Smooth: no edge jumps by more than half a bone.
    jump = max(np.abs(weights[a] - weights[b]).max() for a, b in edges(RIGHT.faces))
    assert jump < 0.65


@pytest.mark.parametrize("beta", [*range(10), None])
def test_regressor_gives_the_true_joints_of_every_shape(beta) -> None:
    assert (RIGHT.j_regressor >= 0).all()
    np.testing.assert_allclose(RIGHT.j_regressor.sum(axis=1), 1.0, atol=1e-12)
    measures, betas = {}, np.zeros(10)
    if beta is not None:
        name = list(shape.SIGMAS)[beta]
        measures, betas[beta] = {name: 1 + 2 * shape.SIGMAS[name]}, 2.0
    joints = anatomy.mano_joints(replace(anatomy.Anatomy(), **measures))
    true = (joints - joints[0] + anatomy.WRIST_MM) / 1000
    regressed = RIGHT.j_regressor @ (RIGHT.v_template + RIGHT.shapedirs @ betas)
    assert np.abs(regressed - true).max() < 1e-3


def test_shape_directions_mean_what_they_say() -> None:
    def measure(betas: np.ndarray) -> dict[str, float]:
        vertices = RIGHT.v_template + RIGHT.shapedirs @ betas
        joints = RIGHT.j_regressor @ vertices
        tips = vertices[RIGHT.tips]
        bones = {
            name: np.linalg.norm(tips[k] - joints[first])
            for k, (name, first) in enumerate(
                zip(("thumb", "index", "middle", "ring", "little"), (13, 1, 4, 10, 7), strict=True)
            )
        }
        return {
            **bones,
            "palm": np.linalg.norm(joints[4] - joints[0]),
            "width": np.linalg.norm(joints[1] - joints[7]),
            "volume": volume(vertices, RIGHT.faces),
            "length": np.linalg.norm(tips[2] - joints[0]),
        }

    mean = measure(np.zeros(10))
    changed = [measure(row) for row in 2 * np.eye(10)]
    ratio = [{key: value[key] / mean[key] for key in mean} for value in changed]
    assert ratio[0]["length"] == pytest.approx(1.10, abs=0.005)
    assert ratio[1]["palm"] == pytest.approx(1.05, abs=0.01)
    assert ratio[1]["middle"] == pytest.approx(1.0, abs=0.01)
    assert ratio[2]["width"] == pytest.approx(1.07, abs=0.015)
    assert ratio[3]["volume"] > 1.07
    assert ratio[3]["length"] == pytest.approx(1.0, abs=0.005)
    assert ratio[4]["middle"] == pytest.approx(1.06, abs=0.01)
    assert ratio[5]["thumb"] == pytest.approx(1.08, abs=0.01)
    assert ratio[6]["volume"] > 1.01
    assert ratio[7]["index"] / ratio[7]["ring"] == pytest.approx(1.06, abs=0.01)
    assert ratio[8]["little"] == pytest.approx(1.09, abs=0.015)
    assert ratio[9]["length"] == pytest.approx(1.0, abs=0.005)
    # Taper: thick at the base, thin at the tip.
    ring = topology.build().digits[2]
    for level, sign in ((1, 1), (9, -1)):
        rows = ring[level]
        moved = RIGHT.v_template + RIGHT.shapedirs[:, :, 9] * 2
        before, after = (np.ptp(v[rows], axis=0)[2] for v in (RIGHT.v_template, moved))
        assert sign * (after - before) > 2e-4


def test_extreme_shapes_keep_their_topology() -> None:
    """No face turns inside out at beta = +-2 along any direction."""

    def normals(vertices: np.ndarray) -> np.ndarray:
        a, b, c = (vertices[RIGHT.faces[:, k]] for k in range(3))
        cross = np.cross(b - a, c - a)
        return cross / np.linalg.norm(cross, axis=1, keepdims=True)

    mean = normals(RIGHT.v_template)
    for betas in np.concatenate([2 * np.eye(10), -2 * np.eye(10)]):
        assert (normals(RIGHT.v_template + RIGHT.shapedirs @ betas) * mean).sum(axis=1).min() > 0.2


# ---------------------------------------------------------------------- pose space and texture


def test_pose_space() -> None:
    components = RIGHT.hands_components
    np.testing.assert_allclose(components @ components.T, np.eye(45), atol=1e-9)
    np.testing.assert_allclose(RIGHT.hands_mean, poses.named_pose("relaxed"), atol=1e-12)
    axes = poses.joint_axes(anatomy.Anatomy())
    fresh = poses.axis_angles(axes, poses.sample(300, 99, synergy=True)).reshape(-1, 45)
    centred = fresh - fresh.mean(axis=0)
    explained = np.square(centred @ components[:15].T).sum() / np.square(centred).sum()
    assert explained > 0.9


@pytest.mark.parametrize("synergy", [True, False])
def test_sampled_poses_are_legal(synergy) -> None:
    low, high = np.moveaxis(poses.limits(), -1, 0)
    angles = poses.sample(500, 5, synergy)
    assert (angles >= low).all()
    assert (angles <= high).all()
    assert angles[..., 0].std() > 0.2


def test_texture_map_has_no_overlap() -> None:
    assert RIGHT.uv is not None
    assert RIGHT.uv_faces is not None
    assert RIGHT.uv.min() >= 0
    assert RIGHT.uv.max() <= 1
    size = 1024
    hits = np.zeros((size, size), dtype=np.int32)
    corners = RIGHT.uv[RIGHT.uv_faces] * size
    signs = []
    for a, b, c in corners:
        area = np.cross(b - a, c - a)
        signs.append(np.sign(area))
        low = np.floor(np.minimum(np.minimum(a, b), c)).astype(int)
        high = np.ceil(np.maximum(np.maximum(a, b), c)).astype(int)
        x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
        points = np.stack([x, y], axis=-1)
        u = np.cross(points - a, c - a) / area
        v = np.cross(b - a, points - a) / area
        inside = (u > 0) & (v > 0) & (u + v < 1)
        hits[low[1] : high[1], low[0] : high[0]] += inside
    assert len(set(signs)) == 1, "some triangles are mirrored in the texture"
    assert hits.max() == 1
    assert hits.mean() > 0.3


def test_landmarks_lie_where_they_should() -> None:
    joints = RIGHT.j_regressor @ RIGHT.v_template
    palm = RIGHT.v_template[RIGHT.palm].mean(axis=0)
    assert 0.0 < palm[0] < joints[0][0]
    assert np.linalg.norm(palm - joints[[0, 1, 4, 7, 10]].mean(axis=0)) < 0.03
    tips = RIGHT.v_template[RIGHT.tips]
    for tip, joint in zip(tips, (15, 3, 6, 12, 9), strict=True):
        own = RIGHT.v_template[RIGHT.weights[:, joint] == 1.0]
        reach = np.linalg.norm(own - joints[joint], axis=1)
        assert np.linalg.norm(tip - joints[joint]) >= reach.max() - 1e-3
    assert Path(EMBEDDED_FILE).is_file()
    assert mesh.adjacency(RIGHT.faces).shape == (778, 778)
