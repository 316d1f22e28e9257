"""Messages out of a damaged rosbag2 database: row by row, over what cannot be read."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from hand_recon_ros.io.bags.stored import Damage, Stored, Topic
from hand_recon_ros.io.closing import Closing

_LONGEST_HOLE = 1 << 16
"""So many numbers after each other are tried in vain before the rest is given up."""
_LIST = "SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED WHERE id >= ? ORDER BY id"
_SINGLE = "SELECT id, topic_id, timestamp, data FROM messages NOT INDEXED WHERE id = ?"


def check_size(path: Path) -> None:
    """Compare the file's size with that of its pages: SQLite reads a cut page as if it were whole.

    Raises:
        ValueError: the last page is not all there.
    """
    with path.open("rb") as file:
        page = int.from_bytes(file.read(18)[16:], "big")
    if path.stat().st_size % (65536 if page == 1 else page):
        raise ValueError("its last page is cut off")


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
        """Yield topic, time and data of every row; rows are listed as far as that goes."""
        at, failed = 0, 0
        while failed < _LONGEST_HOLE:
            query, limit = (_SINGLE, 1) if failed else (_LIST, None)
            found = 0
            try:
                rows = self._connection.execute(query, (at,))
                for number, topic, time_ns, data in itertools.islice(rows, limit):
                    if number < at:
                        raise sqlite3.DatabaseError("rows are not in order")
                    at, found = number + 1, found + 1
                    if _is_row(topic, time_ns, data):
                        yield topic, time_ns, data
                if not failed:
                    return
            except sqlite3.Error:
                if not failed:
                    self._damage.note("damaged or missing rows", at)
            if found:
                failed = 0
            else:
                at, failed = at + 1, failed + 1


def _is_row(topic: object, time_ns: object, data: object) -> bool:
    return isinstance(topic, int) and isinstance(time_ns, int) and isinstance(data, bytes)
