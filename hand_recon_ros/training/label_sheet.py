"""Contact sheets of labelled photographs: labels have to be looked at before they are trained on.

What two front ends miss is taught to be none: above all one of two hands that touch. And where one
of them saw a hand in a face, the picture is lost to the detector, though it would teach it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.marks import draw_bones
from hand_recon_ros.rendering.palette import SIDE_COLOURS
from hand_recon_ros.rendering.tiles import in_rows
from hand_recon_ros.training.photo_packing import label_lines, lines_by_file, read_picture, scaled

_TILE: Final = 180
_TEXT: Final = 14
"""Height of the line below a picture, px."""
_COLUMNS: Final = 8
_ROWS: Final = 6
_LETTERS: Final = 26
"""Of a file's name that there is room for: its end, which tells it from the others."""
_ALL_LABELLED: Final = (220, 220, 220)
_LACKING: Final = (255, 80, 80)


def write_label_sheets(folder: Path, source: str) -> list[Path]:
    """Draw all labelled pictures of a source; returns the files, ``<source>_<number>.jpg``.

    Below each picture: the end of its file's name, and how many of the hands that were seen in it
    have labels; red where some have none.

    Args:
        folder: of labelled photographs.
        source: whose pictures are drawn.

    Raises:
        ValueError: the labels or a picture cannot be read.
        OSError: a sheet cannot be written.
    """
    by_file = lines_by_file(hand for hand in label_lines(folder) if hand["source"] == source)
    files = list(by_file)
    sheets = []
    for number, first in enumerate(range(0, len(files), _COLUMNS * _ROWS), start=1):
        tiles = [_tile(folder, by_file[f]) for f in files[first : first + _COLUMNS * _ROWS]]
        path = folder / f"{source}_{number}.jpg"
        if not cv2.imwrite(str(path), cv2.cvtColor(in_rows(tiles, _COLUMNS), cv2.COLOR_RGB2BGR)):
            raise OSError(f"'{path}' cannot be written: is the disk full?")
        sheets.append(path)
    return sheets


def _tile(folder: Path, hands: list[dict[str, Any]]) -> NDArray[np.uint8]:
    image = read_picture(folder / hands[0]["file"])
    scale = _TILE / max(image.shape[:2])
    tile = np.zeros((_TILE + _TEXT, _TILE, 3), np.uint8)
    shown = scaled(image, scale)
    for hand in hands:
        points = (np.array(hand["joints_px"]) + 0.5) * scale - 0.5
        red, green, blue = (round(255 * part) for part in SIDE_COLOURS[hand["side"]])
        draw_bones(shown, points, (red, green, blue), 1)
    tile[: shown.shape[0], : shown.shape[1]] = shown
    seen = hands[0]["hands_seen_in_file"]
    text = f"{len(hands)} of {seen} {Path(hands[0]['file']).stem[-_LETTERS:]}"
    colour = _ALL_LABELLED if len(hands) >= seen else _LACKING
    at = (2, _TILE + _TEXT - 4)
    cv2.putText(tile, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.33, colour, 1, cv2.LINE_AA)
    return tile
