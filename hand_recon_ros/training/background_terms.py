"""Whose photographs without hands lie behind the hands: for the model cards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

TERMS_FILE: Final = "terms.json"
"""In each folder of backgrounds: whose pictures they are and their licence, by source."""
_FORM: Final = '{"SOURCE": "maker, licence", ...}'


def background_terms(folders: Sequence[Path]) -> dict[str, str]:
    """Sources of the backgrounds ``SOURCE_*.jpg`` in folders, with their terms.

    Raises:
        ValueError: there are no pictures, or it is not told whose they are; names what is missing.
    """
    terms: dict[str, str] = {}
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"'{folder}' is no folder: name one with backgrounds (SOURCE_*.jpg)")
        told = _told(folder / TERMS_FILE, f"write {_FORM}")
        pictures = sorted(folder.glob("*.jpg"))
        if not pictures:
            raise ValueError(f"'{folder}' holds no backgrounds (SOURCE_*.jpg; only .jpg is read)")
        for source in {_source(picture, told) for picture in pictures}:
            if terms.setdefault(source, told[source]) != told[source]:
                raise ValueError(
                    f"'{folder / TERMS_FILE}': another folder has other terms of '{source}' "
                    f"({terms[source]}): give one of them another name"
                )
    return dict(sorted(terms.items()))


def _source(picture: Path, told: Mapping[str, str]) -> str:
    """The source whose name a picture's begins with."""
    named = [source for source in told if picture.name.startswith(f"{source}_")]
    if not named:
        raise ValueError(
            f"'{picture}': no source in '{TERMS_FILE}' beside it begins its name; add "
            '"SOURCE": "maker, licence", or take the picture out'
        )
    return max(named, key=len)


def _told(path: Path, remedy: str) -> dict[str, str]:
    """A file of terms by source."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"'{path}' is missing: {remedy}") from error
    except OSError as error:
        raise ValueError(f"'{path}' cannot be read: {error}") from error
    except ValueError as error:
        raise ValueError(f"'{path}' is damaged ({error}): {remedy}") from error
    if not isinstance(told, dict) or not all(
        name and isinstance(text, str) and text for name, text in told.items()
    ):
        raise ValueError(f"'{path}' tells something else: {remedy}")
    return told
