"""What every data set offers: pictures that are read when asked for, each with its truth."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.camera import Camera
from hand_recon_ros.evaluation.truth import TrueFrame
from hand_recon_ros.io.frames import read_image

_log = logging.getLogger(__name__)
Image = NDArray[np.uint8]
Item = TypeVar("Item")


class DataSetError(ValueError):
    """A data set cannot be used; the message names the file and where to get it."""


class PictureError(ValueError):
    """One picture cannot be used; the others can."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One labelled picture; image and truth wait until they are asked for.

    Attributes:
        source: file, or the sequence that it belongs to.
        index: running number within the data set, or the frame's place in its sequence.
        stamp: seconds since the start of its sequence; 0 without one.
        camera: intrinsics of the data set's own picture.
        read: gives the (H, W, 3) uint8 RGB image; raises ``PictureError``.
        label: gives the truth; raises ``PictureError``.
    """

    source: str
    index: int
    stamp: float
    camera: Camera
    read: Callable[[], Image]
    label: Callable[[], TrueFrame]


class DataSet(ABC):
    """Pictures in an order that is always the same; may be iterated several times.

    Attributes:
        name: as the command calls it: "freihand".
        title: with its split: "freihand/evaluation".
        fps: rate of its sequences; None for unrelated pictures, each of which stands alone.
        length: number of pictures, None where it takes reading them all to know.
        notes: what a reader of the numbers has to know.
        skipped: what is left out, one message each.
        border: share of a picture's longer side that is to be added all round, so that hands
            which fill it are found; see ``enlarging``.
    """

    border = 0.0

    def __init__(
        self,
        name: str,
        title: str,
        *,
        fps: Fraction | None = None,
        length: int | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Set the attributes."""
        self.name = name
        self.title = title
        self.fps = fps
        self.length = length
        self.notes = list(notes)
        self.skipped: list[str] = []
        self._told: set[str] = set()

    @abstractmethod
    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures; those of one sequence follow each other, in order of time."""

    def skip(self, message: str) -> None:
        """Note and tell what is left out, once however often the pictures are gone through."""
        if message not in self._told:
            self._told.add(message)
            self.skipped.append(message)
            _log.warning("skipped %s", message)


def image_reader(file: Path, camera: Camera) -> Callable[[], Image]:
    """A reader of a file that must have the camera's size."""

    def read() -> Image:
        if not file.is_file():
            raise PictureError(f"'{file}': not on disk")
        image = read_image(file)
        if image is None:
            raise PictureError(f"'{file}': not an image, or a damaged one")
        height, width = image.shape[:2]
        if (width, height) != (camera.width, camera.height):
            raise PictureError(
                f"'{file}': {width}x{height} px, its labels are for {camera.width}x{camera.height}"
            )
        return image

    return read


def pinhole(focal: Sequence[float], centre: Sequence[float], width: int, height: int) -> Camera:
    """The camera of two focal lengths and a principal point, px.

    Raises:
        CameraError: they cannot be used.
    """
    K = np.array([[focal[0], 0.0, centre[0]], [0.0, focal[1], centre[1]], [0.0, 0.0, 1.0]])
    return Camera(width, height, K)


def spread(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    """At most ``limit`` items, evenly spread over all of them."""
    if limit is None or limit >= len(items):
        return items
    return [items[k * len(items) // limit] for k in range(limit)]


def places_in_time(frames: Sequence[tuple[str, int]]) -> list[int]:
    """Each frame's place in its sequence, from (sequence, frame number) in order.

    Numbers may count frames of a faster camera, so that the least step of a sequence is one place;
    frames that were left out leave a gap.
    """
    numbers: dict[str, list[int]] = {}
    for source, number in frames:
        numbers.setdefault(source, []).append(number)
    steps = {
        source: max(1, int(np.diff(own).min())) if len(own) > 1 else 1
        for source, own in numbers.items()
    }
    return [(number - numbers[source][0]) // steps[source] for source, number in frames]
