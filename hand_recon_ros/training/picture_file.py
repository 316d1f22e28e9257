"""Square pictures with labels in one small file, for training on machines without the originals.

An ``.npz`` without pickles: ``pictures`` (uint8, WebP bytes one after the other), ``ends`` (n,)
where each one ends, ``size`` their side, one array for each field of the labels, and ``notes``
(JSON text).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.io.replacing import replacing

Labels = NDArray[np.void]
Picture = NDArray[np.uint8]


class PictureFileError(ValueError):
    """A file of pictures cannot be read; the message names it and the remedy."""


def write_pictures(
    path: Path,
    pictures: Sequence[Picture],
    labels: Labels,
    quality: int,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write pictures (S, S, 3) RGB or (S, S, 4) RGBA; colours lose a little, labels nothing.

    ``notes`` are texts about them: see ``read_notes``.

    Raises:
        ValueError: there are no pictures, or OpenCV cannot write WebP.
        OSError: the file cannot be written.
    """
    if not pictures:
        raise ValueError(f"{path}: there are no pictures to write")
    packed = [_encoded(picture, quality) for picture in pictures]
    fields = {name: labels[name] for name in labels.dtype.names or ()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez_compressed(
            file,
            pictures=np.frombuffer(b"".join(packed), np.uint8),
            ends=np.cumsum([len(data) for data in packed]),
            size=len(pictures[0]),
            notes=json.dumps(dict(notes or {})),
            **fields,
        )


def read_pictures(path: Path, kind: np.dtype[Any]) -> tuple[list[NDArray[np.uint8]], Labels]:
    """The WebP bytes of each picture, and the labels (n,) of a structured ``kind``.

    Raises:
        PictureFileError: the file is missing, or is no such file.
    """
    stored = _stored(path)
    try:
        labels = np.zeros(len(stored["ends"]), kind)
        for name in kind.names or ():
            labels[name] = stored[name]
        packed = np.split(stored["pictures"], stored["ends"][:-1])
    except (KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    return packed, labels


def read_notes(path: Path) -> dict[str, str]:
    """Texts that were written with the pictures; none where the file has no such.

    Raises:
        PictureFileError: the file is missing, or is no such file.
    """
    stored = _stored(path, ("notes",))
    try:
        notes = json.loads(str(stored["notes"])) if "notes" in stored else {}
        return {str(name): str(text) for name, text in notes.items()}
    except (ValueError, AttributeError) as error:
        raise _damaged(path, error) from error


def read_field(path: Path, name: str) -> NDArray[Any]:
    """(n,) one field of the labels, without the pictures.

    Raises:
        PictureFileError: the file is missing, or is no such file.
    """
    try:
        return _stored(path, (name,))[name]
    except KeyError as error:
        raise _damaged(path, error) from error


def stored_names(path: Path) -> list[str]:
    """Names of the arrays in the file.

    Raises:
        PictureFileError: the file is missing, or is no such file.
    """
    with _opened(path) as file:
        return list(file.files)


def _stored(path: Path, wanted: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Arrays of the file by name: the wanted ones that are there, or all."""
    with _opened(path) as file:
        return {name: file[name] for name in file.files if not wanted or name in wanted}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            yield file
    except FileNotFoundError:
        raise PictureFileError(f"{path}: there is no such file; make it first") from None
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> PictureFileError:
    return PictureFileError(f"{path}: damaged or of another kind ({error}); make it again")


def picture_size(packed: NDArray[np.uint8]) -> int:
    """Side of a picture that was read."""
    return int(decoded(packed).shape[0])


def decoded(packed: NDArray[np.uint8]) -> Picture:
    """(S, S, 4) RGBA; pictures without coverage are covered everywhere.

    Raises:
        PictureFileError: the bytes are damaged.
    """
    picture = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise PictureFileError("a packed picture cannot be read: make its file again")
    if picture.shape[2] == 3:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGBA), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA), dtype=np.uint8)


def _encoded(picture: Picture, quality: int) -> bytes:
    order = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    swapped = cv2.cvtColor(np.ascontiguousarray(picture), order)
    done, data = cv2.imencode(".webp", swapped, [cv2.IMWRITE_WEBP_QUALITY, quality])
    if not done:
        raise ValueError("this build of OpenCV writes no WebP: use the one from PyPI")
    return data.tobytes()
