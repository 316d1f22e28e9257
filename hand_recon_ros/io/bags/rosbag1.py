"""Messages out of a damaged or unfinished ROS 1 bag: without its index, chunk by chunk.

Format: http://wiki.ros.org/Bags/Format/2.0. A record is a header (length, then ``name=value``
fields, each with its length) and data (length, then bytes).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hand_recon_ros.io.bags.inflate import inflate
from hand_recon_ros.io.bags.stored import Damage, Stored, Topic
from hand_recon_ros.io.closing import Closing

_MAGIC = b"#ROSBAG V2.0\n"
_MESSAGE, _CHUNK, _CONNECTION = 2, 5, 7
_LONGEST_HEADER = 1 << 16
_OPCODE = b"\x04\0\0\0op="
_LENGTH = struct.Struct("<I")


class Rosbag1Salvage(Closing):
    """Reads whatever records can still be recognised.

    Attributes:
        topics: what was found, by name.
        start_ns: recording time of the first message.
    """

    def __init__(self, path: Path, damage: Damage) -> None:
        """Survey the file (all of it is read once).

        Args:
            path: the file.
            damage: told of what is damaged.
        """
        self._damage = damage
        self._file = path.open("rb")
        size = path.stat().st_size
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        self._names: dict[int, tuple[str, str]] = {}
        self.topics: dict[str, Topic] = {}
        self.start_ns = 0
        self._survey()

    def close(self) -> None:
        """Close the file."""
        with suppress(BufferError):  # a walk was given up half-way: its views go first
            if isinstance(self._map, mmap.mmap):
                self._map.close()
        self._file.close()

    def _survey(self) -> None:
        counts: dict[int, int] = {}
        for connection, time_ns, _ in self._messages():
            counts[connection] = counts.get(connection, 0) + 1
            self.start_ns = self.start_ns or time_ns
        for connection, count in counts.items():
            if connection not in self._names:
                self._damage.note(f"{count} messages of topics whose names are lost")
                continue
            name, kind = self._names[connection]
            known = self.topics.get(name)
            self.topics[name] = Topic(name, kind, count + (known.count if known else 0))

    def messages(self) -> Iterator[Stored]:
        """Yield the messages of known topics in the order of the file."""
        for connection, time_ns, data in self._messages():
            if connection in self._names:
                yield Stored(self._names[connection][0], time_ns, bytes(data))

    def _messages(self) -> Iterator[tuple[int, int, memoryview]]:
        view = memoryview(self._map)
        if view[: len(_MAGIC)] != _MAGIC:
            self._damage.note("the file does not start as a ROS 1 bag does")
        yield from self._walk(view, len(_MAGIC))

    def _walk(self, view: memoryview, at: int, base: int = 0) -> Iterator[tuple]:
        while at < len(view):
            record = _record(view, at)
            if record is None or (record[2] < len(view) and _record(view, record[2]) is None):
                found = _next_record(view, at + 1)
                if record is None or found < record[2]:
                    self._damage.note(
                        f"unreadable records{' in a chunk' if base else ''}", base or at
                    )
                    at = found
                    continue
            header, data, end = record
            if end > len(view):
                self._damage.note("cut off: its end is missing")
            opcode = header["op"][0]
            if opcode == _CHUNK and not base:
                yield from self._chunk(header, data, at)
            elif opcode == _CONNECTION:
                self._note_connection(header, data)
            elif opcode == _MESSAGE and {"conn", "time"} <= header.keys() and end <= len(view):
                seconds, nanoseconds = struct.unpack("<II", header["time"])
                connection = int.from_bytes(header["conn"], "little")
                yield connection, seconds * 1_000_000_000 + nanoseconds, data
            at = end

    def _chunk(self, header: dict[str, bytes], data: memoryview, at: int) -> Iterator[tuple]:
        name = header.get("compression", b"none").decode(errors="replace")
        try:
            records, whole = inflate(data, "" if name == "none" else name)
        except ValueError:
            records, whole = b"", False
        if not whole or len(records) != int.from_bytes(header.get("size", b""), "little"):
            self._damage.note("damaged or cut off chunks, read as far as possible", at)
        yield from self._walk(memoryview(records), 0, base=at)

    def _note_connection(self, header: dict[str, bytes], data: memoryview) -> None:
        fields = _fields(data)
        if fields is None or "type" not in fields or not {"conn", "topic"} <= header.keys():
            return
        topic = "/".join(
            part for part in header["topic"].decode(errors="replace").split("/") if part
        )
        package, _, kind = fields["type"].decode(errors="replace").rpartition("/")
        number = int.from_bytes(header["conn"], "little")
        self._names.setdefault(number, (f"/{topic}", f"{package}/msg/{kind}"))


def _record(view: memoryview, at: int) -> tuple[dict[str, bytes], memoryview, int] | None:
    """Header fields, data and end of the record at ``at``; a chunk may end behind the file."""
    if at + 8 > len(view):
        return None
    (length,) = _LENGTH.unpack_from(view, at)
    start = at + 4
    if length > _LONGEST_HEADER or start + length + 4 > len(view):
        return None
    fields = _fields(view[start : start + length])
    if not fields or len(fields.get("op", b"")) != 1 or not 2 <= fields["op"][0] <= 7:
        return None
    (size,) = _LENGTH.unpack_from(view, start + length)
    data = start + length + 4
    if data + size > len(view) and fields["op"][0] != _CHUNK:
        return None
    if fields["op"][0] == _MESSAGE and len(fields.get("time", b"")) != 8:
        return None
    return fields, view[data : data + size], data + size


def _fields(data: memoryview) -> dict[str, bytes] | None:
    at, found = 0, {}
    while at < len(data):
        if at + 4 > len(data):
            return None
        (length,) = _LENGTH.unpack_from(data, at)
        name, equals, value = bytes(data[at + 4 : at + 4 + length]).partition(b"=")
        if not equals or at + 4 + length > len(data):
            return None
        found[name.decode(errors="replace")] = value
        at += 4 + length
    return found


def _next_record(view: memoryview, start: int) -> int:
    """Where reading can go on; the end of ``view`` if nowhere."""
    whole = view.obj
    assert isinstance(whole, bytes | mmap.mmap)
    at = start
    while (at := whole.find(_OPCODE, at)) >= 0:
        for begin in range(max(start, at - 64), at - 3):  # the fields before "op" are short
            if _record(view, begin) is not None:
                return begin
        at += 1
    return len(view)
