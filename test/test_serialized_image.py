"""Images read straight from their serialised bytes equal those that rclpy reads."""

import array
import struct
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS (make setup)")

from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from hand_recon_ros.nodes.image_codec import decode_image
from hand_recon_ros.nodes.serialized_image import ImageView, read_image

FIELDS = ("header", "height", "width", "encoding", "is_bigendian", "step")
WORD = st.integers(0, 2**32 - 1)


@settings(max_examples=200, deadline=None)
@given(
    sec=st.integers(-(2**31), 2**31 - 1),
    nanosec=WORD,
    frame_id=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
    encoding=st.text("rgbay8_", max_size=9),
    sizes=st.tuples(WORD, WORD, WORD, st.integers(0, 255)),
    pixels=st.binary(max_size=40),
)
def test_reads_what_rclpy_reads(sec, nanosec, frame_id, encoding, sizes, pixels):
    height, width, step, is_bigendian = sizes
    message = Image(
        header=Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=frame_id),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=is_bigendian,
        step=step,
        data=array.array("B", pixels),
    )
    serialized = serialize_message(message)
    image, expected = read_image(serialized), deserialize_message(serialized, Image)
    assert isinstance(image, ImageView)
    for field in FIELDS:
        assert getattr(image, field) == getattr(expected, field)
    assert bytes(image.data) == expected.data.tobytes()


def example(size=(4, 6)):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    message = Image(
        header=Header(frame_id="camera"),
        height=size[0],
        width=size[1],
        encoding="rgb8",
        step=3 * size[1],
        data=array.array("B", pixels.tobytes()),
    )
    return pixels, serialize_message(message)


def test_pixels_are_not_copied():
    pixels, serialized = example()
    decoded = decode_image(read_image(serialized), "opencv")
    assert np.shares_memory(decoded, np.frombuffer(serialized, np.uint8))
    assert (decoded == pixels).all()


def test_big_endian_bytes_are_read():
    """As a sender with the other byte order writes them."""
    body = struct.pack(">iII7sx", -5, 7, 7, b"camera\0") + struct.pack(">II", 1, 2)
    body += struct.pack(">I5sB2x", 5, b"rgb8\0", 1) + struct.pack(">II", 6, 6) + bytes(range(6))
    image = read_image(b"\x00\x00\x00\x00" + body)
    assert (image.header.stamp.sec, image.header.stamp.nanosec) == (-5, 7)
    assert (image.header.frame_id, image.height, image.width) == ("camera", 1, 2)
    assert (image.encoding, image.is_bigendian, image.step) == ("rgb8", 1, 6)
    assert bytes(image.data) == bytes(range(6))


def test_every_truncation_is_an_error():
    _, serialized = example()
    for length in range(4, len(serialized) - 3):  # rclpy pads the end to whole words
        with pytest.raises(ValueError, match=f"{length} bytes are no sensor_msgs/Image"):
            read_image(serialized[:length])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_rubbish_never_crashes(rubbish):
    try:
        image = read_image(b"\x00\x01\x00\x00" + rubbish)
    except ValueError:
        return
    assert len(image.data) <= len(rubbish)


def test_quicker_than_rclpy():
    """720p: the point of it all. At least ten times, where several hundred times are measured."""
    _, serialized = example((720, 1280))

    def best(call):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        return min(times)

    own = best(lambda: read_image(serialized))
    assert own * 10 < best(lambda: deserialize_message(serialized, Image))
