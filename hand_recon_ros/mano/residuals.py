"""What the fit minimises: every residual of a batch of hands, its cost and normal equations.

The cost of a hand is half a sum of squares, each residual in standard deviations:

* key points: reprojection in pixels (distortion honoured), robust (Geman-McClure 1985);
* relative 3D: joints about the wrist against the front end's, up to one scale, robust;
* angles: joint limits (one-sided), relaxed pose, DIP-PIP coupling, last frame;
* spheres that overlap (000 section 3.4), shape N(0, 1), the known length of the flat hand,
  both hands of one person alike (001 L_mano), wrist of the last frame.

Unknowns ("columns"): the 51 of ``results.STATE_SIZE``, 10 betas unless every shape is held, and
the scale of the relative 3D.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano import collision, priors
from hand_recon_ros.mano.collision import Contacts
from hand_recon_ros.mano.kinematics import (
    BETAS,
    ORIENTATION,
    POSE,
    POSITION,
    PosedJoints,
    joint_jacobian,
    pose_joints,
)
from hand_recon_ros.mano.priors import BEND
from hand_recon_ros.mano.states import HandConstants, HandStates, Measurements
from hand_recon_ros.types import Array

MIN_DEPTH_M = 0.03
"""Joints nearer than this, or behind the camera, have no image: such a state costs infinity."""
SCALE_SIGMA = 0.2

_LIMIT_PRECISION = np.deg2rad(3.0) ** -2
_LENGTH_SIGMA = 0.0005
_TIE_PRECISION = 0.3**-2
_KERNEL_2D, _KERNEL_3D = 5.0, 3.5
"""Residuals, in sigmas, at which a key point or a relative 3D point loses its say."""
_KERNEL_MEDIANS = 3.0
"""The kernels widen to so many medians while the whole hand is still far off."""
_MIDDLE_TIP = slice(17 * 3, 18 * 3)
_POSE_PRECISION = priors.POSE_SIGMA**-2.0
_COUPLING_PRECISION = priors.COUPLING_SIGMA**-2.0
_COUPLED = np.array((1.0, -priors.COUPLING))
_BENDS = [6 + BEND, 3 + BEND]
"""DIP and PIP bend among the nine angles of a finger."""
_EYE = np.eye(3)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The residuals of B hands at one state.

    Attributes:
        state: where.
        posed: joints there.
        xy: (B, 21, 2) their projection x/z, y/z.
        residual_2d, square_2d: (B, 21, 2) and (B, 21) reprojection, sigmas.
        residual_3d, square_3d: (B, 21, 3) and (B, 21) relative 3D, sigmas.
        angles: (B, 15, 3) rad.
        angle_force: (B, 15, 3) gradient of all angle terms.
        at_limit: (B, 15, 3) 1 where a limit is passed.
        within, between: overlaps.
        other: (B,) cost of all but key points and relative 3D; infinite behind the camera.
    """

    state: HandStates
    posed: PosedJoints
    xy: Array
    residual_2d: Array
    square_2d: Array
    residual_3d: Array
    square_3d: Array
    angles: Array
    angle_force: Array
    at_limit: Array
    within: Contacts | None
    between: Contacts | None
    other: Array


@dataclass(frozen=True, slots=True)
class Kernels:
    """Squared scales (B, 1) of the robust kernels of key points and relative 3D, sigmas^2."""

    square_2d: Array
    square_3d: Array


class FitProblem:
    """The residuals of B hands in one frame.

    Args:
        hands: their models.
        measured: what this frame and the last one say.
        config: weights.
        same_frame: the batch holds different hands of one scene, which may touch and belong to
            one person; otherwise it holds separate guesses.
    """

    def __init__(
        self, hands: HandConstants, measured: Measurements, config: FitConfig, same_frame: bool
    ) -> None:
        """Keep the parts; see the class."""
        self.hands = hands
        self.measured = measured
        self.config = config
        self.same_frame = same_frame and len(measured.rays) > 1
        self.free_betas = bool(measured.free_betas.any())
        self.has_relative = bool(measured.relative_weight.any())
        self.columns = (BETAS.stop if self.free_betas else POSE.stop) + 1
        self._has_last = bool(measured.last_precision.any())
        self._valid_2d = np.count_nonzero(measured.whitening.any(axis=(2, 3)), axis=1)
        self._valid_3d = np.count_nonzero(measured.relative_weight.any(axis=2), axis=1)
        self._rows = np.arange(len(measured.rays))
        self._tied = _tied_hands(measured.free_betas) if self.same_frame else None
        skeleton = hands.skeleton
        self._length = skeleton.rest[:, _MIDDLE_TIP] - skeleton.rest[:, :3]
        self._length_shape = skeleton.rest_shape[:, _MIDDLE_TIP] - skeleton.rest_shape[:, :3]

    def take(self, index: NDArray[np.int64]) -> FitProblem:
        """Separate guesses at the hands of ``index`` (may repeat)."""
        hands, measured = self.hands.take(index), self.measured.take(index)
        return FitProblem(hands, measured, self.config, same_frame=False)

    def evaluate(self, state: HandStates) -> Evaluation:
        """All residuals at a state."""
        m, hands = self.measured, self.hands
        posed = pose_joints(
            hands.skeleton, state.position, state.orientation, state.pose, state.betas
        )
        depth = posed.points[:, :, 2:]
        xy = posed.points[:, :, :2] / np.maximum(depth, MIN_DEPTH_M)
        residual_2d = (m.whitening @ (xy - m.rays)[..., None])[..., 0]
        square_2d = np.einsum("bki,bki->bk", residual_2d, residual_2d)
        if self.has_relative:
            scaled = state.scale[:, None, None] * m.relative
            residual_3d = posed.points - posed.points[:, :1] - scaled
            residual_3d *= m.relative_weight
            square_3d = np.einsum("bki,bki->bk", residual_3d, residual_3d)
        else:
            residual_3d, square_3d = np.zeros_like(posed.points), np.zeros_like(square_2d)
        angles = priors.angles_of(hands.anatomy.axes, state.pose)
        beyond = angles - np.clip(angles, priors.LOWER_LIMITS, priors.UPPER_LIMITS)
        force, other = self._angle_terms(angles, beyond)
        within, between = self._contacts(posed)
        other += 0.5 * (state.scale - 1.0) ** 2 / SCALE_SIGMA**2
        other += self._contact_cost(within, between)
        if self.free_betas:
            other += m.free_betas * self._shape_cost(state.betas)
        if self._has_last:
            other += self._last_cost(state)
        other[depth.min(axis=(1, 2)) < MIN_DEPTH_M] = np.inf
        return Evaluation(
            state, posed, xy, residual_2d, square_2d, residual_3d, square_3d,
            angles, force, beyond != 0.0, within, between, other,
        )  # fmt: skip

    def kernels(self, e: Evaluation) -> Kernels:
        """Robust kernels that suit the residuals at a state."""
        rows, widen = self._rows, _KERNEL_MEDIANS**2
        median_2d = np.sort(e.square_2d, axis=1)[rows, 20 - self._valid_2d // 2]
        square_2d = np.maximum(widen * median_2d, _KERNEL_2D**2)[:, None]
        median_3d = np.sort(e.square_3d, axis=1)[rows, 20 - self._valid_3d // 2]
        square_3d = np.maximum(widen * median_3d, _KERNEL_3D**2)[:, None]
        return Kernels(square_2d, square_3d)

    def cost(self, e: Evaluation, kernels: Kernels) -> Array:
        """(B,) cost; terms that two hands share count for each of them."""
        robust_2d = e.square_2d / (1.0 + e.square_2d / kernels.square_2d)
        robust_3d = e.square_3d / (1.0 + e.square_3d / kernels.square_3d)
        return np.asarray(e.other + 0.5 * (robust_2d.sum(axis=1) + robust_3d.sum(axis=1)))

    def normal_equations(
        self, e: Evaluation, kernels: Kernels, with_last: bool = True
    ) -> tuple[Array, Array]:
        """Gauss-Newton matrix (B, n, n) and gradient (B, n) at a state.

        ``with_last`` false leaves out the ties to the last frame from the matrix, for the
        covariance of what this frame alone says.
        """
        J = joint_jacobian(self.hands.skeleton, e.posed, self.free_betas)
        if self.free_betas:
            J[..., BETAS] *= self.measured.free_betas[:, None, None, None]
        H, g = self._point_equations(e, kernels, J)
        flat = H.reshape(len(H), -1)
        diagonal = flat[:, :: self.columns + 1]
        self._add_angles(e, flat, g, with_last)
        diagonal[:, -1] += SCALE_SIGMA**-2
        g[:, -1] += (e.state.scale - 1.0) / SCALE_SIGMA**2
        if self.free_betas:
            self._add_shape(e.state.betas, H, g, diagonal)
        if self._has_last:
            self._add_last(e.state, H, g, diagonal, with_last)
        self._add_contacts(e, J, H, g)
        return H, g

    # -- key points and relative 3D ------------------------------------------------------------

    def _point_equations(self, e: Evaluation, kernels: Kernels, J: Array) -> tuple[Array, Array]:
        count = len(J)
        rows = np.zeros((count, 105 if self.has_relative else 42, self.columns))
        residual = np.empty(rows.shape[:2])
        weight = 1.0 / (1.0 + e.square_2d / kernels.square_2d)
        projection = np.empty((count, 21, 2, 3))
        inverse_depth = weight / np.maximum(e.posed.points[:, :, 2], MIN_DEPTH_M)
        projection[..., :2] = self.measured.whitening * inverse_depth[..., None, None]
        np.negative(
            (projection[..., :2] @ e.xy[..., None])[..., 0], out=projection[..., 2]
        )
        rows[:, :42, :-1] = (projection @ J).reshape(count, 42, -1)
        residual[:, :42] = (weight[..., None] * e.residual_2d).reshape(count, 42)
        if self.has_relative:
            weight = 1.0 / (1.0 + e.square_3d / kernels.square_3d)
            scale = weight[..., None] * self.measured.relative_weight
            rows[:, 42:, 3:-1] = (scale[..., None] * J[..., 3:]).reshape(count, 63, -1)
            rows[:, 42:, -1] = -(scale * self.measured.relative).reshape(count, 63)
            residual[:, 42:] = (weight[..., None] * e.residual_3d).reshape(count, 63)
        H = np.empty((count, self.columns, self.columns))
        for b in range(count):  # 2-D products go to BLAS' symmetric one
            np.matmul(rows[b].T, rows[b], out=H[b])
        return H, (residual[:, None] @ rows)[:, 0]

    # -- angles --------------------------------------------------------------------------------

    def _angle_terms(self, angles: Array, beyond: Array) -> tuple[Array, Array]:
        """Gradient (B, 15, 3) and cost (B,) of limits, relaxed pose, coupling and last frame."""
        c = self.config
        aside = angles - self.hands.anatomy.mean
        usual = (c.pose_weight * _POSE_PRECISION) * aside
        limit = (c.limits_weight * _LIMIT_PRECISION) * beyond
        cost = np.einsum("bji,bji->b", usual, aside) + np.einsum("bji,bji->b", limit, beyond)
        force = usual
        force += limit
        uncoupled = angles[:, priors.DIP_JOINTS, BEND]
        uncoupled = uncoupled - priors.COUPLING * angles[:, priors.PIP_JOINTS, BEND]
        pull = c.pose_weight * _COUPLING_PRECISION * uncoupled
        cost += np.einsum("bf,bf->b", pull, uncoupled)
        force[:, priors.DIP_JOINTS, BEND] += pull
        force[:, priors.PIP_JOINTS, BEND] -= priors.COUPLING * pull
        if self._has_last:
            change = angles - self.measured.last_angles
            tie = self.measured.last_precision[:, 2, None, None] * change
            cost += np.einsum("bji,bji->b", tie, change)
            force += tie
        return force, 0.5 * cost

    def _add_angles(self, e: Evaluation, flat: Array, g: Array, with_last: bool) -> None:
        c, count = self.config, len(flat)
        D = priors.angle_jacobian(self.hands.anatomy.axes, e.angles)
        g[:, POSE] += (e.angle_force[..., None, :] @ D).reshape(count, 45)
        precision = (c.limits_weight * _LIMIT_PRECISION) * e.at_limit
        precision += c.pose_weight * _POSE_PRECISION
        if self._has_last and with_last:
            precision += self.measured.last_precision[:, 2, None, None]
        blocks = np.zeros((count, 5, 9, 9))
        fingers = D.reshape(count, 5, 3, 3, 3)
        scaled = np.swapaxes(D * precision[..., None], -1, -2) @ D
        scaled = scaled.reshape(count, 5, 3, 3, 3)
        for level in range(3):
            at = slice(3 * level, 3 * level + 3)
            blocks[:, :, at, at] = scaled[:, :, level]
        coupled = np.zeros((count, 4, 9))
        coupled[:, :, 6:9] = fingers[:, :4, 2, BEND]
        coupled[:, :, 3:6] = -priors.COUPLING * fingers[:, :4, 1, BEND]
        weight = c.pose_weight * _COUPLING_PRECISION
        blocks[:, :4] += weight * coupled[..., :, None] * coupled[..., None, :]
        flat[:, _finger_blocks(self.columns)] += blocks.reshape(count, -1)

    # -- shape ---------------------------------------------------------------------------------

    def _length_residual(self, betas: Array) -> tuple[Array, Array]:
        """(B,) sigmas off the known length of the flat hand, and its derivative (B, 10)."""
        flat = self._length + (self._length_shape @ betas[..., None])[..., 0]
        length = np.sqrt(np.einsum("bi,bi->b", flat, flat))
        row = (flat / length[:, None])[:, None] @ self._length_shape
        return (length - self.config.hand_length_m) / _LENGTH_SIGMA, row[:, 0] / _LENGTH_SIGMA

    def _shape_cost(self, betas: Array) -> Array:
        cost = self.config.shape_weight * np.einsum("bi,bi->b", betas, betas)
        if self.config.hand_length_m > 0:
            cost += self._length_residual(betas)[0] ** 2
        if self._tied is not None:
            apart = betas[self._tied[0]] - betas[self._tied[1]]
            cost[self._tied] += _TIE_PRECISION * apart @ apart
        return np.asarray(0.5 * cost)

    def _add_shape(self, betas: Array, H: Array, g: Array, diagonal: Array) -> None:
        free, c = self.measured.free_betas[:, None], self.config
        diagonal[:, BETAS] += c.shape_weight * free + (1.0 - free)
        g[:, BETAS] += c.shape_weight * free * betas
        if c.hand_length_m > 0:
            residual, row = self._length_residual(betas)
            row = row * free
            H[:, BETAS, BETAS] += row[:, :, None] * row[:, None]
            g[:, BETAS] += row * residual[:, None]
        if self._tied is not None:
            # both hands move at once: twice the weight bounds the left-out cross term
            a, b = self._tied
            apart = _TIE_PRECISION * (betas[a] - betas[b])
            g[a, BETAS] += apart
            g[b, BETAS] -= apart
            diagonal[self._tied, BETAS] += 2 * _TIE_PRECISION

    # -- last frame ----------------------------------------------------------------------------

    def _last_turn(self, state: HandStates) -> tuple[Array, Array]:
        """Rotation since the last frame as sin(angle) axis (B, 3), and the matrix (B, 3, 3)."""
        E = state.orientation @ np.swapaxes(self.measured.last.orientation, -1, -2)
        skew = E[:, [2, 0, 1], [1, 2, 0]] - E[:, [1, 2, 0], [2, 0, 1]]
        return 0.5 * skew, E

    def _last_cost(self, state: HandStates) -> Array:
        m = self.measured
        moved = state.position - m.last.position
        turned, _ = self._last_turn(state)
        cost = m.last_precision[:, 0] * np.einsum("bi,bi->b", moved, moved)
        cost += m.last_precision[:, 1] * np.einsum("bi,bi->b", turned, turned)
        if self.free_betas:
            grown = state.betas - m.last.betas
            cost += (
                m.free_betas * m.last_precision[:, 3] * np.einsum("bi,bi->b", grown, grown)
            )
        return np.asarray(0.5 * cost)

    def _add_last(
        self, state: HandStates, H: Array, g: Array, diagonal: Array, with_last: bool
    ) -> None:
        m = self.measured
        turned, E = self._last_turn(state)
        # hat(w) E + E^T hat(w) = hat((tr(E) I - E) w)
        J = 0.5 * (np.trace(E, axis1=1, axis2=2)[:, None, None] * _EYE - E)
        precision = m.last_precision
        g[:, POSITION] += precision[:, :1] * (state.position - m.last.position)
        g[:, ORIENTATION] += precision[:, 1:2] * (turned[:, None] @ J)[:, 0]
        if with_last:
            diagonal[:, POSITION] += precision[:, :1]
            H[:, ORIENTATION, ORIENTATION] += (
                precision[:, 1, None, None] * (np.swapaxes(J, -1, -2) @ J)
            )
        if self.free_betas:
            weight = (m.free_betas * precision[:, 3])[:, None]
            g[:, BETAS] += weight * (state.betas - m.last.betas)
            if with_last:
                diagonal[:, BETAS] += weight

    # -- overlaps ------------------------------------------------------------------------------

    def _contacts(self, posed: PosedJoints) -> tuple[Contacts | None, Contacts | None]:
        if self.config.collision_weight == 0:
            return None, None
        centres = collision.sphere_centres(posed)
        between = None
        if self.same_frame:
            between = collision.contacts_between(self.hands.spheres, centres)
        return collision.contacts_within(self.hands.spheres, centres), between

    def _contact_cost(self, within: Contacts | None, between: Contacts | None) -> Array:
        cost = np.zeros(len(self._rows))
        weight = 0.5 * self.config.collision_weight / collision.SIGMA_M**2
        if within is not None:
            np.add.at(cost, within.hand_a, weight * within.depth**2)
        if between is not None:
            np.add.at(cost, between.hand_a, weight * between.depth**2)
            np.add.at(cost, between.hand_b, weight * between.depth**2)
        return cost

    def _add_contacts(self, e: Evaluation, J: Array, H: Array, g: Array) -> None:
        weight = self.config.collision_weight / collision.SIGMA_M**2
        for contacts in (e.within, e.between):
            if contacts is None:
                continue
            row_a, row_b = collision.depth_jacobian(contacts, J)
            if contacts is e.within:
                parts = [(contacts.hand_a, row_a + row_b, weight)]
            else:  # both hands move at once: twice the weight bounds the left-out cross term
                parts = [
                    (contacts.hand_a, row_a, 2 * weight), (contacts.hand_b, row_b, 2 * weight)
                ]  # fmt: skip
            for owner, rows, stiffness in parts:
                for b in np.unique(owner):
                    mine = rows[owner == b]
                    H[b, :-1, :-1] += stiffness * mine.T @ mine
                    g[b, :-1] += weight * contacts.depth[owner == b] @ mine


def _tied_hands(free_betas: Array) -> list[int] | None:
    """The two hands of one frame if both shapes are free (they belong to one person)."""
    free = [int(i) for i in np.nonzero(free_betas)[0]]
    return free if len(free) == 2 else None


_BLOCK_INDEX: dict[int, NDArray[np.int64]] = {}


def _finger_blocks(columns: int) -> NDArray[np.int64]:
    """Where the (5, 9, 9) blocks of the fingers lie in a flat (columns, columns)."""
    if columns not in _BLOCK_INDEX:
        f, i, j = np.ogrid[:5, :9, :9]
        start = POSE.start + 9 * f
        _BLOCK_INDEX[columns] = ((start + i) * columns + start + j).reshape(-1)
    return _BLOCK_INDEX[columns]
