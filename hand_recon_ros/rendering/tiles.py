"""Small pictures side by side, as contact sheets show them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def in_rows(tiles: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Pictures (H, W, 3) of one size, at least one, as one picture; black where a row is short."""
    full = [*tiles, *[np.zeros_like(tiles[0])] * (-len(tiles) % columns)]
    rows = [np.hstack(full[k : k + columns]) for k in range(0, len(full), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)
