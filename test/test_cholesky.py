"""Small positive definite systems through LAPACK."""

import numpy as np
import pytest

from hand_recon_ros import cholesky


@pytest.fixture
def matrix():
    root = np.random.default_rng(0).normal(size=(9, 12))
    return root @ root.T


def test_whitener_makes_the_matrix_the_identity(matrix):
    W = cholesky.whitener(matrix.copy())
    assert (np.triu(W, 1) == 0).all()
    np.testing.assert_allclose(W @ matrix @ W.T, np.eye(9), atol=1e-10)
    np.testing.assert_allclose(W.T @ W, np.linalg.inv(matrix), atol=1e-10)


def test_solve_is_that_of_lu(matrix):
    b = np.arange(9.0)
    np.testing.assert_allclose(cholesky.solve(matrix.copy(), b), np.linalg.solve(matrix, b))
    np.testing.assert_array_equal(b, np.arange(9.0))


def test_what_is_not_positive_definite_is_told(matrix):
    matrix[4, 4] = -1.0
    assert cholesky.solve(matrix.copy(), np.ones(9)) is None
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        cholesky.whitener(matrix)


def test_nan_is_passed_on(matrix):
    matrix[4, 4] = np.nan
    assert np.isnan(cholesky.solve(matrix.copy(), np.ones(9))).any()
    assert np.isnan(cholesky.whitener(matrix)).any()
