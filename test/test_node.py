"""The node's inputs, outputs and life cycle, over real DDS."""

from __future__ import annotations

import threading
import time
from pathlib import Path

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
    nanoseconds,
    rgb_message,
    ros_domain,
    values,
    wait_for,
)
from tf2_msgs.msg import TFMessage

from hand_recon_ros.nodes.slot import Worker
from hand_recon_ros.types import Frame

__all__ = ["graph", "ros_domain"]  # fixtures


def test_an_image_becomes_hands_with_its_own_header(graph: Graph) -> None:
    chain = LightChain()
    graph.node(chain)
    hands, camera = Listener(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: hands.messages, "hands")
    message = hands.messages[0]
    assert message.header.frame_id == "camera_optical_frame"
    assert message.header.stamp.sec == 1000
    assert message.intrinsics == "camera_info"
    assert message.camera.endswith("image")
    assert (message.width, message.height) == (64, 48)
    assert message.hands[0].track_id == 7
    np.testing.assert_allclose(chain.frames[0].camera.K[0, 0], 64.0)


def test_no_hand_gives_an_empty_array_and_no_transform(graph: Graph) -> None:
    chain = LightChain()
    chain.hands = 0
    graph.node(chain)
    hands, tf, camera = Listener(graph), Listener(graph, TFMessage, "/tf"), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: len(hands.messages) > 3, "empty arrays")
    assert all(len(m.hands) == 0 for m in hands.messages)
    assert not tf.messages
    chain.hands = 1
    camera.until(lambda: tf.messages, "transforms")
    wrist = tf.messages[0].transforms[0]
    assert wrist.header.frame_id == "camera_optical_frame"
    assert wrist.child_frame_id == "right_wrist"


@pytest.mark.parametrize("camera_reliable", [False, True])
@pytest.mark.parametrize("transport", ["raw", "compressed"])
def test_transports_and_reliabilities(graph: Graph, transport: str, camera_reliable: bool) -> None:
    chain = LightChain()
    graph.node(chain, image_transport=transport)
    hands, camera = Listener(graph), TestCamera(graph, reliable=camera_reliable)
    compressed = transport == "compressed"
    camera.wait_until_heard(compressed)
    camera.info()

    def step() -> bool:
        if compressed:
            camera.jpeg()
        else:
            camera.image()
        time.sleep(0.015)
        return bool(hands.messages)

    wait_for(step, "hands")
    if compressed:
        assert chain.frames[0].image[..., 2].min() > 200, "the blue of the BGR picture"
    assert chain.frames[0].source == ("/image/compressed" if compressed else "/image")


def test_a_slow_chain_always_gets_the_newest_image(graph: Graph) -> None:
    chain = LightChain()
    node = graph.node(chain)
    hands, camera = Listener(graph), TestCamera(graph)
    behind: list[float] = []

    def slow(frame: Frame) -> None:
        behind.append((camera.stamp_ns * 1e-9 - frame.stamp) * 30)  # images sent since this one
        time.sleep(0.2)

    chain.before = slow
    camera.wait_until_heard()
    camera.info()

    def step() -> bool:
        camera.image()
        time.sleep(0.02)
        return len(hands.messages) >= 12

    wait_for(step, "hands of a slow chain")
    # Each time some ten images come; in a queue the last frame would be a hundred images old.
    # The median, as a stall of the machine can hold up one between slot and chain.
    assert np.median(behind[6:]) < 5
    stamps = [nanoseconds(m.header) for m in hands.messages]
    assert stamps == sorted(stamps)
    statistics, worker = node._statistics, node._worker
    assert worker is not None
    assert worker.slot.dropped > 0
    assert statistics.received >= statistics.processed + worker.slot.dropped


def test_lifecycle(graph: Graph) -> None:
    chain = LightChain()
    node = graph.node(chain, autostart=False)
    hands, camera = Listener(graph), TestCamera(graph)
    assert node._state_machine.current_state[1] == "unconfigured"
    change = _Service(graph, "/hand_recon_node/change_state")
    assert change(1), "configure"
    assert camera.images.get_subscription_count() == 0
    assert change(3), "activate"
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: hands.messages, "hands")
    assert change(4), "deactivate"
    wait_for(lambda: camera.images.get_subscription_count() == 0, "the end of the subscription")
    count = len(hands.messages)
    assert not chain.closed
    assert change(3), "activate again"
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: len(hands.messages) > count, "hands again")
    assert change(4)
    assert change(2), "cleanup"
    assert chain.closed
    wait_for(lambda: not hands.connected(), "the end of the publisher")
    assert change(1), "configure again"
    assert not chain.closed
    assert change(6), "shutdown while inactive"
    assert chain.closed
    assert node._state_machine.current_state[1] == "finalized"


def test_a_frame_that_hangs_keeps_its_models(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker.stop, "__defaults__", (0.1,))
    chain = LightChain()
    node = graph.node(chain)
    hands, camera = Listener(graph), TestCamera(graph)
    change = _Service(graph, "/hand_recon_node/change_state")
    inside, go_on = threading.Event(), threading.Event()

    def hang(frame: object) -> None:
        inside.set()
        go_on.wait(30)

    chain.before = hang
    camera.wait_until_heard()
    camera.info()
    try:
        camera.until(inside.is_set, "the frame that hangs")
        assert change(4), "deactivate"
        assert not change(3), "two frames at once would upset the chain"
        assert "still being worked on" in node._problems.last_error
        assert node._state_machine.current_state[1] == "inactive"
        go_on.set()
        wait_for(node._idle, "the end of the frame")
        chain.before = lambda frame: None
        assert change(3), "activate"
        camera.wait_until_heard()
        camera.info()
        camera.until(lambda: hands.messages, "hands")
        inside.clear()
        go_on.clear()
        chain.before = hang
        camera.until(inside.is_set, "the frame that hangs")
        assert change(4), "deactivate"
        assert change(2), "cleanup"
        assert not chain.closed, "the frame at hand still uses the models"
    finally:
        go_on.set()


class _Service:
    """Calls change_state as a lifecycle manager does."""

    def __init__(self, graph: Graph, name: str) -> None:
        from lifecycle_msgs.srv import ChangeState
        from rclpy.node import Node

        self._request = ChangeState.Request
        self._client = graph.add(Node("manager", context=graph.context)).create_client(
            ChangeState, name
        )

    def __call__(self, transition: int) -> bool:
        assert self._client.wait_for_service(10)
        request = self._request()
        request.transition.id = transition
        future = self._client.call_async(request)
        wait_for(future.done, f"transition {transition}")
        return bool(future.result().success)


def test_two_nodes_in_one_process(graph: Graph) -> None:
    left, right = LightChain(), LightChain()
    left.hands, right.hands = 0, 2
    graph.node(left, "tracker", namespace="/left")
    graph.node(right, "tracker", namespace="/right")
    heard = {}
    for side in ("left", "right"):
        heard[side] = Listener(graph, topic=f"/{side}/tracker/hands")
        camera = TestCamera(graph, namespace=f"/{side}")
        camera.wait_until_heard()
        camera.info()
        camera.until(lambda side=side: heard[side].messages, f"hands of the {side} node")
    assert len(heard["left"].messages[0].hands) == 0
    assert len(heard["right"].messages[0].hands) == 2
    assert left.frames[0].source == "/left/image"


def test_diagnostics_give_rates_and_counts(graph: Graph) -> None:
    graph.node(LightChain())
    health, camera = Health(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.stamp_ns = time.time_ns()
    camera.until(
        lambda: (s := health.status()) and s.level == DiagnosticStatus.OK and s.message == "active",
        "healthy diagnostics",
    )
    camera.until(lambda: int(values(health.status())["processed"]) > 10, "results counted")
    figures = values(health.status())
    assert figures["device"] == "cpu"
    assert float(figures["rate in [Hz]"]) > 5
    assert float(figures["rate out [Hz]"]) > 5
    assert float(figures["receipt to publish p95 [ms]"]) < 1000
    assert figures["last error"] == ""
    assert health.status().hardware_id == "/image"


def test_parameters_for_viewers_act_at_once(graph: Graph) -> None:
    from rclpy.parameter import Parameter

    node = graph.node(LightChain())
    tf, camera = Listener(graph, TFMessage, "/tf"), TestCamera(graph)
    hands = Listener(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: tf.messages, "transforms")
    assert node.set_parameters([Parameter("publish_tf", value=False)])[0].successful
    after = camera.stamp_ns + 10**8
    camera.until(
        lambda: hands.messages and nanoseconds(hands.messages[-1].header) > after,
        "hands after the change",
    )
    late = [m for m in tf.messages if nanoseconds(m.transforms[0].header) > after]
    assert not late
    refused = node.set_parameters([Parameter("image_transport", value="theora")])[0]
    assert not refused.successful
    assert "image_transport" in refused.reason


def test_the_real_chain_sees_a_real_hand(graph: Graph) -> None:
    video = Path(__file__).parents[2] / "shared/data/video/right_hand_fingers_720p30.mp4"
    if not video.exists():
        pytest.skip("the recorded video is not here")
    from hand_recon_ros.io.cameras import load_cameras
    from hand_recon_ros.io.frames import open_video
    from hand_recon_ros.nodes.lifecycle_node import real_reconstructor

    with open_video(str(video), load_cameras(None)) as source:
        picture = next(iter(source)).image
    node = graph.node(real_reconstructor, fit__hand_length_m=0.19)
    hands, camera = Listener(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.info(1280, 720, k=[1108.5, 0, 640, 0, 1108.5, 360, 0, 0, 1])

    def step() -> bool:
        camera.images.publish(rgb_message(picture, camera.header()))
        time.sleep(0.03)
        return any(message.hands for message in hands.messages)

    wait_for(step, "a hand")
    message = next(m for m in hands.messages if m.hands)
    (hand,) = message.hands
    assert hand.side == hand.RIGHT
    assert message.scale_source == "hand_length"
    assert message.hand_model == "embedded"
    assert 0.2 < hand.wrist.position.z < 1.5
    pixels = np.array([(p.x, p.y) for p in hand.keypoints_px])
    assert ((pixels > 0) & (pixels < (1280, 720))).all()
    assert node.trigger_deactivate().name == "SUCCESS"
