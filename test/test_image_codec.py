"""Image messages to RGB: every encoding by every converter, and every fault."""

import array
import os
import subprocess
import sys
import textwrap

import cv2
import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS messages (make setup)")

from sensor_msgs.msg import CompressedImage, Image

from hand_recon_ros.nodes.image_codec import cv_bridge_works, decode_image
from hand_recon_ros.stream.codec import SUPPORTED_ENCODINGS, ImageError, decode_compressed

BACKENDS = [
    "opencv",
    pytest.param(
        "cv_bridge",
        marks=pytest.mark.skipif(not cv_bridge_works(), reason="cv_bridge is not installed here"),
    ),
]
H, W = 16, 24


def message(encoding, pixels, *, padding=0, big_endian=False, short=0):
    """An Image of ``pixels`` (H, W[, C]), rows padded by ``padding`` bytes of rubbish."""
    rows = pixels.reshape(pixels.shape[0], -1)
    rows = rows.astype(rows.dtype.newbyteorder(">" if big_endian else "<"))
    data = np.ascontiguousarray(rows).view(np.uint8).reshape(pixels.shape[0], -1)
    data = np.pad(data, ((0, 0), (0, padding)), constant_values=0xAB)
    raw = data.tobytes()
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big_endian),
        step=data.shape[1],
        data=array.array("B", raw[: len(raw) - short]),
    )


def scene():
    """A smooth coloured picture: demosaicing and chroma subsampling hardly change it."""
    y, x = np.mgrid[0:H, 0:W]
    rgb = np.stack([40 + 6 * x, 60 + 8 * y, 200 - 3 * x - 2 * y], axis=-1)
    return rgb.astype(np.uint8)


def mosaic(rgb, pattern):
    """Keep of each 2x2 block the colours that the pattern names, row by row."""
    out = np.empty(rgb.shape[:2], np.uint8)
    for k, letter in enumerate(pattern):
        dy, dx = divmod(k, 2)
        out[dy::2, dx::2] = rgb[dy::2, dx::2, "rgb".index(letter)]
    return out


def yuv422(rgb, luma_first):
    """BT.601 studio range, chroma of each pair averaged."""
    r, g, b = (rgb[..., k].astype(float) for k in range(3))
    luma = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255
    v = 128 + (112.0 * r - 93.786 * g - 18.214 * b) / 255
    chroma = np.empty_like(luma)
    chroma[:, 0::2] = (u[:, 0::2] + u[:, 1::2]) / 2
    chroma[:, 1::2] = (v[:, 0::2] + v[:, 1::2]) / 2
    pair = (luma, chroma) if luma_first else (chroma, luma)
    return np.stack(pair, axis=-1).round().astype(np.uint8)


def encoded(encoding):
    """Return the scene in this encoding, the RGB that it should give, and the tolerance."""
    rgb = scene()
    alpha = np.full((H, W, 1), 7, np.uint8)
    grey = rgb[..., 0]
    as_rgb = np.repeat(grey[..., None], 3, axis=2)
    if encoding.startswith("bayer"):
        return mosaic(rgb, encoding[6:10]), rgb, 4
    return {
        "rgb8": (rgb, rgb, 0),
        "bgr8": (rgb[..., ::-1], rgb, 0),
        "8UC3": (rgb[..., ::-1], rgb, 0),
        "rgba8": (np.concatenate([rgb, alpha], 2), rgb, 0),
        "bgra8": (np.concatenate([rgb[..., ::-1], alpha], 2), rgb, 0),
        "mono8": (grey, as_rgb, 0),
        "8UC1": (grey, as_rgb, 0),
        "mono16": (grey.astype(np.uint16) * 257, as_rgb, 1),
        "yuv422": (yuv422(rgb, luma_first=False), rgb, 6),
        "uyvy": (yuv422(rgb, luma_first=False), rgb, 6),
        "yuv422_yuy2": (yuv422(rgb, luma_first=True), rgb, 6),
        "yuyv": (yuv422(rgb, luma_first=True), rgb, 6),
    }[encoding]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("padding", [0, 10])
@pytest.mark.parametrize("encoding", SUPPORTED_ENCODINGS)
def test_encoding_gives_the_scene(encoding, padding, backend):
    pixels, expected, tolerance = encoded(encoding)
    rgb = decode_image(message(encoding, pixels, padding=padding), backend)
    assert rgb.dtype == np.uint8
    assert rgb.shape == (H, W, 3)
    inner = np.s_[2:-2, 2:-2]  # demosaicing guesses at the border
    difference = np.abs(rgb[inner].astype(int) - expected[inner].astype(int))
    assert difference.max() <= tolerance


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("big_endian", [False, True])
def test_mono16_honours_the_byte_order(big_endian, backend):
    grey = (np.arange(H * W, dtype=np.uint16) * 150).reshape(H, W)
    rgb = decode_image(message("mono16", grey, big_endian=big_endian, padding=6), backend)
    assert np.abs(rgb[..., 1].astype(float) - grey * (255 / 65535)).max() <= 0.5


@pytest.mark.parametrize("padding", [0, 10])
def test_rgb8_is_a_view_of_the_message(padding):
    msg = message("rgb8", scene(), padding=padding)
    rgb = decode_image(msg, "opencv")
    assert np.shares_memory(rgb, np.frombuffer(msg.data, np.uint8))
    assert rgb[3, 5].tolist() == scene()[3, 5].tolist()


@pytest.mark.parametrize("kind", [bytes, lambda b: np.frombuffer(b, np.uint8), memoryview])
def test_data_may_be_any_buffer(kind):
    msg = message("bgr8", scene()[..., ::-1])

    class View:  # what a reader of bags hands over
        height, width, encoding = H, W, "bgr8"
        step, is_bigendian, data = msg.step, 0, kind(msg.data.tobytes())

    assert (decode_image(View, "opencv") == scene()).all()


def test_last_row_may_lack_its_padding():
    msg = message("rgb8", scene(), padding=10, short=10)
    assert (decode_image(msg) == scene()).all()


def test_truncated_data_name_what_is_missing():
    with pytest.raises(ImageError, match=r"24x16 bgr8 .*got 1151 bytes, expected 1152 .*driver"):
        decode_image(message("bgr8", scene(), short=1))


@pytest.mark.parametrize("encoding", ["yuv444", "bayer_rggb16", "", "RGB8"])
def test_unknown_encoding_lists_the_known_ones(encoding):
    msg = message("rgb8", scene())
    msg.encoding = encoding
    with pytest.raises(ImageError, match=f"'{encoding}'.*rgb8.*bayer_grbg8"):
        decode_image(msg)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_image_is_told_apart(encoding):
    msg = message("rgb8", scene())
    msg.encoding = encoding
    with pytest.raises(ImageError, match="depth image: remap"):
        decode_image(msg)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"height": 0}, "24x0 rgb8 image is empty"),
        ({"width": 0}, "0x16 rgb8 image is empty"),
        ({"step": 71}, "step 71, but a row takes 72 bytes"),
        ({"step": 0}, "step 0, but a row takes 72 bytes"),
        ({"height": 17}, "got 1152 bytes, expected 1224"),
        ({"height": 2**32 - 1, "width": 2**32 - 1, "step": 2**32 - 1}, "step 4294967295, but"),
    ],
)
def test_impossible_layout_is_named(changes, words):
    msg = message("rgb8", scene())
    for name, value in changes.items():
        setattr(msg, name, value)
    with pytest.raises(ImageError, match=words):
        decode_image(msg)


@pytest.mark.parametrize("encoding", ["yuv422", "yuv422_yuy2"])
def test_odd_width_has_no_yuv422(encoding):
    msg = message(encoding, np.zeros((H, 23, 2), np.uint8))
    with pytest.raises(ImageError, match="even width"):
        decode_image(msg)


def test_tiny_bayer_image_is_an_error_and_no_crash():
    with pytest.raises(ImageError, match="too small"):
        decode_image(message("bayer_rggb8", np.zeros((2, 2), np.uint8)))


def compressed(extension, format_):
    big = cv2.resize(scene(), (240, 160), interpolation=cv2.INTER_LINEAR)
    done, data = cv2.imencode(extension, cv2.cvtColor(big, cv2.COLOR_RGB2BGR))
    assert done
    return big, CompressedImage(format=format_, data=array.array("B", data.tobytes()))


@pytest.mark.parametrize(
    ("extension", "format_", "tolerance"),
    [
        (".jpg", "jpeg", 12),
        (".jpg", "rgb8; jpeg compressed bgr8", 12),
        (".png", "png", 0),
        (".png", "bgr8; png compressed bgr8", 0),
    ],
)
def test_compressed_gives_the_scene(extension, format_, tolerance):
    big, msg = compressed(extension, format_)
    rgb = decode_compressed(msg)
    assert rgb.shape == big.shape
    assert np.abs(rgb.astype(int) - big.astype(int)).max() <= tolerance


def test_zeros_behind_a_jpeg_are_ignored():
    _, msg = compressed(".jpg", "jpeg")
    exact = decode_compressed(msg)
    msg.data.extend([0] * 500)
    assert (decode_compressed(msg) == exact).all()


@pytest.mark.parametrize("extension", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_cut_off_compressed_image_is_an_error(extension, kept):
    _, msg = compressed(extension, "jpeg" if extension == ".jpg" else "png")
    del msg.data[int(kept * len(msg.data)) :]
    with pytest.raises(ImageError, match=f"of {len(msg.data)} bytes is cut off"):
        decode_compressed(msg)


def test_damaged_png_is_an_error():
    _, msg = compressed(".png", "png")
    for i in range(20, 60):
        msg.data[i] ^= 0xFF
    with pytest.raises(ImageError, match="damaged"):
        decode_compressed(msg)


@pytest.mark.parametrize("data", [b"", b"\x00" * 64, b"GIF89a" + b"\x00" * 20])
def test_data_of_no_known_format_are_an_error(data):
    msg = CompressedImage(format="jpeg", data=array.array("B", data))
    with pytest.raises(ImageError, match=f"the {len(data)} bytes of a 'jpeg' image are neither"):
        decode_compressed(msg)


@pytest.mark.parametrize("format_", ["", "h264", "16UC1; compressedDepth png"])
def test_unknown_format_is_an_error(format_):
    _, msg = compressed(".png", format_)
    with pytest.raises(ImageError, match="is not supported: publish jpeg or png"):
        decode_compressed(msg)


@pytest.mark.parametrize(
    "body", ["import os; os.abort()", "raise ImportError('built for another numpy')"]
)
def test_broken_cv_bridge_is_left_aside(tmp_path, body):
    """A cv_bridge that dies on import (numpy mismatch) must not take the node with it."""
    (tmp_path / "cv_bridge.py").write_text(body)
    script = textwrap.dedent(
        """
        import numpy as np
        from sensor_msgs.msg import Image
        from hand_recon_ros.nodes.image_codec import cv_bridge_works, decode_image
        assert not cv_bridge_works()
        m = Image(height=1, width=1, step=3, encoding="bgr8", data=[1, 2, 3])
        assert decode_image(m).tolist() == [[[3, 2, 1]]]
        """
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        check=True,
        timeout=60,
    )
