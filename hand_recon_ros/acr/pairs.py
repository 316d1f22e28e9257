"""The regressor on what was read of one hand, or of two hands together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hand_recon_ros.acr.network import GEOMETRY
from hand_recon_ros.keypoints.crops import HandCrop
from hand_recon_ros.keypoints.windows import WindowReading
from hand_recon_ros.networks.runtime import Network, compile_network
from hand_recon_ros.rotations import matrix_from_columns
from hand_recon_ros.types import Array

if TYPE_CHECKING:
    from torch import Tensor, nn

_ALONE: Final = -1
_NEAREST: Final = 0.05
"""Least z of a direction before it is projected."""


@dataclass(frozen=True, slots=True, eq=False)
class HandEstimate:
    """What the regressor says of one hand, in its window's (mirrored) axes.

    Attributes:
        joints_m: (21, 3) wrist at the origin.
        points_px: (21, 2) window px.
        log_sigma_px: (21,) logarithm of the expected error along an axis, window px.
        other_wrist_m: (3,) from its wrist to the other hand's; None for a hand alone.
        rotations: (16, 3, 3) MANO's, global first; None where not told.
        betas: (10,) shape; None where not told.
    """

    joints_m: Array
    points_px: Array
    log_sigma_px: Array
    other_wrist_m: Array | None = None
    rotations: Array | None = None
    betas: Array | None = None


PairRegressor = Callable[[Sequence[tuple[HandCrop, WindowReading]]], list[HandEstimate]]
"""Takes one hand, or the two hands of a pair; returns an estimate of each."""


class PairNetwork:
    """A ``PairRegressor`` around a trained ``Acr``.

    Args:
        acr: the network, ready to run.
        example: a reading whose maps have the shapes of all later ones.
        device: "cpu" or "cuda".
        threads: of the CPU.
    """

    def __init__(
        self, acr: nn.Module, example: WindowReading, device: str = "cpu", threads: int = 1
    ) -> None:
        """Compile it for one hand and for two."""
        network = _reading_maps(acr)
        maps = [np.asarray(_on_host(m)) for m in (example.features, example.deep, example.beliefs)]
        self._networks: dict[int, Network] = {
            count: compile_network(
                network,
                [
                    *(np.stack([m] * count) for m in maps),
                    np.full(count, _ALONE, np.int64),
                    np.zeros((count, GEOMETRY), np.float32),
                ],
                device=device,
                threads=threads,
            )
            for count in (1, 2)
        }

    def __call__(self, hands: Sequence[tuple[HandCrop, WindowReading]]) -> list[HandEstimate]:
        """See ``PairRegressor``."""
        count = len(hands)
        readings = [reading for _, reading in hands]
        partner, geometry = np.full(count, _ALONE, np.int64), np.zeros((count, GEOMETRY))
        if count == 2:
            first, second = (crop for crop, _ in hands)
            partner[:] = 1, 0
            geometry[:] = pair_geometry(first, second), pair_geometry(second, first)
        told = self._networks[count](
            _stacked([r.features for r in readings]),
            _stacked([r.deep for r in readings]),
            _stacked([r.beliefs for r in readings]),
            partner,
            geometry.astype(np.float32),
        )
        joints, points, log_sigma, pose6d, betas, _, away = (
            np.asarray(x, np.float64) for x in told
        )
        rotations = matrix_from_columns(pose6d)
        return [
            HandEstimate(
                joints_m=joints[i],
                points_px=points[i],
                log_sigma_px=log_sigma[i],
                other_wrist_m=away[i] if count == 2 else None,
                rotations=rotations[i],
                betas=betas[i],
            )
            for i in range(count)
        ]


def pair_geometry(own: HandCrop, other: HandCrop) -> Array:
    """(6,) how the other hand's window lies to one's own, as in ``training.framing``.

    Tangents (x, y) of its viewing direction in one's own (mirrored) axes, log of its focal length
    over one's own, tangent of half of one's own field of view, cosine and sine of the angle from
    one's own up to its up, clockwise as seen in one's own window.
    """
    look = own.to_window(other.rotation[2])
    up = own.to_window(-other.rotation[1])
    plane = max(float(np.hypot(up[0], up[1])), 1e-6)
    return np.array(
        [
            *(look[:2] / max(float(look[2]), _NEAREST)),
            np.log(other.focal / own.focal),
            own.size / 2 / own.focal,
            -up[1] / plane,
            up[0] / plane,
        ]
    )


def _reading_maps(acr: nn.Module) -> nn.Module:
    """An ``Acr`` that takes features as ``WindowReading`` holds them, channels last."""
    from torch import nn

    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.acr = acr

        def forward(
            self, features: Tensor, deep: Tensor, beliefs: Tensor, partner: Tensor, geometry: Tensor
        ) -> Any:
            first = (m.permute(0, 3, 1, 2) for m in (features, deep))
            return self.acr(*first, beliefs, partner, geometry)

    return Reading()


def _stacked(maps: list[Any]) -> Any:
    if isinstance(maps[0], np.ndarray):
        return np.stack(maps)
    import torch

    return torch.stack(maps)


def _on_host(map_: Any) -> Any:
    return map_ if isinstance(map_, np.ndarray) else map_.float().cpu()
