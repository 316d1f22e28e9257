"""Connectivity of the embedded hand: rings of vertices joined by strips of triangles.

The wrist is one open loop of 16. Rows run from it towards the fingers; the seventh splits, like a
pair of trousers, into the palm and the thumb; the last palm row is made of the base rings of the
four fingers, with a web between neighbours. Any triangulated disk with 778 vertices and a border
of 16 has 2 * 778 - 2 - 16 = 1538 faces (Euler), MANO's numbers.

Every ring runs radial -> dorsal -> ulnar -> palmar; a ring's parameter u is 0 at the radial side,
1/4 dorsal, 1/2 ulnar, 3/4 palmar.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.mano.data import FloatArray, IntArray

ROW_SIZES = (16, 16, 16, 18, 20, 22, 24, 28)
"""Vertices of the rows between the wrist and the split of the thumb."""
DISTAL_ROW_SIZES = (26, 28, 32)
"""Vertices of the palm's rows between the split and the finger bases."""
RING = 10
FINGER_RINGS = 9
THUMB_RINGS = 10
CAP = 5
"""Vertices of the small ring round each tip."""
DORSAL_CHART, PALMAR_CHART = 5, 6
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
        digits: for thumb, index, middle, ring, little the rings from base to tip.
        caps: for each of them the small ring round the tip.
        tips: (5,) tip vertices, thumb first.
        faces: (1538, 3) counter-clockwise from outside.
        charts: (1538,) piece of the texture: 0-4 the digits, then dorsal and palmar palm.
        corners: (1538, 3, 2) on digits: u, and rings from the base, of each corner.
    """

    rows: tuple[IntArray, ...]
    distal_rows: tuple[IntArray, ...]
    palm_loop: IntArray
    thumb_loop: IntArray
    thumb_web: IntArray
    digits: tuple[tuple[IntArray, ...], ...]
    caps: tuple[IntArray, ...]
    tips: IntArray
    faces: IntArray
    charts: IntArray
    corners: FloatArray

    @property
    def palm(self) -> IntArray:
        """Vertices round the middle of the palm, whose mean is its centre."""
        return np.concatenate([self.palm_loop, self.distal_rows[0]])


def loop_parameter(size: int, first: float = 0.0) -> FloatArray:
    """Even parameters of a loop; ``first`` shifts it by a fraction of a step."""
    return (np.arange(size) + first) / size


class _Faces:
    """Collects faces with their chart and the (u, level) of their corners."""

    def __init__(self) -> None:
        self.faces: list[list[int]] = []
        self.charts: list[int] = []
        self.corners: list[list[tuple[float, float]]] = []

    def strip(
        self,
        near: tuple[IntArray, FloatArray],
        far: tuple[IntArray, FloatArray],
        level: float = 0.0,
        step: float = 1.0,
        chart: int | None = None,
    ) -> None:
        """Join two loops (vertices, parameters); ``far`` lies distally.

        Without a ``chart`` the strip belongs to the palm: its first half turn is dorsal.
        """
        n, m = len(near[0]), len(far[0])
        near_u, far_u = (np.append(u, u[0] + 1.0) for _, u in (near, far))
        i = j = 0
        while i < n or j < m:
            # Advance on the loop whose next vertex comes first: short diagonals.
            on_near = j >= m or (i < n and near_u[i + 1] <= far_u[j + 1])
            a, d = int(near[0][i % n]), int(far[0][j % m])
            start, end = (near_u[i], level), (far_u[j], level + step)
            palm = DORSAL_CHART if min(near_u[i], far_u[j]) < 0.5 else PALMAR_CHART
            if on_near:
                i += 1
                middle = (int(near[0][i % n]), (near_u[i], level))
            else:
                j += 1
                middle = (int(far[0][j % m]), (far_u[j], level + step))
            self.add([a, middle[0], d], palm if chart is None else chart, [start, middle[1], end])

    def quad(self, a: int, b: int, c: int, d: int, chart: int) -> None:
        """Two triangles of a web."""
        self.add([a, b, c], chart, [(0.0, 0.0)] * 3)
        self.add([a, c, d], chart, [(0.0, 0.0)] * 3)

    def add(self, face: list[int], chart: int, corners: list[tuple[float, float]]) -> None:
        """One triangle."""
        self.faces.append(face)
        self.charts.append(chart)
        self.corners.append(corners)


def build() -> Topology:
    """Return the topology; the same on every call."""
    count = 0

    def new(size: int) -> IntArray:
        nonlocal count
        count += size
        return np.arange(count - size, count, dtype=np.int64)

    mesh = _Faces()
    rows = tuple(new(size) for size in ROW_SIZES)
    for near, far in itertools.pairwise(rows):
        mesh.strip((near, loop_parameter(len(near))), (far, loop_parameter(len(far))))

    split, web = rows[-1], new(2)
    palm_loop = np.concatenate([web[:1], split[_SPLIT_DORSAL : _SPLIT_PALMAR + 1], web[1:]])
    thumb_loop = np.concatenate(
        [split[_SPLIT_PALMAR + 1 :], split[: _SPLIT_DORSAL + 1], web, split[[_SPLIT_PALMAR]]]
    )
    distal = tuple(new(size) for size in DISTAL_ROW_SIZES)
    bases = [new(RING) for _ in range(4)]
    knuckle_loop = np.concatenate(
        [bases[0][:1], *(b[1:5] for b in bases), bases[3][5:6], *(b[6:] for b in bases[::-1])]
    )
    loops = [(palm_loop, loop_parameter(len(palm_loop), 0.5))]
    loops += [(loop, loop_parameter(len(loop))) for loop in (*distal, knuckle_loop)]
    for near_loop, far_loop in itertools.pairwise(loops):
        mesh.strip(near_loop, far_loop)
    for a, b in itertools.pairwise(bases):
        mesh.quad(a[4], b[1], b[0], a[5], DORSAL_CHART)
        mesh.quad(b[9], a[6], a[5], b[0], PALMAR_CHART)

    digits, caps, tips = [], [], []
    u, cap_u = loop_parameter(RING), loop_parameter(CAP, 0.25)
    for k, (base, rings) in enumerate(
        [(thumb_loop, THUMB_RINGS), *((b, FINGER_RINGS) for b in bases)]
    ):
        chain = [base, *(new(RING) for _ in range(rings))]
        for level, (near, far) in enumerate(itertools.pairwise(chain)):
            mesh.strip((near, u), (far, u), level, chart=k)
        cap, tip = new(CAP), int(new(1)[0])
        mesh.strip((chain[-1], u), (cap, cap_u), rings, 0.7, chart=k)
        for c in range(CAP):
            at, to = cap_u[c], cap_u[c] + 1.0 / CAP
            corners = [(at, rings + 0.7), (to, rings + 0.7), ((at + to) / 2, rings + 1.0)]
            mesh.add([int(cap[c]), int(cap[(c + 1) % CAP]), tip], k, corners)
        digits.append(tuple(chain))
        caps.append(cap)
        tips.append(tip)
    return Topology(
        rows=rows,
        distal_rows=distal,
        palm_loop=palm_loop,
        thumb_loop=thumb_loop,
        thumb_web=web,
        digits=tuple(digits),
        caps=tuple(caps),
        tips=np.array(tips, dtype=np.int64),
        faces=np.array(mesh.faces, dtype=np.int64),
        charts=np.array(mesh.charts, dtype=np.int64),
        corners=np.array(mesh.corners),
    )
