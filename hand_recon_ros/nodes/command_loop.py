"""A thread that makes commands at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class CommandLoop:
    """Calls ``step`` every ``period_s``, and never sooner after the last call.

    A step that is late is not made up for: two commands close together would move the robot at
    twice its speed for a moment. So the rate falls where the machine is too slow.
    """

    def __init__(
        self, period_s: float, step: Callable[[float], None], failed: Callable[[Exception], None]
    ) -> None:
        """Start.

        Args:
            period_s: between two calls.
            step: told the seconds since its last call, by a steady clock.
            failed: told of an exception in ``step``; the loop goes on.
        """
        self._period_s, self._step, self._failed = period_s, step, failed
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """End it; False if the step at hand did not end within the time."""
        self._ended.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        began = time.monotonic() - self._period_s
        while not self._ended.is_set():
            last, began = began, time.monotonic()
            try:
                self._step(began - last)
            except Exception as error:
                self._failed(error)
            while (left := began + self._period_s - time.monotonic()) > 0.0:
                time.sleep(left)
