"""A bag as one stream of messages, whatever its storage and state."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from hand_recon_ros.io.bags.inflate import inflate_file, unwrap_message
from hand_recon_ros.io.bags.mcap import McapSalvage, check_summary
from hand_recon_ros.io.bags.rosbag1 import Rosbag1Salvage
from hand_recon_ros.io.bags.sqlite import SqliteSalvage, check_size
from hand_recon_ros.io.bags.stored import BagError, Damage, Stored, Topic
from hand_recon_ros.io.closing import Closing

Salvage: TypeAlias = McapSalvage | SqliteSalvage | Rosbag1Salvage
_SALVAGES: dict[str, type[Salvage]] = {
    ".mcap": McapSalvage,
    ".db3": SqliteSalvage,
    ".bag": Rosbag1Salvage,
}
_CHECKS = {".mcap": check_summary, ".db3": check_size}
"""Damage that rosbags does not notice."""
_COMPRESSED = (".zstd", ".zst")
_METADATA = "metadata.yaml"
_KINDS = "a rosbag2 folder, .mcap, .db3 (each also with .zstd) or a ROS 1 .bag"


class Bag(Closing):
    """A recording, opened for reading (also twice at a time, but by one thread).

    Attributes:
        path: folder or file.
        is_ros1: its messages are ROS 1's.
        topics: by name.
        start_ns: recording time of the first message.
    """

    def __init__(self, path: str | Path) -> None:
        """Open it.

        Raises:
            BagError: it is missing, is no bag, or nothing in it can be read.
            ImportError: rosbags is not installed.
        """
        _need_rosbags()
        self.path = Path(path)
        self._losses: list[str] = []
        self._stack = ExitStack()
        try:
            self._parts = [self._open(file) for file in self._files()]
        except BaseException:
            self._stack.close()
            raise
        self._parts.sort(key=lambda part: part.start_ns)
        filled = [part for part in self._parts if part.topics]
        if not filled:
            self._stack.close()
            reasons = "; ".join(self.losses()) or "it holds no messages"
            raise BagError(
                f"nothing in bag '{self.path}' can be read ({reasons}): copy it from the recorder "
                "again, or record it anew"
            )
        self.is_ros1 = filled[0].is_ros1
        self.start_ns = filled[0].start_ns
        self.topics: dict[str, Topic] = {}
        for part in self._parts:
            for name, topic in part.topics.items():
                before = self.topics[name].count if name in self.topics else 0
                self.topics[name] = Topic(name, topic.type, topic.count + before)

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Stored]:
        """Yield the messages of some topics in the order of recording, over damaged places.

        Args:
            topics: names.
            start_ns: leave out what was recorded before.
            stop_ns: and what was recorded then or later.
        """
        for part in self._parts:
            yield from part.messages(topics, start_ns, stop_ns)

    def losses(self) -> list[str]:
        """What is damaged or missing, as far as it was met until now."""
        return [*self._losses, *(line for p in self._parts for line in p.damage.lines())]

    def close(self) -> None:
        """Close all files."""
        self._stack.close()

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        if not self.path.is_dir():
            raise BagError(f"bag '{self.path}' does not exist")
        found = sorted(f for f in self.path.iterdir() if _kind(f) in _SALVAGES)
        whole = {f.name for f in found}
        found = [f for f in found if f.suffix not in _COMPRESSED or f.stem not in whole]
        if not found:
            raise BagError(f"folder '{self.path}' holds no bag; a bag is {_KINDS}")
        if any(_kind(f) != ".bag" for f in found):
            self._check_metadata({f.name for f in found})
        return found

    def _check_metadata(self, found: set[str]) -> None:
        """Note what the bag's description says of it that is not there. Nothing else needs it."""
        path = self.path / _METADATA
        try:
            listed = yaml.safe_load(path.read_text())["rosbag2_bagfile_information"]
            names = {Path(name).name for name in listed["relative_file_paths"]}
        except FileNotFoundError:
            self._losses.append(f"{_METADATA} is missing: the recording did not end in order")
        except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
            self._losses.append(f"{_METADATA} is damaged: read without it")
        else:
            for name in sorted(names - found - {f"{f}{s}" for f in found for s in _COMPRESSED}):
                self._losses.append(f"{name} is missing")

    def _open(self, file: Path) -> _Part:
        kind = _kind(file)
        if kind not in _SALVAGES:
            raise BagError(f"'{file}' is no bag; a bag is {_KINDS}")
        damage = Damage(file.name)
        if file.suffix in _COMPRESSED:
            folder = Path(tempfile.mkdtemp(prefix="hand_recon_bag_"))
            self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
            plain = folder / file.stem
            with plain.open("wb") as target:
                if not inflate_file(file, target):
                    damage.note("the compressed file is damaged or cut off")
            file = plain
        return self._stack.enter_context(_Part(file, kind, damage))


def _need_rosbags() -> None:
    if importlib.util.find_spec("rosbags") is None:
        raise ImportError("bags need the package rosbags: pip install 'hand_recon_ros[bags]'")


def _kind(file: Path) -> str:
    return Path(file.stem).suffix if file.suffix in _COMPRESSED else file.suffix


class _Part(Closing):
    """One file of a bag: read by rosbags while that works, then by what is made for damage."""

    def __init__(self, path: Path, kind: str, damage: Damage) -> None:
        self.damage = damage
        self.is_ros1 = kind == ".bag"
        self.topics: dict[str, Topic] = {}
        self.start_ns = 0
        self._path = path
        self._kind = kind
        self._reader: Any = None
        self._salvage: Salvage | None = None
        try:
            self._open()
        except Exception as error:  # rosbags meets damage with errors of all kinds
            self._fall_back(error)

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        if self._salvage is not None:
            self._salvage.close()

    def messages(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None
    ) -> Iterator[Stored]:
        low, high = start_ns or 0, stop_ns if stop_ns is not None else 1 << 63
        reached, at_reached = low, 0  # recording time of the last message, how many of that time
        if self._reader is not None:
            wanted = [c for c in self._reader.connections if c.topic in topics]
            if not wanted:
                return
            counts = dict.fromkeys((c.topic for c in wanted), 0)
            try:
                for connection, time_ns, data in self._reader.messages(wanted, start_ns, stop_ns):
                    counts[connection.topic] += 1
                    message = self._unwrapped(Stored(connection.topic, time_ns, data))
                    at_reached = at_reached + 1 if time_ns == reached else 1
                    reached = time_ns
                    if message is not None:
                        yield message
                if start_ns is None and stop_ns is None:
                    self._compare(counts)
                return
            except Exception as error:  # rosbags meets damage with errors of all kinds
                self._fall_back(error)
        assert self._salvage is not None
        for message in self._salvage.messages():
            time_ns = message.time_ns
            if message.topic not in topics or not reached <= time_ns < high:
                continue
            if time_ns == reached and at_reached:
                at_reached -= 1  # had it already
                continue
            whole = self._unwrapped(message)
            if whole is not None:
                yield whole

    def _open(self) -> None:
        from rosbags import rosbag1, rosbag2

        reader: Any = (rosbag1 if self.is_ros1 else rosbag2).Reader(self._path)
        reader.open()
        try:
            if self._kind in _CHECKS:
                _CHECKS[self._kind](self._path)
            for name, info in reader.topics.items():
                self.topics[name] = Topic(name, info.connections[0].msgtype, info.msgcount)
            self.start_ns = reader.start_time
        except BaseException:
            reader.close()
            raise
        self._reader = reader

    def _fall_back(self, error: Exception) -> None:
        reason = " ".join(str(error).split()) or type(error).__name__
        self.damage.note(f"cannot be read in order, but piece by piece ({reason})")
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._salvage = _SALVAGES[self._kind](self._path, self.damage)
        self.topics, self.start_ns = self._salvage.topics, self._salvage.start_ns

    def _compare(self, counts: Mapping[str, int]) -> None:
        for topic, count in counts.items():
            announced = self.topics[topic].count
            if count != announced:
                self.damage.note(f"{count} of {announced} messages of {topic} are there")

    def _unwrapped(self, message: Stored) -> Stored | None:
        try:
            data = unwrap_message(message.data)
        except Exception:
            self.damage.note("messages whose compression is damaged", message.time_ns)
            return None
        return Stored(message.topic, message.time_ns, data)
