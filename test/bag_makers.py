"""Bags of every kind for tests: a moving pattern whose corner pixel says which frame it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rosbags", reason="the extra 'bags' is not installed")

from rosbags import rosbag1, rosbag2
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.typesys import Stores, get_typestore

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.bags.make import IMAGE_TOPIC, INFO_TOPIC, _Messages
from hand_recon_ros.io.bags.source import BagOptions, BagSource
from hand_recon_ros.io.bags.topics import CAMERA_INFO, IMAGE
from hand_recon_ros.types import Frame

FRAMES, WIDTH, HEIGHT = 40, 160, 120
BEGIN_NS, STEP_NS = 10**18, 33_000_000
CAMERA = Camera(WIDTH, HEIGHT, Camera.from_fov(WIDTH, HEIGHT, 60.0).K)
TYPES = get_typestore(Stores.ROS2_JAZZY)
MESSAGES = _Messages(TYPES)
ROS1 = get_typestore(Stores.ROS1_NOETIC)


def image(k: int) -> np.ndarray:
    """Mostly black, with noise that does not compress."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[20:60, 20:100] = np.random.default_rng(k).integers(0, 255, (40, 80, 3))
    picture[0, 0] = k
    return picture


def stamp_ns(k: int) -> int:
    return BEGIN_NS + k * STEP_NS


def frame(k: int) -> Frame:
    return Frame(image(k), stamp_ns(k) * 1e-9, CAMERA, k)


Put = Callable[[str, int, str, Any], None]


def write2(
    folder: Path,
    fill: Callable[[Put], None],
    *,
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """A ROS 2 bag of what ``fill`` puts: topic, recording time, type, message."""
    writer = rosbag2.Writer(folder, version=9, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}

    def put(topic: str, time_ns: int, kind: str, message: Any) -> None:
        if topic not in connections:
            connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
        data = message if isinstance(message, bytes) else TYPES.serialize_cdr(message, kind)
        writer.write(connections[topic], time_ns, data)

    with writer:
        fill(put)
    return folder


def camera(put: Put) -> None:
    """The images and calibrations of one camera."""
    for k in range(FRAMES):
        t = stamp_ns(k)
        put(INFO_TOPIC, t, CAMERA_INFO, MESSAGES.info(CAMERA, t))
        put(IMAGE_TOPIC, t, IMAGE, MESSAGES.raw(frame(k), t))


def write1(folder: Path, compression: Any = None) -> Path:
    """The same as a ROS 1 bag."""
    folder.mkdir()
    writer = rosbag1.Writer(folder / "camera.bag")
    if compression is not None:
        writer.set_compression(compression)
    kinds = ROS1.types
    with writer:
        images = writer.add_connection(IMAGE_TOPIC, IMAGE, typestore=ROS1)
        infos = writer.add_connection(INFO_TOPIC, CAMERA_INFO, typestore=ROS1)
        for k in range(FRAMES):
            time = kinds["builtin_interfaces/msg/Time"](*divmod(stamp_ns(k), 10**9))
            header = kinds["std_msgs/msg/Header"](seq=k, stamp=time, frame_id="optical")
            size = {"header": header, "height": HEIGHT, "width": WIDTH}
            roi = kinds["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            info = kinds[CAMERA_INFO](
                **size, distortion_model="plumb_bob", D=np.zeros(5), K=CAMERA.K.ravel(),
                R=np.eye(3).ravel(), P=np.zeros(12), binning_x=0, binning_y=0, roi=roi,
            )  # fmt: skip
            raw = kinds[IMAGE](
                **size, encoding="rgb8", is_bigendian=0, step=3 * WIDTH, data=image(k).ravel()
            )
            writer.write(infos, stamp_ns(k), ROS1.serialize_ros1(info, CAMERA_INFO))
            writer.write(images, stamp_ns(k), ROS1.serialize_ros1(raw, IMAGE))
    return folder


MAKERS: dict[str, Callable[[Path], Path]] = {
    "mcap": lambda f: write2(f, camera),
    "mcap, zstd chunks": lambda f: write2(f, camera, compression=CompressionMode.STORAGE),
    "mcap, zstd messages": lambda f: write2(f, camera, compression=CompressionMode.MESSAGE),
    "mcap, zstd file": lambda f: write2(f, camera, compression=CompressionMode.FILE),
    "sqlite": lambda f: write2(f, camera, storage=StoragePlugin.SQLITE3),
    "sqlite, zstd messages": lambda f: write2(
        f, camera, storage=StoragePlugin.SQLITE3, compression=CompressionMode.MESSAGE
    ),
    "sqlite, zstd file": lambda f: write2(
        f, camera, storage=StoragePlugin.SQLITE3, compression=CompressionMode.FILE
    ),
    "ros 1": write1,
    "ros 1, lz4": lambda f: write1(f, rosbag1.Writer.CompressionFormat.LZ4),
    "ros 1, bz2": lambda f: write1(f, rosbag1.Writer.CompressionFormat.BZ2),
}


def storage_file(folder: Path) -> Path:
    (file,) = (file for file in folder.iterdir() if file.suffix != ".yaml")
    return file


def read(path: Path, **options: Any) -> tuple[list[Frame], list[str]]:
    """All frames, and what was skipped."""
    with BagSource(path, BagOptions(**options)) as source:
        frames = list(source)
        return frames, source.skipped


def numbers(frames: list[Frame]) -> list[int]:
    return [int(f.image[0, 0, 0]) for f in frames]
