"""Read a serialised ``sensor_msgs/Image`` without copying its pixels.

rclpy's own deserialisation copies every byte into a Python array, 1 to 9 ms for a camera's image;
here only the few fields before the pixels are read. The layout is that of plain CDR (OMG
DDS-XTypes 1.3, 7.4.1): fields aligned to their size, counted from behind the 4-byte header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from builtin_interfaces.msg import Time
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

_BYTE_ORDERS = {b"\x00\x00": ">", b"\x00\x01": "<"}
"""Representation identifiers of plain CDR; anything else is left to rclpy."""


@dataclass(frozen=True, slots=True)
class ImageView:
    """The fields of a ``sensor_msgs/Image``; ``data`` is a part of the serialised bytes."""

    header: Header
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: memoryview


def read_image(serialized: bytes) -> ImageView | Image:
    """Return the image that these bytes hold.

    Raises:
        ValueError: they end before the image does, or are no image.
    """
    order = _BYTE_ORDERS.get(bytes(serialized[:2]))
    if order is None:
        return deserialize_message(serialized, Image)
    view, body = memoryview(serialized), 4
    word = struct.Struct(order + "I")

    def number(at: int) -> tuple[int, int]:
        at += -(at - body) % 4
        return word.unpack_from(view, at)[0], at + 4

    def text(at: int) -> tuple[str, int]:
        length, at = number(at)
        end = at + length
        if not 0 < length <= len(view) - at:
            raise ValueError("a text is longer than the message")
        return str(view[at : end - 1], "utf-8"), end  # without the closing zero

    try:
        sec, nanosec = struct.unpack_from(order + "iI", view, body)
        frame_id, at = text(body + 8)
        height, at = number(at)
        width, at = number(at)
        encoding, at = text(at)
        is_bigendian = view[at]
        step, at = number(at + 1)
        length, at = number(at)
        if len(view) < at + length:
            raise ValueError(f"{length} bytes of pixels announced, {len(view) - at} there")
    except (ValueError, struct.error, IndexError) as error:
        raise ValueError(f"{len(view)} bytes are no sensor_msgs/Image: {error}") from None
    header = Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id)
    return ImageView(header, height, width, encoding, is_bigendian, step, view[at : at + length])
