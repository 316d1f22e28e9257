"""From the bytes of an image message to a frame of the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hand_recon_ros.camera import Camera
from hand_recon_ros.nodes.camera_source import CameraSource
from hand_recon_ros.nodes.image_codec import RGB, ImageError, decode_compressed, decode_image
from hand_recon_ros.nodes.problems import Problems
from hand_recon_ros.nodes.serialized_image import read_image
from hand_recon_ros.nodes.stamps import StampCheck
from hand_recon_ros.types import Frame

_NS = 1_000_000_000
MESSAGE_TYPES: dict[str, type] = {"raw": Image, "compressed": CompressedImage}
"""Message type of each image transport."""


def _read_compressed(data: bytes) -> CompressedImage:
    return deserialize_message(data, CompressedImage)


_READERS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], RGB]]] = {
    "raw": (read_image, decode_image),
    "compressed": (_read_compressed, decode_compressed),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A serialised image message and when it came by the node's clock, ns."""

    data: bytes
    received_ns: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame to process.

    Attributes:
        frame: for the chain.
        header: of everything that is published of it.
        received_ns: when its message came.
        restart: forget earlier frames first (time jumped back, another camera).
    """

    frame: Frame
    header: Header
    received_ns: int
    restart: bool


class ImageSource:
    """Turns arrivals into frames, or says why one is left out."""

    def __init__(
        self,
        transport: str,
        topic: str,
        camera_frame: str,
        cameras: CameraSource,
        problems: Problems,
    ) -> None:
        """Start a stream.

        Args:
            transport: raw or compressed.
            topic: becomes ``Frame.source``.
            camera_frame: replaces the images' frame_id; empty = keep it.
            cameras: intrinsics by image size.
            problems: told of what is wrong.
        """
        self._read, self._decode = _READERS[transport]
        self._topic = topic
        self._camera_frame = camera_frame
        self._cameras = cameras
        self._problems = problems
        self._stamps = StampCheck(problems)
        self._camera: Camera | None = None
        self._restart = False
        self._index = 0

    def read(self, arrival: Arrival) -> Picture | None:
        """Return the picture; None = left out, ``problems`` knows why."""
        try:
            message = self._read(arrival.data)
        except Exception as error:  # rclpy raises several kinds
            self._problems.report("image", f"{self._topic}: unreadable message: {error}", "error")
            return None
        stamp = message.header.stamp
        verdict = self._stamps.check(stamp.sec, stamp.nanosec, arrival.received_ns)
        self._restart |= verdict.restart
        if verdict.stamp_ns is None:
            return None
        try:
            image = self._decode(message)
        except ImageError as error:
            self._problems.report("image", f"{self._topic}: {error}", "error")
            return None
        self._problems.clear("image")
        height, width = image.shape[:2]
        camera = self._cameras.find(width, height)
        if camera is None:
            return None
        restart = self._restart or camera is not self._camera
        self._camera, self._restart = camera, False
        sec, nanosec = divmod(verdict.stamp_ns, _NS)
        header = Header(
            stamp=Time(sec=sec, nanosec=nanosec),
            frame_id=self._camera_frame or message.header.frame_id,
        )
        if header.frame_id:
            self._problems.clear("frame_id")
        else:
            self._problems.report(
                "frame_id",
                f"images of {self._topic} have no frame_id, so /tf is not published: set the "
                "driver's frame id, or camera_frame",
            )
        frame = Frame(image, verdict.stamp_ns / _NS, camera, self._index, self._topic)
        self._index += 1
        return Picture(frame, header, arrival.received_ns, restart)
