"""Plays the images of whatever ``hand_recon bag`` reads, with /clock: a small ``ros2 bag play``.

python -m hand_recon_ros.nodes.bag_player BAG [--rate R] [--loop] [--image-topic T]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hand_recon_ros.io.bags.messages import Unpacker
from hand_recon_ros.io.bags.source import BagOptions, BagSource
from hand_recon_ros.io.bags.stored import Stored
from hand_recon_ros.io.bags.topics import CAMERA_INFO, COMPRESSED, IMAGE
from hand_recon_ros.nodes.listeners import wait_for_listeners

_KINDS: dict[str, type] = {IMAGE: Image, COMPRESSED: CompressedImage, CAMERA_INFO: CameraInfo}
_NS = 1_000_000_000
_CLOCK_PERIOD_S = 0.025
"""The longest that simulated time stands still while nothing is recorded."""


class BagPlayer(Node):
    """Publishes the images and calibrations of a bag on their own topics, and /clock.

    Args:
        source: the bag and which of its topics.
        clock: publish /clock.
        context: of rclpy; None = the default one.
    """

    def __init__(
        self, source: BagSource, *, clock: bool = True, context: Context | None = None
    ) -> None:
        """Create the publishers (reliable: they fit every subscription)."""
        super().__init__("bag_player", context=context)
        self._source = source
        self._unpacker = Unpacker(source.bag.is_ros1)
        topics = [source.image, *([source.info] if source.info else [])]
        self._kinds = {topic.name: topic.type for topic in topics}
        self._out: dict[str, Publisher] = {
            topic.name: self.create_publisher(_KINDS[topic.type], topic.name, QoSProfile(depth=10))
            for topic in topics
        }
        self._clock_out = self.create_publisher(Clock, "/clock", QoSProfile(depth=1))
        self._tells_time = clock

    def wait_for_listener(self, timeout_s: float) -> bool:
        """Wait until somebody listens to all of the bag's topics."""
        return wait_for_listeners(self._out.values(), self.context, timeout_s)

    def messages(self) -> Iterator[Stored]:
        """The messages to publish, in order."""
        return self._source.bag.messages(list(self._out), *self._source.span_ns())

    def publish(self, stored: Stored) -> None:
        """Publish a message with the time at which it was recorded."""
        self.tell_time(stored.time_ns)
        try:
            data = self._unpacker.as_ros2(stored.data, self._kinds[stored.topic])
        except ValueError as error:
            self.get_logger().warning(f"{stored.topic}: left out, {error}")
            return
        self._out[stored.topic].publish(data)

    def wait_until_received(self, timeout_s: float = 2.0) -> None:
        """Wait until reliable subscribers have everything: what is not sent ends with the node."""
        for publisher in self._out.values():
            publisher.wait_for_all_acked(Duration(seconds=timeout_s))

    def tell_time(self, time_ns: int) -> None:
        """Publish /clock."""
        if self._tells_time:
            sec, nanosec = divmod(time_ns, _NS)
            self._clock_out.publish(Clock(clock=Time(sec=sec, nanosec=nanosec)))


def play(player: BagPlayer, rate: float) -> int:
    """Publish everything once, each message at its time; return how many messages.

    Args:
        player: whose context ends the play when it is shut down.
        rate: times as fast as recorded.
    """
    begin: float | None = None
    first_ns = count = 0
    for stored in player.messages():
        if begin is None:
            begin, first_ns = time.monotonic(), stored.time_ns
        due = begin + (stored.time_ns - first_ns) / _NS / rate
        while (rest := due - time.monotonic()) > 0 and player.context.ok():
            time.sleep(min(rest, _CLOCK_PERIOD_S))
            player.tell_time(stored.time_ns - max(0, round((due - time.monotonic()) * rate * _NS)))
        if not player.context.ok():
            break
        player.publish(stored)
        count += 1
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Play a bag. 0 = done, 1 = parts of it are damaged, 2 = it cannot be read, 3 = no listener."""
    arguments = [*(sys.argv[1:] if arguments is None else arguments)]
    options = _parser().parse_args(remove_ros_args(["bag_player", *arguments])[1:])
    rclpy.init(args=arguments)
    player: BagPlayer | None = None
    try:
        bag_options = BagOptions(options.image_topic, options.camera_info_topic)
        with BagSource(options.bag, bag_options) as source:
            player = BagPlayer(source)
            if not player.wait_for_listener(options.wait):
                player.get_logger().error(f"nobody subscribed within {options.wait:g} s")
                return 3
            while play(player, options.rate) and options.loop and player.context.ok():
                pass
            player.wait_until_received()
            for line in source.bag.losses():
                player.get_logger().warning(f"damaged parts: {line}")
            return int(bool(source.bag.losses()))
    except (ValueError, ImportError) as error:  # an unreadable bag
        print(f"bag_player: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        if player is not None:
            player.destroy_node()
        rclpy.try_shutdown()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Play the images of a bag, with /clock.")
    parser.add_argument("bag", type=Path, help="folder, .mcap, .db3 or ROS 1 .bag")
    parser.add_argument("--rate", type=_rate, default=1.0, help="times as fast as recorded")
    parser.add_argument("--loop", action="store_true", help="start again at the end")
    parser.add_argument("--image-topic", help="default: the only one")
    parser.add_argument("--camera-info-topic", help="default: camera_info next to the images")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for a listener")
    return parser


def _rate(text: str) -> float:
    rate = float(text)
    if not 0.01 <= rate <= 100.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.01 and 100")
    return rate


if __name__ == "__main__":
    sys.exit(main())
