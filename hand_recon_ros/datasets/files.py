"""Annotation files of a user's copy: read, or refused with what is missing and where it is from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hand_recon_ros.datasets.common import DataSetError


def need_folder(root: Path, remedy: str) -> Path:
    """The folder itself.

    Raises:
        DataSetError: it is none.
    """
    if not root.is_dir():
        raise DataSetError(f"'{root}' is not a folder. {remedy}")
    return root


def first_file(candidates: Sequence[Path], remedy: str) -> Path:
    """The first of these files that exists.

    Raises:
        DataSetError: none does; the message names them all.
    """
    for file in candidates:
        if file.is_file():
            return file
    raise DataSetError(f"missing: {' or '.join(str(file) for file in candidates)}. {remedy}")


def read_json(file: Path, remedy: str, hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The content of a JSON file; ``hook`` replaces every object, so that large ones stay small.

    Raises:
        DataSetError: the file is missing, cut off or no JSON.
    """
    first_file([file], remedy)
    try:
        with file.open(encoding="utf-8") as stream:
            return json.load(stream, object_hook=hook)
    except (ValueError, OSError) as error:
        raise DataSetError(f"'{file}' cannot be read as JSON ({error}). {remedy}") from None
