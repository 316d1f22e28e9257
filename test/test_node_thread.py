"""A node that spins in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

rclpy = pytest.importorskip("rclpy")

from hand_recon_ros.nodes.node_thread import NodeThread  # noqa: E402

DEADLINE_S = 20.0


@pytest.fixture
def context() -> Iterator[object]:
    made = rclpy.Context()
    rclpy.init(context=made)
    yield made
    rclpy.try_shutdown(context=made)


def node(context: object) -> object:
    return rclpy.create_node("spun", context=context)


def test_turns_and_callbacks_run_until_it_is_closed(context: object) -> None:
    called, turned = threading.Event(), threading.Event()
    spun = node(context)
    spun.create_timer(0.01, called.set)  # type: ignore[attr-defined]
    with NodeThread(spun, context, turned.set):  # type: ignore[arg-type]
        assert called.wait(DEADLINE_S)
        assert turned.wait(DEADLINE_S)
    turned.clear()
    assert not turned.wait(0.3)


def test_a_failed_callback_is_told_at_the_end(context: object) -> None:
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise OSError("the disk is full")

    thread = NodeThread(node(context), context, fail)  # type: ignore[arg-type]
    assert failed.wait(DEADLINE_S)
    with pytest.raises(RuntimeError, match="spun: a callback failed") as caught:
        thread.close()
    assert "disk" in str(caught.value.__cause__)


def test_a_context_that_ends_is_no_failure(context: object) -> None:
    turned = threading.Event()
    thread = NodeThread(node(context), context, turned.set)  # type: ignore[arg-type]
    assert turned.wait(DEADLINE_S)
    rclpy.shutdown(context=context)
    thread.close()
