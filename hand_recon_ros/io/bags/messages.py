"""Unpacked messages of bags: the fields of ROS 2's types, whichever ROS has written them."""

from __future__ import annotations

import bisect
from types import SimpleNamespace
from typing import Any

from hand_recon_ros.io.bags.topics import CAMERA_INFO

_INFO_NAMES = {"D": "d", "K": "k", "R": "r", "P": "p"}
"""Fields of ``CameraInfo`` in ROS 1 and ROS 2."""


class Unpacker:
    """Unpacks the image and camera_info messages of one bag.

    Their definitions have not changed since ROS 1 (apart from two names), so that the bag's own
    definitions, which may be damaged, are not asked.
    """

    def __init__(self, is_ros1: bool) -> None:
        """Load the definitions."""
        from rosbags.typesys import Stores, get_typestore

        self._is_ros1 = is_ros1
        self._ros2_types = get_typestore(Stores.ROS2_JAZZY)
        self._types = get_typestore(Stores.ROS1_NOETIC) if is_ros1 else self._ros2_types

    def unpack(self, data: bytes, kind: str) -> Any:
        """Return a message.

        Raises:
            ValueError: the bytes are no such message.
        """
        unpack = self._types.deserialize_ros1 if self._is_ros1 else self._types.deserialize_cdr
        try:
            message: Any = unpack(data, kind)
        except Exception as error:  # rosbags meets damage with errors of all kinds
            raise ValueError(f"{len(data)} bytes are no {kind}: {error}") from None
        if self._is_ros1 and kind == CAMERA_INFO:
            fields = {_INFO_NAMES.get(k, k): v for k, v in vars(message).items()}
            return SimpleNamespace(**fields)
        return message

    def as_ros2(self, data: bytes, kind: str) -> bytes:
        """Return the bytes of a message as ROS 2 has them.

        Raises:
            ValueError: the bytes are no such message.
        """
        if not self._is_ros1:
            return data
        try:
            return bytes(self._ros2_types.ros1_to_cdr(data, kind))
        except Exception as error:  # rosbags meets damage with errors of all kinds
            raise ValueError(f"{len(data)} bytes are no {kind}: {error}") from None


class InfosByStamp:
    """The camera_info that holds at a time: the newest that is not younger, else the first."""

    def __init__(self) -> None:
        """Start with none."""
        self._stamps: list[int] = []
        self._infos: list[Any] = []
        self._newest = -1

    def add(self, info: Any) -> None:
        """Take in a camera_info; one that says what the last one said takes no room."""
        stamp = stamp_ns(info)
        self._newest = max(self._newest, stamp)
        at = bisect.bisect_right(self._stamps, stamp)
        if at and _content(self._infos[at - 1]) == _content(info):
            return
        self._stamps.insert(at, stamp)
        self._infos.insert(at, info)

    def reach(self, message: Any) -> bool:
        """True once no later camera_info can hold at the message's stamp."""
        return self._newest >= stamp_ns(message)

    def of(self, message: Any | None) -> Any | None:
        """The camera_info for a message; None while there is none."""
        if message is None or not self._infos:
            return None
        return self._infos[max(0, bisect.bisect_right(self._stamps, stamp_ns(message)) - 1)]


def stamp_ns(message: Any) -> int:
    """Stamp of a message with a header."""
    stamp = message.header.stamp
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _content(info: Any) -> str:
    return repr({name: value for name, value in vars(info).items() if name != "header"})
