"""Closes a mesh, so that it has an inside."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def sealed(faces: IntArray) -> IntArray:
    """Faces (F, 3) and a fan over each hole (MANO is open at the wrist, 16 vertices).

    A fan starts at a vertex of the rim, so that no vertex is added.

    Raises:
        ValueError: a rim branches or does not close.
    """
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = Counter(map(tuple, edges.tolist()))
    # A rim's edge has no twin that runs the other way; the fan has to supply it.
    rim = [(a, b) for (a, b), n in count.items() if count.get((b, a), 0) < n]
    after = {b: a for a, b in rim}
    if len(after) != len(rim) or set(after) != set(after.values()):
        raise ValueError("the mesh cannot be closed: its rim branches; give a clean hand mesh")
    fans = []
    while after:
        start, current = after.popitem()
        while current != start:
            following = after.pop(current)
            if following != start:
                fans.append((start, current, following))
            current = following
    return np.concatenate([faces, np.array(fans, np.int64).reshape(-1, 3)])
