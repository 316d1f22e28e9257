"""InterHand2.6M (Moon et al., ECCV 2020; facts A5.2), at 5 or 30 frames a second.

``ROOT`` holds ``images/{train,val,test}/Capture*/SEQUENCE/cam*/image*.jpg`` and ``annotations``.
Joints are in millimetres of a world frame, tips first and the wrist last, the right hand before the
left; here they become metres of the camera's optical frame in the package's order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from hand_recon_ros.camera import Camera, CameraError
from hand_recon_ros.datasets.common import (
    DataSet,
    Picture,
    PictureError,
    image_reader,
    pinhole,
    places_in_time,
    spread,
)
from hand_recon_ros.datasets.interhand_index import Shot, read_index
from hand_recon_ros.datasets.meshes import NEEDS_MANO, TrueMeshes
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array

SPLITS: Final = ("test", "val", "train")
FROM_INTERHAND: Final = (
    20, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16,
)  # fmt: skip
"""Take one hand's 21 joints of InterHand2.6M to the package's order."""
_FIRST: Final[dict[Side, int]] = {"right": 0, "left": 21}
_WRIST: Final = 20
_MM: Final = 1e-3
SEQUENCE_FPS: Final = 30


class InterHand(DataSet):
    """Both hands, seen by many cameras.

    Args:
        root: folder of the user's copy.
        split: one of ``SPLITS``.
        limit: most pictures: at 5 fps evenly spread over the split, at 30 fps the first ones.
        meshes: MANO models of the user.
        fps: 5 = each picture stands alone; 30 = sequences are followed.

    Raises:
        DataSetError: a file is missing or not of this format.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        limit: int | None,
        meshes: TrueMeshes | None = None,
        fps: int = 5,
    ) -> None:
        """Read the labels."""
        self._meshes = meshes or TrueMeshes({})
        self._images = root / "images" / split
        self._index = read_index(root, split, with_mano=bool(self._meshes.sides))
        self._follow = fps == SEQUENCE_FPS
        shots = self._index.shots
        if self._follow:
            shots = sorted(shots, key=lambda s: (s.source, s.frame))[:limit]
        else:
            shots = list(spread(shots, limit))
        self._shots = shots
        notes = []
        if not self._meshes.sides:
            notes.append(f"no mesh errors: {NEEDS_MANO}")
        elif not self._index.has_mano:
            notes.append(f"no mesh errors: InterHand2.6M_{split}_MANO_NeuralAnnot.json is missing")
        super().__init__(
            "interhand",
            f"interhand/{split}, {fps} fps",
            fps=Fraction(SEQUENCE_FPS) if self._follow else None,
            length=len(shots),
            notes=notes,
        )

    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures, a sequence of one camera after the other at 30 fps."""
        places: Sequence[int] = range(len(self._shots))
        if self._follow:
            places = places_in_time([(shot.source, shot.frame) for shot in self._shots])
        for place, shot in zip(places, self._shots, strict=True):
            try:
                camera, to_camera, position_mm = self._view(shot)
            except (KeyError, CameraError, ValueError, TypeError) as error:
                self.skip(f"'{shot.file}': its camera cannot be used ({error!r})")
                continue
            file = self._images / shot.file
            source = shot.source if self._follow else str(file)
            stamp = place / SEQUENCE_FPS if self._follow else 0.0
            yield Picture(
                source=source,
                index=place,
                stamp=stamp,
                camera=camera,
                read=image_reader(file, camera),
                label=partial(
                    self._label, shot, (place, source, stamp, camera), to_camera, position_mm
                ),
            )

    def _view(self, shot: Shot) -> tuple[Camera, Array, Array]:
        """Intrinsics, (3, 3) camera from world, and (3,) the camera's place in the world, mm."""
        cameras = self._index.cameras[shot.capture]
        name = shot.camera
        rotation = np.array(cameras.rotation[name], dtype=np.float64).reshape(3, 3)
        position = np.array(cameras.position[name], dtype=np.float64).reshape(3)
        if not np.isfinite(rotation).all() or not np.isfinite(position).all():
            raise CameraError("its pose is not finite")
        camera = pinhole(cameras.focal[name], cameras.centre[name], shot.width, shot.height)
        return camera, rotation, position

    def _label(
        self,
        shot: Shot,
        key: tuple[int, str, float, Camera],
        to_camera: Array,
        position_mm: Array,
    ) -> TrueFrame:
        marks = self._index.marks[shot.id]
        known = self._index.joints.get(shot.capture, {}).get(str(shot.frame))
        if known is None:
            raise PictureError(f"'{shot.file}': no 3D joints of frame {shot.frame} in joint_3d")
        camera_m = (known.world_mm - position_mm) @ to_camera.T * _MM
        valid = marks.valid & known.valid & np.isfinite(camera_m).all(axis=1)
        hands, complete = [], marks.hand_type_valid
        for side, first in _FIRST.items():
            if marks.hand_type not in (side, "interacting"):
                continue
            own = slice(first, first + 21)
            if not valid[first + _WRIST]:  # then no joint of that hand counts
                complete = False
                continue
            joints = np.where(valid[own, None], camera_m[own], np.nan)[list(FROM_INTERHAND)]
            vertices = self._vertices(shot, side, to_camera, position_mm)
            faces = None if vertices is None else self._meshes.faces(side)
            hands.append(TrueHand(side, joints, vertices, faces))
        return TrueFrame(*key, tuple(hands), complete)

    def _vertices(
        self, shot: Shot, side: Side, to_camera: Array, position_mm: Array
    ) -> Array | None:
        """The mesh in the camera's frame; its parameters place it in the world, in metres."""
        moment: dict[str, Any] | None = self._index.mano.get(shot.capture, {}).get(str(shot.frame))
        parameters = None if moment is None else moment.get(side)
        if parameters is None:
            return None
        posed = self._meshes.posed(
            side, parameters["pose"], parameters["shape"], parameters["trans"]
        )
        if posed is None:
            return None
        return (posed[0] - position_mm * _MM) @ to_camera.T
