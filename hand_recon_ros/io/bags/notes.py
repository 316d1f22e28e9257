"""What is wrong with a recording's images: told once, and counted."""

from __future__ import annotations

import logging

from hand_recon_ros.stream.problems import Level, wording

_log = logging.getLogger(__name__)


class Notes:
    """Collects what is reported of an image until it is used or left out."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._new: list[str] = []
        self._told: set[str] = set()
        self._left_out: dict[str, tuple[str, int]] = {}

    def report(self, kind: str, text: str, level: Level = "warning") -> None:
        """Take in a problem of the image at hand."""
        self._new.append(text)

    def clear(self, *kinds: str, at_once: bool = False) -> None:
        """Nothing to do: in a recording only what went wrong is of interest."""

    def used(self) -> None:
        """The image at hand is used all the same: warn, once for each kind of problem."""
        for text in self._new:
            if wording(text) not in self._told:
                self._told.add(wording(text))
                _log.warning("%s", text)
        self._new.clear()

    def left_out(self) -> None:
        """The image at hand is left out for what was reported last."""
        text = self._new[-1] if self._new else "no reason is known"
        first, count = self._left_out.get(wording(text), (text, 0))
        self._left_out[wording(text)] = first, count + 1
        self._new.clear()

    def counts(self) -> list[tuple[str, int]]:
        """Reasons for which images were left out, and how many."""
        return list(self._left_out.values())
