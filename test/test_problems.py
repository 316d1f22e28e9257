"""The list of a running node's problems: what is logged, and how often."""

import logging

import pytest

from hand_recon_ros.nodes.problems import SETTLE_S, Problems


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def problems(clock: Clock, caplog: pytest.LogCaptureFixture) -> Problems:
    caplog.set_level(logging.INFO)
    return Problems(logging.getLogger("node"), clock)


def test_a_problem_is_logged_once_until_it_is_over(problems, clock, caplog):
    for _ in range(30):
        problems.report("image", "no picture", "error")
        clock.now += 0.03
        problems.clear("image")
    assert caplog.messages == ["no picture"]
    assert problems.summary() == ("error", "no picture")
    clock.now += SETTLE_S
    problems.clear("image")
    assert caplog.messages == ["no picture", "recovered: no picture"]
    assert problems.summary() == (None, "")


def test_figures_that_change_with_every_image_do_not_flood_the_log(problems, clock, caplog):
    for size in range(1000, 1090):  # three seconds at 30 Hz
        problems.report("image", f"an image of {size} bytes is cut off")
        clock.now += SETTLE_S / 30
    assert 3 <= len(caplog.messages) <= 4
    assert problems.summary()[1] == "an image of 1089 bytes is cut off"


def test_another_problem_of_the_same_kind_is_told_at_once(problems, caplog):
    problems.report("image", "an image of 10 bytes is cut off")
    problems.report("image", "encoding 'x' is not supported")
    assert caplog.messages == ["an image of 10 bytes is cut off", "encoding 'x' is not supported"]


def test_errors_come_before_warnings(problems):
    problems.report("stamp", "stamps are zero")
    problems.report("chain", "a frame failed", "error")
    assert problems.summary() == ("error", "a frame failed; stamps are zero")
    problems.forget()
    assert problems.summary() == (None, "")
