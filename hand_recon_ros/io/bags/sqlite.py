"""Messages out of a damaged rosbag2 database: row by row, over what cannot be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from hand_recon_ros.io.bags.stored import Damage, Stored, Topic
from hand_recon_ros.io.closing import Closing

_FARTHEST = 1 << 40
_LONGEST_HOLE = 1 << 16
"""So many rows of a hole are tried one by one."""
_ROW = "SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED WHERE id >= ? ORDER BY id"
_KEY = "SELECT id FROM messages NOT INDEXED WHERE id >= ? ORDER BY id LIMIT 1"
_SINGLE = "SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED WHERE id = ?"


class SqliteSalvage(Closing):
    """Reads the rows that SQLite still finds by their number.

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
        self._names: dict[int, tuple[str, str]] = {}
        self.topics: dict[str, Topic] = {}
        self.start_ns = 0
        self._connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None
        )
        try:
            # Only so does SQLite open a file that is shorter than its header says.
            self._connection.execute("PRAGMA writable_schema = ON")
            self._survey()
        except sqlite3.Error as error:
            damage.note(f"cannot be read as a database ({error})")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _survey(self) -> None:
        for number, name, kind in self._connection.execute("SELECT id, name, type FROM topics"):
            self._names[number] = (str(name), str(kind))
        counts: dict[int, int] = {}
        for topic, time_ns, _ in self._rows():
            counts[topic] = counts.get(topic, 0) + 1
            self.start_ns = min(self.start_ns or time_ns, time_ns)
        for topic, count in counts.items():
            if topic in self._names:
                name, kind = self._names[topic]
                self.topics[name] = Topic(name, kind, count)
            else:
                self._damage.note(f"{count} messages of topics whose names are lost")

    def messages(self) -> Iterator[Stored]:
        """Yield the messages of known topics in the order in which they were written."""
        for topic, time_ns, data in self._rows():
            if topic in self._names:
                yield Stored(self._names[topic][0], time_ns, data)

    def _rows(self) -> Iterator[tuple[int, int, bytes]]:
        following: int | None = 0
        while following is not None:
            at = following
            try:
                for number, *row in self._connection.execute(_ROW, (at,)):
                    at = number + 1
                    if _is_row(row):
                        yield row[0], row[1], row[2]
                return
            except sqlite3.Error:
                self._damage.note("damaged or missing rows", at)
            following = self._behind_hole(at)
            end = at + _LONGEST_HOLE if following is None else following
            yield from self._singles(at, min(end, at + _LONGEST_HOLE), following is None)

    def _behind_hole(self, at: int) -> int | None:
        """The first number from which on rows can be listed again; None if there is none."""
        step = 1
        while not self._readable(at + step):
            step *= 2
            if step > _FARTHEST:
                return None
        low, high = at + step // 2, at + step
        while high - low > 1:
            middle = (low + high) // 2
            if self._readable(middle):
                high = middle
            else:
                low = middle
        return high

    def _readable(self, number: int) -> bool:
        try:
            found = self._connection.execute(_KEY, (number,)).fetchone()
            if found is not None:
                self._connection.execute(_SINGLE, (found[0],)).fetchone()
        except sqlite3.Error:
            return False
        return True

    def _singles(self, start: int, end: int, to_the_end: bool) -> Iterator[tuple]:
        """Rows of a hole that can be read alone; ``to_the_end``: give up after many failures."""
        failed = 0
        for number in range(start, end):
            try:
                found = self._connection.execute(_SINGLE, (number,)).fetchone()
            except sqlite3.Error:
                found = None
            failed = 0 if found else failed + 1
            if found and _is_row(found[1:]):
                yield found[1], found[2], found[3]
            if to_the_end and failed > 4096:
                return


def _is_row(row: list | tuple) -> bool:
    topic, time_ns, data = row
    return isinstance(topic, int) and isinstance(time_ns, int) and isinstance(data, bytes)
