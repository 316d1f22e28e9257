"""Plays frames as a camera would: Image and CameraInfo over DDS, each at its time.

python -m hand_recon_ros.nodes.camera_player VIDEO [--frames N] [--ros-args -r image:=/my/image ...]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import select
import struct
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.cameras import load_cameras
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.nodes.listeners import SETTLE_S, wait_for_listeners
from hand_recon_ros.types import Frame

FRAME_ID = "camera_optical_frame"
_NS = 1_000_000_000
_STAMP = struct.Struct("=iI")
_STAMP_AT = 4
"""Where plain CDR, which this machine writes in its own byte order, has the stamp of a header."""


class CameraPlayer(Node):
    """A camera driver whose pictures come from anywhere. Topics: ``image``, ``camera_info``."""

    def __init__(self, *, reliable: bool = False, context: Context | None = None) -> None:
        """Create the publishers.

        Args:
            reliable: quality of service of the images; False = best effort.
            context: of rclpy; None = the default one.
        """
        super().__init__("camera_player", context=context)
        reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        qos = QoSProfile(depth=4, reliability=reliability)
        self._images = self.create_publisher(Image, "image", qos)
        self._infos = self.create_publisher(CameraInfo, "camera_info", qos)

    def wait_for_listener(self, timeout_s: float, settle_s: float = SETTLE_S) -> bool:
        """Wait until somebody listens to both topics: see ``wait_for_listeners``."""
        return wait_for_listeners((self._images, self._infos), self.context, timeout_s, settle_s)

    def prime(
        self, picture: bytearray, camera: Camera, period_s: float, told: Callable[[float], bool]
    ) -> None:
        """Repeat one picture until ``told``.

        That somebody subscribes is known here before the subscriber knows of us, and images of
        best effort are lost until then. A short clip can be over by that time, or while the chain
        is still at its first image, which is slow.

        Args:
            picture: prepared image.
            camera: of the picture.
            period_s: between two repetitions.
            told: waits for so many seconds at most, s; True = go on.
        """
        while self.context.ok():
            self.publish(picture, camera)
            if told(period_s):
                return

    def publish(self, picture: bytearray, camera: Camera) -> int:
        """Stamp and publish a prepared image and its camera_info; returns the stamp, ns."""
        stamp_ns = self.get_clock().now().nanoseconds
        sec, nanosec = divmod(stamp_ns, _NS)
        _STAMP.pack_into(picture, _STAMP_AT, sec, nanosec)
        self._images.publish(bytes(picture))
        if not camera.assumed:
            header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=FRAME_ID)
            self._infos.publish(info_message(camera, header))
        return stamp_ns


def prepare(frame: Frame) -> bytearray:
    """Serialise a frame's picture as a message that only lacks its stamp.

    A driver's picture lies in memory when it is stamped; Python would spend some milliseconds on
    bringing it there, which would count as latency.
    """
    height, width = frame.image.shape[:2]
    data = array("B")
    data.frombytes(np.ascontiguousarray(frame.image).data)
    message = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=data)
    message.header.frame_id = FRAME_ID
    return bytearray(serialize_message(message))


def info_message(camera: Camera, header: Header) -> CameraInfo:
    """Return intrinsics as a message."""
    projection = np.hstack([camera.K, np.zeros((3, 1))])
    return CameraInfo(
        header=header,
        width=camera.width,
        height=camera.height,
        distortion_model=camera.model,
        d=camera.D.tolist() or [0.0] * 5,
        k=camera.K.ravel(),
        r=np.eye(3).ravel(),
        p=projection.ravel(),
    )


def play(
    player: CameraPlayer, pictures: Iterable[tuple[Frame, bytearray]]
) -> Iterator[tuple[Frame, int]]:
    """Publish each prepared frame at its time after the first, and yield it with its stamp, ns.

    A frame that is late is published at once; lateness does not add up.
    """
    start: float | None = None
    first = 0.0
    for frame, picture in pictures:
        if start is None:
            start, first = time.monotonic(), frame.stamp
        delay = start + frame.stamp - first - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        yield frame, player.publish(picture, frame.camera)


def prepared(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bytearray]]:
    """Pair each frame with its message."""
    return ((frame, prepare(frame)) for frame in frames)


def back_and_forth(
    pictures: Sequence[tuple[Frame, bytearray]], fps: float, seconds: float
) -> Iterator[tuple[Frame, bytearray]]:
    """Repeat a few frames forwards and backwards, so that nothing jumps, at an even rate."""
    order = itertools.cycle([*range(len(pictures)), *range(len(pictures) - 2, 0, -1)])
    for index, k in zip(range(round(fps * seconds)), order, strict=False):
        frame, picture = pictures[k]
        yield replace(frame, stamp=index / fps, index=index), picture


def main(arguments: Sequence[str] | None = None) -> int:
    """Play a video, or record and play a webcam."""
    arguments = [*(sys.argv[1:] if arguments is None else arguments)]
    options = _parser().parse_args(remove_ros_args(["camera_player", *arguments])[1:])
    rclpy.init(args=arguments)
    player: CameraPlayer | None = None
    try:
        with ExitStack() as stack:
            source = stack.enter_context(open_video(options.video, load_cameras(options.camera)))
            player = CameraPlayer(reliable=options.reliable)
            fps = float(source.fps or 30)
            pictures = prepared(itertools.islice(source, options.frames))
            if options.loop_seconds:
                pictures = back_and_forth(list(pictures), fps, options.loop_seconds)
            settle_s = 0.0 if options.prime else SETTLE_S
            if not player.wait_for_listener(options.wait, settle_s):
                player.get_logger().error(f"nobody subscribed within {options.wait:g} s")
                return 3
            if options.prime and (first := next(pictures, None)):
                pictures = itertools.chain([first], pictures)
                player.prime(first[1], first[0].camera, 1 / fps, _line_comes)
            log = csv.writer(stack.enter_context(open(options.log, "w", buffering=1)))
            video = None
            if options.save and source.fps:
                video = stack.enter_context(VideoWriter(options.save, source.fps))
            for frame, stamp_ns in play(player, pictures):
                log.writerow((frame.index, stamp_ns))
                if video is not None:
                    video.write(frame.image)
    except ValueError as error:  # an unreadable video or calibration
        print(f"camera_player: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        if player is not None:
            player.destroy_node()
        rclpy.try_shutdown()
    return 0


def _line_comes(timeout_s: float) -> bool:
    return bool(select.select([sys.stdin], [], [], timeout_s)[0])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Play a video as a camera.")
    parser.add_argument("video", help="video file, or webcam number")
    parser.add_argument("--camera", help="calibration (default: no camera_info)")
    parser.add_argument("--frames", type=int, help="play only so many")
    parser.add_argument(
        "--loop-seconds", type=float, help="hold the frames in memory and repeat them so long"
    )
    parser.add_argument("--reliable", action="store_true", help="reliable instead of best effort")
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for a listener")
    parser.add_argument(
        "--prime", action="store_true", help="repeat the first picture until Enter (standard input)"
    )
    parser.add_argument("--save", type=Path, help="also write the frames to this MP4")
    parser.add_argument(
        "--log", type=Path, default="/dev/null", help="write index and stamp (ns) of each frame"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
