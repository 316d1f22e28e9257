"""The project's own sets: shards of ``hand_recon synthesize``, and the rendered clip."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import torch

from hand_recon_ros.camera import Camera
from hand_recon_ros.datasets.common import DataSet, DataSetError, Image, Picture
from hand_recon_ros.datasets.files import need_folder
from hand_recon_ros.datasets.meshes import EMBEDDED
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.rendering import clip
from hand_recon_ros.skeleton import SIDES, Side
from hand_recon_ros.synthesis.sample import HandLabel, Sample
from hand_recon_ros.synthesis.shards import read_shard
from hand_recon_ros.types import Array, ManoParameters

_LEAST_SEEN: Final = 0.3
"""Share of a hand's outline that must be seen; a hand behind things is nothing to be found."""
_REMEDY: Final = (
    "make a set with 'hand_recon synthesize -n 1000 -o DIR', or leave --root out for the "
    "rendered clip"
)
_CLIP: Final = "clip"
_CLIP_FRAMES: Final = 300
_CLIP_FPS: Final = 30


class _Meshes:
    """Meshes of the embedded hand."""

    def __init__(self) -> None:
        self._models: dict[Side, HandModel] = {
            side: HandModel(load_hand_model(side), torch.float64) for side in SIDES
        }

    def hand(self, side: Side, joints_m: Array, mano: ManoParameters, identity: int) -> TrueHand:
        if mano.model != EMBEDDED:
            return TrueHand(side, joints_m, identity=identity)
        model = self._models[side]
        vertices = model.forward_parameters(mano)[0]
        return TrueHand(side, joints_m, vertices, model.data.faces, identity=identity)


class Shards(DataSet):
    """Labelled pictures in tar files, each on its own.

    Hands of which less than 0.3 of the outline is seen are not asked for; a hand found there
    counts neither way.

    Args:
        root: folder with ``shard-*.tar``.
        limit: most pictures, the first ones.

    Raises:
        DataSetError: the folder holds no shard.
    """

    def __init__(self, root: Path, limit: int | None) -> None:
        """List the files."""
        need_folder(root, _REMEDY)
        self._files = sorted(root.glob("shard-*.tar"))
        if not self._files:
            raise DataSetError(f"'{root}' holds no shard-*.tar: {_REMEDY}")
        self._limit = limit
        self._meshes = _Meshes()
        super().__init__("synthetic", f"synthetic/{root.name}", length=limit)

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures in the shards' order.

        Raises:
            ShardError: a shard is damaged.
        """
        samples = ((file, sample) for file in self._files for sample in read_shard(file))
        for number, (file, sample) in enumerate(islice(samples, self._limit)):
            yield self._picture(number, f"{file.name}/{number:06d}", sample)

    def _picture(self, number: int, source: str, sample: Sample) -> Picture:
        label = partial(self._label, number, source, sample)
        return Picture(source, number, 0.0, sample.camera, lambda: sample.image, label)

    def _label(self, number: int, source: str, sample: Sample) -> TrueFrame:
        seen = [hand for hand in sample.hands if hand.seen >= _LEAST_SEEN]
        return TrueFrame(
            number,
            source,
            0.0,
            sample.camera,
            tuple(self._hand(hand) for hand in seen),
            complete=len(seen) == len(sample.hands),
        )

    def _hand(self, hand: HandLabel) -> TrueHand:
        return self._meshes.hand(hand.side, hand.joints_m, hand.mano, hand.number)


class Clip(DataSet):
    """Two rendered hands that move, 640 x 480 px at 30 frames a second.

    Args:
        limit: most frames; 300 without.
    """

    def __init__(self, limit: int | None) -> None:
        """Set the length."""
        self._meshes = _Meshes()
        super().__init__(
            "synthetic",
            "synthetic/clip",
            fps=Fraction(_CLIP_FPS),
            length=_CLIP_FRAMES if limit is None else limit,
        )

    def pictures(self) -> Iterator[Picture]:
        """Render the frames."""
        for number, rendered in enumerate(clip.render_clip(self.length or 0, fps=_CLIP_FPS)):
            yield self._picture(number, *rendered)

    def _picture(
        self, number: int, image: Image, camera: Camera, hands: list[clip.TrueHand]
    ) -> Picture:
        stamp = number / _CLIP_FPS

        def label() -> TrueFrame:
            true = tuple(
                self._meshes.hand(hand.side, hand.joints_m, hand.mano, SIDES.index(hand.side))
                for hand in hands
            )
            return TrueFrame(number, _CLIP, stamp, camera, true)

        return Picture(_CLIP, number, stamp, camera, lambda: image, label)
