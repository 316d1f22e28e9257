"""Files that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes that place at the end of the ``with`` block.

    Whatever ends the block or the process before, ``path`` keeps what it had.
    """
    partial = path.with_name(path.name + ".partial")
    yield partial
    partial.replace(path)
