"""Decompression that gives what can be had of damaged or cut off data."""

from __future__ import annotations

import bz2
import importlib
import sys
from pathlib import Path
from typing import Any, BinaryIO

_SLICE = 1 << 16
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def _zstd() -> Any:
    """The standard library's module (from Python 3.14 on), or the same as a package."""
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return importlib.import_module(name)


def _decompressor(compression: str) -> Any:
    if compression == "zstd":
        return _zstd().ZstdDecompressor()
    if compression == "lz4":
        import lz4.frame

        return lz4.frame.LZ4FrameDecompressor()
    if compression == "bz2":
        return bz2.BZ2Decompressor()
    raise ValueError(f"compression '{compression}' is unknown")


def inflate(data: bytes | memoryview, compression: str) -> tuple[bytes, bool]:
    """Decompress as much as possible.

    Args:
        data: one frame.
        compression: "zstd", "lz4", "bz2" or "" (not compressed).

    Returns:
        The bytes, and whether the frame was read to its end without fault.
    """
    if not compression:
        return bytes(data), True
    machine, parts = _decompressor(compression), []
    try:
        for at in range(0, len(data), _SLICE):
            parts.append(machine.decompress(bytes(data[at : at + _SLICE])))
            if machine.eof:
                break
    except Exception:  # each library has errors of its own
        return b"".join(parts), False
    return b"".join(parts), bool(machine.eof)


def unwrap_message(data: bytes) -> bytes:
    """Undo the compression of a single message, if there is any.

    Serialised messages start with 0 (CDR), so that the magic number of zstd tells.

    Raises:
        Exception: it is damaged; the library has errors of its own.
    """
    if data[:4] != ZSTD_MAGIC:
        return data
    return bytes(_zstd().decompress(data))


def inflate_file(source: Path, target: BinaryIO) -> bool:
    """Decompress a ``.zstd`` file into another; False = it is damaged, the rest is missing."""
    machine = _zstd().ZstdDecompressor()
    with source.open("rb") as file:
        while data := file.read(_SLICE):
            try:
                target.write(machine.decompress(data))
                while machine.eof and machine.unused_data:  # frames one after the other
                    rest = machine.unused_data
                    machine = _zstd().ZstdDecompressor()
                    target.write(machine.decompress(rest))
            except Exception:
                return False
    return bool(machine.eof)
