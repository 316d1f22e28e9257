"""What the front end tells of how the wrists of two hands lie to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano.kinematics import POSITION
from hand_recon_ros.mano.states import Measurements
from hand_recon_ros.types import Array

_WAY_SQUARE = 2.0**2
"""Squared sigmas at which the way to the other wrist loses its quadratic say."""


@dataclass(frozen=True, slots=True)
class WristPair:
    """The way from one hand's wrist to another's, robust like the relative 3D.

    Attributes:
        hands: two of the batch.
        way: (3,) from the first to the second, m.
        precision: 1 / sigma^2 along each axis.
    """

    hands: list[int]
    way: Array
    precision: float

    @classmethod
    def of(
        cls, measured: Measurements, hands: list[int] | None, config: FitConfig
    ) -> WristPair | None:
        """What both hands tell, averaged."""
        if hands is None or config.sigma_wrists_m == 0:
            return None
        there, back = measured.other_wrist[hands]
        return cls(hands, (there - back) / 2, config.sigma_wrists_m**-2)

    def cost(self, position: Array) -> float:
        """What each of the two is charged."""
        return _WAY_SQUARE * (self._stretch(self._off(position)) - 1.0)

    def add_to(self, position: Array, H: Array, g: Array) -> None:
        """Add it to the normal equations."""
        off = self._off(position)
        pull = self.precision / self._stretch(off) * off
        first, second = self.hands
        g[first, POSITION] -= pull
        g[second, POSITION] += pull
        self.stiffen(H)

    def stiffen(self, H: Array, times: float = 1.0) -> None:
        """Add its part of the matrix so many times: the most that it is anywhere.

        Both hands move at once: twice the weight bounds the cross term that is left out.
        """
        H[self.hands, POSITION, POSITION] += 2.0 * times * self.precision * np.eye(3)

    def _off(self, position: Array) -> Array:
        return np.asarray(position[self.hands[1]] - position[self.hands[0]] - self.way)

    def _stretch(self, off: Array) -> float:
        return float(np.sqrt(1.0 + self.precision * (off @ off) / _WAY_SQUARE))
