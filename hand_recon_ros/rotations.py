"""Rotations in plain numpy: SO(3) exponential and logarithm, its Jacobians, quaternions.

All functions take any leading batch shape. Angles are radians. Names and signs follow Sola,
Deray and Atchuthan, "A micro Lie theory for state estimation in robotics" (2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
_SMALL = 1e-6
"""Squared angle below which a cancelling coefficient is replaced by its series."""
_FAR_FROM_PI = 0.1
"""4 w^2 above which a quaternion can be read off the row of its w."""
_EYE = np.eye(3)
_GENERATORS = np.zeros((3, 3, 3))
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _GENERATORS[_i, _k, _j], _GENERATORS[_i, _j, _k] = 1.0, -1.0
_GENERATORS_FLAT = _GENERATORS.reshape(3, 9)
# 4 q q^T is linear in the elements of the rotation matrix
_FOUR_QQT = np.zeros((3, 3, 4, 4))
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _FOUR_QQT[_i, _i, [0, 1, 2, 3], [0, 1, 2, 3]] = -1.0
    _FOUR_QQT[_i, _i, [_i, 3], [_i, 3]] = 1.0
    _FOUR_QQT[_i, _j, [_i, _j], [_j, _i]] = _FOUR_QQT[_j, _i, [_i, _j], [_j, _i]] = 1.0
    _FOUR_QQT[_k, _j, [_i, 3], [3, _i]] = 1.0
    _FOUR_QQT[_j, _k, [_i, 3], [3, _i]] = -1.0
_FOUR_QQT = _FOUR_QQT.reshape(9, 16)
_FOUR_QQT_AT_ZERO = np.eye(4).reshape(16)
# 4 w q and what it is at zero
_FOUR_WQ, _FOUR_WQ_AT_ZERO = np.ascontiguousarray(_FOUR_QQT[:, 12:]), _FOUR_QQT_AT_ZERO[12:]
# and a unit quaternion's rotation matrix is linear in q q^T
_FROM_QQT = np.zeros((4, 4, 3, 3))
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _FROM_QQT[[_i, _j, _k, 3], [_i, _j, _k, 3], _i, _i] = 1.0, -1.0, -1.0, 1.0
    _FROM_QQT[_i, _j, [_i, _j], [_j, _i]] = _FROM_QQT[_j, _i, [_i, _j], [_j, _i]] = 1.0
    _FROM_QQT[_k, 3, [_j, _i], [_i, _j]] = _FROM_QQT[3, _k, [_j, _i], [_i, _j]] = 1.0, -1.0
_FROM_QQT = _FROM_QQT.reshape(16, 9)


def hat(w: ArrayLike) -> Array:
    """Cross product matrices (..., 3, 3) of vectors (..., 3): hat(w) @ v = w x v."""
    vector = np.asarray(w, dtype=np.float64)
    return (vector @ _GENERATORS_FLAT).reshape(*vector.shape, 3)


def exp_so3(w: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of axis-angle vectors (..., 3), by quaternions."""
    vector = np.asarray(w, dtype=np.float64)
    half = 0.5 * np.sqrt(np.einsum("...i,...i->...", vector, vector))
    q = np.empty((*vector.shape[:-1], 4))
    np.cos(half, out=q[..., 3])
    half += 1e-15  # sin(x) / x is 1 long before
    ratio = np.sin(half) / half
    ratio *= 0.5
    np.multiply(vector, ratio[..., None], out=q[..., :3])
    outer = q[..., :, None] * q[..., None, :]
    return (outer.reshape(*q.shape[:-1], 16) @ _FROM_QQT).reshape(*vector.shape, 3)


def log_so3(R: ArrayLike) -> Array:
    """Axis-angle vectors (..., 3), angle 0..pi, of rotation matrices (..., 3, 3).

    Accurate over the whole range, also at pi, where the sign of the axis is arbitrary.
    """
    m = np.asarray(R, dtype=np.float64)
    q = m.reshape(*m.shape[:-2], 9) @ _FOUR_WQ + _FOUR_WQ_AT_ZERO
    if not q.size or q[..., 3].min() <= _FAR_FROM_PI:
        q = matrix_to_quaternion(m)
    # else 4 w q does as well as q
    length = np.sqrt(np.einsum("...i,...i->...", q[..., :3], q[..., :3]))
    angle = 2.0 * arctan2(length, q[..., 3])
    scale = np.divide(angle, length, out=np.full_like(length, 2.0), where=length > 1e-12)
    return np.asarray(q[..., :3] * scale[..., None])


def right_jacobian(w: ArrayLike) -> Array:
    """J (..., 3, 3) with exp(w + d) = exp(w) exp(J d) to first order in d."""
    vector = np.asarray(w, dtype=np.float64)
    return left_jacobian(-vector)


def left_jacobian(w: ArrayLike) -> Array:
    """J (..., 3, 3) with exp(w + d) = exp(J d) exp(w) to first order in d."""
    vector = np.asarray(w, dtype=np.float64)
    square, sine, cosine = _sine_cosine(vector)
    small = square < _SMALL
    cubic = np.where(small, 1 / 6 - square / 120, (1.0 - sine) / np.where(small, 1.0, square))
    J = vector[..., :, None] * (vector * cubic[..., None])[..., None, :]
    J += ((vector * cosine[..., None]) @ _GENERATORS_FLAT).reshape(J.shape)
    J += sine[..., None, None] * _EYE
    return J


def right_jacobian_inverse(w: ArrayLike) -> Array:
    """Inverse of ``right_jacobian``: log(exp(w) exp(d)) = w + J d to first order in d.

    Valid for angles below 2 pi.
    """
    vector = np.asarray(w, dtype=np.float64)
    square, sine, cosine = _sine_cosine(vector)
    small = square < _SMALL
    safe = np.where(small, 1.0, square)
    # 1/a^2 - (1 + cos a) / (2 a sin a), which is (1 - sin a / a / (2 (1 - cos a) / a^2)) / a^2
    c = np.where(small, 1 / 12 + square / 720, (1.0 - sine / (2.0 * cosine)) / safe)
    W = hat(vector)
    return _EYE + 0.5 * W + c[..., None, None] * (W @ W)


def matrix_to_quaternion(R: ArrayLike) -> Array:
    """Unit quaternions (..., 4) as x, y, z, w with w >= 0 of rotation matrices (..., 3, 3).

    Builds 4 q q^T, whose largest column gives q without cancellation (Bar-Itzhack 2000).
    """
    m = np.asarray(R, dtype=np.float64)
    batch = m.shape[:-2]
    q4 = (m.reshape(*batch, 9) @ _FOUR_QQT + _FOUR_QQT_AT_ZERO).reshape(*batch, 4, 4)
    if q4.size and q4[..., 3, 3].min() > _FAR_FROM_PI:
        q = q4[..., 3, :]
    else:
        best = np.argmax(np.einsum("...ii->...i", q4), axis=-1)
        q = np.take_along_axis(q4, best[..., None, None], axis=-2)[..., 0, :]
    q = q / np.sqrt(np.einsum("...i,...i->...", q, q))[..., None]
    return np.asarray(np.where(q[..., 3:] < 0, -q, q))


def matrix_from_columns(columns: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of their first two columns (..., 6), one after the other.

    The columns need be neither unit nor perpendicular (Zhou et al. 2019, section B).
    """
    c = np.asarray(columns, dtype=np.float64)
    first = _unit(c[..., :3])
    along = np.einsum("...i,...i->...", first, c[..., 3:])
    second = _unit(c[..., 3:] - along[..., None] * first)
    third = np.einsum("...ij,...j->...i", hat(first), second)  # numpy.cross is slow
    return np.stack([first, second, third], axis=-1)


def quaternion_to_matrix(q: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of quaternions (..., 4), x, y, z, w of any length but 0."""
    unit = np.asarray(q, dtype=np.float64)
    unit = unit / np.linalg.norm(unit, axis=-1, keepdims=True)
    W = hat(unit[..., :3])
    return np.asarray(_EYE + 2.0 * (unit[..., 3, None, None] * W + W @ W))


def _unit(v: Array) -> Array:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12))


def _sine_cosine(w: Array) -> tuple[Array, Array, Array]:
    """Return a^2, sin(a)/a and (1 - cos a)/a^2 of the angles a = |w|, exact down to zero."""
    square = np.asarray(np.einsum("...i,...i->...", w, w))
    half = 0.5 * np.sqrt(np.maximum(square, 1e-30))
    ratio = np.sin(half) / half  # by half angles nothing cancels
    return square, ratio * np.cos(half), 0.5 * ratio * ratio


def arctan2(y: ArrayLike, x: ArrayLike) -> Array:
    """``numpy.arctan2``, the same to the last bit wherever its arguments lie in memory.

    For strided views numpy reckons with memory beyond their ends; if the result happens to lie
    there, it takes another routine, whose last bit may differ (numpy 1.26, AVX-512).
    """
    return np.asarray(np.arctan2(np.asarray(y, order="C"), np.asarray(x, order="C")))
