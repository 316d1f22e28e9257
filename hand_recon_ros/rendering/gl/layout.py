"""Places for many pictures in one target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

_MAX_WIDTH = 2048


class Sized(Protocol):
    """Has a (width, height)."""

    size: tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """Where each picture lies in the target.

    Attributes:
        width, height: what is used of the target, px.
        sizes: (width, height) of each picture.
        places: lower corner of each.
    """

    width: int
    height: int
    sizes: Sequence[tuple[int, int]]
    places: Sequence[tuple[int, int]]

    def grown(self, target: Sized | None) -> tuple[int, int] | None:
        """Size of the target that must replace the present one; None = it is large enough."""
        width, height = (0, 0) if target is None else target.size
        if self.width <= width and self.height <= height:
            return None
        return max(width, self.width), max(height, self.height)

    def cut(self, *images: NDArray[Any]) -> Iterator[tuple[NDArray[Any], ...]]:
        """For each picture its part of every image of the target."""
        for (x, y), (width, height) in zip(self.places, self.sizes, strict=True):
            yield tuple(image[y : y + height, x : x + width] for image in images)


def pack(sizes: Sequence[tuple[int, int]]) -> Layout:
    """Put pictures of the given (width, height) into rows, in order."""
    area = sum(width * height for width, height in sizes)
    # About square, so that neither side hits the driver's limit.
    limit = max(max(width for width, _ in sizes), min(_MAX_WIDTH, int(1.2 * area**0.5)))
    places = []
    x = y = row = used = 0
    for width, height in sizes:
        if x + width > limit:
            x, y, row = 0, y + row, 0
        places.append((x, y))
        x += width
        row = max(row, height)
        used = max(used, x)
    return Layout(used, y + row, sizes, places)
