"""A picture of the features of one recording over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.retarget.feature_rows import COLUMNS, Cell
from hand_recon_ros.retarget.features import GRASPS
from hand_recon_ros.skeleton import FINGERS, SIDES
from hand_recon_ros.types import Array

_COLOURS: Final = ("#555555", "#0072b2", "#009e73", "#d55e00", "#cc79a7")
"""Of the digits, thumb first: told apart by colour-blind people too."""
_GAP_S: Final = 0.5
"""A longer pause breaks the curves."""
_DPI: Final = 90


def require_matplotlib() -> None:
    """Fail early where no picture can be drawn.

    Raises:
        ImportError: matplotlib is missing.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"pictures need matplotlib ({error}): pip install 'hand_recon_ros[plots]', "
            "or leave --plot out"
        ) from None


def plot_features(rows: Sequence[Sequence[Cell]], title: str, path: Path) -> None:
    """Draw flexion, pinches, openness and spread, and grasps over time, one column for a side.

    Args:
        rows: of one recording, in the order of ``COLUMNS``.
        title: of the picture.
        path: PNG to write.

    Raises:
        ImportError: matplotlib is missing.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(COLUMNS)
    table = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    sides = [side for side in SIDES if side in table["side"]]
    figure = Figure(figsize=(11 * len(sides), 10), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(4, len(sides), squeeze=False, sharex=True, sharey="row")
    for column, side in enumerate(sides):
        mine = [i for i, value in enumerate(table["side"]) if value == side]
        _draw_side(
            {name: [cells[i] for i in mine] for name, cells in table.items()}, grid[:, column]
        )
        grid[0, column].set_title(f"{side} hand")
    grid[0, 0].set_ylabel("flexion, 0 to 1")
    grid[1, 0].set_ylabel("thumb's tip to tip, mm")
    grid[2, 0].set_ylabel("openness, spread in rad")
    grid[3, 0].set_ylabel("grasp")
    FigureCanvasAgg(figure).print_figure(str(path), dpi=_DPI)


def _draw_side(table: dict[str, list[Cell]], axes: NDArray[np.object_]) -> None:
    stamps = _floats(table["stamp_s"])
    breaks = np.flatnonzero(np.abs(np.diff(stamps)) > _GAP_S) + 1
    stamps = np.insert(stamps, breaks, np.nan)

    def curve(panel: Any, values: Array, colour: str, label: str) -> None:
        panel.plot(stamps, np.insert(values, breaks, np.nan), color=colour, label=label, lw=1.3)

    for finger, colour in zip(FINGERS, _COLOURS, strict=True):
        curve(axes[0], _floats(table[f"{finger}_flexion"]), colour, finger)
    for finger, colour in zip(FINGERS[1:], _COLOURS[1:], strict=True):
        curve(axes[1], 1e3 * _floats(table[f"pinch_{finger}_m"]), colour, finger)
    curve(axes[2], _floats(table["openness"]), _COLOURS[1], "openness")
    curve(axes[2], _floats(table["spread_rad"]), _COLOURS[3], "spread")
    classes = _floats([GRASPS.index(g) if g in GRASPS else None for g in table["grasp"]])
    axes[3].plot(stamps, np.insert(classes, breaks, np.nan), ".", color=_COLOURS[0], ms=4)
    axes[3].set_yticks(range(len(GRASPS)), GRASPS)
    axes[3].set_ylim(-0.5, len(GRASPS) - 0.5)
    axes[3].set_xlabel("time, s")
    for panel in axes:
        panel.grid(alpha=0.3)
    for panel in axes[:3]:
        panel.legend(loc="upper right", fontsize=8, ncols=5, framealpha=0.5)


def _floats(cells: Sequence[Cell]) -> Array:
    return np.array(cells, dtype=np.float64)  # None becomes NaN
