"""``sensor_msgs`` images, whoever has unpacked them, to RGB arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
ImageMessage: TypeAlias = Any
"""What has the fields of ``sensor_msgs/msg/Image``."""
CompressedMessage: TypeAlias = Any
"""What has the fields of ``sensor_msgs/msg/CompressedImage``."""


class ImageError(ValueError):
    """An image message cannot be read; the message names what is wrong and the remedy."""


@dataclass(frozen=True)
class Encoding:
    """How an encoding is laid out, and OpenCV's conversion to RGB (None = it is RGB)."""

    channels: int
    code: int | None
    depth: type[np.generic] = np.uint8
    even_width: bool = False


# ROS names a Bayer pattern by its first row's pixels (rggb = red first); OpenCV by the second and
# third pixel of the second row, hence the opposite letters.
_ENCODINGS: Final[dict[str, Encoding]] = {
    "rgb8": Encoding(3, None),
    "bgr8": Encoding(3, cv2.COLOR_BGR2RGB),
    "rgba8": Encoding(4, cv2.COLOR_RGBA2RGB),
    "bgra8": Encoding(4, cv2.COLOR_BGRA2RGB),
    "mono8": Encoding(1, cv2.COLOR_GRAY2RGB),
    "mono16": Encoding(1, cv2.COLOR_GRAY2RGB, depth=np.uint16),
    "yuv422": Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even_width=True),
    "uyvy": Encoding(2, cv2.COLOR_YUV2RGB_UYVY, even_width=True),
    "yuv422_yuy2": Encoding(2, cv2.COLOR_YUV2RGB_YUY2, even_width=True),
    "yuyv": Encoding(2, cv2.COLOR_YUV2RGB_YUY2, even_width=True),
    "bayer_rggb8": Encoding(1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": Encoding(1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": Encoding(1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": Encoding(1, cv2.COLOR_BayerGB2RGB),
    "8UC1": Encoding(1, cv2.COLOR_GRAY2RGB),
    "8UC3": Encoding(3, cv2.COLOR_BGR2RGB),
}
SUPPORTED_ENCODINGS: Final = tuple(_ENCODINGS)


def decode_image(msg: ImageMessage) -> RGB:
    """Return the image as (H, W, 3) uint8 RGB.

    An rgb8 image is a view of ``msg.data``, with the row padding left out by its strides.

    Args:
        msg: the message; 16 bit grey is scaled to 8 bits.

    Raises:
        ImageError: unknown encoding, impossible size or step, or too few bytes.
    """
    pixels, encoding = read_pixels(msg)
    if encoding.depth is np.uint16:
        pixels = cv2.convertScaleAbs(pixels, alpha=255 / 65535)
    if encoding.code is None:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, encoding.code), dtype=np.uint8)


def decode_compressed(msg: CompressedMessage) -> RGB:
    """Return a JPEG or PNG as (H, W, 3) uint8 RGB, in the sensor's orientation.

    Raises:
        ImageError: another format, or data that are damaged or cut off.
    """
    data = np.frombuffer(msg.data, dtype=np.uint8)
    if reason := unsupported_format(msg.format):
        raise ImageError(reason)
    head, tail = data[:8].tobytes(), data[-1024:].tobytes()
    if head.startswith(b"\xff\xd8\xff"):
        complete = b"\xff\xd9" in tail  # some cameras pad with zeros behind the end marker
    elif head == b"\x89PNG\r\n\x1a\n":
        complete = b"IEND" in tail
    else:
        raise ImageError(
            f"the {data.size} bytes of a '{msg.format}' image are neither JPEG nor PNG: "
            "check the publisher's format field"
        )
    # Orientation tags are ignored: the camera matrix belongs to the sensor's rows and columns.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    bgr = cv2.imdecode(data, flags) if complete else None
    if bgr is None:
        state = "damaged" if complete else "cut off before its end"
        raise ImageError(
            f"a '{msg.format}' image of {data.size} bytes is {state}: "
            "check the camera's link and the publisher's buffer size"
        )
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_pixels(msg: ImageMessage) -> tuple[NDArray[Any], Encoding]:
    """View the data as (H, W) or (H, W, C) in native byte order, without the row padding.

    Raises:
        ImageError: unknown encoding, impossible size or step, or too few bytes.
    """
    if reason := unsupported_encoding(msg.encoding):
        raise ImageError(reason)
    encoding = _ENCODINGS[msg.encoding]
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    what = f"{width}x{height} {msg.encoding} image"
    if height == 0 or width == 0:
        raise ImageError(f"{what} is empty: check the camera driver's image size")
    if encoding.even_width and width % 2:
        raise ImageError(f"{what}: this encoding needs an even width; change the camera's size")
    if msg.encoding.startswith("bayer") and (height < 3 or width < 3):
        raise ImageError(f"{what} is too small to demosaic: check the camera driver's image size")
    dtype = np.dtype(encoding.depth)
    row = width * encoding.channels * dtype.itemsize
    if step < row:
        raise ImageError(
            f"{what} has step {step}, but a row takes {row} bytes: fix step in the publisher"
        )
    data = np.frombuffer(msg.data, dtype=np.uint8)
    needed = step * (height - 1) + row  # some drivers leave out the padding of the last row
    if data.size < needed:
        raise ImageError(
            f"{what} is cut off: got {data.size} bytes, expected {step * height} "
            f"(step {step} x {height} rows); check the camera driver and its buffer size"
        )
    if dtype.itemsize > 1:
        dtype = dtype.newbyteorder(">" if msg.is_bigendian else "<")
    shape: tuple[int, ...] = (height, width)
    strides: tuple[int, ...] = (step, encoding.channels * dtype.itemsize)
    if encoding.channels > 1:
        shape, strides = (*shape, encoding.channels), (*strides, dtype.itemsize)
    pixels: NDArray[Any] = np.ndarray(shape, dtype, buffer=data, strides=strides)
    return (pixels if dtype.isnative else pixels.astype(dtype.newbyteorder("="))), encoding


def unsupported_encoding(encoding: str) -> str | None:
    """Why raw images of this encoding cannot be read, and the remedy; None = they can."""
    if encoding in _ENCODINGS:
        return None
    known = ", ".join(SUPPORTED_ENCODINGS)
    if encoding in ("16UC1", "32FC1"):
        return (
            f"encoding '{encoding}' is that of a depth image: remap 'image' to the colour topic "
            f"(supported: {known})"
        )
    return (
        f"encoding '{encoding}' is not supported: set the camera driver to one of {known}, "
        "or convert with image_proc"
    )


def unsupported_format(name: str) -> str | None:
    """Why compressed images of this format cannot be read, and the remedy; None = they can."""
    declared = name.lower()
    if "compresseddepth" in declared or not any(k in declared for k in ("jpeg", "jpg", "png")):
        return (
            f"compressed image format '{name}' is not supported: publish jpeg or png "
            "(image_transport's 'compressed' plugin), or set image_transport to raw"
        )
    return None
