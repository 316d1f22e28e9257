"""Forward kinematics and skinning of a MANO-compatible hand, batched, in torch.

Source: Romero, Tzionas and Black, "Embodied Hands", 2017, eq. 2-5 (the model of 000 section 3.4);
facts A2.4. Equal to ``smplx.MANO`` fed the same arrays, without its code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from hand_recon_ros.mano.data import FloatArray, HandModelData
from hand_recon_ros.skeleton import MANO_TO_JOINTS
from hand_recon_ros.types import ManoParameters

_DIGITS = 5
_BONES = 3


class HandMesh(NamedTuple):
    """A posed batch of hands, metres.

    Attributes:
        vertices: (B, 778, 3).
        joints: (B, 21, 3), ``skeleton.JOINT_NAMES``.
    """

    vertices: Tensor
    joints: Tensor


def rotation_matrices(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula, (..., 3) rad to (..., 3, 3); smooth with exact gradients at zero."""
    squared = axis_angle.square().sum(-1)[..., None, None]
    small = squared < 1e-6
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = safe.sqrt()
    # Taylor series below 1e-3 rad: the closed forms divide rounding errors by the angle.
    sine = torch.where(small, 1.0 - squared / 6.0, angle.sin() / angle)
    versine = torch.where(small, 0.5 - squared / 24.0, (1.0 - angle.cos()) / safe)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * skew + versine * (skew @ skew)


class HandModel(nn.Module):
    """One hand's model as a differentiable function of MANO parameters; runs on CPU and GPU."""

    template: Tensor
    shapedirs: Tensor
    posedirs: Tensor
    joint_template: Tensor
    joint_shapedirs: Tensor
    weights: Tensor
    hands_mean: Tensor
    hands_components: Tensor
    tips: Tensor
    joint_order: Tensor

    def __init__(self, data: HandModelData, dtype: torch.dtype = torch.float32) -> None:
        """Keep ``data``'s arrays as buffers of the given type (they follow ``.to(device)``)."""
        super().__init__()
        self.data = data
        vertices = len(data.v_template)
        # J(beta) is linear: regressing the joints once saves a (16, 778) product a call.
        joint_shapedirs = np.einsum("jv,vkb->jkb", data.j_regressor, data.shapedirs)
        buffers = {
            "template": data.v_template.reshape(-1),
            "shapedirs": data.shapedirs.reshape(vertices * 3, -1).T,
            "posedirs": data.posedirs.reshape(vertices * 3, -1).T,
            "joint_template": (data.j_regressor @ data.v_template).reshape(-1),
            "joint_shapedirs": joint_shapedirs.reshape(48, -1).T,
            "weights": data.weights,
            "hands_mean": data.hands_mean,
            "hands_components": data.hands_components,
        }
        for name, value in buffers.items():
            self.register_buffer(name, torch.tensor(np.ascontiguousarray(value), dtype=dtype))
        self.register_buffer("tips", torch.tensor(data.tips))
        self.register_buffer("joint_order", torch.tensor(MANO_TO_JOINTS))

    def forward(
        self,
        global_orient: Tensor,
        hand_pose: Tensor,
        betas: Tensor,
        transl: Tensor,
        *,
        use_pca: bool = False,
        flat_hand_mean: bool = True,
    ) -> HandMesh:
        """Pose the hand.

        Args:
            global_orient: (B, 3) axis-angle about the wrist joint, rad.
            hand_pose: (B, 45) axis-angle, rad; with ``use_pca`` (B, n) coefficients of the first
                n principal components, 1 <= n <= 45.
            betas: (B, 10) shape.
            transl: (B, 3) metres.
            use_pca: how ``hand_pose`` is read.
            flat_hand_mean: True = zero is the flat hand; False = zero is ``hands_mean``.
        """
        if use_pca:
            hand_pose = hand_pose @ self.hands_components[: hand_pose.shape[1]]
        if not flat_hand_mean:
            hand_pose = hand_pose + self.hands_mean
        axis_angle = torch.cat([global_orient, hand_pose], dim=1).unflatten(1, (16, 3))
        return self.forward_rotations(rotation_matrices(axis_angle), betas, transl)

    def forward_rotations(self, rotations: Tensor, betas: Tensor, transl: Tensor) -> HandMesh:
        """Pose the hand by (B, 16, 3, 3) rotation matrices, wrist first, in MANO's order."""
        batch = len(rotations)
        shaped = self.template + betas @ self.shapedirs
        rest = (self.joint_template + betas @ self.joint_shapedirs).view(batch, 16, 3)
        identity = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
        feature = (rotations[:, 1:] - identity).reshape(batch, 135)
        offset = (shaped + feature @ self.posedirs).view(batch, -1, 3)

        turned, joints = _chain(rotations, rest)
        shift = joints - (turned @ rest[..., None])[..., 0] + transl[:, None]
        transforms = torch.cat([turned.reshape(batch, 16, 9), shift], dim=2)
        blended = self.weights @ transforms
        vertices = (blended[..., :9].unflatten(-1, (3, 3)) @ offset[..., None])[..., 0]
        vertices = vertices + blended[..., 9:]
        points = torch.cat([joints + transl[:, None], vertices[:, self.tips]], dim=1)
        return HandMesh(vertices, points[:, self.joint_order])

    def forward_parameters(self, parameters: ManoParameters) -> tuple[FloatArray, FloatArray]:
        """Vertices (778, 3) and joints (21, 3) of one hand as float64 arrays, metres."""
        packed = np.concatenate(
            [
                parameters.global_orient,
                parameters.hand_pose,
                parameters.betas,
                parameters.transl,
            ]
        )
        values = torch.from_numpy(packed).to(self.template)[None]
        with torch.inference_mode():
            mesh = self(values[:, :3], values[:, 3:48], values[:, 48:58], values[:, 58:])
        return (
            mesh.vertices[0].cpu().double().numpy(),
            mesh.joints[0].cpu().double().numpy(),
        )


def _chain(rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Turn local rotations into global ones (B, 16, 3, 3) and joint positions (B, 16, 3).

    The five digits are three bones long, so that the tree takes three batched products.
    """
    batch = len(rotations)
    local = rotations[:, 1:].view(batch, _DIGITS, _BONES, 3, 3)
    start = rest[:, 1:].view(batch, _DIGITS, _BONES, 3)
    turned, placed = [], []
    parent_turn, parent_place = rotations[:, None, 0], rest[:, None, 0]
    parent_rest = rest[:, None, 0]
    for bone in range(_BONES):
        arm = (parent_turn @ (start[:, :, bone] - parent_rest)[..., None])[..., 0]
        parent_place = parent_place + arm
        parent_turn = parent_turn @ local[:, :, bone]
        parent_rest = start[:, :, bone]
        turned.append(parent_turn)
        placed.append(parent_place)
    return (
        torch.cat([rotations[:, :1], torch.stack(turned, 2).view(batch, 15, 3, 3)], dim=1),
        torch.cat([rest[:, :1], torch.stack(placed, 2).view(batch, 15, 3)], dim=1),
    )
