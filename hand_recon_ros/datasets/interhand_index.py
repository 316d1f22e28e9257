"""The annotation files of InterHand2.6M, kept small in memory.

The test split alone lists 850 thousand pictures, so that every JSON object is reduced to what is
used while it is read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.datasets.common import DataSetError
from hand_recon_ros.datasets.files import first_file, need_folder, read_json
from hand_recon_ros.types import Array

REMEDY: Final = (
    "InterHand2.6M v1.0 (5 fps, or 30 fps) comes from https://mks0601.github.io/InterHand2.6M/ "
    "(CC-BY-NC 4.0); --root names the folder with images/ and annotations/"
)
_FOLDERS: Final = ("{split}", "all", "human_annot", "machine_annot", ".")
"""Where annotations lie below annotations/: v1.0, then the subsets of v0.0."""


class Shot(NamedTuple):
    """One picture of the index."""

    id: int
    file: str
    capture: str
    sequence: str
    camera: str
    frame: int
    width: int
    height: int

    @property
    def source(self) -> str:
        """The sequence as one camera saw it."""
        return f"Capture{self.capture}/{self.sequence}/cam{self.camera}"


class Marks(NamedTuple):
    """One annotation: which of the 42 joints are valid, and which hands are there."""

    image_id: int
    valid: NDArray[np.bool_]
    hand_type: str
    hand_type_valid: bool


class Cameras(NamedTuple):
    """One capture's cameras, by name. Millimetres and px."""

    position: dict[str, list[float]]
    rotation: dict[str, list[list[float]]]
    focal: dict[str, list[float]]
    centre: dict[str, list[float]]


class Joints(NamedTuple):
    """One moment's joints.

    Attributes:
        world_mm: (42, 3).
        valid: (42,).
    """

    world_mm: Array
    valid: NDArray[np.bool_]


class Index(NamedTuple):
    """A split.

    Attributes:
        shots: with a label, in the file's order.
        marks: by image id.
        cameras: by capture.
        joints: by capture and frame.
        mano: by capture, frame and side: pose, shape, trans or None; empty without the file.
        has_mano: whether there is a file of MANO parameters.
    """

    shots: list[Shot]
    marks: dict[int, Marks]
    cameras: dict[str, Cameras]
    joints: dict[str, dict[str, Joints]]
    mano: dict[str, dict[str, dict[str, Any]]]
    has_mano: bool


def read_index(root: Path, split: str, *, with_mano: bool) -> Index:
    """Read a split's annotations.

    Raises:
        DataSetError: a file is missing or not of this format.
    """
    need_folder(root, REMEDY)
    annotations = need_folder(root / "annotations", REMEDY)
    name = f"InterHand2.6M_{split}"
    folders = [annotations / folder.format(split=split) for folder in _FOLDERS]
    data = first_file([folder / f"{name}_data.json" for folder in folders], REMEDY)
    folder = data.parent
    try:
        content = read_json(data, REMEDY, _slim)
        marks = {mark.image_id: mark for mark in content["annotations"]}
        mano_file = folder / f"{name}_MANO_NeuralAnnot.json"
        has_mano = mano_file.is_file()
        return Index(
            shots=[shot for shot in content["images"] if shot.id in marks],
            marks=marks,
            cameras=read_json(folder / f"{name}_camera.json", REMEDY, _slim),
            joints=read_json(folder / f"{name}_joint_3d.json", REMEDY, _slim),
            mano=read_json(mano_file, REMEDY) if with_mano and has_mano else {},
            has_mano=has_mano,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DataSetError):
            raise
        raise DataSetError(
            f"'{folder}' does not hold annotations of InterHand2.6M ({error!r}). {REMEDY}"
        ) from None


def _slim(data: dict[str, Any]) -> Any:
    """What is used of a JSON object of any of the files."""
    if "file_name" in data:
        return Shot(
            id=data["id"],
            file=data["file_name"],
            capture=sys.intern(str(data["capture"])),
            sequence=sys.intern(data["seq_name"]),
            camera=sys.intern(str(data["camera"])),
            frame=int(data["frame_idx"]),
            width=data["width"],
            height=data["height"],
        )
    if "image_id" in data:
        return Marks(
            image_id=data["image_id"],
            valid=_flags(data["joint_valid"]),
            hand_type=sys.intern(data["hand_type"]),
            hand_type_valid=bool(np.all(data.get("hand_type_valid", True))),
        )
    if "world_coord" in data:
        world = np.array(data["world_coord"], dtype=np.float64).reshape(42, 3)
        return Joints(world, _flags(data.get("joint_valid", [1] * 42)))
    if "campos" in data:
        return Cameras(data["campos"], data["camrot"], data["focal"], data["princpt"])
    return data


def _flags(values: Any) -> NDArray[np.bool_]:
    return np.array(values, dtype=np.float64).reshape(42) > 0
