"""Anatomical angles against poses of known angles, and what must not change them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from posed_hands import BEND, SPREAD, TWIST, bent_joints, gesture_joints
from scipy.spatial.transform import Rotation

from hand_recon_ros.retarget.hand_angles import JOINT_NAMES, hand_angles, palm_axes
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.synthesis.gestures import GESTURES

vectors = arrays(np.float64, 3, elements=st.floats(-3, 3))
shapes = arrays(np.float64, 10, elements=st.floats(-1.5, 1.5))
seeds = st.integers(0, 2**32 - 1)

COLUMN = {(0, BEND): 0, (0, SPREAD): 1, (1, BEND): 2, (2, BEND): 3}
MOVES = [(d, k, BEND, a) for d in range(5) for k in range(3) for a in (-15, 20, 45, 75)]
MOVES += [(d, 0, SPREAD, a) for d in range(5) for a in (-12, 15)]


def read(joints, side="right"):
    """(5, 4) degrees."""
    return np.degrees(hand_angles(joints, side).by_digit())


def expected(moves):
    angles = np.zeros((5, 4))
    for digit, joint, axis, value in moves:
        # abduction leads away from the middle finger, spread to the thumb
        angles[digit, COLUMN[joint, axis]] = -value if axis == SPREAD and digit >= 3 else value
    return angles


def test_names():
    assert len(JOINT_NAMES) == len(set(JOINT_NAMES)) == 20
    assert JOINT_NAMES[:4] == (
        *("thumb_cmc_flexion", "thumb_cmc_abduction", "thumb_mcp_flexion", "thumb_ip_flexion"),
    )
    angles = hand_angles(bent_joints(angles=[(1, 1, BEND, 40), (4, 0, SPREAD, -9)]), "right")
    assert angles["index_pip_flexion"] == pytest.approx(np.radians(40), abs=2e-3)
    assert angles["little_mcp_abduction"] == pytest.approx(np.radians(9), abs=2e-3)
    with pytest.raises(KeyError, match=r"no angle 'index_flexion'; there are: thumb_cmc_flexion"):
        angles["index_flexion"]


@pytest.mark.parametrize("side", SIDES)
def test_the_flat_hand_is_zero(side):
    assert np.abs(read(bent_joints(side), side)).max() < 0.1


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("move", MOVES)
def test_one_joint_turned_by_a_known_angle_is_read_as_that_angle(side, move):
    np.testing.assert_allclose(read(bent_joints(side, [move]), side), expected([move]), atol=0.15)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MOVES), st.sampled_from(SIDES), vectors, shapes)
def test_any_turn_of_the_hand_and_any_shape_read_the_same(move, side, orient, betas):
    flat = read(bent_joints(side, (), orient, betas), side)
    turned = read(bent_joints(side, [move], orient, betas), side)
    assert np.abs(flat).max() < 4  # another palm, another zero
    np.testing.assert_allclose(turned - flat, expected([move]), atol=1.0)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_all_joints_turned_at_once_are_all_read(seed):
    rng = np.random.default_rng(seed)
    moves = [(d, k, BEND, rng.uniform(-10, 90)) for d in range(5) for k in range(3)]
    moves += [(d, 0, SPREAD, rng.uniform(-20, 20)) for d in range(5)]
    np.testing.assert_allclose(read(bent_joints(angles=moves)), expected(moves), atol=0.3)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(GESTURES)), st.sampled_from(SIDES), vectors, vectors)
def test_place_size_turn_and_mirror_do_not_matter(name, side, orient, place):
    joints = gesture_joints(name, side)
    values = hand_angles(joints, side).values
    R = Rotation.from_rotvec(orient).as_matrix()
    moved = hand_angles(2.5 * joints @ R.T + place, side).values
    np.testing.assert_allclose(moved, values, atol=1e-6)
    mirrored = hand_angles(joints * (1, -1, 1), "left" if side == "right" else "right")
    np.testing.assert_allclose(mirrored.values, values, atol=1e-9)


@pytest.mark.parametrize("flexion", [0, 45, 90, 110])
def test_abduction_keeps_its_meaning_however_far_the_finger_is_bent(flexion):
    moves = [(1, 0, BEND, flexion), (1, 0, SPREAD, 15)]
    np.testing.assert_allclose(read(bent_joints(angles=moves)), expected(moves), atol=0.15)


@pytest.mark.parametrize(("twist", "allowed", "of_thumb"), [(10, 0.5, 2.5), (30, 2.0, 6.5)])
def test_a_digit_turned_about_its_bone_still_reads_its_bend(twist, allowed, of_thumb):
    for digit in range(5):
        moves = [(digit, 0, TWIST, twist), (digit, 1, BEND, 60)]
        # the bones of a thumb at rest are not in line, so that the turn truly changes its bend
        tolerance = allowed if digit else of_thumb
        assert read(bent_joints(angles=moves))[digit, 2] == pytest.approx(60, abs=tolerance)


def test_noise_costs_no_more_than_it_must():
    rng = np.random.default_rng(4)
    sigma = 0.001
    joints = gesture_joints("relaxed")
    noisy = np.array([read(joints + rng.normal(0, sigma, (21, 3))) for _ in range(400)])
    clean = read(joints)
    error = np.sqrt(np.mean((noisy - clean) ** 2, axis=0))
    lengths = np.linalg.norm(np.diff(joints[1:].reshape(5, 4, 3), axis=1), axis=2)
    before, after = lengths[:, :-1], lengths[:, 1:]
    # three points in a plane: what their noise makes of the angle between two bones
    least = np.degrees(sigma * np.sqrt(before**-2 + after**-2 + (1 / before + 1 / after) ** 2))
    assert (error[:, 2:] < 1.2 * least).all()
    # the first joints rest on the palm, which is longer than any bone
    assert error[:, :2].max() < 4


def test_noise_does_not_bend_a_straight_hand():
    rng = np.random.default_rng(5)
    noisy = np.array([read(bent_joints() + rng.normal(0, 0.001, (21, 3))) for _ in range(400)])
    # unsigned angles between bones would gain as much as they are noisy: 5 to 9 degrees
    assert np.abs(noisy.mean(axis=0)).max() < 1
    assert noisy.std(axis=0).max() > 5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20), st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(0, 2))
def test_what_is_not_finite_spoils_only_what_needs_it(joint, value, axis):
    joints = gesture_joints("relaxed")
    joints[joint, axis] = value
    with np.errstate(invalid="ignore"):
        angles = hand_angles(joints, "right").by_digit()
    whole = hand_angles(gesture_joints("relaxed"), "right").by_digit()
    lost = ~np.isfinite(angles)
    if joint in (0, 5, 9, 13, 17):
        assert lost.all()
    else:
        digit, link = divmod(joint - 1, 4)
        assert lost[digit, 3]
        assert not np.delete(lost, digit, axis=0).any()
        if link == 3:
            assert lost.sum() == 1
    np.testing.assert_array_equal(angles[~lost], whole[~lost])


@pytest.mark.parametrize(
    "joints",
    [
        np.zeros((21, 3)),
        np.ones((21, 3)),
        np.outer(np.arange(21.0), [1, 2, 3]),
        np.full((21, 3), np.nan),
    ],
    ids=["zeros", "one point", "one line", "NaN"],
)
def test_degenerate_hands_are_not_a_number_and_nothing_worse(joints):
    assert np.isnan(hand_angles(joints, "left").values).all()


def test_a_bone_of_no_length_has_no_angle():
    joints = bent_joints()
    joints[8] = joints[7]
    lost = np.isnan(hand_angles(joints, "right").values)
    assert [name for name, gone in zip(JOINT_NAMES, lost, strict=True) if gone] == [
        "index_dip_flexion"
    ]


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"joints have shape \(20, 3\): give \(21, 3\)"):
        hand_angles(np.zeros((20, 3)), "right")


@settings(max_examples=20, deadline=None)
@given(vectors)
def test_palm_axes_are_orthonormal_and_anatomical(orient):
    axes = palm_axes(bent_joints("right", (), orient))
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(-1)
    R = Rotation.from_rotvec(orient).as_matrix()
    # MANO's right hand: fingers along -x, back of the hand +y, thumb +z
    assert (axes * (R @ np.diag((-1.0, 1.0, 1.0)))).sum(axis=0).min() > 0.99
