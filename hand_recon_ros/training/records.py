"""What a training run leaves behind besides weights: a table of numbers, and their curves."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

LOG = "log.jsonl"
CURVES = "curves.png"


class TrainingLog:
    """Appends lines of numbers to ``log.jsonl`` and plots them.

    Args:
        folder: of the run; a log that is there goes on.
    """

    def __init__(self, folder: Path) -> None:
        """Open the log."""
        self._path = folder / LOG
        self._curves = folder / CURVES

    def add(self, kind: str, seen: int, values: dict[str, float], **facts: Any) -> None:
        """Note values of a kind ("train", "exam") after ``seen`` samples."""
        line = {"kind": kind, "seen": seen, **{k: round(v, 6) for k, v in values.items()}, **facts}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        """All lines so far; a last one that was cut off is left out."""
        if not self._path.exists():
            return []
        found = []
        for text in self._path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(text))
            except json.JSONDecodeError:
                continue
        return found

    def plot(self) -> None:
        """Draw every number against the samples seen."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        curves: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        for line in self.lines():
            for name, value in line.items():
                if name not in ("kind", "seen") and isinstance(value, int | float):
                    xs, ys = curves[f"{line['kind']}: {name}"]
                    xs.append(line["seen"])
                    ys.append(value)
        if not curves:
            return
        columns = min(4, len(curves))
        rows = -(-len(curves) // columns)
        figure = Figure(figsize=(4 * columns, 2.6 * rows), layout="constrained")
        for place, (name, (xs, ys)) in enumerate(sorted(curves.items())):
            axes = figure.add_subplot(rows, columns, place + 1)
            axes.plot(xs, ys, linewidth=1)
            axes.set_title(name, fontsize=8)
            axes.tick_params(labelsize=7)
            axes.grid(alpha=0.3)
        FigureCanvasAgg(figure).print_png(str(self._curves))
