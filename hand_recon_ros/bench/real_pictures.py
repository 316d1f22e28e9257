"""Real pictures with what is known of them: digits, and photographs that are never trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.training.photo_packing import (
    LABELS_FILE,
    digit_files,
    label_lines,
    read_digit,
    read_picture,
)
from hand_recon_ros.training.photographs import HELD_OUT
from hand_recon_ros.training.real_exam import KnownHand
from hand_recon_ros.types import Frame

_SEED: Final = 0


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and the hands that are known to be in it.

    Attributes:
        held_out: nobody trained on it.
        others: hands that are not known are in it, too.
    """

    name: str
    frame: Frame
    known: tuple[KnownHand, ...]
    held_out: bool = True
    others: bool = False


def digit_pictures(folder: Path, limit: int | None = None) -> list[tuple[Path, bool]]:
    """Files of digits, and whether they are held out; at most ``limit``, drawn by chance.

    Raises:
        FileNotFoundError: there are none.
    """
    return _some(digit_files(folder), limit, folder)


def digit_picture(file: Path, held_out: bool) -> Picture:
    """A digit with room around it; its folder's name is the digit."""
    frame = _frame(read_digit(file))
    return Picture(file.stem, frame, (KnownHand(digit=int(file.parent.name)),), held_out)


def photographs(folder: Path, limit: int | None = None) -> Iterator[Picture]:
    """Whole photographs of the sources that are never trained on; at most ``limit``.

    Args:
        folder: with ``labels.jsonl``; the labels are MediaPipe's.
        limit: see above.

    Raises:
        FileNotFoundError: there are none.
    """
    path = folder / LABELS_FILE
    hands: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for label in label_lines(folder):
        if label["source"] in HELD_OUT:
            hands[label["file"]].append(label)
    for file, labels in _some(sorted(hands.items()), limit, path):
        known = tuple(KnownHand(k["side"], np.array(k["joints_px"])) for k in labels)
        others = labels[0]["hands_seen_in_file"] > len(labels)
        yield Picture(Path(file).stem, _frame(read_picture(folder / file)), known, others=others)


def _frame(image: Any) -> Frame:
    height, width = image.shape[:2]
    return Frame(image, 0.0, Camera.from_fov(width, height))


def _some(things: list[Any], limit: int | None, where: Path) -> list[Any]:
    if not things:
        raise FileNotFoundError(2, "no pictures", str(where))
    order = np.random.default_rng(_SEED).permutation(len(things))[:limit]
    return [things[k] for k in sorted(order.tolist())]
