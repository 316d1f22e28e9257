"""What lies in a bag, and what of it is damaged."""

from __future__ import annotations

from dataclasses import dataclass, field


class BagError(ValueError):
    """A bag cannot be read at all; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message as it lies in the bag.

    Attributes:
        topic: its topic.
        time_ns: when it was recorded, ns since the epoch.
        data: CDR (ROS 2) or ROS 1 serialisation, not compressed.
    """

    topic: str
    time_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of a bag: ROS 2's name of its type, and how many messages lie in the bag."""

    name: str
    type: str
    count: int


@dataclass
class Damage:
    """Notes of what is damaged in one file; the same place counts once, however often read.

    Attributes:
        file: name of the file.
    """

    file: str
    _places: dict[str, set[int]] = field(default_factory=dict)

    def note(self, what: str, place: int = 0) -> None:
        """Note damage: ``what`` in words, and what tells places of the same damage apart."""
        self._places.setdefault(what, set()).add(place)

    def lines(self) -> list[str]:
        """One line for each kind of damage."""
        return [
            f"{self.file}: {what}" + (f" ({len(places)} places)" if len(places) > 1 else "")
            for what, places in self._places.items()
        ]
