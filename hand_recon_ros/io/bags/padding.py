"""Serialised messages with nothing but zeros between their fields.

Middleware leaves what happened to lie in memory in the gaps that alignment makes, so that equal
messages would not make equal bags. Plain CDR (OMG DDS-XTypes 1.3, 7.4.1): each number is aligned to
its size, counted from behind the 4-byte header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, TypeAlias

_HEADER = 4
_LENGTH = struct.Struct("<I")
_BYTES = ("bool", "byte", "char", "octet")


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Numbers of one size, one behind the other: no gaps between them."""

    size: int
    total: int


@dataclass(frozen=True, slots=True)
class _Text:
    pass


@dataclass(frozen=True, slots=True)
class _Fields:
    fields: tuple[_Layout, ...]


@dataclass(frozen=True, slots=True)
class _Sequence:
    element: _Layout


_Layout: TypeAlias = _Numbers | _Text | _Fields | _Sequence


class Padding:
    """Zeroes the gaps of little-endian CDR messages.

    Args:
        types: a type store of rosbags that knows them.
    """

    def __init__(self, types: Any) -> None:
        """Start without any type."""
        from rosbags.interfaces import Nodetype

        self._nodes = Nodetype
        self._definitions = types.fielddefs
        self._known: dict[str, _Layout] = {}

    def zeroed(self, data: bytes, kind: str) -> bytes:
        """Return the message with zeros in its gaps.

        Args:
            data: little-endian CDR.
            kind: name of its type, as "sensor_msgs/msg/Image".
        """
        clean = bytearray(data)
        _walk(clean, _HEADER, self._message(kind))
        return bytes(clean)

    def _message(self, kind: str) -> _Layout:
        if kind not in self._known:
            layouts = [self._layout(field) for _, field in self._definitions[kind][1]]
            self._known[kind] = _joined(layouts)
        return self._known[kind]

    def _layout(self, field: Any) -> _Layout:
        node, detail = field
        if node == self._nodes.BASE:
            return _Text() if detail[0] == "string" else _number(detail[0])
        if node == self._nodes.NAME:
            return self._message(detail)
        element = self._layout(detail[0])
        if node == self._nodes.SEQUENCE:
            return _Sequence(element)
        return _joined([element] * detail[1])


def _number(name: str) -> _Numbers:
    size = 1 if name in _BYTES else int(name.lstrip("abcdefghijklmnopqrstuvwxyz")) // 8
    return _Numbers(size, size)


def _joined(layouts: list[_Layout]) -> _Layout:
    """Layouts after each other; what holds numbers of one size only becomes one piece."""
    sizes = {layout.size if isinstance(layout, _Numbers) else 0 for layout in layouts}
    if len(sizes) == 1 and 0 not in sizes:
        total = sum(layout.total for layout in layouts if isinstance(layout, _Numbers))
        return _Numbers(sizes.pop(), total)
    return _Fields(tuple(layouts))


def _walk(data: bytearray, at: int, layout: _Layout) -> int:
    """Zero the gaps of what starts at ``at``; return where it ends."""
    if isinstance(layout, _Numbers):
        return _align(data, at, layout.size) + layout.total
    if isinstance(layout, _Fields):
        for field in layout.fields:
            at = _walk(data, at, field)
        return at
    at = _align(data, at, _LENGTH.size)
    (length,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    if isinstance(layout, _Text):
        return at + int(length)
    element = layout.element
    if isinstance(element, _Numbers):
        return _align(data, at, element.size) + length * element.total if length else at
    for _ in range(length):
        at = _walk(data, at, element)
    return at


def _align(data: bytearray, at: int, size: int) -> int:
    gap = -(at - _HEADER) % size
    if gap:
        data[at : at + gap] = bytes(gap)
    return at + gap
