"""Where numbers are collected: by frame, and over the run."""

from __future__ import annotations

from typing import Literal

from hand_recon_ros.evaluation.results import FrameNumbers
from hand_recon_ros.evaluation.running import Means

FrameState = Literal["tracked", "predicted", "lost", "empty"]


class Tally:
    """Numbers of the frame at hand and of all frames.

    Attributes:
        means: over the run.
    """

    def __init__(self) -> None:
        """Start with nothing."""
        self.means = Means()
        self._frames: list[tuple[str, int, float, Means]] = []
        self._states: list[FrameState] = []

    @property
    def place(self) -> int:
        """Running number of the frame at hand."""
        return len(self._frames) - 1

    def next_frame(self, source: str, index: int, stamp: float) -> None:
        """Start a frame."""
        self._frames.append((source, index, stamp, Means()))
        self._states.append("empty")

    def set_state(self, state: FrameState) -> None:
        """Of the frame at hand."""
        self._states[-1] = state

    def note(self, name: str, value: float, *, place: int = -1) -> None:
        """Count a value for the run and for a frame (the one at hand, or that of ``place``)."""
        self.means.add(name, value)
        self.note_frame(name, value, place=place)

    def note_frame(self, name: str, value: float, *, place: int = -1) -> None:
        """Count a value for a frame only."""
        self._frames[place][3].add(name, value)

    def frames(self) -> tuple[FrameNumbers, ...]:
        """All frames, in order."""
        return tuple(
            FrameNumbers(source, index, stamp, means.values(), state)
            for (source, index, stamp, means), state in zip(self._frames, self._states, strict=True)
        )
