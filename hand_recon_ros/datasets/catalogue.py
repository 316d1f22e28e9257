"""The data sets by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hand_recon_ros.datasets.common import DataSet, DataSetError
from hand_recon_ros.datasets.freihand import SPLITS as FREIHAND_SPLITS
from hand_recon_ros.datasets.freihand import FreiHand
from hand_recon_ros.datasets.hic import SPLITS as HIC_SPLITS
from hand_recon_ros.datasets.hic import Hic
from hand_recon_ros.datasets.interhand import SEQUENCE_FPS, InterHand
from hand_recon_ros.datasets.interhand import SPLITS as INTERHAND_SPLITS
from hand_recon_ros.datasets.meshes import TrueMeshes
from hand_recon_ros.datasets.synthetic import Clip, Shards
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.skeleton import Side

_SPLITS: Final[Mapping[str, tuple[str, ...]]] = {
    "freihand": FREIHAND_SPLITS,
    "interhand": INTERHAND_SPLITS,
    "hic": HIC_SPLITS,
    "synthetic": (),
}
NAMES: Final = tuple(_SPLITS)


@dataclass(frozen=True, slots=True)
class DataSetChoice:
    """Which part of which data set.

    Attributes:
        name: one of ``NAMES``.
        root: the user's copy; None = the rendered clip, where the name is "synthetic".
        split: empty = the split that papers report.
        fps: of InterHand2.6M: 5 or 30; 0 = 30 if the root's path says "30fps", else 5.
        limit: most pictures.
    """

    name: str
    root: Path | None = None
    split: str = ""
    fps: int = 0
    limit: int | None = None


def open_data_set(choice: DataSetChoice, models: Mapping[Side, HandModelData]) -> DataSet:
    """Open the data set.

    Args:
        choice: which one.
        models: the configured hand models; true meshes need the user's.

    Raises:
        DataSetError: its files are missing or damaged, or there is no such split.
    """
    splits = _SPLITS[choice.name]
    if choice.split and choice.split not in splits:
        known = f"it has {', '.join(splits)}" if splits else "it has none"
        raise DataSetError(f"{choice.name} has no split '{choice.split}': {known}")
    if choice.fps and choice.name != "interhand":
        raise DataSetError("--fps tells the two versions of interhand apart; leave it out")
    if choice.limit is not None and choice.limit < 1:
        raise DataSetError(f"a limit of {choice.limit} leaves no picture: use 1 or more")
    split = choice.split or next(iter(splits), "")
    root = choice.root
    if choice.name == "synthetic":
        return Clip(choice.limit) if root is None else Shards(root, choice.limit)
    if root is None:
        raise DataSetError(f"{choice.name} needs --root, the folder of your copy")
    meshes = TrueMeshes(models)
    if choice.name == "freihand":
        return FreiHand(root, split, choice.limit, meshes)
    if choice.name == "hic":
        return Hic(root, split, choice.limit, meshes)
    return InterHand(root, split, choice.limit, meshes, choice.fps or _rate_of(root))


def _rate_of(root: Path) -> int:
    """The rate that the name of InterHand2.6M's folder tells ("InterHand2.6M_30fps_batch1")."""
    told = str(root.resolve()).lower().replace("_", "").replace(" ", "")
    return SEQUENCE_FPS if "30fps" in told else 5
