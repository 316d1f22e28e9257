"""Rates, latency and health of the node, for ``/diagnostics``."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from hand_recon_ros.nodes.problems import Level

WINDOW_S = 5.0
"""Rates and latencies are those of so many last seconds."""
_LEVELS = {
    None: DiagnosticStatus.OK,
    "warning": DiagnosticStatus.WARN,
    "error": DiagnosticStatus.ERROR,
}


class Statistics:
    """Counts images and results. Safe to use from several threads.

    Attributes:
        received: images that came in.
        processed: images whose result was published.
        dropped: images replaced by a newer one before their turn.
        skipped: images left out for their stamp, content or missing calibration.
        failed: images at which the chain failed.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Start counting.

        Args:
            now: a steady clock, seconds.
        """
        self.received = self.processed = self.dropped = self.skipped = self.failed = 0
        self._now = now
        self._lock = threading.Lock()
        self._start = now()
        self._last_arrival: float | None = None
        self._arrivals: deque[float] = deque()
        self._results: deque[tuple[float, float, float]] = deque()

    def arrived(self) -> None:
        """Count an image."""
        now = self._now()
        with self._lock:
            self.received += 1
            self._last_arrival = now
            self._arrivals.append(now)

    def published(self, latency_s: float, spent_s: float) -> None:
        """Count a result: its age since the image's stamp, and since the image's arrival."""
        with self._lock:
            self.processed += 1
            self._results.append((self._now(), latency_s, spent_s))

    @property
    def silence_s(self) -> float:
        """Seconds since the last image (or the start)."""
        last = self._last_arrival
        return self._now() - (self._start if last is None else last)

    @property
    def heard(self) -> bool:
        """True once an image has come."""
        return self._last_arrival is not None

    def values(self) -> dict[str, str]:
        """Everything counted, as text."""
        now = self._now()
        with self._lock:
            while self._arrivals and self._arrivals[0] < now - WINDOW_S:
                self._arrivals.popleft()
            while self._results and self._results[0][0] < now - WINDOW_S:
                self._results.popleft()
            arrivals = len(self._arrivals)
            results = np.array([r[1:] for r in self._results]).reshape(-1, 2) * 1e3
        span = max(1e-3, min(WINDOW_S, now - self._start))
        values = {
            "rate in [Hz]": f"{arrivals / span:.1f}",
            "rate out [Hz]": f"{len(results) / span:.1f}",
            "latency p50 [ms]": _percentile(results[:, 0], 50),
            "latency p95 [ms]": _percentile(results[:, 0], 95),
            "receipt to publish p50 [ms]": _percentile(results[:, 1], 50),
            "receipt to publish p95 [ms]": _percentile(results[:, 1], 95),
        }
        for name in ("received", "processed", "dropped", "skipped", "failed"):
            values[name] = str(getattr(self, name))
        values["last image [s ago]"] = f"{self.silence_s:.2f}" if self.heard else "never"
        return values


def _percentile(values_ms: np.ndarray, percent: float) -> str:
    return f"{np.percentile(values_ms, percent):.1f}" if len(values_ms) else str(math.nan)


def diagnostics_message(
    stamp: Time,
    name: str,
    hardware: str,
    level: Level | None,
    text: str,
    values: Mapping[str, str],
) -> DiagnosticArray:
    """Return the node's status.

    Args:
        stamp: now.
        name: of the status, with the node's name first.
        hardware: what the status is of (the camera's topic).
        level: worst problem, None = all is well.
        text: all problems, or what the node is doing.
        values: figures by name.
    """
    status = DiagnosticStatus(
        level=_LEVELS[level],
        name=name,
        message=text,
        hardware_id=hardware,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    array = DiagnosticArray(status=[status])
    array.header.stamp = stamp
    return array
