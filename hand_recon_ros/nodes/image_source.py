"""From the bytes of an image message to a frame of the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from hand_recon_ros.nodes.image_codec import decode_image
from hand_recon_ros.nodes.problems import Problems
from hand_recon_ros.nodes.serialized_image import read_image
from hand_recon_ros.stream.camera_source import CameraSource
from hand_recon_ros.stream.codec import RGB, decode_compressed
from hand_recon_ros.stream.reader import PictureReader
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
        self._unpack, decode = _READERS[transport]
        self._pictures = PictureReader(decode, topic, cameras, problems, camera_frame)
        self._topic = topic
        self._problems = problems
        self._index = 0

    def read(self, arrival: Arrival) -> Picture | None:
        """Return the picture; None = left out, ``problems`` knows why."""
        try:
            message = self._unpack(arrival.data)
        except Exception as error:  # rclpy raises several kinds
            self._problems.report("image", f"{self._topic}: unreadable message: {error}", "error")
            return None
        picture = self._pictures.read(message, arrival.received_ns, self._index)
        if picture is None:
            return None
        self._index += 1
        header = header_message(picture.stamp_ns, picture.frame_id)
        return Picture(picture.frame, header, arrival.received_ns, picture.restart)


def header_message(stamp_ns: int, frame_id: str) -> Header:
    """Return a header with this stamp, ns."""
    sec, nanosec = divmod(stamp_ns, _NS)
    return Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)
