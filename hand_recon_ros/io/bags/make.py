"""A bag out of a video: what a camera driver would have published."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.bags.topics import CAMERA_INFO, COMPRESSED, IMAGE
from hand_recon_ros.io.bags.writer import BagWriter, Storage
from hand_recon_ros.types import Frame

IMAGE_TOPIC = "/camera/image_raw"
INFO_TOPIC = "/camera/camera_info"
FRAME_ID = "camera_optical_frame"
BEGIN_NS = 1_000_000_000
"""Stamp of the first frame; not zero, which means that there is no stamp."""
_JPEG_QUALITY = 95
_NS = 1_000_000_000


def make_bag(
    frames: Iterable[Frame],
    folder: Path,
    *,
    compressed: bool = False,
    storage: Storage = "mcap",
    fps: Fraction | None = None,
) -> int:
    """Write frames as images, with a camera_info each unless the camera is only assumed.

    Args:
        frames: in order, of one camera.
        folder: of the bag; must not exist.
        compressed: JPEG instead of raw images.
        storage: of the bag.
        fps: rate by which the frames are stamped; None = by their own stamps.

    Returns:
        How many frames were written.

    Raises:
        FileExistsError: the folder exists.
        SourceError: there is no frame (the folder is not made then).
    """
    iterator = iter(frames)
    first = next(iterator)
    topic, kind = (f"{IMAGE_TOPIC}/compressed", COMPRESSED) if compressed else (IMAGE_TOPIC, IMAGE)
    topics = {topic: kind} | ({} if first.camera.assumed else {INFO_TOPIC: CAMERA_INFO})
    count = 0
    with BagWriter(folder, topics, storage=storage) as writer:
        message = _Messages(writer.types)
        for frame in itertools.chain([first], iterator):
            since_s = float(count / fps) if fps else frame.stamp - first.stamp
            stamp_ns = BEGIN_NS + round(since_s * _NS)
            if INFO_TOPIC in topics:
                info = message.info(frame.camera, stamp_ns)
                writer.write(INFO_TOPIC, stamp_ns, writer.types.serialize_cdr(info, CAMERA_INFO))
            image = message.jpeg(frame, stamp_ns) if compressed else message.raw(frame, stamp_ns)
            writer.write(topic, stamp_ns, writer.types.serialize_cdr(image, kind))
            count += 1
    return count


class _Messages:
    """Builds messages of rosbags' type store."""

    def __init__(self, types: Any) -> None:
        self._types: dict[str, Any] = types.types

    def raw(self, frame: Frame, stamp_ns: int) -> Any:
        height, width = frame.image.shape[:2]
        return self._types[IMAGE](
            header=self._header(stamp_ns),
            height=height,
            width=width,
            encoding="rgb8",
            is_bigendian=0,
            step=3 * width,
            data=np.ascontiguousarray(frame.image).reshape(-1),
        )

    def jpeg(self, frame: Frame, stamp_ns: int) -> Any:
        bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        name = "rgb8; jpeg compressed bgr8"  # image_transport's wording
        return self._types[COMPRESSED](
            header=self._header(stamp_ns), format=name, data=data.reshape(-1)
        )

    def info(self, camera: Camera, stamp_ns: int) -> Any:
        roi = self._types["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return self._types[CAMERA_INFO](
            header=self._header(stamp_ns),
            height=camera.height,
            width=camera.width,
            distortion_model=camera.model,
            d=camera.D if camera.D.size else np.zeros(5),
            k=camera.K.reshape(-1),
            r=np.eye(3).reshape(-1),
            p=np.hstack([camera.K, np.zeros((3, 1))]).reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def _header(self, stamp_ns: int) -> Any:
        seconds, nanoseconds = divmod(stamp_ns, _NS)
        time = self._types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
        return self._types["std_msgs/msg/Header"](stamp=time, frame_id=FRAME_ID)
