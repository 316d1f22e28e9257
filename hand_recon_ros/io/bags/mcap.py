"""Messages out of a damaged MCAP file: without its index, chunk by chunk.

Format: https://mcap.dev/spec. A record is an opcode (1 byte), a length (8 bytes) and that many
bytes; messages lie in chunks, which hold records of the same form, or stand alone.
"""

from __future__ import annotations

import contextlib
import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from hand_recon_ros.io.bags.inflate import inflate
from hand_recon_ros.io.bags.stored import Damage, Stored, Topic
from hand_recon_ros.io.closing import Closing

_MAGIC = b"\x89MCAP0\r\n"
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 0x03, 0x04, 0x05, 0x06
_LEAST = {1: 8, 2: 20, 3: 14, 4: 16, 5: 22, 6: 40, 7: 6, 8: 64, 9: 40, 10: 52, 11: 46, 12: 8}
_LEAST |= {13: 28, 14: 17, 15: 4}
"""Least length of each kind of record (attachments, indices and so on included), bytes."""
_HEAD = struct.Struct("<BQ")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_CHUNK_HEAD = struct.Struct("<QQQII")
_FOOTER = struct.Struct("<BQQQI")
_RECORD_START = re.compile(rb"[\x01-\x0f](?=.{4}\0\0\0\0)", re.DOTALL)
"""Records shorter than 4 GiB."""
_IN_A_ROW = 3
"""So many records after each other make a place trustworthy where reading goes on."""
_TABLE = _CHANNEL, _SCHEMA


class McapSalvage(Closing):
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
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, tuple[str, int]] = {}
        self.topics: dict[str, Topic] = {}
        self.start_ns = 0
        self._survey()

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(BufferError):  # a walk was given up half-way: its views go first
            if isinstance(self._map, mmap.mmap):
                self._map.close()
        self._file.close()

    def _survey(self) -> None:
        counts: dict[int, int] = {}
        for channel, time_ns, _ in self._messages():
            counts[channel] = counts.get(channel, 0) + 1
            self.start_ns = self.start_ns or time_ns
        for channel, count in counts.items():
            if channel not in self._channels:
                self._damage.note(f"{count} messages of topics whose names are lost")
                continue
            name, schema = self._channels[channel]
            known = self.topics.get(name)
            count += known.count if known else 0
            self.topics[name] = Topic(name, self._schemas.get(schema, ""), count)

    def messages(self) -> Iterator[Stored]:
        """Yield the messages of known topics in the order of the file."""
        for channel, time_ns, data in self._messages():
            if channel in self._channels:
                yield Stored(self._channels[channel][0], time_ns, bytes(data))

    def _messages(self) -> Iterator[tuple[int, int, memoryview]]:
        view = memoryview(self._map)
        if view[: len(_MAGIC)] != _MAGIC:
            self._damage.note("the file does not start as an MCAP file does")
        if view[-len(_MAGIC) :] != _MAGIC:
            self._damage.note("cut off: its end is missing")
        yield from self._walk(view, len(_MAGIC))

    def _walk(self, view: memoryview, start: int, base: int = 0) -> Iterator[tuple]:
        """Yield channel, time and data of the messages from ``start`` on, also those in chunks.

        ``base`` is where the records lie in the file, for the notes.
        """
        at = start
        while at < len(view) and view[at:] != _MAGIC:
            end = _end(view, at)
            if end is None or not _goes_on(view, end):
                found = _next_record(view, at + 1)
                if end is None or found < end:  # this record's own head is damaged
                    self._damage.note(
                        f"unreadable records{' in a chunk' if base else ''}", base or at
                    )
                    at = found
                    continue
            if view[at] == _CHUNK and not base:
                yield from self._chunk(view, at, end)
            else:
                yield from self._record(view[at + _HEAD.size : end], view[at])
            at = end

    def _record(self, body: memoryview, opcode: int) -> Iterator[tuple]:
        if opcode == _MESSAGE:
            channel, _, time_ns, _ = _MESSAGE_HEAD.unpack_from(body)
            yield channel, time_ns, body[_MESSAGE_HEAD.size :]
        elif opcode in _TABLE:
            self._note_table(opcode, bytes(body))

    def _note_table(self, opcode: int, body: bytes) -> None:
        try:
            (number,) = struct.unpack_from("<H", body)
            if opcode == _SCHEMA:
                self._schemas.setdefault(number, _text(body, 2))
            else:
                (schema,) = struct.unpack_from("<H", body, 2)
                self._channels.setdefault(number, (_text(body, 4), schema))
        except (struct.error, UnicodeDecodeError):
            return  # of a damaged chunk; the file's end repeats it

    def _chunk(self, view: memoryview, at: int, end: int) -> Iterator[tuple]:
        body = at + _HEAD.size
        _, _, size, checksum, text = _CHUNK_HEAD.unpack_from(view, body)
        name = bytes(view[body + _CHUNK_HEAD.size :][:text]).decode()
        start = body + _CHUNK_HEAD.size + text + 8
        data = view[start : min(end, len(view))]
        records, whole = inflate(data, name)
        whole &= len(records) == size
        if whole and checksum and zlib.crc32(records) != checksum:
            whole = False
        if not whole:
            self._damage.note("damaged or cut off chunks, read as far as possible", at)
        yield from self._walk(memoryview(records), 0, base=at)


def check_summary(path: Path) -> None:
    """Compare the index at the file's end with its checksum, where it has one.

    Raises:
        ValueError: it is damaged.
    """
    with path.open("rb") as file:
        file.seek(-_FOOTER.size - len(_MAGIC), 2)
        opcode, length, start, _, checksum = _FOOTER.unpack(file.read(_FOOTER.size))
        end = file.seek(0, 2) - len(_MAGIC) - 4
        if (opcode, length) != (0x02, 20) or not start or not checksum:
            return
        file.seek(start)
        if zlib.crc32(file.read(end - start)) != checksum:
            raise ValueError("checksum of the index does not fit")


def _end(view: memoryview, at: int) -> int | None:
    """Where the record at ``at`` ends; None if there is none. A chunk may end behind the file."""
    if at + _HEAD.size > len(view):
        return None
    opcode, length = _HEAD.unpack_from(view, at)
    if length < _LEAST.get(opcode, 1 << 62):
        return None
    end = at + _HEAD.size + length
    if opcode == _CHUNK:
        return _chunk_end(view, at, end)
    return int(end) if end <= len(view) else None


def _chunk_end(view: memoryview, at: int, end: int) -> int | None:
    """The end of a chunk, which says its length twice: one may be damaged."""
    body = at + _HEAD.size
    if body + 40 > len(view):
        return None
    text = _CHUNK_HEAD.unpack_from(view, body)[4]
    start = body + _CHUNK_HEAD.size + text
    if text > 8 or bytes(view[start - text : start]) not in (b"", b"zstd", b"lz4"):
        return None
    if start + 8 > len(view):
        return None
    (length,) = struct.unpack_from("<Q", view, start)
    other = start + 8 + length
    if other != end and other <= len(view) and _end(view, other) is not None:
        return int(other)
    return int(end)


def _goes_on(view: memoryview, end: int, records: int = 1) -> bool:
    """True if so many records follow at ``end``, or what ends there is the last."""
    for _ in range(records):
        if end >= len(view) or view[end:] == _MAGIC:
            return True
        following = _end(view, end)
        if following is None:
            return False
        end = following
    return True


def _next_record(view: memoryview, start: int) -> int:
    """Where reading can go on; the end of ``view`` if nowhere."""
    for match in _RECORD_START.finditer(view, start):
        at = match.start()
        end = _end(view, at)
        if end is not None and _goes_on(view, end, _IN_A_ROW):
            return at
    return len(view)


def _text(body: bytes, at: int) -> str:
    (length,) = struct.unpack_from("<I", body, at)
    if len(body) < at + 4 + length:
        raise struct.error("text is cut off")
    return body[at + 4 : at + 4 + length].decode()
