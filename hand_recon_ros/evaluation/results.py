"""The numbers of one evaluation, as plain data: what reports show and comparisons read."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a number means.

    Attributes:
        name: key of the number, with its unit: "mpjpe_mm".
        title: what people call it: "MPJPE, wrist-aligned".
        unit: "mm", "mm/frame^2", "mm/s^2", "px", "%", "" ...
        better: which way is an improvement.
        source: where the definition comes from (paper and equation, or toolkit).
        text: the definition in one sentence.
    """

    name: str
    title: str
    unit: str
    better: Better
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve such as PCK over thresholds."""

    title: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class FrameNumbers:
    """One frame's numbers.

    Attributes:
        source: and ``index``: the frame's key.
        index: running number within its source.
        stamp: seconds.
        values: by metric name; what a frame has no value for is absent.
        state: the worst state of its hands: "lost" = a true hand was not found.
    """

    source: str
    index: int
    stamp: float
    values: dict[str, float]
    state: Literal["tracked", "predicted", "lost", "empty"] = "tracked"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that was measured in one run.

    Attributes:
        title: what was evaluated: "freihand/evaluation", "bag hands.mcap".
        summary: the run's numbers by metric name (see ``metrics``).
        metrics: their definitions, in the order in which they are shown.
        curves: by name.
        per_joint_mm: (21,) root-relative error of each joint, NaN where never labelled; None
            without 3D truth.
        frames: in order; comparisons resample them.
        latencies_ms: of each frame, empty where not measured.
        published: rows of papers: (method, {metric name: value}, source).
        notes: what a reader has to know: limits, skipped parts, approximations.
    """

    title: str
    summary: dict[str, float]
    metrics: tuple[Metric, ...]
    curves: dict[str, Curve] = field(default_factory=dict)
    per_joint_mm: tuple[float, ...] | None = None
    frames: tuple[FrameNumbers, ...] = ()
    latencies_ms: tuple[float, ...] = ()
    published: tuple[tuple[str, dict[str, float], str], ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data; what is NaN becomes null."""
        data = asdict(self)
        if self.per_joint_mm is not None:
            data["per_joint_mm"] = [None if math.isnan(x) else x for x in self.per_joint_mm]
        return data

    @staticmethod
    def from_json(data: dict[str, Any]) -> Evaluation:
        """The inverse of ``to_json``.

        Raises:
            ValueError: a field is missing or unknown; the message names it.
        """
        try:
            return Evaluation(
                title=data["title"],
                summary=dict(data["summary"]),
                metrics=tuple(Metric(**metric) for metric in data["metrics"]),
                curves={name: _curve(curve) for name, curve in data["curves"].items()},
                per_joint_mm=_per_joint(data["per_joint_mm"]),
                frames=tuple(FrameNumbers(**frame) for frame in data["frames"]),
                latencies_ms=tuple(data["latencies_ms"]),
                published=tuple((m, dict(v), s) for m, v, s in data["published"]),
                notes=tuple(data["notes"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an evaluation: {error!r}") from None


def _per_joint(data: list[float | None] | None) -> tuple[float, ...] | None:
    return None if data is None else tuple(math.nan if x is None else x for x in data)


def _curve(data: dict[str, Any]) -> Curve:
    return Curve(**{**data, "x": tuple(data["x"]), "y": tuple(data["y"])})
