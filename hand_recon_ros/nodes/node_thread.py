"""Spins a node in a thread of its own, for programs that do something else meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from hand_recon_ros.io.closing import Closing

_TURN_S = 0.05
_PATIENCE_S = 10.0
_LAST_TURNS, _LAST_S = 1000, 2.0
"""Callbacks that are still made once the thread is to end, and how long, s: more than queues hold,
and no longer than others may wait for the end."""


class NodeThread(Closing):
    """Spins from the moment it is made until it is closed, which destroys the node.

    Args:
        node: to spin.
        context: of the node.
        turn: called in the thread after each spin, at least every 50 ms, and once at the end.
    """

    def __init__(self, node: Node, context: Context, turn: Callable[[], None] | None = None):
        """Start the thread."""
        self._node, self._turn = node, turn
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(node)
        self._name = node.get_name()
        self._error: Exception | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop spinning.

        Raises:
            RuntimeError: a callback hangs, or one failed and ended the thread.
        """
        self._closed.set()
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():  # what it uses must stay
            raise RuntimeError(f"{self._name}: a callback hangs; its results are not complete")
        self._executor.shutdown()
        self._node.destroy_node()
        if self._error is not None:
            raise RuntimeError(f"{self._name}: a callback failed") from self._error

    def _spin_rest(self) -> None:
        """Take what has arrived, and nobody has looked at."""
        end = time.monotonic() + _LAST_S
        for _ in range(_LAST_TURNS):
            self._executor.spin_once(timeout_sec=0)
            if time.monotonic() > end:
                break
        if self._turn is not None:
            self._turn()

    def _spin(self) -> None:
        try:
            while not self._closed.is_set():
                self._executor.spin_once(timeout_sec=_TURN_S)
                if self._turn is not None:
                    self._turn()
            self._spin_rest()
        except ExternalShutdownException:
            pass
        except Exception as error:  # told to whoever closes
            self._error = error
