"""Composes whole frames with hands on the device of the training: 000 section 3.1.3 for detectors.

Rendered views are laid over backgrounds; some layers are there to mislead: forearms without a hand
and patches of skin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from hand_recon_ros.detection.ssd_rpn import LONG_SIDE, PADDING, input_size
from hand_recon_ros.training.appearance import (
    GREY_NOISE,
    Appearance,
    Strength,
    noise_levels,
    some,
    without_colour,
)
from hand_recon_ros.training.detector_batch import NOTHING, DetectorBatch, mirrored
from hand_recon_ros.training.frame_layers import (
    HandRows,
    draw_places,
    learnable,
    moved,
    rows_of,
)
from hand_recon_ros.training.grounds import FrameGrounds
from hand_recon_ros.training.hiding import hidden_by
from hand_recon_ros.training.pyramid import level_of_similarity, sampled
from hand_recon_ros.training.replay import Replay
from hand_recon_ros.training.view_set import MOST_HANDS
from hand_recon_ros.types import Array

LAYERS: Final = 3
"""Views in a frame at most, hands and misleading ones."""
_VIEWS_SHARE: Final = (0.15, 0.5, 0.25, 0.1)
"""Shares of frames with 0, 1, 2, 3 layers with hands."""
_LARGEST: Final = (1.0, 1.0, 0.6, 0.45)
"""Largest hand over the long side, by the number of layers with hands."""
_MISLEADING_SHARE: Final = 0.3
_SOFT_NOISE: Final = 0.5
"""Share of the noise whose neighbours are alike, as after a camera's own filter."""
_NO_COLOUR: Final = 1e-3
"""Largest difference of the channels of a grey frame."""


class FrameComposer:
    """Makes batches of synthetic frames.

    Args:
        grounds: what lies behind; on the device of the views.
        device: of views and batches.
        strength: of camera effects.
    """

    def __init__(
        self, grounds: FrameGrounds, device: torch.device | str, strength: Strength | None = None
    ) -> None:
        """Keep the parts."""
        self._grounds = grounds
        self._device = torch.device(device)
        self._finish = FrameFinish(device, strength or Strength())

    def frames(
        self, views: Replay, count: int, width: int, height: int, rng: np.random.Generator
    ) -> DetectorBatch:
        """Frames with a content of width x height px, padded to the network's input.

        Args:
            views: rendered ones.
            count: number of frames.
            width: of the content; the longer side is 320 px.
            height: see above.
            rng: source of randomness.
        """
        image = self._grounds.draw(count, width, height, rng)
        with_hands = rng.choice(len(_VIEWS_SHARE), size=count, p=_VIEWS_SHARE)
        layers = [self._layer(image, views, with_hands, number, rng) for number in range(LAYERS)]
        boxes, kinds, directions = _labels(layers, width, height)
        batch = DetectorBatch(
            image=image / 255.0,
            boxes=self._tensor(boxes),
            kinds=torch.from_numpy(kinds).to(self._device),
            directions=self._tensor(directions),
        )
        return self._finish.apply(batch, rng)

    def _layer(
        self,
        image: Tensor,
        views: Replay,
        with_hands: NDArray[np.int64],
        number: int,
        rng: np.random.Generator,
    ) -> _Layer:
        """Draw layer ``number`` of all frames into them."""
        count, _, height, width = image.shape
        hands = with_hands > number
        misleading = ~hands & (rng.random(count) < _MISLEADING_SHARE)
        frames = np.flatnonzero(hands | misleading)
        slots = views.draw(len(frames), rng)
        here = rows_of(views.labels[slots])
        largest = np.array(_LARGEST)[with_hands[frames]]
        places = draw_places(here, width, height, largest, rng)
        false = misleading[frames]
        patch = false & (rng.random(len(frames)) < 0.5)
        places[patch] = _enlarged(places[patch], here.points_px[patch, 0, 9], rng)
        back = np.linalg.inv(places)
        level = level_of_similarity(back)
        layer = sampled(views.pixels, views.size, slots, level, back, LONG_SIDE)
        layer = layer[:, :, :height, :width]
        rows = moved(here, places)
        if false.any():
            mask = self._mask(rows, patch, false & ~patch, width, height, rng)
            layer[torch.from_numpy(false).to(self._device)] *= mask[false]
        lay_over(image, frames, layer)
        kinds = np.where(false[:, None], NOTHING, rows.kinds)
        return _Layer(frames, replace(rows, kinds=kinds), layer[:, 3], count)

    def _mask(
        self,
        rows: HandRows,
        patch: NDArray[np.bool_],
        forearm: NDArray[np.bool_],
        width: int,
        height: int,
        rng: np.random.Generator,
    ) -> Tensor:
        """(L, 1, H, W) 1 where a layer is kept: all, an ellipse, or what lies behind the wrist."""
        count = len(patch)
        x = torch.arange(width, device=self._device, dtype=torch.float32)
        y = torch.arange(height, device=self._device, dtype=torch.float32)[:, None]
        mask = torch.ones((count, 1, height, width), device=self._device)
        if patch.any():
            k = int(patch.sum())
            size = rng.uniform(0.03, 0.25, (k, 2)) * max(width, height)
            centre = self._tensor(rows.points_px[patch, 0, 9])[:, :, None, None]
            inverse = self._tensor(1 / size)[:, :, None, None]
            reach = ((x - centre[:, 0]) * inverse[:, 0]) ** 2 + (
                (y - centre[:, 1]) * inverse[:, 1]
            ) ** 2
            mask[torch.from_numpy(patch)] = ((1 - reach) * 8).clamp(0, 1)[:, None]
        if forearm.any():
            keep = torch.ones((int(forearm.sum()), height, width), device=self._device)
            for hand in range(MOST_HANDS):
                there = self._tensor(rows.kinds[forearm, hand] != NOTHING)[:, None, None]
                wrist = self._tensor(rows.points_px[forearm, hand, 0])[:, :, None, None]
                along = self._tensor(rows.directions()[forearm, hand])[:, :, None, None]
                ahead = (x - wrist[:, 0]) * along[:, 0] + (y - wrist[:, 1]) * along[:, 1]
                keep *= 1 - there * (ahead + 3.0).clamp(0, 1)
            mask[torch.from_numpy(forearm)] = keep[:, None]
        return mask

    def _tensor(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)


def lay_over(image: Tensor, frames: NDArray[np.int64], layer: Tensor) -> None:
    """Lay premultiplied pictures (L, 4, H, W) over some frames or pictures, all 0..255.

    Args:
        image: (N, 3, H, W), or premultiplied (N, 4, H, W); is changed.
        frames: (L,) of them that get one.
        layer: what they get.
    """
    at = torch.from_numpy(frames).to(image.device)
    image[at] = torch.addcmul(layer[:, : image.shape[1]], image[at], 1 - layer[:, 3:] / 255.0)


class FrameFinish:
    """What all frames get at last, rendered or photographed: mirror, camera effects, padding."""

    def __init__(self, device: torch.device | str, strength: Strength) -> None:
        """Prepare the effects."""
        self._noise_share = strength.noise_share
        # That noise is cut for crops; frames are larger.
        self._appearance = Appearance(device, replace(strength, noise_share=0.0))
        self._device = torch.device(device)

    def apply(self, batch: DetectorBatch, rng: np.random.Generator) -> DetectorBatch:
        """The finished frames; sizes are those of ``ssd_rpn.input_size``."""
        count, _, height, width = batch.image.shape
        flip = torch.from_numpy(rng.random(count) < 0.5).to(self._device)
        batch = mirrored(batch, flip)
        wide, high = input_size(width, height)
        # The blocks of JPEG ask for multiples of 8 px: effects come after padding.
        image = batch.image.new_full((count, 3, high, wide), PADDING)
        image[:, :, :height, :width] = batch.image
        image = self._appearance.apply(image, rng)
        image = (image + self._noise(image, rng)).clamp(0, 1)
        image[:, :, height:] = PADDING
        image[:, :, :, width:] = PADDING
        return replace(batch, image=image)

    def _noise(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """Of the sensor: fine or soft, in colour or, always in grey frames, without."""
        count = len(image)
        noisy, soft = some(self._noise_share, count, rng), some(_SOFT_NOISE, count, rng)
        sigma = np.zeros(count)
        sigma[noisy] = noise_levels(len(noisy), rng)
        noise = torch.randn_like(image)
        at = torch.from_numpy(soft).to(self._device)
        noise[at] = 3.0 * avg_pool2d(noise[at], 3, stride=1, padding=1)
        grey = (image[:, 0] - image[:, 2]).abs().amax(dim=(1, 2)) < _NO_COLOUR
        grey |= torch.from_numpy(rng.random(count) < GREY_NOISE).to(self._device)
        noise = without_colour(noise, grey)
        return noise * torch.from_numpy(sigma).to(noise)[:, None, None, None]


class _Layer:
    """One layer of a batch: which frames have it, its hands, and what it covers."""

    def __init__(
        self, frames: NDArray[np.int64], rows: HandRows, alpha: Tensor, count: int
    ) -> None:
        self.rows, self.frames, self.count = rows, frames, count
        self._alpha = alpha

    def covers(self, frames: NDArray[np.int64], points_px: Array) -> NDArray[np.bool_]:
        """(L, 2, 21) whether it hides points (L, 2, 21, 2) of hands in these frames."""
        place = np.full(self.count, -1)
        place[self.frames] = np.arange(len(self.frames))
        mine = place[frames]
        if not len(self.frames):
            return np.zeros(points_px.shape[:-1], bool)
        hidden = hidden_by(self._alpha, np.maximum(mine, 0), points_px)
        return hidden & (mine >= 0)[:, None, None]


def _labels(
    layers: list[_Layer], width: int, height: int
) -> tuple[Array, NDArray[np.int64], Array]:
    """(N, M, 4) boxes, (N, M) kinds and (N, M, 2) directions of all layers together."""
    count = layers[0].count
    rows = MOST_HANDS * len(layers)
    boxes = np.zeros((count, rows, 4))
    kinds = np.zeros((count, rows), np.int64)
    directions = np.zeros((count, rows, 2))
    for number, layer in enumerate(layers):
        hands, at = layer.rows, slice(MOST_HANDS * number, MOST_HANDS * (number + 1))
        seen = hands.visible.copy()
        for later in layers[number + 1 :]:
            seen &= ~later.covers(layer.frames, hands.points_px)
        boxes[layer.frames, at] = hands.boxes()
        kinds[layer.frames, at] = learnable(hands.kinds, hands.points_px, seen, width, height)
        directions[layer.frames, at] = hands.directions()
    return boxes, kinds, directions


def _enlarged(places: Array, about: Array, rng: np.random.Generator) -> Array:
    """Places (L, 3, 3) scaled up about points (L, 2) of the views, so that only skin is seen."""
    factor = rng.uniform(4, 9, len(places))
    fixed = np.einsum("lij,lj->li", places[:, :2, :2], about) + places[:, :2, 2]
    result = places.copy()
    result[:, :2, :2] *= factor[:, None, None]
    result[:, :2, 2] = fixed - np.einsum("lij,lj->li", result[:, :2, :2], about)
    return result
