"""Rotation helpers against SciPy and finite differences, over the whole range of angles."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hand_recon_ros import rotations


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    axis = rng.normal(size=(500, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    near_pi = np.pi - 10.0 ** rng.uniform(-12, -1, 150)
    tiny = 10.0 ** rng.uniform(-12, -1, 149)
    return axis * np.concatenate((rng.uniform(0, np.pi, 200), near_pi, tiny, [0.0]))[:, None]


def test_exp_and_log_agree_with_scipy(vectors):
    R = rotations.exp_so3(vectors)
    np.testing.assert_allclose(R, Rotation.from_rotvec(vectors).as_matrix(), atol=1e-14)
    np.testing.assert_allclose(rotations.log_so3(R), vectors, atol=1e-9)


def test_log_at_pi_is_a_half_turn():
    R = np.diag([1.0, -1.0, -1.0])
    np.testing.assert_allclose(np.abs(rotations.log_so3(R)), (np.pi, 0, 0), atol=1e-12)


def test_quaternions_agree_with_scipy(vectors):
    R = rotations.exp_so3(vectors)
    q = rotations.matrix_to_quaternion(R)
    theirs = Rotation.from_matrix(R).as_quat()
    theirs *= np.where(np.einsum("ni,ni->n", q, theirs) < 0, -1, 1)[:, None]
    np.testing.assert_allclose(q, theirs, atol=1e-12)
    assert (q[:, 3] >= 0).all()
    np.testing.assert_allclose(rotations.quaternion_to_matrix(3.0 * q), R, atol=1e-14)


def test_jacobians_are_the_derivatives(vectors):
    step = np.random.default_rng(1).normal(size=vectors.shape) * 1e-6
    R, moved = rotations.exp_so3(vectors), rotations.exp_so3(vectors + step)
    right = np.einsum("nij,nj->ni", rotations.right_jacobian(vectors), step)
    left = np.einsum("nij,nj->ni", rotations.left_jacobian(vectors), step)
    np.testing.assert_allclose(moved, R @ rotations.exp_so3(right), atol=1e-11)
    np.testing.assert_allclose(moved, rotations.exp_so3(left) @ R, atol=1e-11)
    identity = rotations.right_jacobian_inverse(vectors) @ rotations.right_jacobian(vectors)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)


@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_any_leading_shape(batch):
    w = np.full((*batch, 3), 0.3)
    R = rotations.exp_so3(w)
    assert R.shape == (*batch, 3, 3)
    np.testing.assert_allclose(rotations.log_so3(R), w, atol=1e-12)
    assert rotations.matrix_to_quaternion(R).shape == (*batch, 4)
    np.testing.assert_allclose(rotations.hat(w) @ np.ones(3), np.cross(w, np.ones(3)), atol=1e-15)
