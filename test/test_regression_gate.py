"""A small bag with known hands through the live node over DDS and through ``hand_recon bag``.

Both have to say the same, and stay within bars: what a change makes worse fails here.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_helpers import ros_domain, wait_for

pytest.importorskip("rosbags", reason="the extra 'bags' is not installed")

import rclpy

from hand_recon_ros import cli
from hand_recon_ros.evaluation.evaluate import evaluate
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.io.bags.make import BEGIN_NS, IMAGE_TOPIC, INFO_TOPIC, make_bag
from hand_recon_ros.io.bags.source import BagSource
from hand_recon_ros.io.bags.stored import Stored
from hand_recon_ros.io.records import read_records
from hand_recon_ros.nodes.bag_player import BagPlayer, play
from hand_recon_ros.nodes.processes import start_node
from hand_recon_ros.nodes.recorder import Received, Recorder, hand_frame
from hand_recon_ros.offline import RECORDS_FILE
from hand_recon_ros.rendering.clip import render_clip
from hand_recon_ros.types import Frame, HandFrame

__all__ = ["ros_domain"]  # fixture
pytestmark = pytest.mark.timeout(600)  # the fixture runs everything
FRAMES, WIDTH, HEIGHT, FPS = 36, 480, 360, 15
LENGTH_M = 0.18
PROFILE = Path(__file__).parents[1] / "config" / "fastdds_shm.xml"
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
_NS = 1_000_000_000
_STAMP = struct.Struct("<iI")
_LATER_NS = 1000 * _NS


@dataclass(frozen=True)
class Runs:
    """One bag, three ways.

    Attributes:
        truth: of each frame.
        bag: what ``hand_recon bag`` says.
        live: what the node says, one list for each time that the bag was played to it, every frame
            waited for.
        streamed: what it says while the bag plays at ``rate``.
        ages_ms: from publishing to receipt, while playing.
        latencies_ms: the same where each image waits for the hands of the one before.
    """

    truth: list[TrueFrame]
    bag: list[HandFrame]
    live: list[list[HandFrame]]
    streamed: list[HandFrame]
    ages_ms: list[float]
    latencies_ms: list[float]


class NotingPlayer(BagPlayer):
    """Remembers when each image went out."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.sent_ns: dict[int, int] = {}

    def publish(self, stored: Stored) -> None:
        if stored.topic == IMAGE_TOPIC:
            self.sent_ns[stamp_of(stored.data)] = time.time_ns()
        super().publish(stored)


def stamp_of(data: bytes) -> int:
    sec, nanosec = _STAMP.unpack_from(data, 4)
    return sec * _NS + nanosec


def at_stamp(stored: Stored, stamp_ns: int) -> Stored:
    """The same message with another stamp."""
    data = bytearray(stored.data)
    _STAMP.pack_into(data, 4, *divmod(stamp_ns, _NS))
    return replace(stored, time_ns=stamp_ns, data=bytes(data))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, ros_domain: None) -> Runs:
    """Make the bag, and run it every way (the models are loaded twice, which takes a while)."""
    folder = tmp_path_factory.mktemp("gate")
    frames, truth = clip()
    make_bag(frames, folder / "clip")
    out = folder / "out"
    hand = f"fit.hand_length_m={LENGTH_M}"
    assert cli.main(["bag", str(folder / "clip"), "-o", str(out), "--set", hand]) == 0
    bag = list(read_records(out / RECORDS_FILE))
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name in PROFILE_VARIABLES:
            patch.setenv(name, os.environ.get(name, str(PROFILE)))
        live, streamed, ages, ours = through_the_node(stack, folder, bag)
    return Runs(truth, bag, live, streamed, ages, ours)


def clip() -> tuple[list[Frame], list[TrueFrame]]:
    frames, truth = [], []
    for k, (image, camera, hands) in enumerate(render_clip(FRAMES, WIDTH, HEIGHT, FPS)):
        frames.append(Frame(image, k / FPS, camera, k))
        true = tuple(TrueHand(h.side, h.joints_m, identity=n) for n, h in enumerate(hands))
        truth.append(TrueFrame(k, IMAGE_TOPIC, BEGIN_NS / _NS + k / FPS, camera, true))
    return frames, truth


def through_the_node(
    stack: ExitStack, folder: Path, bag: list[HandFrame]
) -> tuple[list[list[HandFrame]], list[HandFrame], list[float], list[float]]:
    context = rclpy.Context()
    rclpy.init(context=context)
    stack.callback(rclpy.try_shutdown, context=context)
    recorder = stack.enter_context(Recorder(context, None))
    source = stack.enter_context(BagSource(folder / "clip"))
    player = NotingPlayer(source, context=context)
    stack.callback(player.destroy_node)
    parameters = {
        "fit.hand_length_m": LENGTH_M,
        "image_reliability": "reliable",
        "camera_info_timeout_s": 3600.0,
        "use_sim_time": True,
    }
    node = stack.enter_context(start_node(parameters, folder / "node.log"))
    assert player.wait_for_listener(60.0), node.last_words()
    messages = list(player.messages())
    warm_up(player, recorder, messages)
    # From here on each play starts by a jump back in time: what was before must not matter.
    live = [waited_for(player, recorder, messages, bag) for _ in range(2)]
    for _ in range(3):  # a stall of the machine spoils an attempt, a slow node all of them
        player.sent_ns.clear()
        waited_for(player, recorder, messages, bag)
        ours = ages_ms(player, recorder)
        recorder.hands.clear()
        player.sent_ns.clear()
        # a rate that a node as fast as it was just now can follow
        play(player, min(1.0, 1e3 / FPS / (1.5 * float(np.percentile(ours, 90)))))
        last = max(player.sent_ns)
        wait_for(
            lambda last=last: any(r.stamp_ns == last for r in recorder.hands),
            "the last frame's hands",
        )
        streamed = [as_frame(r, bag) for r in recorder.hands]
        ages = ages_ms(player, recorder)
        if streamed[0].index == 0 and is_on_time(len(streamed), ages, ours):
            break
    return live, streamed, ages, ours


def ages_ms(player: NotingPlayer, recorder: Recorder) -> list[float]:
    return [(r.receipt_ns - player.sent_ns[r.stamp_ns]) * 1e-6 for r in recorder.hands]


def is_on_time(count: int, ages: list[float], ours: list[float]) -> bool:
    """Bars on time are shares of the node's own, so that they hold on machines of any speed."""
    (p50, p95), (own_p50, own_p95) = np.percentile(ages, [50, 95]), np.percentile(ours, [50, 95])
    few_dropped = 1 - count / FRAMES <= 0.2
    return bool(few_dropped and p50 <= 2 * own_p50 + 40 and p95 <= 4 * own_p95 + 100)


def warm_up(player: BagPlayer, recorder: Recorder, messages: list[Stored]) -> None:
    """Until the node has the calibration: images that come before it are left out."""
    first = {stored.topic: stored for stored in reversed(messages)}
    stamp_ns = messages[-1].time_ns + _LATER_NS

    def step() -> bool:
        nonlocal stamp_ns
        stamp_ns += _NS // FPS
        for topic in (INFO_TOPIC, IMAGE_TOPIC):
            player.publish(at_stamp(first[topic], stamp_ns))
        time.sleep(0.05)
        return bool(recorder.hands)

    wait_for(step, "the first hands", 60.0)
    player.publish(at_stamp(first[IMAGE_TOPIC], stamp_ns + _NS))
    wait_for(lambda: recorder.hands[-1].stamp_ns == stamp_ns + _NS, "hands of the last warm-up")


def waited_for(
    player: BagPlayer, recorder: Recorder, messages: list[Stored], bag: list[HandFrame]
) -> list[HandFrame]:
    """Publish the next image only once the hands of the one before are there."""
    recorder.hands.clear()
    for stored in messages:
        player.publish(stored)
        if stored.topic == IMAGE_TOPIC:
            stamp = stamp_of(stored.data)
            wait_for(
                lambda stamp=stamp: recorder.hands and recorder.hands[-1].stamp_ns == stamp,
                f"hands of the image at {stamp} ns",
            )
    return [as_frame(received, bag) for received in recorder.hands]


def as_frame(received: Received, bag: list[HandFrame]) -> HandFrame:
    index = round((received.stamp_ns - BEGIN_NS) / _NS * FPS)
    return hand_frame(received, bag[0].camera, index, IMAGE_TOPIC)


def assert_same(some: HandFrame, other: HandFrame) -> None:
    assert some.index == other.index
    assert [h.side for h in some.hands] == [h.side for h in other.hands]
    for a, b in zip(some.hands, other.hands, strict=True):
        np.testing.assert_allclose(a.joints_m, b.joints_m, atol=1e-4)
        assert a.state == b.state


def numbers(runs: Runs, found: list[HandFrame]) -> dict[str, float]:
    known = {frame.index: frame for frame in runs.truth}
    return evaluate(((known[f.index], f) for f in found), "gate").summary


def test_node_and_bag_command_say_the_same(runs: Runs) -> None:
    for live in runs.live:
        assert [frame.index for frame in live] == list(range(FRAMES))
        for ours, theirs in zip(live, runs.bag, strict=True):
            assert_same(ours, theirs)


def test_a_loop_starts_afresh(runs: Runs) -> None:
    """The second play gives what the first gave, under new track ids."""
    first, second = runs.live
    ids = [{hand.track_id for frame in play for hand in frame.hands} for play in (first, second)]
    assert ids[0].isdisjoint(ids[1])
    assert len(ids[0]) == len(ids[1]) == 2
    for before, after in zip(first, second, strict=True):
        assert_same(before, after)


def test_streamed_frames_are_the_same_until_one_is_dropped(runs: Runs) -> None:
    indices = [frame.index for frame in runs.streamed]
    until = next((k for k, index in enumerate(indices) if index != k), len(indices))
    assert until > 0
    for ours, theirs in zip(runs.streamed[:until], runs.bag, strict=False):
        assert_same(ours, theirs)


BARS = {
    "mpjpe_mm": (0, 12),
    "pa_mpjpe_mm": (0, 3.8),
    "error_2d_px": (0, 2),
    "jitter_mm_s2": (0, 750),  # with the hands' own motion
    "accel_error_mm_s2": (0, 560),
    "lag_ms": (-67, 67),  # a frame
    "identity_switches": (0, 0),
    "side_errors_pct": (0, 0),
    "ghosts_pct": (0, 0),
    "found_pct": (95, 100),
}
"""A quarter above what was measured with the shipped weights."""


@pytest.mark.parametrize("name", BARS)
@pytest.mark.parametrize("way", ["bag", "live"])
def test_bars(runs: Runs, way: str, name: str) -> None:
    low, high = BARS[name]
    found = runs.bag if way == "bag" else runs.live[0]
    assert low <= numbers(runs, found)[name] <= high


def test_bars_of_the_stream(runs: Runs) -> None:
    assert is_on_time(len(runs.streamed), runs.ages_ms, runs.latencies_ms), runs.ages_ms
    found = numbers(runs, runs.streamed)
    assert found["mpjpe_mm"] <= 1.2 * BARS["mpjpe_mm"][1]
    assert found["identity_switches"] == 0
