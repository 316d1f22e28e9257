"""Bags of the node's topics: message classes instead of names of types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

from hand_recon_ros.io.bags.writer import BagWriter

_OWN_MESSAGES = ("Point2D", "ManoParameters", "Hand", "HandArray")


class NodeBag(BagWriter):
    """An MCAP bag of messages of ROS and of this package.

    Args:
        folder: of the bag; must not exist.
        topics: message class of each topic.
    """

    def __init__(self, folder: Path, topics: Mapping[str, type]) -> None:
        """Create the bag."""
        share = Path(get_package_share_directory("hand_recon_ros")) / "msg"
        own = {f"hand_recon_ros/msg/{n}": (share / f"{n}.msg").read_text() for n in _OWN_MESSAGES}
        names = {topic: type_name(kind) for topic, kind in topics.items()}
        super().__init__(folder, names, definitions=own)


def type_name(kind: type) -> str:
    """Name of a message class, as "sensor_msgs/msg/Image"."""
    package, folder = kind.__module__.split(".")[:2]
    return f"{package}/{folder}/{kind.__name__}"
