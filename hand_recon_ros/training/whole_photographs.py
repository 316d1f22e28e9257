"""Labelled photographs as they are, for the detector: small hands among all else that is seen.

The packed hands of ``photographs`` show little beside a hand. Faces, necks and clothes are what a
detector takes for hands, and what hands are seen next to: here they are in the same picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.detection.ssd_rpn import LONG_SIDE
from hand_recon_ros.training.detector_batch import NOTHING
from hand_recon_ros.training.frame_layers import HandRows
from hand_recon_ros.training.photo_packing import (
    REACH,
    is_left,
    label_lines,
    lines_by_file,
    read_picture,
    scaled,
)
from hand_recon_ros.training.photographs import HELD_OUT, hangs, shares
from hand_recon_ros.training.picture_file import (
    Labels,
    decoded,
    read_notes,
    read_pictures,
    write_pictures,
)
from hand_recon_ros.training.pyramid import pyramid, texels

WHOLE_SIZE: Final = LONG_SIDE
"""Longer side of the pictures, px."""
MOST_SHOWN: Final = 4
"""Hands in a picture at most."""
WHOLE_LABEL: Final = np.dtype(
    [
        ("source", "u1"),
        ("covered", "u2", (2,)),
        ("kinds", "u1", (MOST_SHOWN,)),
        ("points_px", "f4", (MOST_SHOWN, 21, 2)),
    ]
)
"""One packed picture: ``covered`` is the width and height that it takes of the square, from the
upper left; ``kinds``: ``NOTHING``, 1 left, 2 right."""
_QUALITY: Final = 80

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class WholePhotographs:
    """n pictures on a device; beyond their sizes their borders go on.

    Attributes:
        pixels: (n, T) int32 pyramids of squares of ``WHOLE_SIZE``; a picture takes 0.5 MB.
        labels: (n,) of ``WHOLE_LABEL``, on the host.
    """

    pixels: Tensor
    labels: Labels

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.labels)

    @classmethod
    def load(cls, path: Path, device: torch.device | str) -> WholePhotographs:
        """Read a packed file.

        Raises:
            PictureFileError: the file is missing or is no such file.
        """
        packed, labels = read_pictures(path, WHOLE_LABEL)
        pixels = np.empty((len(packed), texels(WHOLE_SIZE), 4), np.uint8)
        for levels, data in zip(pixels, packed, strict=True):
            levels[:] = pyramid(decoded(data))
        return cls(torch.from_numpy(pixels).view(torch.int32)[..., 0].to(device), labels)

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        there = self.labels["kinds"] != NOTHING
        hanging = (hangs(self.labels["points_px"]) & there).any(axis=1)
        return shares(self.labels["source"], hanging)

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Random pictures, see ``photographs.shares``."""
        return rng.choice(len(self), count, p=self._shares)

    def rows(self, numbers: NDArray[np.int64]) -> HandRows:
        """The hands (L, ``MOST_SHOWN``) of some pictures, px."""
        chosen = self.labels[numbers]
        points = chosen["points_px"].astype(np.float64)
        return HandRows(points, np.ones(points.shape[:3], bool), chosen["kinds"].astype(np.int64))


def pack_whole(folders: Sequence[Path], path: Path) -> int:
    """Write the file; returns the number of pictures, and writes none where it is 0.

    Of each folder those count that show no hand without a label, and whose hands are so small that
    the packed hands lack much of the picture. Meanwhile a picture takes 0.3 MB.

    Args:
        folders: of photographs with ``labels.jsonl``.
        path: the file to write.

    Raises:
        ValueError: labels are damaged, or a picture cannot be read.
        OSError: the file cannot be written.
    """
    pictures: list[Picture] = []
    labels: list[NDArray[np.void]] = []
    lines: Counter[str] = Counter()
    for folder in folders:
        told = label_lines(folder)
        lines.update(hand["source"] for hand in told)
        for file, hands in lines_by_file(told).items():
            if not _complete(hands):
                continue
            image = read_picture(folder / file)
            if _largest(hands) * REACH < max(image.shape[:2]):
                picture, label = _packed(image, hands)
                label["source"] = list(lines).index(hands[0]["source"])
                pictures.append(picture)
                labels.append(label)
    if pictures:
        notes = {name: str(count) for name, count in lines.items()}
        write_pictures(path, pictures, np.array(labels, WHOLE_LABEL), _QUALITY, notes)
    return len(pictures)


def lines_packed(path: Path) -> Counter[str]:
    """Numbers of labelled hands, by source, of the folders from which a file was packed.

    Raises:
        PictureFileError: the file is missing or is no such file.
    """
    return Counter({name: int(count) for name, count in read_notes(path).items()})


def _complete(hands: Sequence[dict[str, Any]]) -> bool:
    """Whether a picture's hands are all labelled, and it is one to learn from."""
    known = len(hands) == hands[0]["hands_seen_in_file"] <= MOST_SHOWN
    return known and hands[0]["source"] not in HELD_OUT


def _points(hands: Sequence[dict[str, Any]]) -> Iterator[NDArray[np.float64]]:
    return (np.array(hand["joints_px"]) for hand in hands)


def _largest(hands: Sequence[dict[str, Any]]) -> float:
    """Longer side of the largest hand's box, px."""
    return max(float(np.ptp(points, axis=0).max()) for points in _points(hands))


def _packed(image: Picture, hands: Sequence[dict[str, Any]]) -> tuple[Picture, NDArray[np.void]]:
    factor = WHOLE_SIZE / max(image.shape[:2])
    small = scaled(image, factor)
    height, width = small.shape[:2]
    square = cv2.copyMakeBorder(
        small, 0, WHOLE_SIZE - height, 0, WHOLE_SIZE - width, cv2.BORDER_REPLICATE
    )
    label = np.zeros((), WHOLE_LABEL)
    label["covered"] = width, height
    for row, (hand, points) in enumerate(zip(hands, _points(hands), strict=True)):
        label["kinds"][row] = 1 if is_left(hand) else 2
        label["points_px"][row] = (points + 0.5) * factor - 0.5
    return np.asarray(square, dtype=np.uint8), label
