"""Faults of the camera and the set-up: a clear message each, and a node that goes on."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from ros_helpers import (
    Graph,
    Health,
    LightChain,
    Listener,
    TestCamera,
    graph,
    header_at,
    logs,
    ros_domain,
    values,
    wait_for,
)
from tf2_msgs.msg import TFMessage

from hand_recon_ros.config import Config
from hand_recon_ros.nodes import lifecycle_node, problems

__all__ = ["graph", "logs", "ros_domain"]  # fixtures
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report and settle ten times as fast, so that the tests are quick."""
    monkeypatch.setattr(lifecycle_node, "REPORT_PERIOD_S", 0.1)
    monkeypatch.setattr(problems, "SETTLE_S", 0.1)


def started(graph: Graph, **parameters: Any) -> tuple[LightChain, Listener, TestCamera]:
    """A node with a camera that has sent its camera_info and is being heard."""
    chain = LightChain()
    graph.node(chain, **parameters)
    hands, camera = Listener(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: hands.messages, "the first hands")
    return chain, hands, camera


def count(logs: list[str], text: str) -> int:
    return sum(text in line for line in logs)


def warnings(logs: list[str]) -> list[str]:
    """What is wrong, without the news that it is over."""
    return [line for line in logs if not line.startswith("info")]


def test_node_started_before_the_camera(graph: Graph, logs: list[str]) -> None:
    graph.node(LightChain(), stale_after_s=2.0)
    health, hands = Health(graph), Listener(graph)
    health.wait(WARN, "no image yet on /image")
    camera = TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: hands.messages, "hands")
    camera.until(lambda: health.status().level == OK, "healthy diagnostics")
    assert count(logs, "recovered: no image yet") == 1


def test_camera_that_stops_and_returns(graph: Graph, logs: list[str]) -> None:
    _, hands, camera = started(graph, stale_after_s=0.3)
    health = Health(graph)
    health.wait(WARN, "stream stale")
    silent = len(hands.messages)
    received = len(health.messages)
    wait_for(lambda: len(health.messages) > received + 3, "more silence")
    assert len(hands.messages) == silent, "nothing is published of old images"
    assert count(warnings(logs), "stream stale") == 1
    camera.until(
        lambda: health.status().level == OK and len(hands.messages) > silent, "healthy diagnostics"
    )
    assert count(logs, "recovered: stream stale") == 1


def test_changing_resolution(graph: Graph, logs: list[str]) -> None:
    chain, hands, camera = started(graph)
    resets = chain.resets
    camera.until(
        lambda: hands.messages[-1].width == 128, "hands of the larger image", width=128, height=96
    )
    assert chain.frames[-1].camera.K[0, 0] == pytest.approx(128.0), "K is scaled"
    assert chain.resets == resets + 1
    assert count(logs, "K is scaled") == 1
    camera.info(width=128, height=96, k=[100.0, 0, 64, 0, 100, 48, 0, 0, 1])
    camera.until(
        lambda: chain.frames[-1].camera.K[0, 0] == pytest.approx(100.0),
        "the new calibration",
        width=128,
        height=96,
    )
    assert chain.resets == resets + 2
    assert count(logs, "recovered: /camera_info is for 64x48") == 1


def test_another_aspect_ratio_waits_for_its_camera_info(graph: Graph, logs: list[str]) -> None:
    chain, hands, camera = started(graph, camera_info_timeout_s=0.4)
    before = len(hands.messages)
    camera.until(
        lambda: hands.messages[-1].width == 80, "hands after the timeout", width=80, height=48
    )
    assert hands.messages[-1].intrinsics == "assumed"
    assert len(hands.messages) > before
    assert count(logs, "(it is for 64x48)") == 1
    camera.info(width=80, height=48)
    camera.until(
        lambda: hands.messages[-1].intrinsics == "camera_info",
        "the new calibration",
        width=80,
        height=48,
    )
    assert chain.frames[-1].camera.width == 80


def test_no_camera_info_assumes_a_view_and_says_so_once(graph: Graph, logs: list[str]) -> None:
    chain = LightChain()
    graph.node(chain, camera_info_timeout_s=0.3, camera__hfov_deg=90.0)
    hands, health, camera = Listener(graph), Health(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.image()
    camera.until(lambda: len(hands.messages) > 20, "hands")
    assert hands.messages[0].intrinsics == "assumed"
    assert chain.frames[0].camera.K[0, 0] == pytest.approx(32.0), "90 degrees at 64 px"
    assert count(logs, "90 deg is assumed") == 1
    camera.until(lambda: health.status(), "diagnostics")
    health.wait(WARN, "no /camera_info")
    camera.info()
    camera.until(lambda: hands.messages[-1].intrinsics == "camera_info", "the calibration")


def test_required_camera_info_is_waited_for(graph: Graph) -> None:
    graph.node(LightChain(), camera_info_timeout_s=0.1, require_camera_info=True)
    hands, health, camera = Listener(graph), Health(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.until(
        lambda: (s := health.status()) and s.level == WARN and "images wait" in s.message, "waiting"
    )
    assert not hands.messages
    camera.info()
    camera.until(lambda: hands.messages, "hands")


@pytest.mark.parametrize(
    ("k", "said"),
    [([0.0] * 9, "K all zeros"), ([math.nan] * 9, "NaN")],
    ids=["zeros", "nan"],
)
def test_unusable_calibration(graph: Graph, logs: list[str], k: list[float], said: str) -> None:
    graph.node(LightChain())
    hands, health, camera = Listener(graph), Health(graph), TestCamera(graph)
    camera.wait_until_heard()
    for _ in range(5):
        camera.info(k=k)

    def step() -> bool:
        camera.info(k=k)
        return len(hands.messages) > 10

    camera.until(step, "hands")
    assert hands.messages[-1].intrinsics == "assumed"
    assert count(logs, said) == 1
    camera.until(lambda: health.status(), "diagnostics")
    health.wait(ERROR, said)
    camera.info()
    camera.until(lambda: hands.messages[-1].intrinsics == "camera_info", "the calibration")
    camera.until(lambda: health.status().level == OK, "healthy diagnostics")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"encoding": "32FC1", "pixel_bytes": 4}, "32FC1"),
        ({"encoding": "made_up"}, "made_up"),
        ({"cut": 100}, "bytes"),
        ({"cut": 64 * 48 * 3}, "bytes"),
    ],
    ids=["depth image", "unknown encoding", "truncated", "empty"],
)
def test_unreadable_images(
    graph: Graph, logs: list[str], fields: dict[str, Any], said: str
) -> None:
    _, hands, camera = started(graph)
    health = Health(graph)
    camera.until(
        lambda: (s := health.status()) and s.level == ERROR and said in s.message,
        "the error in the diagnostics",
        **fields,
    )
    assert count([line for line in logs if line.startswith("error")], "/image: ") == 1
    good = len(hands.messages)
    camera.until(lambda: len(hands.messages) > good, "hands of good images")
    camera.until(lambda: health.status().level == OK, "healthy diagnostics")
    assert count(logs, "recovered: /image: ") == 1


def test_truncated_jpeg(graph: Graph, logs: list[str]) -> None:
    graph.node(LightChain(), image_transport="compressed")
    hands, camera = Listener(graph), TestCamera(graph)
    camera.wait_until_heard(compressed=True)
    camera.info()

    def broken() -> bool:
        camera.jpeg(cut=200)
        time.sleep(0.01)
        return bool(count(logs, "cut off"))

    wait_for(broken, "the error")

    def good() -> bool:
        camera.jpeg()
        time.sleep(0.01)
        return bool(hands.messages)

    wait_for(good, "hands")


@pytest.mark.parametrize(
    ("encoding", "pixel_bytes"), [("mono8", 1), ("mono16", 2), ("bgra8", 4), ("bayer_rggb8", 1)]
)
def test_encodings_reach_the_chain(graph: Graph, encoding: str, pixel_bytes: int) -> None:
    chain = LightChain()
    graph.node(chain)
    hands, camera = Listener(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: hands.messages, "hands", encoding=encoding, pixel_bytes=pixel_bytes)
    assert chain.frames[0].image.shape == (48, 64, 3)
    assert chain.frames[0].image.dtype == np.uint8


def test_a_chain_that_fails_does_not_stop_the_node(graph: Graph, logs: list[str]) -> None:
    chain, hands, camera = started(graph)
    health = Health(graph)
    resets = chain.resets

    def fail(frame: object) -> None:
        raise ZeroDivisionError("no luck")

    chain.before = fail
    camera.until(
        lambda: (s := health.status()) and s.level == ERROR and "no luck" in s.message, "the error"
    )
    camera.until(lambda: int(values(health.status())["failed"]) > 3, "more failed frames")
    assert count(logs, "no luck") == 1
    assert chain.resets > resets, "the chain does not go on from a half-processed frame"
    chain.before = lambda frame: None
    good = len(hands.messages)
    camera.until(lambda: len(hands.messages) > good, "hands")
    camera.until(lambda: health.status().level == OK, "healthy diagnostics")


def test_a_chain_that_cannot_be_reset_does_not_stop_the_node(graph: Graph, logs: list[str]) -> None:
    chain, hands, camera = started(graph)

    def fail(*frame: object) -> None:
        raise ZeroDivisionError("no luck")

    good_reset = chain.reset
    chain.before = chain.reset = fail  # type: ignore[method-assign]
    camera.until(lambda: count(logs, "cannot start anew"), "the error")
    chain.before, chain.reset = lambda frame: None, good_reset  # type: ignore[method-assign]
    good = len(hands.messages)
    camera.until(lambda: len(hands.messages) > good, "hands")


def test_images_without_a_frame_id(graph: Graph, logs: list[str]) -> None:
    tf = Listener(graph, TFMessage, "/tf")
    _, hands, camera = started(graph)
    wait_for(lambda: tf.messages, "transforms")
    camera.image(header_at(camera.stamp_ns + 900_000_000, ""))
    wait_for(lambda: hands.messages[-1].header.frame_id == "", "hands without a frame")
    assert count(logs, "set the driver's frame id, or camera_frame") == 1
    assert all(t.header.frame_id for m in tf.messages for t in m.transforms)


def test_late_and_repeated_images_are_left_out(graph: Graph, logs: list[str]) -> None:
    chain, _, camera = started(graph)
    newest, resets = camera.stamp_ns, chain.resets

    def at(stamp_ns: int, frames: int) -> None:
        """Send an image and wait until the node has looked at it."""
        camera.image(header_at(stamp_ns))

    def send_both() -> bool:
        at(newest, 1)
        time.sleep(0.02)
        return bool(count(logs, "repeat a stamp"))

    wait_for(send_both, "the report of repeated stamps")
    camera.until(lambda: chain.frames[-1].stamp > newest * 1e-9, "a newer image")
    stamp = camera.stamp_ns
    wait_for(
        lambda: (
            (camera.image(header_at(stamp - SECOND // 10)), time.sleep(0.02))
            and count(logs, "out of order")
        ),
        "the report of late images",
    )
    stamps = [frame.stamp for frame in chain.frames]
    assert stamps == sorted(set(stamps)) or chain.resets > resets


def test_time_that_jumps_back_starts_anew(graph: Graph, logs: list[str]) -> None:
    chain, hands, camera = started(graph)
    resets, before = chain.resets, len(chain.frames)
    camera.stamp_ns -= 500 * SECOND
    camera.until(lambda: len(chain.frames) > before + 3, "frames of the second round")
    assert chain.resets == resets + 1
    assert count(warnings(logs), "jumped back by 500 s") == 1
    assert hands.messages[-1].header.stamp.sec < 600


@pytest.mark.parametrize("stamp", [(0, 0), (-5, 0), (12, 4_000_000_000)])
def test_stamps_that_are_none(graph: Graph, logs: list[str], stamp: tuple[int, int]) -> None:
    chain = LightChain()
    graph.node(chain)
    hands, camera = Listener(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    header = header_at(0)
    header.stamp.sec, header.stamp.nanosec = stamp
    camera.until(lambda: len(hands.messages) > 3, "hands", header=header)
    assert count(logs, "time of receipt is used") == 1
    assert abs(hands.messages[-1].header.stamp.sec - time.time()) < 60
    assert chain.frames[0].stamp < chain.frames[-1].stamp


def test_incompatible_quality_of_service_is_named(graph: Graph, logs: list[str]) -> None:
    graph.node(LightChain(), image_reliability="reliable")
    camera = TestCamera(graph, reliable=False, name="poor_camera")
    health = Health(graph)
    status = health.wait(ERROR, "RELIABILITY")
    assert "poor_camera" in status.message
    assert "image_reliability to best_effort" in status.message
    assert camera.images.get_subscription_count() == 0
    assert count(logs, "RELIABILITY") == 1


def test_no_gpu_with_device_cuda(graph: Graph, capfd: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    node = graph.node(real_chain, device="cuda")
    assert node._state_machine.current_state[1] == "active"
    said = capfd.readouterr().err
    assert "no CUDA GPU" in said
    assert "on cpu" in said


def real_chain(config: Config) -> Any:
    """The real chain but for the front end, which takes a second to load."""
    from hand_recon_ros.front_end import FrontEnd
    from hand_recon_ros.pipeline import HandReconstructor

    return HandReconstructor(config, front_end=FrontEnd(_Blind(), _Blind()))


class _Blind:
    """Sees no hand."""

    def detect(self, frame: object, previous: object) -> list:
        return []

    def estimate(self, frame: object, detections: object) -> list:
        return []

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("bad", ["missing", "not a model"])
def test_bad_mano_path_can_be_set_right(
    graph: Graph, logs: list[str], tmp_path: Any, bad: str
) -> None:
    from rclpy.parameter import Parameter

    path = tmp_path / "MANO_RIGHT.pkl"
    if bad == "not a model":
        path.write_bytes(b"nonsense")
    node = graph.node(real_chain, model__right_path=str(path))
    assert node._state_machine.current_state[1] == "unconfigured"
    health = Health(graph)
    status = health.wait(ERROR, "cannot configure")
    assert str(path) in status.message
    assert node.set_parameters([Parameter("model.right_path", value="")])[0].successful
    assert node.trigger_configure().name == "SUCCESS"
    assert node.trigger_activate().name == "SUCCESS"
    camera, hands = TestCamera(graph), Listener(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: hands.messages, "hands")
    assert hands.messages[0].hand_model == "embedded"


def start_process(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "hand_recon_ros.nodes.hand_recon_node", "--ros-args", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def test_interrupt_in_the_middle_of_a_frame(graph: Graph) -> None:
    process = start_process()
    try:
        hands, camera = Listener(graph), TestCamera(graph)
        wait_for(camera.images.get_subscription_count, "the node's subscription", 60)
        camera.info(640, 480)
        camera.until(lambda: hands.messages, "an answer", width=640, height=480)
        for _ in range(3):  # it is at work on one of these
            camera.image(width=640, height=480)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert time.monotonic() - began < 10
    assert "Traceback" not in output, output


def test_termination_while_unconfigured(graph: Graph) -> None:
    from rclpy.node import Node

    probe = graph.add(Node("probe", context=graph.context))
    process = start_process("-r", "__node:=idle_node", "-p", "autostart:=false")
    try:
        wait_for(lambda: "idle_node" in probe.get_node_names(), "the node", 60)
        # It is in the graph before its constructor ends; its status comes out of the main loop.
        health = Health(graph)
        status = wait_for(lambda: health.status("idle_node: hands"), "its diagnostics")
        assert status.message == "unconfigured"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert "Traceback" not in output, output


def test_a_mistyped_parameter_ends_with_a_remedy() -> None:
    process = start_process("-p", "fit.hand_lenght_m:=0.19")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert "fit.hand_length_m" in output
    assert "Traceback" not in output, output


def test_mirrored_images_reach_the_overlay_unmirrored(graph: Graph) -> None:
    from sensor_msgs.msg import Image

    graph.node(LightChain(), detector__mirrored=True)
    overlay, camera = Listener(graph, Image, "/hand_recon_node/overlay"), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    message = camera.image()

    def half_red() -> None:
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, :6, 0] = 255
        message.header = camera.header()
        message.data = picture.tobytes()
        camera.images.publish(message)

    wait_for(lambda: (half_red(), time.sleep(0.02)) and overlay.messages, "the overlay")

    def shown() -> Any:
        half_red()
        time.sleep(0.02)
        pixels = np.array(overlay.messages[-1].data, np.uint8).reshape(48, 64, 3)
        return pixels[40, 62, 0] > 200 and pixels[40, 1, 0] < 50

    wait_for(shown, "the red border on the right")
