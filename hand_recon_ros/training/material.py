"""Photographs that every run needs: packed once and kept in the folder of the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from tqdm import tqdm

from hand_recon_ros.io.replacing import replacing
from hand_recon_ros.training.photo_packing import LABELS_FILE, labelled_hands, pack_photographs
from hand_recon_ros.training.photographs import is_current, packed_hands
from hand_recon_ros.training.whole_photographs import lines_packed, pack_whole

PHOTOGRAPHS: Final = "photographs.npz"
WHOLE_PHOTOGRAPHS: Final = "whole_photographs.npz"


def photographs_file(folder: Path, data: Path, photos: Sequence[Path]) -> Path | None:
    """The packed photographs; packed now where there are some and they are not yet.

    They are packed again where labels were added or changed since.

    Args:
        folder: of all runs.
        data: folder with ``photos``, ``digits`` and ``video``, if they are there.
        photos: more folders of labelled photographs.

    Raises:
        ValueError: one of the further folders holds no labels, or a file that was packed before
            holds photographs that are not at hand now.
        PictureFileError: that file is damaged.
        OSError: something cannot be read or written.
    """
    path, folders = folder / PHOTOGRAPHS, _labelled(data, photos)
    wanted = sum(map(labelled_hands, folders), Counter[str]())
    packed = packed_hands(path) if path.exists() else Counter[str]()
    if packed and is_current(path) and _holds(path, packed, wanted, folders):
        return path
    if not folders:
        tqdm.write(f"no photographs in '{data}': training on rendered hands only")
        return None
    with replacing(path) as fresh:
        number = pack_photographs(data, fresh, photos)
        _refuse_loss(path, packed, packed_hands(fresh))
    tqdm.write(f"packed {number} photographed hands into {path}")
    return path


def whole_photographs_file(folder: Path, data: Path, photos: Sequence[Path]) -> Path | None:
    """The same for photographs as they are, see ``whole_photographs.pack_whole``."""
    path, folders = folder / WHOLE_PHOTOGRAPHS, _labelled(data, photos)
    wanted = sum(map(labelled_hands, folders), Counter[str]())
    packed = lines_packed(path) if path.exists() else Counter[str]()
    if packed and _holds(path, packed, wanted, folders):
        return path
    _refuse_loss(path, packed, wanted)
    number = pack_whole(folders, path)
    if not number:
        tqdm.write(
            f"no '{path}', and no photographs of which to make it (small hands, all of them "
            "labelled): the detector sees photographs cut out round their hands only"
        )
        return None
    tqdm.write(f"packed {number} photographs as they are into {path}")
    return path


def _labelled(data: Path, photos: Sequence[Path]) -> list[Path]:
    """All folders of labelled photographs that are at hand."""
    shared = data / "photos"
    return [*([shared] if (shared / LABELS_FILE).exists() else []), *photos]


def _holds(path: Path, packed: Counter[str], wanted: Counter[str], folders: Sequence[Path]) -> bool:
    """Whether a file holds what is wanted, and no labels were written since."""
    made = path.stat().st_mtime_ns
    old = all((folder / LABELS_FILE).stat().st_mtime_ns <= made for folder in folders)
    return old and all(packed[name] == count for name, count in wanted.items())


def _refuse_loss(path: Path, before: Collection[str], after: Collection[str]) -> None:
    lost = set(before) - set(after)
    if lost:
        raise ValueError(
            f"'{path}' holds photographs that are not at hand now ({', '.join(sorted(lost))}): "
            "name all folders with --data and --photos, or train in another folder"
        )
