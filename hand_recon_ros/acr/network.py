"""Attention-collaboration regressor: from the features of both hands to their 3D.

Source: 000 section 3.3: spatial attention on each hand, cross-attention between the hands, and a
multi-layer perceptron with residual connections. It works on a few tokens a hand: one for each
key point, read from the features under its belief map, and some that choose by themselves where to
look.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, scaled_dot_product_attention

from hand_recon_ros.keypoints.beliefs import STRIDE, read_beliefs
from hand_recon_ros.keypoints.network import CpmShape
from hand_recon_ros.skeleton import NUM_JOINTS

GEOMETRY: Final = 6
"""Numbers that tell where the other hand's window lies: see ``window_geometry``."""
MANO_JOINTS: Final = 16
SHAPES: Final = 10
_SIXD: Final = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""First two columns of the identity, one after the other."""
_POINT_SCALE: Final = 8.0
_COARSE: Final = 4
"""Cells of the fine maps to a cell of the coarse ones."""


@dataclass(frozen=True)
class AcrShape:
    """Widths of the regressor.

    Attributes:
        width: of a token.
        heads: of the attention.
        looks: tokens a hand that choose where to look.
        layers: attention layers within a hand, half of them before the hands meet.
        narrow: width of a token as the perceptron sees it: what all tokens together feed into it
            would else be most of the weights.
        hidden: width of the residual perceptron.
        blocks: residual blocks of it.
    """

    width: int = 128
    heads: int = 4
    looks: int = 4
    layers: int = 2
    narrow: int = 64
    hidden: int = 256
    blocks: int = 2


class AcrOutput(NamedTuple):
    """What is said of N hands, all as right hands in the axes of their windows.

    Attributes:
        joints_m: (N, 21, 3) metres, wrist at the origin, for a hand of average adult size scaled
            by its shape.
        points_px: (N, 21, 2) window px: the belief maps' points, corrected by the whole hand.
        log_sigma_px: (N, 21) logarithm of the expected error of ``points_px`` along an axis, px.
        pose6d: (N, 16, 6) rotations as two columns each, global first (MANO order).
        betas: (N, 10) shape.
        camera: (N, 3) weak perspective: window sides that a decimetre at the wrist covers, and the
            wrist's place in window sides from the middle.
        other_wrist_m: (N, 3) from this wrist to the other hand's, metres; of no use where absent.
    """

    joints_m: Tensor
    points_px: Tensor
    log_sigma_px: Tensor
    pose6d: Tensor
    betas: Tensor
    camera: Tensor
    other_wrist_m: Tensor


class Acr(nn.Module):
    """See the module."""

    def __init__(self, shape: AcrShape | None = None, cpm: CpmShape | None = None) -> None:
        """Build the layers for the features of a key point network of shape ``cpm``."""
        super().__init__()
        self.shape = s = shape or AcrShape()
        c = cpm or CpmShape()
        deep = c.widths[-1]
        tokens = NUM_JOINTS + s.looks
        self.look = nn.Conv2d(deep, s.looks, 1)
        self.joint_token = nn.Linear(c.features + deep + 3, s.width)
        self.look_token = nn.Linear(deep + 2, s.width)
        self.places = nn.Parameter(0.02 * torch.randn(tokens, s.width))
        before = s.layers // 2
        self.within = nn.ModuleList(_Layer(s) for _ in range(before))
        self.between = _Layer(s)
        self.where = nn.Sequential(nn.Linear(GEOMETRY, s.width), nn.ReLU())
        self.after = nn.ModuleList(_Layer(s) for _ in range(s.layers - before))
        self.norm = nn.LayerNorm(s.width)
        self.point = nn.Linear(s.width, 3 + 2 + 1)
        self.narrow = nn.Linear(s.width, s.narrow)
        self.gather = nn.Linear(tokens * s.narrow, s.hidden)
        self.blocks = nn.ModuleList(_ResidualMlp(s.hidden) for _ in range(s.blocks))
        self.tell = nn.Linear(s.hidden, 3 * NUM_JOINTS + 6 * MANO_JOINTS + SHAPES + 3 + 3)
        nn.init.zeros_(self.point.bias)
        nn.init.normal_(self.tell.weight, std=0.01)
        nn.init.zeros_(self.tell.bias)
        self.register_buffer("_identity", torch.tensor(_SIXD), persistent=False)
        self._identity: Tensor

    def forward(
        self, features: Tensor, deep: Tensor, beliefs: Tensor, partner: Tensor, geometry: Tensor
    ) -> AcrOutput:
        """Regress all hands.

        Args:
            features: (N, C, H, H) of the key point network.
            deep: (N, D, H/4, H/4) of the key point network.
            beliefs: (N, 21, H, H) of its last stage.
            partner: (N,) int64: which of the N is the other hand of the same picture; -1 = none.
            geometry: (N, 6) where the other hand is; zeros where there is none.
        """
        # Points and sums are told in single precision: half a px is lost in mixed precision.
        points, peaks = read_beliefs(beliefs.float())
        at = points / (STRIDE * beliefs.shape[-1]) - 0.5
        kind = features.dtype
        tokens = self._tokens(features, deep, beliefs, at.to(kind), peaks.to(kind))
        for layer in self.within:
            tokens = layer(tokens, tokens)
        there = (partner >= 0).to(tokens.dtype)[:, None, None]
        # An absent hand is looked at through an all-zero gate: nothing is invented.
        other = tokens[partner.clamp(min=0)] + self.where(geometry)[:, None]
        tokens = tokens + there * (self.between(tokens, other) - tokens)
        for layer in self.after:
            tokens = layer(tokens, tokens)
        tokens = self.norm(tokens)
        each = self.point(tokens[:, :NUM_JOINTS]).float()
        x = self.gather(self.narrow(tokens).flatten(1))
        for block in self.blocks:
            x = block(x)
        joints, pose, betas, camera, away = (
            self.tell(x).float().split([3 * NUM_JOINTS, 6 * MANO_JOINTS, SHAPES, 3, 3], dim=1)
        )
        relative = 0.1 * (joints.unflatten(1, (NUM_JOINTS, 3)) + each[..., :3])
        return AcrOutput(
            relative - relative[:, :1],
            points + _POINT_SCALE * each[..., 3:5],
            each[..., 5],
            pose.unflatten(1, (MANO_JOINTS, 6)) + self._identity,
            betas,
            camera,
            0.1 * away,
        )

    def _tokens(
        self, features: Tensor, deep: Tensor, beliefs: Tensor, at: Tensor, peaks: Tensor
    ) -> Tensor:
        weight = beliefs.clamp(min=0) + 1e-4
        fine = _pooled(features, weight)
        coarse = _pooled(deep, avg_pool2d(weight, _COARSE))
        joint = self.joint_token(torch.cat([fine, coarse, at, peaks[..., None]], -1))
        look = self.look(deep).flatten(2).softmax(-1).unflatten(2, deep.shape[2:])
        height, width = deep.shape[2:]
        rows = torch.linspace(-0.5, 0.5, height, device=deep.device, dtype=deep.dtype)
        columns = torch.linspace(-0.5, 0.5, width, device=deep.device, dtype=deep.dtype)
        gaze = torch.stack([look.sum(2) @ columns, look.sum(3) @ rows], -1)
        looks = self.look_token(torch.cat([_pooled(deep, look), gaze], -1))
        return torch.cat([joint, looks], 1) + self.places


class _Layer(nn.Module):
    """Attention of some tokens to others, and a perceptron, each beside a short cut."""

    def __init__(self, shape: AcrShape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.norm = nn.LayerNorm(width)
        self.other_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor, others: Tensor) -> Tensor:
        split = (self.heads, -1)
        q = self.query(self.norm(tokens)).unflatten(-1, split).transpose(1, 2)
        key, value = self.key_value(self.other_norm(others)).chunk(2, -1)
        k, v = (x.unflatten(-1, split).transpose(1, 2) for x in (key, value))
        seen = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + self.out(seen)
        result: Tensor = tokens + self.mlp(tokens)
        return result


class _ResidualMlp(nn.Module):
    """Two linear layers beside a short cut (000 section 3.3.3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.body(x)
        return result


def _pooled(features: Tensor, weight: Tensor) -> Tensor:
    """(N, C, H, W) features averaged under each of (N, J, H, W) weights: (N, J, C)."""
    flat = weight.flatten(2)
    flat = flat / flat.sum(-1, keepdim=True)
    return flat @ features.flatten(2).transpose(1, 2)
