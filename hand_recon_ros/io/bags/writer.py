"""Writing rosbag2 folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from hand_recon_ros.io.closing import Closing

Storage = Literal["mcap", "sqlite3"]


class BagWriter(Closing):
    """Writes serialised messages. The same messages make the same bytes (MCAP).

    Args:
        folder: of the bag; must not exist.
        topics: type of each topic, as "sensor_msgs/msg/Image".
        definitions: texts of types that are not among ROS's own, by name.
        storage: how messages are stored.

    Attributes:
        types: rosbags' type store, to serialise messages without ROS.

    Raises:
        FileExistsError: the folder exists.
        ImportError: rosbags is not installed.
    """

    def __init__(
        self,
        folder: Path,
        topics: Mapping[str, str],
        *,
        definitions: Mapping[str, str] | None = None,
        storage: Storage = "mcap",
    ) -> None:
        """Create the bag."""
        from rosbags.rosbag2 import StoragePlugin, Writer
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore

        if folder.exists():
            raise FileExistsError(f"'{folder}' exists already: name another, or remove it")
        self.types: Any = get_typestore(Stores.ROS2_JAZZY)
        for name, text in (definitions or {}).items():
            self.types.register(get_types_from_msg(text, name))
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin[storage.upper()])
        self._writer.open()
        self._connections = {
            topic: self._writer.add_connection(topic, kind, typestore=self.types)
            for topic, kind in topics.items()
        }

    def write(self, topic: str, time_ns: int, data: bytes | memoryview) -> None:
        """Append a serialised message.

        Args:
            topic: one of those given.
            time_ns: recording time, ns since the epoch.
            data: CDR.
        """
        self._writer.write(self._connections[topic], time_ns, data)

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()
