"""Composes frames of photographs as they are: hands among all else that their pictures show."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.detection.ssd_rpn import LONG_SIDE
from hand_recon_ros.training.detector_batch import DetectorBatch
from hand_recon_ros.training.frame_composer import FrameFinish, lay_over
from hand_recon_ros.training.frame_layers import learnable, moved, turns
from hand_recon_ros.training.grounds import FrameGrounds
from hand_recon_ros.training.photo_frames import PHOTO_STRENGTH, PLAIN_SHARE, shown
from hand_recon_ros.training.pyramid import level_of_similarity, sampled
from hand_recon_ros.training.whole_photographs import WHOLE_SIZE, WholePhotographs
from hand_recon_ros.types import Array

_ZOOM: Final = (0.6, 1.8)
"""Size of a picture over that at which it just fits into the frame; log-uniform."""
_ROLL_DEG: Final = 8.0
_WILD_SHARE: Final = 0.1
"""Share of pictures that are turned by any angle."""


class WholeComposer:
    """Makes batches of frames, a photograph in each.

    Args:
        photographs: on the device.
        grounds: what is seen where they end.
        device: of pictures and batches.
    """

    def __init__(
        self,
        photographs: WholePhotographs,
        grounds: FrameGrounds,
        device: torch.device | str,
    ) -> None:
        """Keep the parts."""
        self._photographs = photographs
        self._grounds = grounds
        self._device = torch.device(device)
        self._finish = FrameFinish(device, PHOTO_STRENGTH)

    def frames(
        self, count: int, width: int, height: int, rng: np.random.Generator
    ) -> DetectorBatch:
        """Frames with a content of width x height px, padded to the network's input."""
        image = self._grounds.draw(count, width, height, rng, PLAIN_SHARE)
        numbers = self._photographs.draw(count, rng)
        sizes = self._photographs.labels["covered"][numbers].astype(np.float64)
        places = _places(sizes, width, height, rng)
        rows = moved(self._photographs.rows(numbers), places)
        lay_over(image, np.arange(count), self._layer(numbers, sizes, places, width, height, rng))
        kinds = learnable(rows.kinds, rows.points_px, rows.visible, width, height)
        batch = DetectorBatch(
            image=image / 255.0,
            boxes=self._tensor(rows.boxes()),
            kinds=torch.from_numpy(kinds).to(self._device),
            directions=self._tensor(rows.directions()),
        )
        return self._finish.apply(batch, rng)

    def _layer(
        self,
        numbers: NDArray[np.int64],
        sizes: Array,
        places: Array,
        width: int,
        height: int,
        rng: np.random.Generator,
    ) -> Tensor:
        """(L, 4, H, W) premultiplied photographs."""
        back = np.linalg.inv(places)
        level = level_of_similarity(back)
        pixels = self._photographs.pixels
        layer = sampled(pixels, WHOLE_SIZE, numbers, level, back, LONG_SIDE)
        return layer[:, :, :height, :width] * shown(
            self._tensor(back), self._tensor(sizes), width, height, rng
        )

    def _tensor(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)


def _places(sizes: Array, width: int, height: int, rng: np.random.Generator) -> Array:
    """(L, 3, 3) similarities that put pictures of ``sizes`` (L, 2) px into frames.

    Along each axis a picture lies wholly in the frame, or covers it, but for what its turn about
    its middle changes.
    """
    count, frame = len(sizes), np.array([width, height], float)
    fitting = (frame / sizes).min(axis=1)
    scale = fitting * np.exp(rng.uniform(np.log(_ZOOM[0]), np.log(_ZOOM[1]), count))
    places = turns(count, _ROLL_DEG, _WILD_SHARE, rng)
    places[:, :2] *= scale[:, None, None]
    covered = scale[:, None] * sizes
    middle = covered / 2 + rng.random((count, 2)) * (frame - covered)
    places[:, :2, 2] = middle - np.einsum("lij,lj->li", places[:, :2, :2], sizes / 2)
    return places
