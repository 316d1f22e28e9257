"""Places for many pictures in one target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MAX_WIDTH = 2048


@dataclass(frozen=True)
class Layout:
    """Size of what is used of the target, and the lower corner of each picture, px."""

    width: int
    height: int
    places: list[tuple[int, int]]


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
    return Layout(used, y + row, places)
