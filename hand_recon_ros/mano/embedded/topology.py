"""Connectivity of the embedded hand: rings of vertices joined by strips of triangles.

The wrist is one open loop of 16. Rows run from it towards the fingers; the seventh splits, like a
pair of trousers, into the palm and the thumb; the last palm row is made of the base rings of the
four fingers, with a web between neighbours. Any triangulated disk with 778 vertices and a border
of 16 has 2 * 778 - 2 - 16 = 1538 faces (Euler), MANO's numbers.

Every ring runs radial -> dorsal -> ulnar -> palmar; a ring's parameter u is 0 at the radial side,
1/4 dorsal, 1/2 ulnar, 3/4 palmar.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.mano.data import IntArray

ROW_SIZES = (16, 16, 16, 18, 20, 22, 24, 28)
"""Vertices of the rows between the wrist and the split of the thumb."""
DISTAL_ROW_SIZES = (26, 28, 32)
"""Vertices of the palm's rows between the split and the finger bases."""
RING = 10
FINGER_RINGS = 9
THUMB_RINGS = 10
CAP = 5
"""Vertices of the small ring round each tip."""
_SPLIT_DORSAL, _SPLIT_PALMAR = 2, 23
"""Ends, in the last proximal row, of the web between thumb and palm."""


@dataclass(frozen=True)
class Topology:
    """Vertex indices of every ring, and the faces.

    Attributes:
        rows: the rows of the palm, wrist first, without the split row's palm loop.
        palm_loop: (24,) loop that goes on into the palm after the split.
        thumb_loop: (10,) loop that goes on into the thumb.
        thumb_web: (2,) vertices between thumb and palm, dorsal first.
        fingers: for thumb, index, middle, ring, little the rings from base to tip.
        caps: for each of them the small ring round the tip.
        tips: (5,) tip vertices, thumb first.
        faces: (1538, 3) counter-clockwise from outside.
    """

    rows: tuple[IntArray, ...]
    distal_rows: tuple[IntArray, ...]
    palm_loop: IntArray
    thumb_loop: IntArray
    thumb_web: IntArray
    fingers: tuple[tuple[IntArray, ...], ...]
    caps: tuple[IntArray, ...]
    tips: IntArray
    faces: IntArray


def loop_parameter(size: int, first: float = 0.0) -> np.ndarray:
    """Even parameters of a loop; ``first`` shifts it by a fraction of a step."""
    return (np.arange(size) + first) / size


def strip(near: IntArray, near_u: np.ndarray, far: IntArray, far_u: np.ndarray) -> list[list[int]]:
    """Triangles between two loops; ``far`` lies distally. Both ``u`` ascend within a turn."""
    faces: list[list[int]] = []
    i = j = 0
    n, m = len(near), len(far)
    near_end = np.append(near_u, near_u[0] + 1.0)
    far_end = np.append(far_u, far_u[0] + 1.0)
    while i < n or j < m:
        # Advance on the loop whose next vertex comes first: short diagonals.
        if j >= m or (i < n and near_end[i + 1] <= far_end[j + 1]):
            faces.append([near[i % n], near[(i + 1) % n], far[j % m]])
            i += 1
        else:
            faces.append([near[i % n], far[(j + 1) % m], far[j % m]])
            j += 1
    return faces


def _quad(a: int, b: int, c: int, d: int) -> list[list[int]]:
    return [[a, b, c], [a, c, d]]


def build() -> Topology:
    """Return the topology; the same on every call."""
    count = 0

    def new(size: int) -> IntArray:
        nonlocal count
        count += size
        return np.arange(count - size, count, dtype=np.int64)

    faces: list[list[int]] = []
    rows = tuple(new(size) for size in ROW_SIZES)
    for near, far in zip(rows[:-1], rows[1:], strict=True):
        faces += strip(near, loop_parameter(len(near)), far, loop_parameter(len(far)))

    split, web = rows[-1], new(2)
    palm_loop = np.concatenate([web[:1], split[_SPLIT_DORSAL : _SPLIT_PALMAR + 1], web[1:]])
    thumb_loop = np.concatenate([split[_SPLIT_PALMAR:], split[: _SPLIT_DORSAL + 1], web])
    thumb_loop = np.roll(thumb_loop, -1)  # starts at the thumb's own radial side

    distal = tuple(new(size) for size in DISTAL_ROW_SIZES)
    bases = [new(RING) for _ in range(4)]
    knuckle_loop = np.concatenate(
        [bases[0][:1], *(b[1:5] for b in bases), bases[3][5:6], *(b[6:] for b in bases[::-1])]
    )
    loops = [palm_loop, *distal, knuckle_loop]
    shifts = [0.5] + [0.0] * (len(loops) - 1)
    for k in range(len(loops) - 1):
        faces += strip(
            loops[k],
            loop_parameter(len(loops[k]), shifts[k]),
            loops[k + 1],
            loop_parameter(len(loops[k + 1]), shifts[k + 1]),
        )
    for a, b in zip(bases[:-1], bases[1:], strict=True):
        faces += _quad(a[4], b[1], b[0], a[5]) + _quad(b[9], a[6], a[5], b[0])

    fingers, caps, tips = [], [], []
    for base, rings in [(thumb_loop, THUMB_RINGS), *((b, FINGER_RINGS) for b in bases)]:
        chain = [base, *(new(RING) for _ in range(rings))]
        u = loop_parameter(RING)
        for near, far in zip(chain[:-1], chain[1:], strict=True):
            faces += strip(near, u, far, u)
        cap, tip = new(CAP), new(1)
        faces += strip(chain[-1], u, cap, loop_parameter(CAP, 0.25))
        faces += [[cap[k], cap[(k + 1) % CAP], tip[0]] for k in range(CAP)]
        fingers.append(tuple(chain))
        caps.append(cap)
        tips.append(tip[0])
    return Topology(
        rows=rows,
        distal_rows=distal,
        palm_loop=palm_loop,
        thumb_loop=thumb_loop,
        thumb_web=web,
        fingers=tuple(fingers),
        caps=tuple(caps),
        tips=np.array(tips, dtype=np.int64),
        faces=np.array(faces, dtype=np.int64),
    )
