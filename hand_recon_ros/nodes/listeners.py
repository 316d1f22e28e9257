"""Waits until what is published will be heard."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

from rclpy.context import Context
from rclpy.publisher import Publisher

SETTLE_S: Final = 1.0
"""After the last subscription was found: a publisher knows of a subscriber before that one knows of
it, and what is sent in between is lost, whatever the quality of service."""
_LOOK_S: Final = 0.02


def wait_for_listeners(
    publishers: Collection[Publisher],
    context: Context,
    timeout_s: float,
    settle_s: float = SETTLE_S,
) -> bool:
    """Wait until somebody subscribes to every topic, and knows of its publisher, too.

    Args:
        publishers: of the topics.
        context: of rclpy; the wait ends when it is shut down.
        timeout_s: to wait for the subscriptions, s.
        settle_s: to wait then, s; 0 where the first messages may be lost.

    Returns:
        False = somebody was missing at the end, or rclpy was shut down.
    """
    end = time.monotonic() + timeout_s
    while not all(publisher.get_subscription_count() for publisher in publishers):
        if time.monotonic() >= end or not context.ok():
            return False
        time.sleep(_LOOK_S)
    settled = time.monotonic() + settle_s
    while time.monotonic() < settled and context.ok():
        time.sleep(_LOOK_S)
    return bool(context.ok())
