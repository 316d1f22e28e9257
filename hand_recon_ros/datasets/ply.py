"""Vertices of PLY meshes, ASCII or binary (Turk, "The PLY Polygon File Format", 1994)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from hand_recon_ros.types import Array

_TYPES: Final = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS: Final = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_END: Final = b"end_header\n"


def read_vertices(file: Path) -> Array:
    """(V, 3) positions in the file's own unit.

    Raises:
        ValueError: the file is missing, cut off or no PLY mesh whose vertices come first.
    """
    try:
        content = file.read_bytes().replace(b"end_header\r\n", _END, 1)
    except OSError as error:
        raise ValueError(f"'{file}' cannot be read: {error.strerror}") from None
    header, end, body = content.partition(_END)
    lines = [line.split() for line in header.decode("ascii", "replace").splitlines()]
    try:
        if not end or lines[0] != ["ply"]:
            raise ValueError("it has no PLY header")
        order = _ORDERS[next(line[1] for line in lines if line[0] == "format")]
        first, *others = [k for k, line in enumerate(lines) if line[0] == "element"]
        if lines[first][1] != "vertex":
            raise ValueError("its vertices do not come first")
        count = int(lines[first][2])
        own = lines[first + 1 : others[0] if others else None]
        fields = [(line[2], line[1]) for line in own if line[0] == "property"]
        if order:
            kind = np.dtype([(name, order + _TYPES[of]) for name, of in fields])
            table = np.frombuffer(body, kind, count)
            columns = [table[axis] for axis in "xyz"]
        else:
            rows = np.array([line.split() for line in body.splitlines()[:count]], dtype=np.float64)
            columns = [rows[:, [name for name, _ in fields].index(axis)] for axis in "xyz"]
    except (KeyError, IndexError, StopIteration, ValueError) as error:
        raise ValueError(f"'{file}' is no PLY mesh that can be read ({error})") from None
    vertices = np.stack(columns, axis=1).astype(np.float64)
    if len(vertices) != count or not np.isfinite(vertices).all():
        raise ValueError(f"'{file}' is cut off or holds values that are not finite")
    return vertices
