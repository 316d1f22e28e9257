"""Cuts crops out of stored pictures, lays backgrounds behind them and varies what they look like.

One path for CPU and GPU: labels and random numbers are made on the host, pixels stay on the
device. 000 section 3.1.3 does the same to finished pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.skeleton import KNUCKLES
from hand_recon_ros.training.appearance import NONE, Appearance, Strength, some
from hand_recon_ros.training.batch import CROP_MIDDLE, CROP_SIZE, CropBatch
from hand_recon_ros.training.beside import (
    OTHER_SIDE_SHARE,
    lay_cut_outs,
    places_beside,
)
from hand_recon_ros.training.framing import STILL, Crops, Jitter, framed, pair_geometry
from hand_recon_ros.training.grounds import GroundBank
from hand_recon_ros.training.hand_labels import HandLabels
from hand_recon_ros.training.hiding import end_picture, hidden_by, occlude
from hand_recon_ros.training.pyramid import level_of, sampled
from hand_recon_ros.types import Array

_POINTING: Final = 0.25
"""Way from the wrist to the middle knuckle, over the longer side of the box of the key points, from
which on a hand points clearly somewhere."""
_BESIDE_WAY: Final = (0.35, 1.0)
"""Way from a hand to one that is laid beside it, over the longer side of its box: nearer ones would
cover the hand that is asked for, and a window of the usual size ends where farther ones lie."""
_APART: Final = 0.5
"""Way between the middles of two hands, over the longer side of the box of one, beyond which a
window shows clearly which of them is meant."""


@dataclass(frozen=True)
class CompositorConfig:
    """How crops vary; shares are of the crops of a batch.

    Attributes:
        jitter: of the framing.
        strength: of camera effects.
        negative_share: without an upright hand of the expected side in the middle: a quarter each
            bare background, left hands that are not mirrored (or right ones that are), hands that
            point elsewhere than up (half of them of the wrong side, too), and hands far off the
            middle. A photograph has no bare background: it shows the wrong side instead, so that
            sides are not learned from renderings alone. Hands whose middles are close have no
            wrong side: they stay. Those that point at the camera have no direction: they are
            shown far off the middle, unless a photograph shows others, too.
        soft_share: hands from a coarser picture.
        occluder_share: with something in front.
        border_share: at the border of the camera's picture, which goes on as ``HandCrop.cut``
            repeats it.
        parted_share: of pairs that are not told of each other.
        beside_share: with a cut-out hand beside or partly over them, where there are such.
    """

    jitter: Jitter = field(default_factory=Jitter)
    strength: Strength = field(default_factory=Strength)
    negative_share: float = 0.3
    soft_share: float = 0.2
    occluder_share: float = 0.1
    border_share: float = 0.08
    parted_share: float = 0.1
    beside_share: float = 0.15


PLAIN: Final = CompositorConfig(STILL, NONE, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Standard framing, nothing varied but the background: for validation."""


class Compositor:
    """Makes batches of crops.

    Args:
        grounds: what lies behind; on the device of the pictures.
        device: of pictures and batches.
        config: how crops vary.
    """

    def __init__(
        self,
        grounds: GroundBank,
        device: torch.device | str,
        config: CompositorConfig | None = None,
    ) -> None:
        """Keep the parts."""
        self.config = config or CompositorConfig()
        self._device = torch.device(device)
        self._grounds = grounds
        self._appearance = Appearance(device, self.config.strength)

    def crops(
        self,
        pixels: Tensor,
        size: int,
        hands: HandLabels,
        rng: np.random.Generator,
        cut_outs: HandLabels | None = None,
    ) -> CropBatch:
        """One crop of each hand.

        Args:
            pixels: (n, T) int32 pyramids of the pictures, on the device.
            size: side of the pictures, px.
            hands: what is in them.
            rng: source of randomness.
            cut_outs: (N,) of the same pictures, hands that may come beside those.
        """
        c, n = self.config, len(hands)
        bare, wrong, turned, away = self._negatives(hands, rng)
        absent = bare | wrong | turned | away
        hands = hands.parted(absent | (rng.random(n) < c.parted_share / 2))
        crops = framed(hands.K, hands.points_px, hands.left ^ wrong, c.jitter, rng, away, turned)
        image = self._pictures(pixels, size, hands, crops, bare, rng)
        points = crops.points(hands.points_px)
        visible = hands.visible & hands.known
        if cut_outs is not None:
            visible &= ~self._lay_beside(image, pixels, size, points, cut_outs, absent, rng)
        visible &= ~occlude(image, points, c.occluder_share, self._grounds, rng)
        visible &= ~end_picture(image, points, c.border_share, rng)
        image = self._appearance.apply(image, rng)
        return self._batch(image, hands, crops, points, visible, absent)

    def _negatives(
        self, hands: HandLabels, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """(N,) each: bare background, wrong side, turned away from up, far off the middle."""
        draw = 4 * rng.random(len(hands)) / max(self.config.negative_share, 1e-9)
        bare = (draw < 1) & ~hands.covering
        other_side = (draw < 2) & ~bare
        # Beside its partner, too, a hand in the middle of the other side's window is no hand of
        # that side: without that, the sides of pairs would be told apart by chance.
        middle, size = hands.points_px.mean(axis=1), np.ptp(hands.points_px, axis=1).max(axis=1)
        way = np.linalg.norm(middle - middle[hands.partner], axis=1)
        apart = hands.alone | ((hands.partner >= 0) & (way > _APART * size))
        palm = np.linalg.norm(hands.points_px[:, KNUCKLES[2]] - hands.points_px[:, 0], axis=1)
        turned = (draw >= 2) & (draw < 3) & (palm > _POINTING * size)
        other_side |= turned & (draw < 2.5)
        # Off the middle of a photographed hand that is not alone, there may be another.
        away = (draw >= 2) & (draw < 4) & ~turned & (hands.alone | ~hands.covering)
        return bare, other_side & apart, turned, away

    def _pictures(
        self,
        pixels: Tensor,
        size: int,
        hands: HandLabels,
        crops: Crops,
        bare: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> Tensor:
        """(N, 3, 128, 128), 0..1: the hands before their backgrounds."""
        n = len(hands)
        back = np.linalg.inv(crops.matrix)
        level = level_of(_step(back))
        level[some(self.config.soft_share, n, rng)] += 1
        level = np.minimum(level, 2)
        layers = sampled(pixels, size, hands.number, level, back, CROP_SIZE)
        image = self._grounds.draw(n, rng)
        shown = self._tensor((~bare) / 255.0).view(n, 1, 1, 1)
        layers.mul_(shown)
        # A photograph covers all, even where it has a mask of its own.
        alpha = torch.maximum(layers[:, 3:], self._tensor(hands.covering).view(n, 1, 1, 1))
        return image.addcmul_(image, alpha, value=-1.0).add_(layers[:, :3])

    def _lay_beside(
        self,
        image: Tensor,
        pixels: Tensor,
        size: int,
        points: Array,
        others: HandLabels,
        absent: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> NDArray[np.bool_]:
        """Lay cut-out hands beside some; (N, 21) which points they hide.

        Windows are for right hands. Where there is none, what comes beside it looks left, so that
        there still is none: two hands as such tell nothing.
        """
        n = len(points)
        chosen = some(self.config.beside_share, n, rng)
        hidden = np.zeros(points.shape[:2], bool)
        if not len(chosen):
            return hidden
        looks_left = absent[chosen] | (rng.random(len(chosen)) < OTHER_SIDE_SHARE)
        turned_over = looks_left ^ others.left[chosen]
        own = others.points_px[chosen]
        places = places_beside(points[chosen], own, turned_over, _BESIDE_WAY, rng)
        at = torch.from_numpy(chosen).to(self._device)
        part = image[at]
        alpha = lay_cut_outs(part, pixels, size, others.number[chosen], places)
        image[at] = part
        hidden[chosen] = hidden_by(alpha, np.arange(len(chosen)), points[chosen])
        return hidden

    def _batch(
        self,
        image: Tensor,
        hands: HandLabels,
        crops: Crops,
        points: Array,
        visible: NDArray[np.bool_],
        absent: NDArray[np.bool_],
    ) -> CropBatch:
        joints = crops.vectors(hands.joints_m)
        wrist = joints[:, 0]
        other = np.maximum(hands.partner, 0)
        seen = crops.vectors(hands.joints_m[other, :1])[:, 0]
        paired = hands.partner >= 0
        has_other = paired & hands.has_3d & hands.has_3d[other]
        inside = ((points > -0.5) & (points < CROP_SIZE - 0.5)).all(axis=2) & hands.known
        return CropBatch(
            image=image,
            points_px=self._tensor(points),
            inside=self._flags(inside & ~absent[:, None]),
            visible=self._flags(visible & inside & ~absent[:, None]),
            joints_m=self._tensor(joints - wrist[:, None]),
            has_3d=self._flags(hands.has_3d & ~absent),
            rotations=self._tensor(crops.rotations(hands.rotations)),
            betas=self._tensor(hands.betas),
            has_mano=self._flags(hands.has_mano & ~absent),
            wrist_m=self._tensor(wrist),
            focal=self._tensor(crops.focal),
            partner=torch.from_numpy(hands.partner).to(self._device),
            geometry=self._tensor(pair_geometry(crops, hands.partner)),
            other_wrist_m=self._tensor(np.where(has_other[:, None], seen - wrist, 0.0)),
            has_other=self._flags(has_other),
            presence=self._tensor(~absent),
            weight=self._tensor(hands.weight),
            source=torch.from_numpy(hands.source.astype(np.int8)).to(self._device),
        )

    def _tensor(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)

    def _flags(self, values: NDArray[np.bool_]) -> Tensor:
        return torch.from_numpy(values).to(self._device)


def _step(back: Array) -> Array:
    """(N,) picture px for each crop px in the middle of the crop, of homographies (N, 3, 3)."""
    at = np.array([CROP_MIDDLE, CROP_MIDDLE, 1.0])
    middle = back @ at
    u = middle[:, :2] / middle[:, 2:]
    change = (back[:, :2, :2] - u[:, :, None] * back[:, 2:, :2]) / middle[:, 2:, None]
    return np.sqrt(np.abs(np.linalg.det(change)))
