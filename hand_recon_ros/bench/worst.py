"""A sheet of the worst cases, for the eye.

Known key points are thin and white, found hands thick: left ones blue, right ones orange.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.bench.real_pictures import Picture
from hand_recon_ros.rendering.marks import draw_bones
from hand_recon_ros.rendering.tiles import in_rows
from hand_recon_ros.skeleton import FINGERS
from hand_recon_ros.training.real_exam import Judgement, SeenHand
from hand_recon_ros.types import Array

_TILE: Final = 240
_COLUMNS: Final = 6
_REACH: Final = 2.5
"""Side of a tile over the longer side of the box of the known hands."""
_COLOURS: Final = {"left": (60, 120, 255), "right": (255, 140, 0)}
_KNOWN: Final = (255, 255, 255)


class WorstCases:
    """Keeps tiles of the worst cases of each kind of picture.

    Args:
        each: how many of a kind.
    """

    def __init__(self, each: int = 2 * _COLUMNS) -> None:
        """Start with none."""
        self._each = each
        self._cases: dict[str, list[tuple[float, int, NDArray[np.uint8]]]] = {}
        self._number = 0

    def offer(
        self, kind: str, picture: Picture, seen: list[SeenHand], judgement: Judgement
    ) -> None:
        """Keep a case if it is among the worst; what is wrong is at least a few percent."""
        cases = self._cases.setdefault(kind, [])
        if len(cases) == self._each and judgement.badness <= cases[-1][0]:
            return
        self._number += 1
        tile = _tile(kind, picture, seen, judgement)
        cases.append((judgement.badness, self._number, tile))
        cases.sort(key=lambda case: (-case[0], case[1]))
        del cases[self._each :]

    def write(self, path: Path) -> bool:
        """Write the sheet, a block of rows for each kind; False where there is nothing."""
        rows = []
        for cases in self._cases.values():
            rows.append(in_rows([tile for _, _, tile in cases], _COLUMNS))
        if not rows:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
        return True


def _tile(
    kind: str, picture: Picture, seen: list[SeenHand], judgement: Judgement
) -> NDArray[np.uint8]:
    image = picture.frame.image
    matrix = _framing(picture)
    tile = np.asarray(cv2.warpAffine(image, matrix, (_TILE, _TILE), flags=cv2.INTER_AREA), np.uint8)
    for hand in seen:
        draw_bones(tile, _placed(hand.points_px, matrix), _COLOURS[hand.side], 2)
    for label in picture.known:
        if label.points_px is not None:
            draw_bones(tile, _placed(label.points_px, matrix), _KNOWN, 1)
    for line, text in enumerate((f"{kind} {picture.name}", _wrong(judgement))):
        place = (4, 14 + 216 * line)
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, _KNOWN, 1, cv2.LINE_AA)
    return tile


def _framing(picture: Picture) -> Array:
    """(2, 3) picture px to tile px: round the known hands, or the whole picture."""
    height, width = picture.frame.image.shape[:2]
    points = [label.points_px for label in picture.known if label.points_px is not None]
    centre, side = np.array([width - 1, height - 1]) / 2, float(max(width, height))
    if points:
        low, high = np.concatenate(points).min(axis=0), np.concatenate(points).max(axis=0)
        reach = _REACH * float((high - low).max())
        if reach < side:
            centre, side = (low + high) / 2, reach
    scale = _TILE / side
    return np.column_stack([scale * np.eye(2), (_TILE - 1) / 2 - scale * centre])


def _placed(points_px: Array, matrix: Array) -> Array:
    return np.asarray(points_px @ matrix[:, :2].T + matrix[:, 2])


def _wrong(judgement: Judgement) -> str:
    """What is wrong, in a few words."""
    told = [f"{judgement.ghosts} ghosts"] if judgement.ghosts else []
    for verdict in judgement.verdicts:
        if verdict.seen is None:
            told.append("missed")
            continue
        told += ["wrong side"] if verdict.right_side is False else []
        told += [f"{100 * verdict.error:.1f} %"] if np.isfinite(verdict.error) else []
        if verdict.known.digit is not None and not verdict.right_count:
            assert verdict.fingers is not None
            names = [name[0] for name, out in zip(FINGERS, verdict.fingers, strict=True) if out]
            told.append(f"shows {verdict.known.digit}, out: {''.join(names) or 'none'}")
    return ", ".join(told)
