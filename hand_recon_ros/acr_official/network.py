"""The network: one picture of any hands in, dense maps of both sides out.

Source: Yu et al., "ACR: Attention Collaboration-based Regressor for Arbitrary Two-Hand
Reconstruction", CVPR 2023. Written from facts about the published network (names, shapes, order of
operations), without its code. Every pixel of a map tells of a hand whose centre is there: its
parameters, and, as the cross-hand prior, what the other hand adds to them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from hand_recon_ros.acr_official.heads import (
    PARTS,
    SHAPE_SIZE,
    PartPose,
    PartSegmentation,
    dense_head,
    located,
    part_attention,
    part_features,
    pooled,
)
from hand_recon_ros.acr_official.hrnet import HrNet
from hand_recon_ros.skeleton import Side

INPUT_SIZE: Final = 512
"""Side of the square pictures, px."""
MAP_SIZE: Final = 64
CAMERA_SIZE: Final = 3
POSE_AND_SHAPE: Final = 6 * PARTS + SHAPE_SIZE
PARAMETERS: Final = CAMERA_SIZE + POSE_AND_SHAPE
_PART_WIDTH: Final = 256
_SHAPE_WIDTH: Final = 64
_SCALE_BASE: Final = 1.1
_PARAMS, _CENTRE, _CAMERA, _PRIOR = 1, 2, 3, 4


class HandMaps(NamedTuple):
    """Maps of one side.

    Attributes:
        parameters: (N, 109, 64, 64) camera (s, tx, ty), 16 rotations of 6, 10 betas.
        centre: (N, 1, 64, 64) how surely a hand's centre is there; no sigmoid.
        prior: (N, 106, 64, 64) what the other hand, centred there, adds to pose and shape.
    """

    parameters: Tensor
    centre: Tensor
    prior: Tensor


class AcrMaps(NamedTuple):
    """All outputs.

    Attributes:
        left, right: maps of either side.
        segments: (N, 33, 256, 256) logits: background, 16 right parts, 16 left parts.
    """

    left: HandMaps
    right: HandMaps
    segments: Tensor


class Trunk(HrNet):
    """HRNet with the part segmentation on it."""

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.hand_segm = PartSegmentation()

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, 512, 512) scaled to -1..1, to features (N, 32, 128, 128) and segment logits."""
        features = self.features(picture)
        return features, self.hand_segm(features)


class OfficialAcr(nn.Module):
    """The network; its state dict has the published names and shapes."""

    def __init__(self) -> None:
        """Build the layers. Lists are counted from 1, as in the published weights."""
        super().__init__()
        self.backbone = Trunk()
        self.l_final_layers = _dense_heads()
        self.r_final_layers = _dense_heads()
        both = 2 * PARAMETERS
        self.contact_layers = nn.ModuleList(
            [
                nn.Identity(),
                part_features(_PART_WIDTH),
                PartPose(_PART_WIDTH),
                PartPose(_PART_WIDTH),
                nn.Conv2d(both, PARAMETERS, 1),
                nn.Conv2d(both, PARAMETERS, 1),
            ]
        )
        flat = _SHAPE_WIDTH * PARTS
        self.cam_shape_layers = nn.ModuleList(
            [
                nn.Identity(),
                nn.Sequential(nn.Conv2d(_PART_WIDTH, _SHAPE_WIDTH, 1)),
                nn.Linear(flat, SHAPE_SIZE),
                nn.Linear(flat, SHAPE_SIZE),
            ]
        )
        # In the published weights, but never run: the segmentation of the trunk is what counts.
        self.segmentation_layers = nn.ModuleList(
            [
                nn.Identity(),
                part_features(_PART_WIDTH),
                nn.Sequential(nn.Conv2d(_PART_WIDTH, 1 + 2 * PARTS, 1)),
            ]
        )

    def forward(self, pictures: Tensor) -> AcrMaps:
        """All maps of RGB pictures (N, 512, 512, 3), 0..255, any type."""
        kind = self.backbone.conv1.weight.dtype
        scaled = pictures.permute(0, 3, 1, 2).to(kind) / 255 * 2 - 1
        features, segments = self.backbone(scaled)
        features = located(features)
        attention = part_attention(segments)
        looked_at: Tensor = self.contact_layers[1](features)
        for_pose = pooled(looked_at, attention)
        for_shape = pooled(self.cam_shape_layers[1](looked_at), attention)
        return AcrMaps(
            left=self._hand("left", features, for_pose[..., PARTS:], for_shape[..., PARTS:]),
            right=self._hand("right", features, for_pose[..., :PARTS], for_shape[..., :PARTS]),
            segments=segments,
        )

    def _hand(self, side: Side, features: Tensor, for_pose: Tensor, for_shape: Tensor) -> HandMaps:
        """Maps of one side; (N, 256, 16) and (N, 64, 16) are its parts' features."""
        heads = self.l_final_layers if side == "left" else self.r_final_layers
        own = 0 if side == "left" else 1
        camera = heads[_CAMERA](features)
        camera = torch.cat([_SCALE_BASE ** camera[:, :1], camera[:, 1:]], dim=1)
        pose = self.contact_layers[2 + own](for_pose).flatten(1)
        shape = self.cam_shape_layers[2 + own](for_shape.flatten(1))
        by_parts = torch.cat([pose, shape], dim=1)[..., None, None]
        told = [camera, heads[_PARAMS](features), camera]
        told.append(by_parts.expand(-1, -1, *camera.shape[2:]))
        return HandMaps(
            parameters=self.contact_layers[4 + own](torch.cat(told, dim=1)),
            centre=heads[_CENTRE](features),
            prior=heads[_PRIOR](features),
        )


def _dense_heads() -> nn.ModuleList:
    outputs = {
        _PARAMS: POSE_AND_SHAPE,
        _CENTRE: 1,
        _CAMERA: CAMERA_SIZE,
        _PRIOR: POSE_AND_SHAPE,
    }
    return nn.ModuleList([nn.Identity(), *(dense_head(outputs[k]) for k in sorted(outputs))])
