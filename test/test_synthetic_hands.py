"""Hands of the generator are legal: limits hold and nothing enters anything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.mano.priors import LOWER_LIMITS, UPPER_LIMITS
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.synthesis.gestures import GESTURES, gesture
from hand_recon_ros.synthesis.hands import HandSource
from hand_recon_ros.synthesis.legality import MAX_DEPTH_M, SelfContact
from hand_recon_ros.synthesis.motion import fitted_angles, recorded_angles
from hand_recon_ros.synthesis.placing import PlacedHand, Placer
from hand_recon_ros.synthesis.poses import POSE_KINDS, draw_pose
from hand_recon_ros.synthesis.shapes import draw_betas

MOTION = Path(__file__).parents[2] / "shared" / "data" / "motion"


@pytest.fixture(scope="module")
def right() -> HandModelData:
    return load_hand_model("right")


@pytest.fixture(scope="module")
def source(right: HandModelData) -> HandSource:
    return HandSource(right)


@pytest.fixture(scope="module")
def placer(right: HandModelData, source: HandSource) -> Placer:
    return Placer(source, {"right": right, "left": right.mirrored()})


def winding(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return how often the closed surface goes round each point (van Oosterom 1983)."""
    a, b, c = (vertices[faces[:, k]][None] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    triple = np.einsum("pfi,pfi->pf", a, np.cross(b, c))
    below = (
        la * lb * lc
        + np.einsum("pfi,pfi->pf", a, b) * lc
        + np.einsum("pfi,pfi->pf", b, c) * la
        + np.einsum("pfi,pfi->pf", c, a) * lb
    )
    return 2 * np.arctan2(triple, below).sum(axis=1) / (4 * np.pi)


def closed(model: HandModelData, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mesh with a lid on the wrist."""
    loop, middle = model.wrist_loop, len(vertices)
    lid = np.stack([loop, np.roll(loop, -1), np.full(len(loop), middle)], axis=1)
    edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in model.faces for k in range(3)}
    if (int(loop[0]), int(loop[1])) in edges:
        lid = lid[:, [1, 0, 2]]
    points = np.concatenate([vertices, vertices[loop].mean(axis=0)[None]])
    return points, np.concatenate([model.faces, lid])


def distance_to_faces(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return an upper bound: the nearest of 15 points spread over each triangle."""
    shares = np.array([(i, j, 4 - i - j) for i in range(5) for j in range(5 - i)], dtype=float)
    spread = np.einsum("sk,fki->fsi", shares / 4, vertices[faces]).reshape(-1, 3)
    return np.sqrt(((points[:, None] - spread) ** 2).sum(-1).min(axis=1))


def test_winding_tells_inside_from_outside(right: HandModelData) -> None:
    points, faces = closed(right, right.v_template)
    inside = (right.j_regressor @ right.v_template)[[1, 4, 13]]
    outside = inside + np.array([0, 0.2, 0])
    assert np.allclose(winding(inside, points, faces), 1, atol=0.01)
    assert np.allclose(winding(outside, points, faces), 0, atol=0.01)


@pytest.mark.parametrize("kind", POSE_KINDS)
def test_poses_keep_the_limits_and_shapes_the_range(kind: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        angles = draw_pose(kind, rng)
        assert (angles >= LOWER_LIMITS - 1e-9).all()
        assert (angles <= UPPER_LIMITS + 1e-9).all()
        assert np.abs(draw_betas(rng)).max() <= 3


def test_shapes_cover_the_whole_range() -> None:
    rng = np.random.default_rng(0)
    betas = np.array([draw_betas(rng) for _ in range(2000)])
    assert (betas.min(axis=0) < -2).all()
    assert (betas.max(axis=0) > 2).all()


def solids(model: HandModelData) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the parts of a hand as (faces, vertices that may not enter): digits, palm, bones."""
    part = model.weights.argmax(axis=1)
    digit, bone = np.where(part == 0, 5, (part - 1) // 3), np.where(part == 0, -1, (part - 1) % 3)
    free = bone >= 1
    result = []
    for number in range(6):
        faces = model.faces[(digit[model.faces] == number).all(axis=1)]
        result.append((faces, np.nonzero(free & (digit != number))[0]))
    return result


def capped(faces: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Close every hole of a patch by a fan round the middle of its edge."""
    edges = {(int(f[k]), int(f[(k + 1) % 3])) for f in faces for k in range(3)}
    following = {b: a for a, b in edges if (b, a) not in edges}
    points, lids = [vertices], [faces]
    count = len(vertices)
    while following:
        loop = [next(iter(following))]
        while loop[-1] in following:
            loop.append(following.pop(loop[-1]))
        lids.append(np.array([[loop[k], loop[k + 1], count] for k in range(len(loop) - 1)]))
        points.append(vertices[loop].mean(axis=0)[None])
        count += 1
    return np.concatenate(points), np.concatenate(lids)


def deepest_entry(model: HandModelData, vertices: np.ndarray) -> float:
    """Return how deep a free phalanx's vertex lies inside another digit or the palm, m."""
    deepest = 0.0
    for faces, probes in solids(model):
        points, closed_faces = capped(faces, vertices)
        inside = winding(vertices[probes], points, closed_faces) > 0.5
        if inside.any():
            depth = distance_to_faces(vertices[probes[inside]], vertices, faces)
            deepest = max(deepest, float(depth.max()))
    return deepest


@pytest.mark.parametrize("kind", POSE_KINDS)
def test_no_finger_enters_another_part(kind: str, source: HandSource, right: HandModelData) -> None:
    for seed in range(2):
        hand = source.draw(np.random.default_rng(seed), (kind,))
        assert (hand.angles >= LOWER_LIMITS - 1e-9).all()
        assert (hand.angles <= UPPER_LIMITS + 1e-9).all()
        assert deepest_entry(right, hand.vertices) < MAX_DEPTH_M


def test_a_finger_through_the_palm_is_seen(right: HandModelData, source: HandSource) -> None:
    angles = gesture("fist").copy()
    angles[[0, 3, 6, 9], 2] = np.deg2rad(90)
    angles[12:] = gesture("flat")[12:]
    angles[12, 2] = UPPER_LIMITS[12, 2]
    angles[13:, 2] = UPPER_LIMITS[13:, 2]
    angles[12, 1] = LOWER_LIMITS[12, 1]
    hand = source.posed("fist", angles, np.zeros(10))
    assert SelfContact(right).measure(hand.vertices).depth > MAX_DEPTH_M
    assert deepest_entry(right, hand.vertices) > MAX_DEPTH_M


def test_two_hands_do_not_enter_each_other(placer: Placer, right: HandModelData) -> None:
    rng = np.random.default_rng(5)
    models = {"right": right, "left": right.mirrored()}
    pairs = touching = 0
    for _ in range(6):
        hands = placer.interacting(rng)
        if len(hands) < 2:
            continue
        pairs += 1
        gaps = []
        for a, b in (hands, hands[::-1]):
            points, faces = closed(models[b.side], b.vertices)
            near = np.linalg.norm(a.vertices[:, None] - b.vertices[None], axis=-1).min(axis=1)
            gaps.append(near.min())
            probes = a.vertices[near < 0.02]
            inside = probes[winding(probes, points, faces) > 0.5] if len(probes) else probes
            if len(inside):
                depth = distance_to_faces(inside, points, faces)
                assert depth.max() < MAX_DEPTH_M
        touching += min(gaps) < 0.012
    assert pairs >= 4
    assert touching >= 2


@pytest.mark.parametrize("kind", ["apart", "interacting"])
def test_two_hands_are_one_persons(kind: str, placer: Placer) -> None:
    rng = np.random.default_rng(8)
    scenes = [placer.draw(kind, rng) for _ in range(12)]
    palms = np.array(
        [[np.linalg.norm(h.joints[9] - h.joints[0]) for h in pair] for pair in scenes if pair[1:]]
    )
    assert len(palms) >= 8
    between_hands = palms[:, 0] / palms[:, 1] - 1
    assert 0 < np.abs(between_hands).max() < 0.03
    assert np.std(palms[:, 0] / palms.mean()) > 2 * np.std(between_hands)


def test_mano_parameters_of_placed_hands_are_the_mesh(placer: Placer) -> None:
    rng = np.random.default_rng(1)
    models = {side: HandModel(load_hand_model(side)) for side in SIDES}
    pose = np.eye(4)
    pose[:3, 3] = (0.1, -0.05, 0.5)
    seen = set()
    while len(seen) < 2:
        hand: PlacedHand = placer.single(rng)[0]
        seen.add(hand.side)
        vertices, joints = models[hand.side].forward_parameters(hand.parameters(pose))
        assert np.allclose(vertices, hand.vertices + pose[:3, 3], atol=2e-6)
        assert np.allclose(joints, hand.joints + pose[:3, 3], atol=2e-6)


def test_gestures_are_what_they_say(source: HandSource) -> None:
    def joints(name: str) -> np.ndarray:
        return source.posed(name, gesture(name), np.zeros(10)).joints

    def reach(name: str, tip: int) -> float:
        return float(np.linalg.norm(joints(name)[tip]))

    assert len(GESTURES) >= 20
    for tip in (8, 12, 16, 20):
        assert reach("fist", tip) < 0.75 * reach("flat", tip)
    assert reach("point", 8) > 1.3 * reach("fist", 8)
    for name in ("pinch", "ok"):
        pinched = joints(name)
        assert np.linalg.norm(pinched[4] - pinched[8]) < 0.02
    crossed, apart = joints("crossed"), joints("victory")
    towards_thumb = apart[5] - apart[17]
    assert (apart[8] - apart[12]) @ towards_thumb > 0 > (crossed[8] - crossed[12]) @ towards_thumb


def test_unknown_kinds_are_named(source: HandSource, placer: Placer) -> None:
    with pytest.raises(ValueError, match="unknown pose kind 'wave'"):
        draw_pose("wave", np.random.default_rng(0))
    with pytest.raises(ValueError, match="unknown scene 'crowd'"):
        placer.draw("crowd", np.random.default_rng(0))


@pytest.mark.skipif(not MOTION.is_dir(), reason="no recordings in ../shared/data/motion")
def test_recorded_motion_gives_legal_poses() -> None:
    angles = fitted_angles(MOTION / "wave.npz")
    assert len(angles) > 15
    assert (angles >= LOWER_LIMITS).all()
    assert (angles <= UPPER_LIMITS).all()
    assert np.ptp(angles[:, :12, 2], axis=0).max() > np.deg2rad(10)


def test_no_recordings_is_no_error(tmp_path: Path) -> None:
    assert recorded_angles(tmp_path / "missing").shape == (0, 15, 3)


def test_a_recording_without_joints_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, t=np.zeros(3))
    with pytest.raises(ValueError, match=r"bad\.npz: no recording"):
        fitted_angles(path)
