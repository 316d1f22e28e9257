"""Packs labelled photographs, and the digits and the video of the shared data, into one file.

``python -m hand_recon_ros.training.photo_packing DATA FILE`` does it once; the digits and the video
are labelled with MediaPipe (extra ``mediapipe``) and kept where it agrees with itself on a mirrored
copy.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.front_end import MEDIAPIPE_DETECTOR, FrontEnd, build_front_end
from hand_recon_ros.training.agreement import agreed_hands
from hand_recon_ros.training.photographs import (
    PHOTO_LABEL,
    PHOTO_SIZE,
    SOURCES,
    save_photographs,
)
from hand_recon_ros.types import Array

LABELS_FILE: Final = "labels.jsonl"
"""In a folder of photographs: a hand a line."""
_TOLD: Final = frozenset(
    {"file", "source", "side", "joints_px", "joints_rel_m", "hands_seen_in_file", "agreement_rel"}
)
REACH: Final = 2.4
"""Side of a packed picture over the box of the hand: crops are turned, shifted and wider."""
_FOCAL: Final = 0.9
"""Guessed focal length over the longer side of a picture."""
_ON_PLAIN_GROUND: Final = ("digits", "digits_held_out")
_HALF_TRUST: Final = 0.03
"""Disagreement at which a label has half the weight."""
_UNCONFIRMED: Final = 0.5
"""Weight of a label that the learned chain does not confirm."""
_EVERY: Final = 10
"""Frames of the video that are taken: one of so many."""
_ENLARGED: Final = 480
_HELD_OUT_SHARE: Final = 0.2

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _Hand:
    """A labelled hand in a picture (H, W, 3) RGB.

    Attributes:
        alone: no other hand is seen.
        other: the other hand of a pair: whether it is a left one, and its (21, 2) points, px.
    """

    source: str
    image: Image
    left: bool
    points_px: Array
    relative_m: Array
    alone: bool
    disagreement: float
    trust: float = 1.0
    terms: str = ""
    other: tuple[bool, Array] | None = None


def pack_photographs(data: Path, path: Path, further: Sequence[Path] = ()) -> int:
    """Write the file; returns the number of hands.

    Args:
        data: folder with ``photos``, ``digits`` and ``video``; what is missing is left out.
        path: the file to write.
        further: more folders of photographs with ``labels.jsonl``.

    Raises:
        ValueError: there is nothing to pack.
        FrontEndError: MediaPipe is not installed.
    """
    pictures, labels = [], []
    terms: dict[str, str] = {}
    for hand in chain(_all_hands(data), *map(_photos, further)):
        if hand.source not in SOURCES:
            terms.setdefault(hand.source, hand.terms)
        picture, label = _packed(hand, (*SOURCES, *terms).index(hand.source))
        pictures.append(picture)
        labels.append(label)
    if not pictures:
        raise ValueError(f"{data}: no photos, digits or video are there")
    save_photographs(path, pictures, np.array(labels, PHOTO_LABEL), terms)
    return len(pictures)


def labelled_hands(folder: Path) -> Counter[str]:
    """Numbers of hands in a folder of labelled photographs, by their source.

    Raises:
        ValueError: it holds no labels, or they are damaged.
    """
    numbers = Counter(hand["source"] for hand in label_lines(folder))
    if not numbers:
        raise ValueError(f"'{folder}' holds no {LABELS_FILE}: make it with 'hand_recon label'")
    return numbers


def label_lines(folder: Path) -> list[dict[str, Any]]:
    """What is told of each hand; nothing where there are no labels.

    Raises:
        ValueError: a line is damaged.
    """
    path = folder / LABELS_FILE
    if not path.is_file():
        return []
    try:
        hands = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        hands = [None]
    if all(isinstance(hand, dict) and set(hand) >= _TOLD for hand in hands):
        return hands
    raise ValueError(f"'{path}' is damaged: remove the lines that are no labels, or make it again")


def lines_by_file(lines: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What is told of the hands of each picture, in the order of the lines."""
    by_file: dict[str, list[dict[str, Any]]] = {}
    for told in lines:
        by_file.setdefault(told["file"], []).append(told)
    return by_file


def digit_files(folder: Path) -> list[tuple[Path, bool]]:
    """Pictures of digits by name, and whether they are held out of training."""
    files = sorted(folder.glob("*/*.JPG"), key=lambda file: file.name)
    # A person shows all digits one after the other: the last names are other people.
    first = int((1 - _HELD_OUT_SHARE) * len(files))
    return [(file, k >= first) for k, file in enumerate(files)]


def read_digit(file: Path) -> Image:
    """A small picture as a user would show it: a border a quarter wide, then ``_ENLARGED`` px.

    Hands that fill the picture are found only with room around them; the border repeats its edge.
    """
    small = read_picture(file)
    room = max(small.shape[:2]) // 4
    grown = cv2.copyMakeBorder(small, room, room, room, room, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(grown, (_ENLARGED, _ENLARGED)), dtype=np.uint8)


def read_picture(path: Path) -> Image:
    """(H, W, 3) RGB.

    Raises:
        ValueError: it cannot be read.
    """
    image = cv2.imread(str(path))
    if image is None:
        raise ValueError(f"{path}: not a readable picture; remove it or get it again")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def scaled(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The picture (H, W, 3) with sides times ``scale``, at least 1 px."""
    size = [max(1, round(scale * length)) for length in image.shape[1::-1]]
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8)


def _all_hands(data: Path) -> Iterator[_Hand]:
    yield from _photos(data / "photos")
    if not ((data / "digits").is_dir() or (data / "video").is_dir()):
        return
    peer = replace(MEDIAPIPE_DETECTOR, max_hands=1, min_score=0.4)
    front_end = build_front_end(peer, static=True)
    try:
        yield from _digits(data / "digits", front_end)
        yield from _video(data / "video", front_end)
    finally:
        front_end.close()


def _photos(folder: Path) -> Iterator[_Hand]:
    lines = label_lines(folder)
    by_file = lines_by_file(lines)
    for told in lines:
        others = [line for line in by_file[told["file"]] if line is not told]
        pair = len(others) == 1 and told["hands_seen_in_file"] == 2
        yield _Hand(
            source=told["source"],
            image=read_picture(folder / told["file"]),
            left=is_left(told),
            points_px=np.array(told["joints_px"]),
            relative_m=np.array(told["joints_rel_m"]),
            alone=told["hands_seen_in_file"] == 1,
            disagreement=told["agreement_rel"],
            trust=_UNCONFIRMED if told.get("unconfirmed") else 1.0,
            terms=told.get("terms", ""),
            other=(is_left(others[0]), np.array(others[0]["joints_px"])) if pair else None,
        )


def is_left(told: dict[str, Any]) -> bool:
    """Whether a label is a left hand's."""
    return bool(told["side"] == "left")


def _digits(folder: Path, front_end: FrontEnd) -> Iterator[_Hand]:
    for file, held_out in digit_files(folder):
        source = "digits_held_out" if held_out else "digits"
        yield from _agreed(front_end, read_digit(file), source)


def _video(folder: Path, front_end: FrontEnd) -> Iterator[_Hand]:
    for file in sorted(folder.glob("*.mp4")):
        reader = cv2.VideoCapture(str(file))
        number = 0
        while True:
            there, frame = reader.read()
            if not there:
                break
            if number % _EVERY == 0:
                image = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)
                yield from _agreed(front_end, image, "video")
            number += 1
        reader.release()


def _agreed(front_end: FrontEnd, image: Image, source: str) -> Iterator[_Hand]:
    """The one hand of a picture, if its mirror image tells the same."""
    told = agreed_hands(front_end, image)
    if len(told.hands) != 1:
        return
    hand = told.hands[0]
    assert hand.relative_m is not None
    yield _Hand(
        source, image, hand.side == "left", hand.points_px, hand.relative_m, True, hand.disagreement
    )


def _packed(hand: _Hand, source: int) -> tuple[Image, NDArray[np.void]]:
    """The square round a hand at ``PHOTO_SIZE`` px and its label; the border is repeated."""
    low, high = hand.points_px.min(axis=0), hand.points_px.max(axis=0)
    side = REACH * float((high - low).max())
    corner = (low + high) / 2 - side / 2
    scale = PHOTO_SIZE / side
    image, shrunk = hand.image, 1.0
    if scale < 0.6:  # bilinear taps alone would skip pixels
        shrunk = 1.2 * scale
        size = [round(shrunk * length) for length in image.shape[1::-1]]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    into = scale / shrunk
    shift = (0.5 - (corner + 0.5) * shrunk) * into - 0.5
    matrix = np.array([[into, 0.0, shift[0]], [0.0, into, shift[1]]])
    picture = cv2.warpAffine(
        image,
        matrix,
        (PHOTO_SIZE, PHOTO_SIZE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    height, width = hand.image.shape[:2]
    label = np.zeros((), PHOTO_LABEL)
    middle = (np.array([width - 1, height - 1]) / 2 - corner) * scale - 0.5
    label["K"] = np.diag([_FOCAL * max(width, height) * scale] * 2 + [1.0])
    label["K"][:2, 2] = middle
    label["points_px"] = (hand.points_px - corner) * scale - 0.5
    label["source"] = source
    label["left"], label["alone"] = hand.left, hand.alone
    if hand.other is not None:
        other_left, other_px = hand.other
        label["other"] = 1 if other_left else 2
        label["other_px"] = (other_px - corner) * scale - 0.5
    label["relative_m"] = hand.relative_m
    label["plain"] = hand.source in _ON_PLAIN_GROUND
    label["weight"] = hand.trust / (1 + (hand.disagreement / _HALF_TRUST) ** 2)
    return np.asarray(picture, dtype=np.uint8), label


if __name__ == "__main__":
    print(pack_photographs(Path(sys.argv[1]), Path(sys.argv[2])), "hands")
