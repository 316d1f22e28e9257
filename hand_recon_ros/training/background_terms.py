"""Whose photographs without hands lie behind the hands: for the model cards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hand_recon_ros.io.replacing import replacing

TERMS_FILE: Final = "terms.json"
"""In each folder of backgrounds: whose pictures they are and their licence, by source."""
USED_FILE: Final = "backgrounds.json"
"""In the folder of the runs: the same of all that was ever used there."""


def background_terms(folders: Sequence[Path]) -> dict[str, str]:
    """Sources of the backgrounds ``SOURCE_*.jpg`` in folders, with their terms.

    Raises:
        ValueError: there are no pictures, or it is not told whose they are; names what is missing.
    """
    terms: dict[str, str] = {}
    for folder in folders:
        told = _told(folder / TERMS_FILE)
        pictures = sorted(folder.glob("*.jpg"))
        if not pictures:
            raise ValueError(f"'{folder}' holds no backgrounds (SOURCE_*.jpg)")
        for picture in pictures:
            if not any(picture.name.startswith(f"{source}_") for source in told):
                raise ValueError(
                    f"'{picture}': no source in '{folder / TERMS_FILE}' begins its name; add "
                    '"SOURCE": "maker, licence", or take the picture out'
                )
        terms |= told
    return terms


def remember(folder: Path, terms: Mapping[str, str]) -> dict[str, str]:
    """Terms of all backgrounds ever used in the runs of a folder, these ones included.

    Raises:
        ValueError: what was kept of earlier runs is damaged.
        OSError: it cannot be written.
    """
    path = folder / USED_FILE
    known = _told(path) if path.exists() else {}
    if terms.items() <= known.items():
        return known
    known |= terms
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return known


def _told(path: Path) -> dict[str, str]:
    """A file of terms by source."""
    remedy = 'it must be {"SOURCE": "maker, licence", ...}'
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"'{path}' is missing: {remedy}") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"'{path}' cannot be read ({error}): {remedy}") from error
    if not isinstance(told, dict) or not all(
        name and isinstance(text, str) and text for name, text in told.items()
    ):
        raise ValueError(f"'{path}': {remedy}")
    return told
