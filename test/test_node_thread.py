"""A node that spins in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.duration import Duration  # noqa: E402
from std_msgs.msg import Int32  # noqa: E402

from hand_recon_ros.nodes.listeners import wait_for_listeners  # noqa: E402
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


def test_what_has_arrived_is_looked_at_before_the_end(context: object) -> None:
    listener, talker = node(context), rclpy.create_node("talker", context=context)
    heard: list[int] = []
    busy, go_on = threading.Event(), threading.Event()

    def hear(message: Int32) -> None:
        heard.append(message.data)
        busy.set()
        assert go_on.wait(DEADLINE_S)

    listener.create_subscription(Int32, "number", hear, 50)  # type: ignore[attr-defined]
    out = talker.create_publisher(Int32, "number", 50)
    thread = NodeThread(listener, context)  # type: ignore[arg-type]
    assert wait_for_listeners([out], context, DEADLINE_S)  # type: ignore[arg-type]
    for number in range(20):
        out.publish(Int32(data=number))
    assert busy.wait(DEADLINE_S)
    assert out.wait_for_all_acked(Duration(seconds=DEADLINE_S))
    ending = threading.Thread(target=thread.close)
    ending.start()
    while not thread._closed.is_set():
        time.sleep(0.001)
    go_on.set()
    ending.join(DEADLINE_S)
    talker.destroy_node()
    assert heard == list(range(20))


def test_listeners_are_waited_for(context: object) -> None:
    talker = rclpy.create_node("talker", context=context)
    out = talker.create_publisher(Int32, "number", 50)
    assert not wait_for_listeners([out], context, 0.1)  # type: ignore[arg-type]
    heard = threading.Event()
    listener = node(context)
    listener.create_subscription(  # type: ignore[attr-defined]
        Int32, "number", lambda _: heard.set(), 50
    )
    with NodeThread(listener, context):  # type: ignore[arg-type]
        begun = time.monotonic()
        assert wait_for_listeners([out], context, DEADLINE_S, settle_s=0.5)  # type: ignore[arg-type]
        assert time.monotonic() - begun >= 0.5
        out.publish(Int32(data=1))
        assert heard.wait(DEADLINE_S)
    talker.destroy_node()
