"""``hand_recon bag`` and ``make-bag``, from a video to the results, and our player and recorder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from bag_makers import CAMERA, FRAMES, MAKERS, stamp_ns, storage_file
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from ros_helpers import DEADLINE_S, Graph, Listener, graph, make_hand, ros_domain, wait_for
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from hand_recon_ros import cli
from hand_recon_ros.camera import Camera
from hand_recon_ros.io.bags.make import BEGIN_NS, IMAGE_TOPIC, INFO_TOPIC
from hand_recon_ros.io.bags.padding import Padding
from hand_recon_ros.io.bags.source import BagSource
from hand_recon_ros.io.records import read_records
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.msg import HandArray
from hand_recon_ros.nodes.convert import hand_array_message, transforms
from hand_recon_ros.nodes.markers import MarkerBuilder
from hand_recon_ros.nodes.node_bag import NodeBag, type_name
from hand_recon_ros.nodes.parameters import MarkerConfig
from hand_recon_ros.rendering.clip import render_clip
from hand_recon_ros.types import HandFrame

__all__ = ["graph", "ros_domain"]  # fixtures
CLIP_FRAMES, FPS = 8, 15


@pytest.fixture(scope="module")
def clip_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag by ``make-bag`` out of a rendered video."""
    folder = tmp_path_factory.mktemp("clip")
    with VideoWriter(folder / "clip.mp4", Fraction(FPS)) as writer:
        for image, camera, _ in render_clip(CLIP_FRAMES, 640, 480, FPS):
            writer.write(image)
            (folder / "camera.json").write_text(json.dumps({"K": camera.K.tolist()}))
    video, file = str(folder / "clip.mp4"), str(folder / "camera.json")
    assert cli.main(["make-bag", video, "-o", str(folder / "bag"), "--camera", file]) == 0
    return folder / "bag"


def test_make_bag_keeps_times_pictures_and_camera(clip_bag: Path) -> None:
    pictures = [(image, camera) for image, camera, _ in render_clip(CLIP_FRAMES, 640, 480, FPS)]
    with BagSource(clip_bag) as source:
        frames = list(source)
    assert [f.stamp for f in frames] == pytest.approx([1 + k / FPS for k in range(CLIP_FRAMES)])
    for found, (image, camera) in zip(frames, pictures, strict=True):
        assert np.abs(found.image.astype(int) - image).mean() < 6, "H.264 loses a little"
        np.testing.assert_allclose(found.camera.K, camera.K)


def test_make_bag_refuses_what_is_there(clip_bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = str(clip_bag.parent / "clip.mp4")
    assert cli.main(["make-bag", video, "-o", str(clip_bag)]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.fixture(scope="module")
def results(clip_bag: Path) -> list[Path]:
    """Two runs on the same bag."""
    folders = [clip_bag.parent / name for name in ("first", "second")]
    for folder in folders:
        assert cli.main(["bag", str(clip_bag), "-o", str(folder), "--overlay"]) == 0
    return folders


def test_the_same_bag_gives_the_same_bytes(results: list[Path]) -> None:
    first, second = results
    for name in ("hands.jsonl", "bag/bag.mcap", "bag/metadata.yaml"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_messages_at_the_images_stamps(results: list[Path]) -> None:
    kinds = {"hands": HandArray, "markers": MarkerArray, "overlay": Image}
    found: dict[str, list] = {name: [] for name in (*kinds, "tf")}
    with Reader(results[0] / "bag") as reader:
        for connection, time_ns, data in reader.messages():
            name = connection.topic.rpartition("/")[2]
            found[name].append((time_ns, deserialize_message(data, kinds.get(name, TFMessage))))
    records = list(read_records(results[0] / "hands.jsonl"))
    stamps = [BEGIN_NS + round(k * 1e9 / FPS) for k in range(CLIP_FRAMES)]
    assert [time for time, _ in found["hands"]] == pytest.approx(stamps, abs=1_000_000)
    for (time_ns, message), record in zip(found["hands"], records, strict=True):
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == time_ns
        assert message.header.frame_id == "camera_optical_frame"
        assert (message.camera, message.intrinsics) == (IMAGE_TOPIC, "camera_info")
        assert [h.track_id for h in message.hands] == [h.track_id for h in record.hands]
        for ours, theirs in zip(message.hands, record.hands, strict=True):
            joints = [(p.x, p.y, p.z) for p in ours.joints]
            np.testing.assert_allclose(joints, theirs.joints_m, atol=1e-6)
    seen = [time for time, message in found["hands"] if message.hands]
    assert len(seen) >= CLIP_FRAMES - 3
    assert [time for time, _ in found["tf"]] == seen
    assert [time for time, _ in found["markers"]] == seen
    assert {m.ns for m in found["markers"][-1][1].markers} == {
        "mesh", "skeleton", "joints", "trails"
    }  # fmt: skip
    picture = found["overlay"][-1][1]
    assert (len(found["overlay"]), picture.width, picture.height) == (CLIP_FRAMES, 640, 480)


def test_report_and_description_of_the_run(results: list[Path]) -> None:
    run = json.loads((results[0] / "run.json").read_text())
    assert run["source"].endswith("bag")
    report = json.loads((results[0] / "report.json").read_text())
    assert len(report["evaluation"]["latencies_ms"]) == CLIP_FRAMES
    assert "<html" in (results[0] / "report.html").read_text()


def test_centred_smoothing_sees_later_frames(clip_bag: Path, results: list[Path]) -> None:
    out = clip_bag.parent / "centred"
    assert cli.main(["bag", str(clip_bag), "-o", str(out), "--centred"]) == 0
    causal, centred = (list(read_records(f / "hands.jsonl")) for f in (results[0], out))
    assert [f.index for f in causal] == [f.index for f in centred]
    moved = [
        np.abs(a.joints_m - b.joints_m).max()
        for f, g in zip(causal, centred, strict=True)
        for a, b in zip(f.hands, g.hands, strict=True)
    ]
    assert 1e-5 < max(moved) < 0.05


def test_exit_codes_of_damaged_bags(
    clip_bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = tmp_path / "bag"
    bag.mkdir()
    whole = storage_file(clip_bag).read_bytes()
    (bag / "bag.mcap").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    assert cli.main(["bag", str(bag), "-o", str(out)]) == 1
    records = list(read_records(out / "hands.jsonl"))
    assert 0 < len(records) < CLIP_FRAMES
    assert f"{len(records)} frames" in capsys.readouterr().out
    assert "cut off" in (out / "report.html").read_text(), "what was lost is in the report too"
    (bag / "bag.mcap").write_bytes(whole[:5])
    assert cli.main(["bag", str(bag), "-o", str(out)]) == 2
    assert "record it anew" in capsys.readouterr().err
    assert len(list(read_records(out / "hands.jsonl"))) == len(records), "earlier results stay"


def test_a_foreign_folder_is_not_replaced(clip_bag: Path, tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "thesis.tex").write_text("mine")
    assert cli.main(["bag", str(clip_bag), "-o", str(tmp_path)]) == 2
    assert (tmp_path / "bag" / "thesis.tex").read_text() == "mine"


def test_gaps_between_fields_are_zeroed(tmp_path: Path) -> None:
    """Equal to what rosbags writes, which leaves zeros in the gaps."""
    hand = make_hand()
    frame = HandFrame(0, "test", 1.0, Camera.from_fov(64, 48), (hand,))
    header = Header(stamp=Time(sec=1, nanosec=2), frame_id="odd one")
    meshes, faces = {hand.track_id: np.zeros((778, 3))}, {"right": np.zeros((4, 3), int)}
    messages = [
        hand_array_message(frame, header),
        TFMessage(transforms=transforms(frame, header)),
        MarkerBuilder(MarkerConfig()).build(frame, header, meshes, faces),
    ]
    topics = {f"/{k}": type(message) for k, message in enumerate(messages)}
    with NodeBag(tmp_path / "bag", topics) as bag:
        padding = Padding(bag.types)
        for message in messages:
            kind, data = type_name(type(message)), serialize_message(message)
            clean = bytes(bag.types.serialize_cdr(bag.types.deserialize_cdr(data, kind), kind))
            assert padding.zeroed(data, kind) == clean
        short = TransformStamped(header=Header(frame_id="ab"), child_frame_id="c")
        clean = padding.zeroed(
            serialize_message(TFMessage(transforms=[short])), "tf2_msgs/msg/TFMessage"
        )
        dirty = bytearray(clean)
        for k in (23, *range(30, 36)):  # behind "ab" and its zero; behind "c", before a double
            dirty[k] = 0xAB
        assert padding.zeroed(bytes(dirty), "tf2_msgs/msg/TFMessage") == clean


Programs = Callable[..., subprocess.Popen]


@pytest.fixture
def programs() -> Iterator[Programs]:
    """Starts modules of ours, and ends what still runs after the test."""
    running = []

    def start(name: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"hand_recon_ros.nodes.{name}", *arguments]
        running.append(subprocess.Popen(command, start_new_session=True))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def test_own_player_and_recorder_as_programs(
    graph: Graph, tmp_path: Path, programs: Programs
) -> None:
    """Every message of a ROS 1 bag arrives as ROS 2's, with the time; the recorder writes a bag."""
    images = Listener(graph, Image, IMAGE_TOPIC)
    infos = Listener(graph, CameraInfo, INFO_TOPIC)
    clock = Listener(graph, Clock, "/clock")
    hands = graph.add(Node("hand_recon_node", context=graph.context))
    publisher = hands.create_publisher(HandArray, "~/hands", 10)
    bag = MAKERS["ros 1"](tmp_path / "ros1")
    recorder = programs("recorder", str(tmp_path / "recorded"))
    wait_for(publisher.get_subscription_count, "the recorder")
    assert programs("bag_player", str(bag), "--rate", "2").wait(DEADLINE_S) == 0
    wait_for(lambda: len(images.messages) == FRAMES == len(infos.messages), "all messages")
    assert [m.data[0] for m in images.messages] == list(range(FRAMES))
    assert infos.messages[-1].k[0] == pytest.approx(CAMERA.fx)
    times = [m.clock.sec * 10**9 + m.clock.nanosec for m in clock.messages]
    assert times == sorted(times)
    assert stamp_ns(0) <= times[0] < times[-1] < stamp_ns(FRAMES)
    for k in range(20):
        publisher.publish(HandArray(camera=str(k)))
        time.sleep(0.01)
    recorder.send_signal(signal.SIGINT)
    assert recorder.wait(DEADLINE_S) == 0
    with Reader(tmp_path / "recorded") as reader:
        data = [d for c, _, d in reader.messages() if c.topic == "/hand_recon_node/hands"]
    recorded = [deserialize_message(d, HandArray).camera for d in data]
    assert recorded
    assert recorded == [str(k) for k in range(len(recorded))]


def test_player_refuses_what_it_cannot_read(tmp_path: Path, programs: Programs) -> None:
    assert programs("bag_player", str(tmp_path / "gone")).wait(DEADLINE_S) == 2
    bag = MAKERS["mcap"](tmp_path / "bag")
    assert programs("bag_player", str(bag), "--wait", "0.1").wait(DEADLINE_S) == 3
