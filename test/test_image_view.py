"""Our reader of serialised images agrees with rclpy's."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

serialization = pytest.importorskip("rclpy.serialization", reason="needs ROS 2 (make setup)")

from builtin_interfaces.msg import Time  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from hand_recon_ros.nodes.image_codec import ImageError, decode_image  # noqa: E402
from hand_recon_ros.nodes.image_view import ImageView, read_image  # noqa: E402


def message(sec: int = 5, frame: str = "camera", encoding: str = "rgb8", size: int = 12) -> Image:
    return Image(
        header=Header(stamp=Time(sec=sec, nanosec=7), frame_id=frame),
        height=2,
        width=2,
        encoding=encoding,
        is_bigendian=1,
        step=6,
        data=array("B", np.arange(size, dtype=np.uint8).tobytes()),
    )


@given(
    sec=st.integers(-(2**31), 2**31 - 1),
    frame=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=9),
    encoding=st.sampled_from(["rgb8", "mono8", "bayer_rggb16", ""]),
    size=st.integers(0, 40),
)
def test_same_fields_as_rclpy(sec: int, frame: str, encoding: str, size: int) -> None:
    given_message = message(sec, frame, encoding, size)
    view = read_image(serialization.serialize_message(given_message))
    assert isinstance(view, ImageView)
    assert view.header == given_message.header
    for name in ("height", "width", "encoding", "is_bigendian", "step"):
        assert getattr(view, name) == getattr(given_message, name)
    assert bytes(view.data) == given_message.data.tobytes()


def test_pixels_are_not_copied() -> None:
    data = serialization.serialize_message(message())
    pixels = decode_image(read_image(data))
    assert np.shares_memory(pixels, np.frombuffer(data, np.uint8))
    np.testing.assert_array_equal(pixels.ravel(), np.arange(12))


def test_big_endian_publishers() -> None:
    little = serialization.serialize_message(message())
    words = bytearray(little)
    words[1] = 0
    # sec, nanosec, length of "camera", height and width, length of "rgb8", step, length of data
    for at in (4, 8, 12, 24, 28, 32, 44, 48):
        words[at : at + 4] = reversed(words[at : at + 4])
    view = read_image(bytes(words))
    assert view.header == message().header
    assert (view.height, view.width, view.encoding, view.step) == (2, 2, "rgb8", 6)
    assert bytes(view.data) == bytes(range(12))


@pytest.mark.parametrize("length", [0, 1, 4, 9, 20, 40, 60])
def test_cut_messages_are_refused(length: int) -> None:
    whole = serialization.serialize_message(message())
    assert length < len(whole)
    if length < 2:
        with pytest.raises(Exception, match=r".+"):
            read_image(whole[:length])
    else:
        with pytest.raises(ImageError, match="no sensor_msgs/Image"):
            read_image(whole[:length])
