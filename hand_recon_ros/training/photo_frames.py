"""Composes frames of labelled photographs for the detector: whole, in mosaics, and cut out.

Each cell of a frame shows one photograph round its hand, or round both hands of a pair; beside some
a hand is laid that was cut out of another photograph. Where the photograph ends, its border goes
on, or a background shows, or white, as where somebody padded a small picture.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.detection.ssd_rpn import LONG_SIDE
from hand_recon_ros.training.appearance import Strength
from hand_recon_ros.training.beside import OTHER_SIDE_SHARE, places_beside
from hand_recon_ros.training.detector_batch import IGNORED, NOTHING, DetectorBatch
from hand_recon_ros.training.frame_composer import FrameFinish, lay_over
from hand_recon_ros.training.frame_layers import (
    LEAST_SIDE_PX,
    HandRows,
    draw_places,
    learnable,
    moved,
)
from hand_recon_ros.training.grounds import FrameGrounds
from hand_recon_ros.training.hiding import hidden_by
from hand_recon_ros.training.photographs import PHOTO_SIZE, Photographs
from hand_recon_ros.training.pyramid import level_of_similarity, sampled
from hand_recon_ros.training.view_set import MOST_HANDS
from hand_recon_ros.types import Array

_CELLS: Final = ((1, 1), (1, 2), (2, 1), (2, 2))
"""Columns and rows of the mosaics."""
_CELL_SHARES: Final = (0.55, 0.2, 0.1, 0.15)
PAIR_SHARE: Final = 0.2
"""Least share of photographs of pairs. Few are labelled, and without them a detector learns from
photographs that beside a hand there is no other."""
_MOST_OFTEN: Final = 5.0
"""Times that a pair may be shown for each showing of another photograph."""
_OUTSIDE: Final = 0.25
"""Share of a pair's other hand beyond the photograph from which it is not learned from."""
_BESIDE_SHARE: Final = 0.25
"""Share of hands alone that get a cut-out hand beside or partly over them."""
_BESIDE_WAY: Final = (0.25, 1.1)
"""Way between the middles over the box of the hand alone."""
_SHARE: Final = (0.12, 0.95)
"""Longer side of a hand's box over the shorter side of its cell, unless too small to learn from."""
_EMPTY_SHARE: Final = 0.6
"""Share of frames with a tile that shows no hand: a rectangle alone is no sign of one."""
_GOES_ON_SHARE: Final = 0.4
PLAIN_SHARE: Final = 0.25
"""Share of frames whose ground is white, bright or black."""
PHOTO_STRENGTH: Final = Strength(blur_share=0.15, coarse_share=0.05, noise_share=0.4, tone=0.6)
"""Photographs have a camera's effects already."""


class PhotoComposer:
    """Makes batches of frames from photographs.

    Args:
        photographs: on the device.
        grounds: what is seen where they end.
        device: of pictures and batches.
        strength: of camera effects.
        pair_share: least share of photographs of pairs.

    Raises:
        ValueError: no photograph has labels for all hands that it shows.
    """

    def __init__(
        self,
        photographs: Photographs,
        grounds: FrameGrounds,
        device: torch.device | str,
        strength: Strength = PHOTO_STRENGTH,
        pair_share: float = PAIR_SHARE,
    ) -> None:
        """Keep the parts."""
        self._photographs = photographs
        self._pairs = photographs.labels["other"] != NOTHING
        # What is seen and has no label would teach that a hand is none.
        self._complete = photographs.labels["alone"] | self._pairs
        if not self._complete.any():
            raise ValueError("no photograph has labels for all hands that it shows")
        pairs = self._pairs.sum() / self._complete.sum()
        self._pair_share = min(pair_share, _MOST_OFTEN * float(pairs))
        self._grounds = grounds
        self._device = torch.device(device)
        self._finish = FrameFinish(device, strength)

    def frames(
        self, count: int, width: int, height: int, rng: np.random.Generator
    ) -> DetectorBatch:
        """Frames with a content of width x height px, padded to the network's input."""
        image = self._grounds.draw(count, width, height, rng, PLAIN_SHARE)
        self._add_empty_tiles(image, rng)
        frames, cells = _mosaic(count, width, height, rng)
        numbers = self._numbers(len(frames), rng)
        here = self._rows(numbers)
        places = _in_cells(here, cells, rng)
        rows = moved(here, places)
        layer = self._layer(numbers, places, cells, width, height, rng)
        rows = self._lay_beside(layer, rows, cells, width, height, rng)
        first = np.flatnonzero(np.diff(frames, prepend=-1))
        place = np.arange(len(frames)) - np.repeat(first, np.diff(first, append=len(frames)))
        most = int(place.max()) + 1
        for number in range(most):  # cells do not overlap; a frame takes one at a time
            chosen = np.flatnonzero(place == number)
            lay_over(image, frames[chosen], layer[torch.from_numpy(chosen).to(self._device)])
        kinds = learnable(rows.kinds, rows.points_px, rows.visible, width, height)
        kinds = np.where((kinds == NOTHING) | _inside_cells(rows.points_px, cells), kinds, IGNORED)
        boxes = np.zeros((count, most, MOST_HANDS, 4))
        told = np.zeros((count, most, MOST_HANDS), np.int64)
        directions = np.zeros((count, most, MOST_HANDS, 2))
        boxes[frames, place] = rows.boxes()
        told[frames, place] = kinds
        directions[frames, place] = rows.directions()
        batch = DetectorBatch(
            image=image / 255.0,
            boxes=self._tensor(boxes.reshape(count, -1, 4)),
            kinds=torch.from_numpy(told.reshape(count, -1)).to(self._device),
            directions=self._tensor(directions.reshape(count, -1, 2)),
        )
        return self._finish.apply(batch, rng)

    def _numbers(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Photographs all of whose hands are labelled, pairs among them."""
        drawn = self._photographs.draw(count, rng, self._complete)
        lacking = round(self._pair_share * count) - int(self._pairs[drawn].sum())
        if lacking > 0:
            others = rng.permutation(np.flatnonzero(~self._pairs[drawn]))[:lacking]
            drawn[others] = self._photographs.draw(len(others), rng, self._pairs)
        return drawn

    def _rows(self, numbers: NDArray[np.int64]) -> HandRows:
        """The hands of photographs (L,) in px of the photographs."""
        labels, hands = self._photographs.labels[numbers], self._photographs.hands(numbers)
        other = labels["other_px"].astype(np.float64)
        inside = ((other > -0.5) & (other < PHOTO_SIZE - 0.5)).all(axis=2).mean(axis=1)
        kind = labels["other"].astype(np.int64)
        kind[(kind != NOTHING) & (inside < 1 - _OUTSIDE)] = IGNORED
        points = np.stack([hands.points_px, other], axis=1)
        kinds = np.column_stack([np.where(hands.left, 1, 2), kind])
        return HandRows(points, np.ones(points.shape[:3], bool), kinds)

    def _lay_beside(
        self,
        layer: Tensor,
        rows: HandRows,
        cells: Array,
        width: int,
        height: int,
        rng: np.random.Generator,
    ) -> HandRows:
        """Lay cut-out hands over some layers (L, 4, H, W); returns the hands with them."""
        cut_outs = np.flatnonzero(self._photographs.cut_out)
        alone = rows.kinds[:, 1] == NOTHING
        chosen = np.flatnonzero(alone & (rng.random(len(alone)) < _BESIDE_SHARE))
        if not len(cut_outs) or not len(chosen):
            return rows
        numbers = rng.choice(cut_outs, len(chosen))
        here = self._rows(numbers)
        same = here.kinds[:, 0] == rows.kinds[chosen, 0]
        turned_over = same == (rng.random(len(chosen)) < OTHER_SIDE_SHARE)
        places = places_beside(
            rows.points_px[chosen, 0], here.points_px[:, 0], turned_over, _BESIDE_WAY, rng
        )
        over = self._layer(numbers, places, cells[chosen], width, height, rng)
        lay_over(layer, chosen, over)
        points, visible, kinds = rows.points_px.copy(), rows.visible.copy(), rows.kinds.copy()
        visible[chosen, 0] &= ~hidden_by(over[:, 3], np.arange(len(chosen)), points[chosen, 0])
        points[chosen, 1] = moved(here, places).points_px[:, 0]
        kinds[chosen, 1] = np.where(turned_over, 3 - here.kinds[:, 0], here.kinds[:, 0])
        return HandRows(points, visible, kinds)

    def _add_empty_tiles(self, image: Tensor, rng: np.random.Generator) -> None:
        """Lay a turned rectangle of another background over some frames."""
        count, _, height, width = image.shape
        frames = np.flatnonzero(rng.random(count) < _EMPTY_SHARE)
        turn = rng.normal(0, 0.4, len(frames))
        centre = rng.random((len(frames), 2)) * (width, height)
        half = rng.uniform(0.05, 0.3, (len(frames), 2)) * max(width, height)
        along = np.column_stack([np.cos(turn), np.sin(turn)]) / half[:, :1]
        across = np.column_stack([-np.sin(turn), np.cos(turn)]) / half[:, 1:]
        x = torch.arange(width, device=self._device, dtype=torch.float32)
        y = torch.arange(height, device=self._device, dtype=torch.float32)[:, None]
        kept = torch.ones((len(frames), height, width), dtype=torch.bool, device=self._device)
        for axis in (along, across):
            a = self._tensor(axis)[:, :, None, None]
            start = self._tensor((axis * centre).sum(axis=1))[:, None, None]
            kept &= (a[:, 0] * x + a[:, 1] * y - start).abs() < 1
        tile = self._grounds.draw(len(frames), width, height, rng)
        lay_over(
            image, frames, torch.cat([tile, torch.full_like(tile[:, :1], 255.0)], 1) * kept[:, None]
        )

    def _layer(
        self,
        numbers: NDArray[np.int64],
        places: Array,
        cells: Array,
        width: int,
        height: int,
        rng: np.random.Generator,
    ) -> Tensor:
        """(L, 4, H, W) premultiplied photographs in their cells."""
        back = np.linalg.inv(places)
        level = level_of_similarity(back)
        layer = sampled(self._photographs.pixels, PHOTO_SIZE, numbers, level, back, LONG_SIDE)
        layer = layer[:, :, :height, :width]
        x = torch.arange(width, device=self._device, dtype=torch.float32)
        y = torch.arange(height, device=self._device, dtype=torch.float32)[:, None]
        low, high = self._tensor(cells[:, :2]), self._tensor(cells[:, 2:])
        kept = (x >= low[:, 0, None, None]) & (x < high[:, 0, None, None])
        kept = kept & (y >= low[:, 1, None, None]) & (y < high[:, 1, None, None])
        sizes = self._tensor(np.full((len(numbers), 2), PHOTO_SIZE))
        return layer * (kept[:, None] & shown(self._tensor(back), sizes, width, height, rng))

    def _tensor(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)


def shown(
    to_picture: Tensor, sizes: Tensor, width: int, height: int, rng: np.random.Generator
) -> Tensor:
    """(L, 1, H, W) bool: where frames show pictures; the borders of some go on.

    Args:
        to_picture: (L, 3, 3) similarities from px of the frames.
        sizes: (L, 2) widths and heights of the pictures, px.
        width, height: of the frames, px.
        rng: source of randomness.
    """
    device = to_picture.device
    goes_on = torch.from_numpy(rng.random(len(to_picture)) < _GOES_ON_SHARE).to(device)
    x = torch.arange(width, device=device, dtype=torch.float32)
    y = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    m, limits = to_picture[:, :, :, None, None], sizes[:, :, None, None] - 0.5
    u = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2]
    v = m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2]
    there = (u > -0.5) & (v > -0.5) & (u < limits[:, 0]) & (v < limits[:, 1])
    return (there | goes_on[:, None, None])[:, None]


def _mosaic(
    count: int, width: int, height: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Array]:
    """(L,) frames in order and (L, 4) cells x0, y0, x1, y1 px."""
    frames, cells = [], []
    for frame, kind in enumerate(rng.choice(len(_CELLS), size=count, p=_CELL_SHARES)):
        columns, rows = _CELLS[kind]
        at = rng.uniform(0.35, 0.65, 2) * (width, height)
        xs = [0.0, *([at[0]] if columns > 1 else []), float(width)]
        ys = [0.0, *([at[1]] if rows > 1 else []), float(height)]
        for y0, y1 in pairwise(ys):
            for x0, x1 in pairwise(xs):
                frames.append(frame)
                cells.append((round(x0), round(y0), round(x1), round(y1)))
    return np.array(frames), np.array(cells, float)


def _in_cells(rows: HandRows, cells: Array, rng: np.random.Generator) -> Array:
    """(L, 3, 3) similarities that put photographs into their cells."""
    size = cells[:, 2:] - cells[:, :2]
    # Frames of one side, then scaled: places are drawn for frames of one size.
    least = np.maximum(_SHARE[0], LEAST_SIDE_PX / size.min(axis=1))
    places = draw_places(rows, LONG_SIDE, LONG_SIDE, np.full(len(cells), _SHARE[1]), rng, least)
    factor = size.min(axis=1) / LONG_SIDE
    scaling = np.zeros((len(cells), 3, 3))
    scaling[:, 0, 0] = scaling[:, 1, 1] = factor
    scaling[:, 2, 2] = 1.0
    spare = size - size.min(axis=1, keepdims=True)
    scaling[:, :2, 2] = cells[:, :2] + rng.random((len(cells), 2)) * spare
    return np.asarray(scaling @ places)


def _inside_cells(points_px: Array, cells: Array) -> NDArray[np.bool_]:
    """(L, 2) whether most of a hand is in its cell, not under the neighbours."""
    low, high = cells[:, None, None, :2], cells[:, None, None, 2:]
    inside = ((points_px > low) & (points_px < high)).all(axis=-1)
    return np.asarray(inside.mean(axis=-1) > 0.75)
