"""Symmetric positive definite systems by Cholesky: half the work of numpy's LU, without checks.

All matrices are float64 and C-contiguous, and they are overwritten: small systems are solved
hundreds of times a second here. NaN in, NaN out.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from hand_recon_ros.types import Array


def whitener(S: Array) -> Array:
    """Lower triangular W (n, n) with W S W^T = 1, so that S^-1 = W^T W.

    Raises:
        numpy.linalg.LinAlgError: S is not positive definite.
    """
    # C order seen by LAPACK is the transpose, which is S itself
    U, failed = lapack.dpotrf(S.T, lower=0, clean=1, overwrite_a=1)
    if not failed:
        U, failed = lapack.dtrtri(U, lower=0, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError("the matrix is not positive definite")
    return np.asarray(U.T)


def solve(S: Array, b: Array) -> Array | None:
    """S^-1 b (n,), or None where S is not positive definite."""
    _, x, failed = lapack.dposv(S.T, b, lower=0, overwrite_a=1)
    return None if failed else np.asarray(x)
