"""Problems of a running node: each is logged once, and once more when it is over."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hand_recon_ros.stream.problems import Level, wording

SETTLE_S = 1.0
"""A problem is over when it has not come back for so long: one that comes and goes with every
other frame is one problem, not thirty a second."""


@dataclass
class _Problem:
    level: Level
    text: str
    seen: float
    said: str = ""
    said_at: float = -math.inf

    def worth_saying(self, now: float) -> bool:
        """Whether to log it: figures may change with every image, that alone is no news."""
        if self.text == self.said:
            return False
        return wording(self.text) != wording(self.said) or now - self.said_at >= SETTLE_S


class Problems:
    """The problems that exist now, by kind. Safe to use from several threads."""

    def __init__(self, logger: Any, now: Callable[[], float] = time.monotonic) -> None:
        """Make an empty list.

        Args:
            logger: has ``info``, ``warning`` and ``error``.
            now: a steady clock, seconds.
        """
        self.last_error = ""
        self._logger = logger
        self._now = now
        self._lock = threading.Lock()
        self._active: dict[str, _Problem] = {}

    def report(self, kind: str, text: str, level: Level = "warning") -> None:
        """Say that a problem is there; logged only when it is new or its text has changed."""
        with self._lock:
            now = self._now()
            problem = self._active.setdefault(kind, _Problem(level, text, now))
            problem.level, problem.text, problem.seen = level, text, now
            self.last_error = text
            news = problem.worth_saying(now)
            if news:
                problem.said, problem.said_at = text, now
        if news:
            # One call site each: rclpy wants the severity of a call site to stay the same.
            if level == "error":
                self._logger.error(text)
            else:
                self._logger.warning(text)

    def clear(self, *kinds: str, at_once: bool = False) -> None:
        """Say that everything is well with ``kinds``; a problem that is over is logged as such."""
        if not self._active:
            return
        for kind in kinds:
            with self._lock:
                known = self._active.get(kind)
                if known is None or not (at_once or self._now() - known.seen >= SETTLE_S):
                    continue
                del self._active[kind]
            self._logger.info(f"recovered: {known.text}")

    def forget(self) -> None:
        """Drop all problems without a word (the node starts anew)."""
        with self._lock:
            self._active.clear()

    def summary(self) -> tuple[Level | None, str]:
        """The worst level there is now, and all texts, worst first."""
        with self._lock:
            problems = sorted(self._active.values(), key=lambda p: p.level != "error")
        if not problems:
            return None, ""
        return problems[0].level, "; ".join(p.text for p in problems)
