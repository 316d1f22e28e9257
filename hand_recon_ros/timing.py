"""How long each stage of the chain takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class StageClock:
    """Adds up wall-clock milliseconds by stage name."""

    def __init__(self) -> None:
        """Start at zero."""
        self.milliseconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the body under ``stage``."""
        start = perf_counter()
        try:
            yield
        finally:
            spent = 1e3 * (perf_counter() - start)
            self.milliseconds[stage] = self.milliseconds.get(stage, 0.0) + spent
