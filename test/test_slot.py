"""The newest item wins, nothing is lost unseen, and nothing hangs."""

from __future__ import annotations

import threading
import time

import pytest

from hand_recon_ros.nodes.slot import Slot, Worker


def test_a_new_item_replaces_the_old_one_and_is_counted() -> None:
    slot: Slot[int] = Slot()
    for item in range(5):
        slot.put(item)
    assert slot.take() == 4
    assert (slot.received, slot.dropped) == (5, 4)


def test_take_waits_for_an_item() -> None:
    slot: Slot[str] = Slot()
    taken: list[str | None] = []
    thread = threading.Thread(target=lambda: taken.append(slot.take()))
    thread.start()
    assert thread.is_alive()
    slot.put("item")
    thread.join(5)
    assert taken == ["item"]


def test_close_frees_a_waiting_consumer_and_the_item() -> None:
    slot: Slot[str] = Slot()
    taken: list[str | None] = []
    thread = threading.Thread(target=lambda: taken.append(slot.take()))
    thread.start()
    slot.close()
    thread.join(5)
    assert taken == [None]
    slot.put("too late")
    assert slot.take() is None
    assert slot.received == 0


def test_worker_survives_errors_and_goes_on() -> None:
    done, errors = threading.Event(), []

    def work(item: int) -> None:
        if item < 0:
            raise ValueError(f"item {item}")
        done.set()

    failed = threading.Event()

    def on_error(error: Exception) -> None:
        errors.append(str(error))
        failed.set()

    worker = Worker("test", work, on_error)
    worker.slot.put(-1)
    assert failed.wait(5)
    worker.slot.put(1)
    assert done.wait(5)
    assert worker.stop()
    assert errors == ["item -1"]


def test_no_growing_lag_behind_a_fast_source() -> None:
    ages: list[float] = []

    def work(put_at: float) -> None:
        ages.append(time.monotonic() - put_at)
        time.sleep(0.02)

    worker = Worker("test", work, lambda error: None)
    end = time.monotonic() + 20
    while len(ages) < 15 and time.monotonic() < end:
        worker.slot.put(time.monotonic())
        time.sleep(0.001)
    assert worker.stop()
    assert len(ages) > 5
    assert sorted(ages)[len(ages) // 2] < 0.02
    assert worker.slot.dropped > len(ages)


def test_stop_waits_for_the_work_at_hand() -> None:
    started, finished = threading.Event(), threading.Event()

    def work(item: int) -> None:
        started.set()
        time.sleep(0.1)
        finished.set()

    worker = Worker("test", work, lambda error: None)
    worker.slot.put(1)
    assert started.wait(5)
    assert worker.stop()
    assert finished.is_set()


def test_stop_gives_up_on_work_that_hangs() -> None:
    release = threading.Event()
    started = threading.Event()

    def work(item: int) -> None:
        started.set()
        release.wait(10)

    worker = Worker("test", work, lambda error: None)
    worker.slot.put(1)
    assert started.wait(5)
    assert not worker.stop(timeout_s=0.05)
    release.set()
    assert worker.stop()


def test_worker_may_stop_itself() -> None:
    stopped: list[bool] = []
    box: list[Worker[int]] = []
    done = threading.Event()

    def work(item: int) -> None:
        stopped.append(box[0].stop())
        done.set()

    box.append(Worker("test", work, lambda error: pytest.fail(str(error))))
    box[0].slot.put(1)
    assert done.wait(5)
    assert stopped == [False]
    assert box[0].stop()
