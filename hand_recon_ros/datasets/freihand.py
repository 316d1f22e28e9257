"""FreiHAND, version 2 (Zimmermann et al., ICCV 2019; facts A5.1).

One right hand in each picture of 224 x 224 px, cropped round it. ``ROOT`` holds
``{training,evaluation}/rgb/%08d.jpg`` and ``{training,evaluation}_{K,xyz,verts,mano}.json``.
Metres, camera's optical frame, joints in the package's own order. The training split shows every
label four times, with four backgrounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from hand_recon_ros.camera import Camera, CameraError
from hand_recon_ros.datasets.common import (
    DataSet,
    DataSetError,
    Picture,
    PictureError,
    image_reader,
    spread,
)
from hand_recon_ros.datasets.files import first_file, need_folder, read_json
from hand_recon_ros.datasets.meshes import NEEDS_MANO, TrueMeshes
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.types import Array

SPLITS: Final = ("evaluation", "training")
_SIZE: Final = 224
_ALIGNED: Final = 9
"""The middle finger's knuckle, at which FreiHAND places its meshes."""
_REMEDY: Final = (
    "FreiHAND_pub_v2.zip and FreiHAND_pub_v2_eval.zip (the labels of the evaluation split) come "
    "from https://lmb.informatik.uni-freiburg.de/projects/freihand/ (research only); --root names "
    "the folder into which both were unpacked"
)


class FreiHand(DataSet):
    """Right hands, each picture on its own.

    Args:
        root: folder of the user's copy.
        split: one of ``SPLITS``.
        limit: most pictures, evenly spread over the split.
        meshes: MANO models of the user.

    Raises:
        DataSetError: a file is missing or does not fit the others.
    """

    # Of 60 photographs cropped in this manner MediaPipe found 87 % as they were, 98 % with it.
    border = 0.25

    def __init__(
        self, root: Path, split: str, limit: int | None, meshes: TrueMeshes | None = None
    ) -> None:
        """Read the labels."""
        need_folder(root, _REMEDY)
        self._folder = root / split / "rgb"
        need_folder(self._folder, _REMEDY)
        self._meshes = meshes or TrueMeshes({})
        self._K, self._xyz = (_labels(root, split, what) for what in ("K", "xyz"))
        self._verts, self._mano = [], []
        notes = ["the chain saw each crop with a border a quarter wide, enlarged to 480 px"]
        if "right" not in self._meshes.sides:
            notes.append(f"no mesh errors: {NEEDS_MANO}")
        elif (root / f"{split}_verts.json").is_file():
            self._verts = _labels(root, split, "verts")
        else:
            self._mano = _labels(root, split, "mano")
        for what, values in (("xyz", self._xyz), ("verts", self._verts), ("mano", self._mano)):
            if values and len(values) != len(self._K):
                raise DataSetError(
                    f"{split}_{what}.json has {len(values)} entries, {split}_K.json "
                    f"{len(self._K)}: they are of different versions. {_REMEDY}"
                )
        versions = 4 if split == "training" else 1
        self._chosen = spread(range(versions * len(self._K)), limit)
        super().__init__("freihand", f"freihand/{split}", length=len(self._chosen), notes=notes)

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures by their numbers."""
        for number in self._chosen:
            file = self._folder / f"{number:08d}.jpg"
            try:
                K = np.array(self._K[number % len(self._K)], dtype=np.float64)
                camera = Camera(_SIZE, _SIZE, K)
            except (CameraError, ValueError, TypeError) as error:
                self.skip(f"'{file}': its K cannot be used ({error})")
                continue
            yield Picture(
                source=str(file),
                index=number,
                stamp=0.0,
                camera=camera,
                read=image_reader(file, camera),
                label=partial(self._label, number, str(file), camera),
            )

    def _label(self, number: int, source: str, camera: Camera) -> TrueFrame:
        own = number % len(self._xyz)
        joints = np.array(self._xyz[own], dtype=np.float64)
        if joints.shape != (21, 3):
            raise PictureError(f"'{source}': its xyz is no (21, 3) list")
        hand = TrueHand("right", joints, self._vertices(own, joints), self._meshes.faces("right"))
        # Nobody promises that no second hand looks into the crop.
        return TrueFrame(number, source, 0.0, camera, (hand,), complete=False)

    def _vertices(self, own: int, joints: Array) -> Array | None:
        if self._verts:
            return np.array(self._verts[own], dtype=np.float64)
        if not self._mano:
            return None
        values = np.array(self._mano[own], dtype=np.float64).reshape(61)
        posed = self._meshes.posed("right", values[:48], values[48:58])
        assert posed is not None
        return posed[0] + (joints[_ALIGNED] - posed[1][_ALIGNED])


def _labels(root: Path, split: str, what: str) -> list[Any]:
    file = first_file([root / f"{split}_{what}.json"], _REMEDY)
    values = read_json(file, _REMEDY)
    if not isinstance(values, list) or not values:
        raise DataSetError(f"'{file}' holds no list of labels. {_REMEDY}")
    return values
