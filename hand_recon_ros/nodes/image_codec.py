"""``sensor_msgs`` images to RGB arrays: through cv_bridge where it works, else by OpenCV itself."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
from typing import Final, Literal

import numpy as np
from sensor_msgs.msg import Image

from hand_recon_ros.stream import codec
from hand_recon_ros.stream.codec import RGB, SUPPORTED_ENCODINGS, Encoding, ImageError

Backend = Literal["cv_bridge", "opencv"]
_BRIDGED: Final = frozenset(SUPPORTED_ENCODINGS) - {"8UC1", "8UC3", "uyvy", "yuyv"}
"""What cv_bridge can turn into rgb8 (it knows no colour in 8UC*, and older ones no uyvy)."""


def decode_image(msg: Image, backend: Backend | None = None) -> RGB:
    """Return the image as (H, W, 3) uint8 RGB, as ``codec.decode_image`` does.

    Args:
        msg: the message; 16 bit grey is scaled to 8 bits.
        backend: who converts; None = cv_bridge where it works, else OpenCV.

    Raises:
        ImageError: unknown encoding, impossible size or step, or too few bytes.
    """
    if backend is None:
        backend = "cv_bridge" if cv_bridge_works() else "opencv"
    if backend == "cv_bridge" and msg.encoding in _BRIDGED:
        _, encoding = codec.read_pixels(msg)  # cv_bridge does not check the size of the data
        if _is_packed(msg, encoding):
            return _by_cv_bridge(msg)
    return codec.decode_image(msg)


@functools.cache
def cv_bridge_works() -> bool:
    """True where cv_bridge is installed and converts an image with the installed numpy.

    Tried in a process of its own, once: a cv_bridge built for another numpy ends it by a
    segmentation fault (vision_opencv issue 535).
    """
    if importlib.util.find_spec("cv_bridge") is None:
        return False
    trial = (
        "from cv_bridge import CvBridge; from sensor_msgs.msg import Image;"
        "m = Image(height=1, width=1, step=3, encoding='bgr8', data=[1, 2, 3]);"
        "assert CvBridge().imgmsg_to_cv2(m, 'rgb8').tolist() == [[[3, 2, 1]]]"
    )
    try:
        return not subprocess.run(
            [sys.executable, "-c", trial], capture_output=True, timeout=30, check=False
        ).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False


def _is_packed(msg: Image, encoding: Encoding) -> bool:
    """False with padded rows: cv_bridge skews those whose padding is no whole pixels."""
    row = msg.width * encoding.channels * np.dtype(encoding.depth).itemsize
    return bool(msg.step == row)


def _by_cv_bridge(msg: Image) -> RGB:
    from cv_bridge import CvBridge, CvBridgeError

    try:
        return np.asarray(CvBridge().imgmsg_to_cv2(msg, desired_encoding="rgb8"), dtype=np.uint8)
    except (CvBridgeError, RuntimeError, TypeError, ValueError) as error:
        raise ImageError(
            f"cv_bridge cannot read a {msg.width}x{msg.height} {msg.encoding} image: {error}"
        ) from error
