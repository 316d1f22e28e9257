"""The demo's parts and the whole: figures, bag, player, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.qos import QoSProfile
from ros_helpers import Graph, Listener, graph, make_hand, ros_domain, wait_for
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from hand_recon_ros.camera import Camera
from hand_recon_ros.msg import HandArray
from hand_recon_ros.nodes.camera_player import CameraPlayer, back_and_forth, play, prepare, prepared
from hand_recon_ros.nodes.convert import hand_array_message
from hand_recon_ros.nodes.demo_input import Truth
from hand_recon_ros.nodes.demo_report import measure_accuracy, measure_flow
from hand_recon_ros.nodes.recorder import Received, Recorder, hand_frame
from hand_recon_ros.types import Frame, HandFrame

pytest.importorskip("rosbags")
__all__ = ["graph", "ros_domain"]  # fixtures
CAMERA = Camera(64, 48, np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]))


def frame(index: int = 0, value: int = 0, fps: float = 30.0) -> Frame:
    image = np.full((48, 64, 3), value, np.uint8)
    image[0, 0] = (1, 2, 3)
    return Frame(image, index / fps, CAMERA, index, "test")


def result(index: int = 0, hands: int = 1) -> HandFrame:
    return HandFrame(index, "test", 5.0, CAMERA, tuple(make_hand() for _ in range(hands)))


def received(stamp_ms: int, receipt_ms: int, hands: int = 1) -> Received:
    message = hand_array_message(result(hands=hands), Header())
    return Received(message, stamp_ms * 10**6, receipt_ms * 10**6)


def test_flow_counts_only_the_played_images() -> None:
    indices = {stamp * 10**6: k for k, stamp in enumerate((100, 200, 300, 400))}
    flow = measure_flow(
        [received(50, 60), received(100, 120), received(200, 230, 0), received(400, 420)], indices
    )
    assert (flow.frames_in, flow.results_out, flow.dropped) == (4, 3, 1)
    assert (flow.with_hands, flow.hands) == (2, 2)
    assert flow.fps == pytest.approx(2 / 0.3)
    assert flow.latency_p50_ms == pytest.approx(20.0)


def test_accuracy_against_a_known_error() -> None:
    hand = make_hand()
    true = np.zeros((1, 2, 21, 3))
    true[0, 1] = hand.joints_m + np.array([0.01, 0, 0])  # right hand, 10 mm beside
    true[0, 1, 1:] += (0, 0.002, 0)  # its joints another 2 mm from where they should be
    true[0, 0] = hand.joints_m + np.array([1.0, 0, 0])
    accuracy = measure_accuracy([result()], Truth(true, 0.18))
    assert accuracy.seen == 0.5
    assert accuracy.wrong_side == 0
    assert accuracy.wrist_mm == pytest.approx(10.0)
    assert accuracy.joints_mm == pytest.approx(2.0 * 20 / 21)
    swapped = measure_accuracy([result()], Truth(true[:, ::-1], 0.18))
    assert swapped.wrong_side == 1


def test_hands_come_back_from_their_message() -> None:
    there = result()
    back = hand_frame(received(1000, 1030), CAMERA, 3, "file")
    assert back.timings_ms["stamp_to_receipt"] == pytest.approx(30.0)
    for name in ("side", "track_id", "state", "scale_source"):
        assert getattr(back.hands[0], name) == getattr(there.hands[0], name)
    for name in ("joints_m", "joints_px", "wrist_rotation", "wrist_covariance", "box_px"):
        np.testing.assert_allclose(
            getattr(back.hands[0], name), getattr(there.hands[0], name), rtol=1e-6, atol=1e-12
        )


def test_back_and_forth_never_jumps() -> None:
    pictures = [(frame(k), bytearray([k])) for k in range(4)]
    order = [picture[0] for _, picture in back_and_forth(pictures, 30.0, 0.5)]
    assert len(order) == 15
    assert set(np.abs(np.diff(order))) == {1}
    stamps = [g.stamp for g, _ in back_and_forth(pictures, 30.0, 0.5)]
    np.testing.assert_allclose(np.diff(stamps), 1 / 30)


def test_player_is_a_camera_on_time(graph: Graph) -> None:
    player = CameraPlayer(reliable=True, context=graph.context)
    graph.add(player)
    images, infos = Listener(graph, Image, "/image"), Listener(graph, CameraInfo, "/camera_info")
    assert player.wait_for_listener(10)
    frames = [frame(k, value=k) for k in range(6)]
    began = time.monotonic()
    stamps = [stamp for _, stamp in play(player, prepared(frames))]
    spent = time.monotonic() - began
    wait_for(lambda: len(images.messages) == len(infos.messages) == 6, "six images and infos")
    assert 5 / 30 <= spent < 5
    for k, (message, info) in enumerate(zip(images.messages, infos.messages, strict=True)):
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == stamps[k]
        assert info.header == message.header
        pixels = np.array(message.data, np.uint8).reshape(48, 64, 3)
        np.testing.assert_array_equal(pixels, frames[k].image)
        assert info.k[0] == 60.0


def test_a_camera_repeats_its_first_picture_until_told(graph: Graph) -> None:
    images, infos = Listener(graph, Image, "/image"), Listener(graph, CameraInfo, "/camera_info")
    player = CameraPlayer(reliable=True, context=graph.context)
    try:
        assert player.wait_for_listener(10)
        player.prime(prepare(frame()), CAMERA, 0.01, lambda _: len(images.messages) >= 4)
        stamps = [(m.header.stamp.sec, m.header.stamp.nanosec) for m in images.messages]
        assert stamps == sorted(set(stamps)), "each has a stamp of its own"
        wait_for(lambda: len(infos.messages) >= 4, "a camera_info with each")
    finally:
        player.destroy_node()


def test_prepared_picture_is_an_ordinary_message() -> None:
    from rclpy.serialization import deserialize_message

    message = deserialize_message(bytes(prepare(frame())), Image)
    assert (message.encoding, message.step) == ("rgb8", 192)
    assert message.header.frame_id == "camera_optical_frame"


def test_recorded_bag_holds_the_messages(graph: Graph, tmp_path: Path) -> None:
    from rosbags.highlevel import AnyReader

    bag = tmp_path / "bag"
    with Recorder(graph.context, bag) as recorder:
        publisher = recorder.node.create_publisher(
            HandArray, "/hand_recon_node/hands", QoSProfile(depth=5)
        )
        wait_for(publisher.get_subscription_count, "the recorder")
        message = hand_array_message(result(hands=2), Header(frame_id="camera"))
        message.header.stamp.sec = 77
        publisher.publish(message)
        wait_for(lambda: recorder.hands, "the message")
    assert recorder.hands[0].stamp_ns == 77 * 10**9
    with AnyReader([bag]) as reader:
        topics = {c.topic: c.msgtype for c in reader.connections}
        assert topics["/tf"] == "tf2_msgs/msg/TFMessage"
        assert set(topics) >= {"/hand_recon_node/markers", "/diagnostics"}
        ((connection, stamp, data),) = reader.messages()
        read: Any = reader.deserialize(data, connection.msgtype)
    assert stamp == recorder.hands[0].receipt_ns
    assert read.header.frame_id == "camera"
    assert len(read.hands) == 2
    assert read.hands[1].joints[4].x == pytest.approx(make_hand().joints_m[4, 0])


def start_demo(out: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "hand_recon_ros.nodes.demo", "--out", str(out), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def last_words(demo: subprocess.Popen, timeout_s: float) -> str:
    """Wait for its end; one that hangs is ended with its node and player, and told."""
    try:
        return demo.communicate(timeout=timeout_s)[0]
    except subprocess.TimeoutExpired:
        demo.send_signal(signal.SIGINT)
        try:
            return demo.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            demo.kill()
            raise
    finally:
        demo.wait()


def test_demo_leaves_its_results(ros_domain: None, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    demo = start_demo(out, "--frames", "12")
    output = last_words(demo, timeout_s=150)
    assert demo.returncode == 0, output
    figures = json.loads((out / "summary.json").read_text())
    assert figures["frames_in"] == 12
    assert figures["results_out"] + figures["dropped"] == 12
    assert figures["results_out"] > 0
    assert figures["accuracy"]["wrong_side"] == 0
    lines = (out / "hands.jsonl").read_text().splitlines()
    assert len(lines) == figures["results_out"]
    for name in ("overlay.mp4", "summary.md", "bag/metadata.yaml"):
        assert (out / name).stat().st_size > 0, name
    assert str(out) in output, "says where to look"


def test_interrupted_demo_keeps_what_is_done(ros_domain: None, tmp_path: Path) -> None:
    video = Path(__file__).parents[2] / "shared/data/video/right_hand_fingers_720p30.mp4"
    if not video.exists():
        pytest.skip("the recorded video is not here")
    out = tmp_path / "demo"
    demo = start_demo(out, "--video", str(video))
    try:
        played = out / "played.csv"
        wait_for(lambda: played.exists() and played.read_text().count("\n") > 15, "images", 60)
        demo.send_signal(signal.SIGINT)
    finally:
        output = last_words(demo, timeout_s=60)
    assert demo.returncode == 130, output
    assert "Traceback" not in output, output
    figures = json.loads((out / "summary.json").read_text())
    assert 15 < figures["frames_in"] < 621
    assert (out / "overlay.mp4").stat().st_size > 0


@pytest.mark.parametrize("arguments", [("--video", "missing.mp4"), ("--frames", "0")])
def test_bad_use_is_told(ros_domain: None, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    demo = start_demo(tmp_path / "demo", *arguments)
    output = last_words(demo, timeout_s=60)
    assert demo.returncode == 2, output
    assert arguments[0].strip("-") in output
    assert "Traceback" not in output
