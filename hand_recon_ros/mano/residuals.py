"""What the fit minimises: every residual of a batch of hands, its cost and normal equations.

The cost of a hand is half a sum of squares, each residual in standard deviations:

* key points: reprojection in pixels (distortion honoured). Robust by Geman and McClure (1985):
  a key point can be anywhere, and then says nothing;
* relative 3D: joints about the wrist against the front end's, up to one scale. Robust by the
  pseudo-Huber cost (Charbonnier 1994): far off it pulls less, but a mirrored finger is always
  pulled back;
* angles: joint limits (one-sided), relaxed pose, DIP-PIP coupling, last frame;
* spheres that overlap (000 section 3.4), shape N(0, 1), the known length of the flat hand,
  both hands of one person alike (001 L_mano), wrist of the last frame, the way from wrist to wrist.

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
    POSE,
    PosedJoints,
    joint_jacobian,
    pose_joints,
)
from hand_recon_ros.mano.soft_terms import ANGLE_ROWS, SoftTerms
from hand_recon_ros.mano.states import HandConstants, HandStates, Measurements
from hand_recon_ros.types import Array

MIN_DEPTH_M = 0.03
"""Joints nearer than this, or behind the camera, have no image: such a state costs infinity."""

_SQUARE_2D, _SQUARE_3D = 5.0**2, 2.0**2
"""Squared residuals, in sigmas^2, at which key points and relative 3D lose their quadratic say."""
_SQUARE_MEDIANS = 3.0**2
"""The kernel of the key points widens to so many medians while the whole hand is far off."""


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
        soft: (B, m) residuals of ``soft_terms``, sigmas.
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
    soft: Array
    within: Contacts | None
    between: Contacts | None
    other: Array


@dataclass(frozen=True, slots=True)
class NormalEquations:
    """Gauss-Newton's equations of B hands.

    Attributes:
        matrix: (B, n, n).
        gradient: (B, n).
        angle_jacobian: (B, 15, 3, 3) derivative of the joint angles.
    """

    matrix: Array
    gradient: Array
    angle_jacobian: Array


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
        self._valid_2d = (measured.whitening[..., 0, 0] != 0.0).sum(axis=1)
        self._rows = np.arange(len(measured.rays))
        tied = pair = None
        if self.same_frame:
            tied = _left_and_right(hands, measured.free_betas > 0)
            pair = _left_and_right(hands, np.isfinite(measured.other_wrist[:, 0]))
        self.soft = SoftTerms(hands, measured, config, tied, pair)

    def alone(self, hand: int) -> FitProblem:
        """One hand (B = 1) as if it had only just appeared; its shape stays tied."""
        index = np.array([hand])
        measured = self.measured.take(index).forget(np.ones(1, dtype=np.bool_))
        return FitProblem(self.hands.take(index), measured, self.config, same_frame=False)

    def repeated(self, times: int) -> FitProblem:
        """The one hand of this problem so many times, for as many guesses."""
        index = np.zeros(times, dtype=np.int64)
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
        soft = self.soft.residuals(state, angles)
        other = self.soft.cost(state, soft)
        within, between = self._contacts(posed)
        self._add_contact_cost(within, between, other)
        other[depth.min(axis=(1, 2)) < MIN_DEPTH_M] = np.inf
        return Evaluation(
            state, posed, xy, residual_2d, square_2d, residual_3d, square_3d,
            angles, soft, within, between, other,
        )  # fmt: skip

    def kernel(self, e: Evaluation) -> Array:
        """(B, 1) squared width of the key points' kernel that suits the residuals at a state."""
        median = np.sort(e.square_2d, axis=1)[self._rows, 20 - self._valid_2d // 2]
        return np.maximum(_SQUARE_MEDIANS * median, _SQUARE_2D)[:, None]

    def is_wide(self, kernel: Array) -> bool:
        """Whether some hand's kernel may narrow as it comes nearer."""
        return bool((kernel > _SQUARE_2D).any())

    def cost(self, e: Evaluation, kernel: Array | float = _SQUARE_2D) -> Array:
        """(B,) cost; terms that two hands share count for each. By default of least kernel."""
        return np.asarray(e.other + sum(c.sum(axis=1) for c in self.point_costs(e, kernel)))

    def point_costs(self, e: Evaluation, kernel: Array | float = _SQUARE_2D) -> tuple[Array, Array]:
        """(B, 21) costs of each key point and of each relative 3D point."""
        cost_2d = 0.5 * e.square_2d / (1.0 + e.square_2d / kernel)
        cost_3d = _SQUARE_3D * (np.sqrt(1.0 + e.square_3d / _SQUARE_3D) - 1.0)
        return cost_2d, cost_3d

    def normal_equations(self, e: Evaluation, kernel: Array) -> NormalEquations:
        """Linearise at a state."""
        J = joint_jacobian(self.hands.skeleton, e.posed, self.free_betas)
        if self.free_betas:
            J[..., BETAS] *= self.measured.free_betas[:, None, None, None]
        D = priors.angle_jacobian(self.hands.anatomy.axes, e.angles)
        H, g = self._row_equations(e, kernel, J, D)
        self.soft.add_to(e.state, e.soft, H, g)
        self._add_contacts(e, J, H, g)
        return NormalEquations(H, g, D)

    def information(self, equations: NormalEquations) -> Array:
        """(B, n, n) what this frame says of the unknowns, without ties to the last one."""
        return self.soft.without_last(equations.angle_jacobian, equations.matrix)

    # -- key points and relative 3D ------------------------------------------------------------

    def _row_equations(
        self, e: Evaluation, kernel: Array, J: Array, D: Array
    ) -> tuple[Array, Array]:
        """What key points, relative 3D and angles say, as one product of their rows."""
        count, points = len(J), 105 if self.has_relative else 42
        rows = np.zeros((count, points + ANGLE_ROWS, self.columns))
        residual = np.empty(rows.shape[:2])
        self.soft.write_angles(e.soft, D, rows[:, points:], residual[:, points:])
        weight = 1.0 / (1.0 + e.square_2d / kernel)
        projection = np.empty((count, 21, 2, 3))
        inverse_depth = weight / np.maximum(e.posed.points[:, :, 2], MIN_DEPTH_M)
        projection[..., :2] = self.measured.whitening * inverse_depth[..., None, None]
        np.negative((projection[..., :2] @ e.xy[..., None])[..., 0], out=projection[..., 2])
        rows[:, :42, :-1] = (projection @ J).reshape(count, 42, -1)
        residual[:, :42] = (weight[..., None] * e.residual_2d).reshape(count, 42)
        if self.has_relative:
            weight = 1.0 / np.sqrt(np.sqrt(1.0 + e.square_3d / _SQUARE_3D))
            scale = weight[..., None] * self.measured.relative_weight
            np.multiply(
                scale.reshape(count, 63, 1),
                J.reshape(count, 63, -1)[..., 3:],
                out=rows[:, 42:105, 3:-1],
            )
            np.multiply(
                scale.reshape(count, 63),
                -self.measured.relative.reshape(count, 63),
                out=rows[:, 42:105, -1],
            )
            residual[:, 42:105] = (weight[..., None] * e.residual_3d).reshape(count, 63)
        H = np.empty((count, self.columns, self.columns))
        for b in range(count):  # 2-D products go to BLAS' symmetric one
            np.matmul(rows[b].T, rows[b], out=H[b])
        return H, (residual[:, None] @ rows)[:, 0]

    # -- overlaps ------------------------------------------------------------------------------

    def _contacts(self, posed: PosedJoints) -> tuple[Contacts | None, Contacts | None]:
        if self.config.collision_weight == 0:
            return None, None
        centres = collision.sphere_centres(posed)
        between = None
        if self.same_frame:
            between = collision.contacts_between(self.hands.spheres, centres)
        return collision.contacts_within(self.hands.spheres, centres), between

    def _add_contact_cost(
        self, within: Contacts | None, between: Contacts | None, cost: Array
    ) -> None:
        weight = 0.5 * self.config.collision_weight / collision.SIGMA_M**2
        if within is not None:
            np.add.at(cost, within.hand_a, weight * within.depth**2)
        if between is not None:
            np.add.at(cost, between.hand_a, weight * between.depth**2)
            np.add.at(cost, between.hand_b, weight * between.depth**2)

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
                for b in range(len(H)):
                    mine = owner == b
                    H[b, :-1, :-1] += stiffness * rows[mine].T @ rows[mine]
                    g[b, :-1] += weight * contacts.depth[mine] @ rows[mine]


def _left_and_right(hands: HandConstants, which: NDArray[np.bool_]) -> list[int] | None:
    """The left and the right hand of ``which`` (B,), where these are two: one person's."""
    found = [int(i) for i in np.nonzero(which)[0]]
    if len(found) != 2 or hands.sides[found[0]] == hands.sides[found[1]]:
        return None
    return found
