"""Newest item wins: a one-place mailbox, and a thread that works off what lies in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """A mailbox for one item; a new item replaces one that was not taken in time.

    So a consumer that is slower than its source skips items and never falls behind.

    Attributes:
        received: items put in.
        dropped: items replaced before anybody took them.
    """

    def __init__(self) -> None:
        """Make an empty slot."""
        self.received = 0
        self.dropped = 0
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False

    @property
    def waiting(self) -> bool:
        """Whether an item lies here: what takes them is behind."""
        return self._item is not None

    def put(self, item: T) -> None:
        """Store ``item`` in place of what is there. Never blocks; ignored once closed."""
        with self._condition:
            if self._closed:
                return
            self.received += 1
            self.dropped += self._item is not None
            self._item = item
            self._condition.notify()

    def take(self) -> T | None:
        """Wait for an item and take it out; None once the slot is closed."""
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._closed)
            item, self._item = self._item, None
            return None if self._closed else item

    def close(self) -> None:
        """Throw the item away and let every ``take`` return None."""
        with self._condition:
            self._closed = True
            self._item = None
            self._condition.notify_all()


class Worker(Generic[T]):
    """A thread that calls ``work`` with the newest item of its slot, one at a time."""

    def __init__(
        self,
        name: str,
        work: Callable[[T], None],
        on_error: Callable[[Exception], None],
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread.

        Args:
            name: of the thread, for debuggers and profilers.
            work: what to do with an item.
            on_error: told of an exception in ``work``; the thread goes on with the next item.
            at_end: called last, to free what belongs to the thread.
        """
        self.slot: Slot[T] = Slot()
        self._work = work
        self._on_error = on_error
        self._at_end = at_end
        # A daemon, so that work that hangs (a driver, a GPU) cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> bool:
        """Let the work at hand finish and end the thread; False if it did not within the time."""
        self.slot.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self.slot.take()) is not None:
            try:
                self._work(item)
            except Exception as error:
                self._on_error(error)
            del item  # an image is large: free it before waiting for the next
        self._at_end()
