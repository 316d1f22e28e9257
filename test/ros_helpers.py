"""Real nodes over real DDS, for tests: a private domain, a camera, a listener, a light chain."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="needs ROS 2 (make setup, then . ./env.sh)")
pytest.importorskip("hand_recon_ros.msg", reason="needs the built messages (make setup)")
domain_coordinator = pytest.importorskip("domain_coordinator")

from builtin_interfaces.msg import Time  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from hand_recon_ros.config import Config  # noqa: E402
from hand_recon_ros.mano.loader import load_hand_model  # noqa: E402
from hand_recon_ros.msg import HandArray  # noqa: E402
from hand_recon_ros.nodes.lifecycle_node import HandReconNode  # noqa: E402
from hand_recon_ros.skeleton import SIDES  # noqa: E402
from hand_recon_ros.types import Frame, Hand, HandFrame, ManoParameters  # noqa: E402

DEADLINE_S = 20.0
"""Conditions come true in milliseconds; this only bounds a failing test on a busy machine."""


@pytest.fixture(scope="session", autouse=True)
def ros_domain() -> Iterator[None]:
    """A domain that no other process of this machine uses (held by a bound port)."""
    before = os.environ.get("ROS_DOMAIN_ID")
    with domain_coordinator.domain_id() as domain:
        os.environ["ROS_DOMAIN_ID"] = str(domain)
        yield
    if before is None:
        del os.environ["ROS_DOMAIN_ID"]
    else:
        os.environ["ROS_DOMAIN_ID"] = before


def wait_for(condition: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Return the first true value of ``condition``; fail after the deadline."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"waited {deadline_s} s in vain for: {what}")
        time.sleep(0.005)
    return value


class Graph:
    """Nodes of one test, spun by one thread of their own."""

    def __init__(self) -> None:
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._nodes: list[Node] = []
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            while not self._closed.is_set():
                self._executor.spin_once(timeout_sec=0.1)

    def add(self, node: Node) -> Node:
        self._nodes.append(node)
        self._executor.add_node(node)
        return node

    def node(
        self,
        factory: Callable[[Config], Any],
        name: str = "hand_recon_node",
        namespace: str | None = None,
        **parameters: Any,
    ) -> HandReconNode:
        node = HandReconNode(
            name,
            reconstructor_factory=factory,
            context=self.context,
            namespace=namespace,
            parameter_overrides=[
                Parameter(k.replace("__", "."), value=v) for k, v in parameters.items()
            ],
        )
        self.add(node)
        return node

    def close(self) -> None:
        self._closed.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._executor.shutdown()
        for node in self._nodes:
            node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture
def graph(ros_domain: None) -> Iterator[Graph]:
    g = Graph()
    yield g
    g.close()


class LightChain:
    """Stands in for ``HandReconstructor``: instant, and as slow or broken as a test wants."""

    device = "cpu"

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.warnings: list[str] = []
        self.models = {side: load_hand_model(side) for side in SIDES}
        self.frames: list[Frame] = []
        self.resets = 0
        self.closed = False
        self.meshes_made = 0
        self.hands = 1
        self.before: Callable[[Frame], None] = lambda frame: None

    def __call__(self, config: Config) -> LightChain:
        self.config, self.closed = config, False
        return self

    def process(self, frame: Frame) -> HandFrame:
        assert not self.closed
        self.before(frame)
        self.frames.append(frame)
        hands = tuple(make_hand() for _ in range(self.hands))
        return HandFrame(frame.index, frame.source, frame.stamp, frame.camera, hands)

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        self.closed = True

    def vertices(self, hand: Hand) -> np.ndarray:
        self.meshes_made += 1
        angle = np.linspace(0, 6, 778)
        return np.stack([0.1 * np.cos(angle), 0.1 * np.sin(angle), 0.5 + 0 * angle], axis=1)

    def faces(self, side: str) -> np.ndarray:
        return _FACES


_FACES = np.stack([np.arange(1538) % 777, np.arange(1538) % 777 + 1, np.zeros(1538, int)], axis=1)


def make_hand() -> Hand:
    joints = np.linspace((-0.05, 0, 0.5), (0.05, 0.1, 0.5), 21)
    return Hand(
        side="right",
        track_id=7,
        state="tracked",
        score=0.9,
        box_px=np.array([10.0, 20.0, 30.0, 40.0]),
        joints_px=np.full((21, 2), 50.0),
        joint_confidence=np.ones(21),
        joints_m=joints,
        mano=ManoParameters("right", np.zeros(3), np.zeros(45), np.zeros(10), np.zeros(3)),
        wrist_rotation=np.eye(3),
        joint_velocities=np.zeros((21, 3)),
        wrist_velocity=np.zeros(6),
        wrist_covariance=np.eye(6) * 1e-4,
    )


class TestCamera:
    """Publishes images when told to."""

    __test__ = False

    def __init__(
        self,
        graph: Graph,
        *,
        reliable: bool = False,
        transient: bool = False,
        name: str = "camera",
        base: str = "image",
        namespace: str | None = None,
    ) -> None:
        self.node = graph.add(Node(name, context=graph.context, namespace=namespace))
        kind = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        durability = DurabilityPolicy.TRANSIENT_LOCAL if transient else DurabilityPolicy.VOLATILE
        qos = QoSProfile(depth=5, reliability=kind, durability=durability)
        self.images = self.node.create_publisher(Image, base, qos)
        self.compressed = self.node.create_publisher(CompressedImage, f"{base}/compressed", qos)
        self.infos = self.node.create_publisher(CameraInfo, "camera_info", qos)
        self.stamp_ns = 1_000_000_000_000

    def wait_until_heard(self, compressed: bool = False) -> None:
        publisher = self.compressed if compressed else self.images
        wait_for(
            lambda: publisher.get_subscription_count() and self.infos.get_subscription_count(),
            "the node's subscription",
        )

    def header(self, step_ns: int = 33_333_333) -> Header:
        self.stamp_ns += step_ns
        return header_at(self.stamp_ns)

    def info(self, width: int = 64, height: int = 48, **fields: Any) -> None:
        f = float(width)
        K = fields.pop("k", [f, 0.0, width / 2, 0.0, f, height / 2, 0.0, 0.0, 1.0])
        msg = CameraInfo(width=width, height=height, distortion_model="plumb_bob", k=K, **fields)
        msg.header = header_at(self.stamp_ns)
        self.infos.publish(msg)

    def image(self, header: Header | None = None, **fields: Any) -> Image:
        """Publish a black image; fields as in ``image_message``."""
        msg = image_message(header or self.header(), **fields)
        self.images.publish(msg)
        return msg

    def jpeg(self, width: int = 64, height: int = 48, cut: int = 0) -> None:
        ok, data = cv2.imencode(".jpg", np.full((height, width, 3), (255, 0, 0), np.uint8))
        assert ok
        payload = data.tobytes()[: data.size - cut]
        self.compressed.publish(
            CompressedImage(header=self.header(), format="jpeg", data=array("B", payload))
        )

    def until(self, condition: Callable[[], Any], what: str, **fields: Any) -> Any:
        """Publish images at 50 Hz until the condition holds."""

        def step() -> Any:
            self.image(**fields)
            time.sleep(0.015)
            return condition()

        return wait_for(step, what)


def header_at(stamp_ns: int, frame: str = "camera_optical_frame") -> Header:
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame)


def nanoseconds(header: Header) -> int:
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec


def image_message(
    header: Header,
    *,
    width: int = 64,
    height: int = 48,
    encoding: str = "rgb8",
    pixel_bytes: int = 3,
    cut: int = 0,
) -> Image:
    data = array("B", bytes(width * height * pixel_bytes - cut))
    return Image(
        header=header,
        width=width,
        height=height,
        encoding=encoding,
        step=width * pixel_bytes,
        data=data,
    )


def rgb_message(image: np.ndarray, header: Header) -> Image:
    height, width = image.shape[:2]
    data = array("B")
    data.frombytes(np.ascontiguousarray(image).data)
    return Image(
        header=header, height=height, width=width, encoding="rgb8", step=3 * width, data=data
    )


class Listener:
    """Keeps what arrives on a topic."""

    def __init__(
        self, graph: Graph, kind: type = HandArray, topic: str = "/hand_recon_node/hands"
    ) -> None:
        self.messages: list[Any] = []
        self.times: list[float] = []
        self.node = graph.add(
            Node(f"listener_{topic.strip('/').replace('/', '_')}", context=graph.context)
        )
        self.subscription = self.node.create_subscription(
            kind, topic, self._take, QoSProfile(depth=100)
        )
        self.topic = topic

    def _take(self, message: Any) -> None:
        self.times.append(time.monotonic())
        self.messages.append(message)

    def connected(self) -> bool:
        return self.node.count_publishers(self.topic) > 0


class Health(Listener):
    """Keeps the node's diagnostics."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, DiagnosticArray, "/diagnostics")

    def status(self, name: str = "hand_recon_node: hands") -> Any:
        found = [s for m in self.messages for s in m.status if s.name == name]
        return found[-1] if found else None

    def wait(self, level: bytes, text: str = "") -> Any:
        """Wait for a status of this level whose message holds ``text``."""

        def there() -> Any:
            status = self.status()
            return status if status and status.level == level and text in status.message else None

        return wait_for(there, f"diagnostics at level {level!r} with '{text}'")


def values(status: Any) -> dict[str, str]:
    return {v.key: v.value for v in status.values}


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line that a hand_recon node's problem list logs, as 'level text'."""
    from hand_recon_ros.nodes import problems

    lines: list[str] = []
    original = problems.Problems.__init__

    class Recorder:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def info(self, text: str) -> None:
            lines.append(f"info {text}")
            self._inner.info(text)

        def warning(self, text: str) -> None:
            lines.append(f"warning {text}")
            self._inner.warning(text)

        def error(self, text: str) -> None:
            lines.append(f"error {text}")
            self._inner.error(text)

    def init(self: Any, logger: Any, *args: Any, **kwargs: Any) -> None:
        original(self, Recorder(logger), *args, **kwargs)

    monkeypatch.setattr(problems.Problems, "__init__", init)
    return lines
