"""HIC, "Hands in Interaction" (Tzionas et al., IJCV 2016; facts A5.3), as InterWild indexes it.

``ROOT`` holds ``HIC.json`` (COCO-like), the pictures (640 x 480 px) that its ``file_name`` names
and the MANO meshes (PLY, metres, camera's frame) of ``right_mano_path`` and ``left_mano_path``.
The index gives no joints: the 21 of the package come from the mesh, by MANO's regressor, which
needs the user's MANO files; without them only the five tips are known, which are vertices of the
mesh. The 28 joints of the original release have no wrist and no tips, and are not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.datasets.common import (
    DataSet,
    DataSetError,
    Picture,
    PictureError,
    image_reader,
    pinhole,
    places_in_time,
)
from hand_recon_ros.datasets.files import need_folder, read_json
from hand_recon_ros.datasets.meshes import NEEDS_MANO, TrueMeshes
from hand_recon_ros.datasets.ply import read_vertices
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.io.frames import natural_key
from hand_recon_ros.mano.data import NUM_VERTICES
from hand_recon_ros.mano.loader import MANO_TIPS
from hand_recon_ros.skeleton import TIPS, Side
from hand_recon_ros.types import Array

SPLITS: Final = ("test",)
_FOCAL: Final = (525.0, 525.0)
_CENTRE: Final = (319.5, 239.5)
_FPS: Final = 30
_REMEDY: Final = (
    "The sequences and the archive IJCV16___Results_MANO___parms_for___joints21 come from "
    "https://files.is.tue.mpg.de/dtzionas/Hand-Object-Capture (research only), HIC.json from "
    "InterWild (https://github.com/facebookresearch/InterWild); --root names the folder with "
    "HIC.json"
)


class _Shot(NamedTuple):
    """One picture of the index."""

    id: int
    file: str
    sequence: str
    frame: int
    width: int
    height: int


class Hic(DataSet):
    """Two hands, or a hand and an object, in sequences of 30 frames a second.

    Args:
        root: folder of the user's copy.
        split: "test", there is no other.
        limit: most pictures, the first ones.
        meshes: MANO models of the user.

    Raises:
        DataSetError: a file is missing or not of this format.
    """

    def __init__(
        self, root: Path, split: str, limit: int | None, meshes: TrueMeshes | None = None
    ) -> None:
        """Read the index."""
        self._root = need_folder(root, _REMEDY)
        self._meshes = meshes or TrueMeshes({})
        index = read_json(root / "HIC.json", _REMEDY)
        try:
            labels = {label["image_id"]: label for label in index["annotations"]}
            shots = [_shot(image) for image in index["images"] if image["id"] in labels]
        except (KeyError, TypeError, ValueError) as error:
            raise DataSetError(
                f"'{root / 'HIC.json'}' is not InterWild's index of HIC ({error!r}). {_REMEDY}"
            ) from None
        self._labels: dict[int, dict[str, Any]] = labels
        shots.sort(key=lambda shot: (natural_key(shot.sequence), shot.frame))
        self._shots = shots[:limit]
        notes = []
        if not self._meshes.sides:
            notes.append(f"only finger tips, no wrist-aligned and no mesh errors: {NEEDS_MANO}")
        super().__init__(
            "hic", f"hic/{split}", fps=Fraction(_FPS), length=len(self._shots), notes=notes
        )

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures, one sequence after the other."""
        places = places_in_time([(shot.sequence, shot.frame) for shot in self._shots])
        for place, shot in zip(places, self._shots, strict=True):
            camera = pinhole(_FOCAL, _CENTRE, shot.width, shot.height)
            key = (place, shot.sequence, place / _FPS, camera)
            yield Picture(
                source=shot.sequence,
                index=place,
                stamp=place / _FPS,
                camera=camera,
                read=image_reader(self._root / shot.file, camera),
                label=partial(self._label, shot, key),
            )

    def _label(self, shot: _Shot, key: tuple[int, str, float, Camera]) -> TrueFrame:
        label = self._labels[shot.id]
        hands, complete = [], True
        sides: tuple[Side, Side] = ("right", "left")
        for side in sides:
            if label["hand_type"] not in (side, "interacting"):
                continue
            path = label.get(f"{side}_mano_path")
            if path is None:
                complete = False
                continue
            hands.append(self._hand(side, self._root / path))
        return TrueFrame(*key, tuple(hands), complete)

    def _hand(self, side: Side, file: Path) -> TrueHand:
        try:
            vertices = read_vertices(file)
        except ValueError as error:
            raise PictureError(str(error)) from None
        if len(vertices) != NUM_VERTICES:
            raise PictureError(f"'{file}' has {len(vertices)} vertices, MANO has {NUM_VERTICES}")
        joints = self._meshes.joints(side, vertices)
        if joints is None:
            return TrueHand(side, _only_tips(side, vertices))
        return TrueHand(side, joints, vertices, self._meshes.faces(side))


def _shot(image: dict[str, Any]) -> _Shot:
    file = image["file_name"]
    path = Path(file)
    numbers = re.findall(r"\d+", path.stem)
    if not numbers:
        raise ValueError(f"'{file}' has no frame number")
    return _Shot(
        image["id"], file, str(path.parent), int(numbers[-1]), image["width"], image["height"]
    )


def _only_tips(side: Side, vertices_m: Array) -> Array:
    joints = np.full((21, 3), np.nan)
    joints[list(TIPS)] = vertices_m[list(MANO_TIPS["manopth"][side])]
    return joints
