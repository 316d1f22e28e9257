"""The numbers of one evaluation, as plain data: what reports show and comparisons read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
        per_joint_mm: (21,) root-relative error of each joint; None without 3D truth.
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
        """As plain JSON data; what is not finite becomes None."""
        data: dict[str, Any] = _finite(asdict(self))
        return data

    @staticmethod
    def from_json(data: dict[str, Any]) -> Evaluation:
        """The inverse of ``to_json``; None becomes NaN.

        Raises:
            ValueError: a field is missing or unknown; the message names it.
        """
        try:
            return Evaluation(
                title=data["title"],
                summary=_by_name(data["summary"]),
                metrics=tuple(Metric(**metric) for metric in data["metrics"]),
                curves={name: _curve(curve) for name, curve in data["curves"].items()},
                per_joint_mm=None if data["per_joint_mm"] is None else _row(data["per_joint_mm"]),
                frames=tuple(_frame(frame) for frame in data["frames"]),
                latencies_ms=_row(data["latencies_ms"]),
                published=tuple((m, _by_name(v), s) for m, v, s in data["published"]),
                notes=tuple(data["notes"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an evaluation: {error!r}") from None


def _curve(data: dict[str, Any]) -> Curve:
    return Curve(**{**data, "x": _row(data["x"]), "y": _row(data["y"])})


def _frame(data: dict[str, Any]) -> FrameNumbers:
    stamp, values = _number(data["stamp"]), _by_name(data["values"])
    return FrameNumbers(**{**data, "stamp": stamp, "values": values})


def _finite(data: Any) -> Any:
    """The same with None for numbers that JSON does not know, and lists for tuples."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _row(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(_number(value) for value in values)


def _by_name(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: _number(value) for name, value in values.items()}
