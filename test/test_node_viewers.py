"""Markers and overlay are made for viewers only, and never hold up the hands, over real DDS."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest
from ros_helpers import Graph, LightChain, Listener, TestCamera, graph, ros_domain, wait_for
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

__all__ = ["graph", "ros_domain"]  # fixtures


def test_nothing_is_made_for_viewers_while_nobody_looks(graph: Graph) -> None:
    chain = LightChain()
    graph.node(chain)
    hands, camera = Listener(graph), TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: len(hands.messages) > 5, "hands")
    assert chain.meshes_made == 0
    markers = Listener(graph, MarkerArray, "/hand_recon_node/markers")
    overlay = Listener(graph, Image, "/hand_recon_node/overlay")
    camera.until(lambda: markers.messages and overlay.messages, "markers and overlay")
    assert {m.ns for m in markers.messages[-1].markers} >= {"mesh", "skeleton", "joints"}
    picture = overlay.messages[-1]
    assert (picture.width, picture.height, picture.encoding) == (64, 48, "rgb8")
    assert picture.header.frame_id == "camera_optical_frame"
    assert np.array(picture.data).any()


@pytest.mark.parametrize("kind", ["waiting", "computing"])
def test_slow_drawing_does_not_hold_up_the_hands(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Rate and delay of the hands are the same with a viewer whose pictures take 0.2 s each.

    Computing in Python is the worst case: it holds the interpreter's lock.
    """
    from hand_recon_ros.rendering.overlay import Overlay

    def slowly(self: Overlay, image: np.ndarray, *others: object) -> np.ndarray:
        end = time.monotonic() + 0.2
        if kind == "waiting":
            time.sleep(0.2)
        while time.monotonic() < end:
            pass
        return image

    monkeypatch.setattr(Overlay, "draw", slowly)
    monkeypatch.setattr(Overlay, "close", lambda self: None)
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-4)  # as the node's executable does
    try:
        graph.node(LightChain())
        hands, camera = Listener(graph), TestCamera(graph)
        camera.wait_until_heard()
        camera.info()
        camera.until(lambda: hands.messages, "hands")
        for _ in range(3):  # a stall of the machine spoils an attempt, a slow node all of them
            share, delay = _share_and_delay(camera, hands)
            overlay = Listener(graph, Image, "/hand_recon_node/overlay")
            camera.until(lambda seen=overlay: seen.messages, "the first overlay")
            first = len(overlay.messages)
            share_viewed, delay_viewed = _share_and_delay(camera, hands, 60)
            drawn = len(overlay.messages) - first
            overlay.node.destroy_subscription(overlay.subscription)
            if drawn >= 2 and share_viewed > share - 0.1 and delay_viewed < delay + 0.02:
                break
    finally:
        sys.setswitchinterval(before)
    assert drawn >= 2, "pictures were drawn meanwhile"
    assert share_viewed > share - 0.1
    assert delay_viewed < delay + 0.02


def _share_and_delay(camera: TestCamera, hands: Listener, count: int = 40) -> tuple[float, float]:
    """Share of images sent at about 50 Hz that give hands, and the median delay, s."""
    sent: dict[int, float] = {}
    for _ in range(count):
        stamp = camera.image().header.stamp
        sent[stamp.sec * 10**9 + stamp.nanosec] = time.monotonic()
        time.sleep(0.02)
    last = max(sent)

    def stamps() -> list[int]:
        return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in hands.messages]

    wait_for(lambda: stamps()[-1] >= last, "the last hands")
    delays = [t - sent[s] for s, t in zip(stamps(), hands.times, strict=False) if s in sent]
    return len(delays) / count, float(np.median(delays))


def test_a_chain_that_falls_behind_comes_before_viewers(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hand_recon_ros.rendering.overlay import Overlay

    monkeypatch.setattr(Overlay, "draw", lambda self, image, *others: image)
    chain = LightChain()
    graph.node(chain)
    hands, overlay = Listener(graph), Listener(graph, Image, "/hand_recon_node/overlay")
    camera = TestCamera(graph)
    camera.wait_until_heard()
    camera.info()
    camera.until(lambda: len(overlay.messages) > 10, "overlays of a quick chain")
    chain.before = lambda frame: time.sleep(0.1)  # images come five times as quickly
    results, pictures, start = len(hands.messages), len(overlay.messages), time.monotonic()
    camera.until(lambda: len(hands.messages) >= results + 16, "hands of a slow chain")
    drawn = len(overlay.messages) - pictures
    assert 2 <= drawn <= (time.monotonic() - start) / 0.25 + 3
    assert drawn < 12
