"""Work that runs beside the chain: drawing and encoding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from hand_recon_ros.io.closing import Closing


class InBackground(Closing):
    """Runs calls one after the other in a thread of its own.

    At most ``depth`` calls wait; then ``submit`` does. An exception of a call is raised by a later
    ``submit``, or at the end of the ``with`` block, which waits for all calls.
    """

    def __init__(self, depth: int = 8) -> None:
        """Start the thread."""
        self._depth = depth
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="background")
        self._waiting: deque[Future[None]] = deque()

    def submit(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call ``function(*arguments)`` after the calls before it."""
        while len(self._waiting) >= self._depth or (self._waiting and self._waiting[0].done()):
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(function, *arguments))

    def close(self) -> None:
        """Wait for all calls."""
        try:
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)
