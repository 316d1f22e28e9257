"""What a hand does, in a few numbers: bends, spread, openness, pinches, palm, class of grasp.

The list of 003, examples 2 and 3, which names the features but leaves most of them undefined; the
definitions are those of ``HandFeatures``. All but the distances, the palm's centre and the classes
that rest on distances are free of scale.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from hand_recon_ros.retarget.hand_angles import (
    ABDUCTION,
    FIRST_FLEXION,
    SECOND_FLEXION,
    THIRD_FLEXION,
    HandAngles,
    checked_joints,
    hand_angles,
    palm_axes,
)
from hand_recon_ros.skeleton import PALM_JOINTS, TIPS, Side
from hand_recon_ros.types import Array

Grasp = Literal["open", "precision", "power", "pinch", "point"]
GRASPS: Final[tuple[Grasp, ...]] = get_args(Grasp)

FULL_FLEXION_RAD: Final = np.radians((120.0, 250.0, 250.0, 250.0, 250.0))
"""(5,) bend of each digit's three joints together in a firm fist, thumb first: where its flexion
is 1. Real fists read 95 to 120 and 200 to 265 degrees."""

_FLEXIONS: Final = [FIRST_FLEXION, SECOND_FLEXION, THIRD_FLEXION]
_THUMB, _INDEX, _LITTLE = 0, 1, 4
_LONG: Final = slice(1, 5)
_BESIDE_INDEX: Final = slice(2, 5)


@dataclass(frozen=True)
class HandFeatures:
    """Features of one hand; NaN where its joints do not tell them.

    Attributes:
        side: which hand.
        angles: what they come from.
        flexion_rad: (5,) bend of a digit's three joints together, thumb first.
        flexion: (5,) the same from 0 (straight or beyond) to 1 (``FULL_FLEXION_RAD`` or beyond).
        spread_rad: by how much index and little finger are farther apart than in the flat hand;
            each counts by the cosine of its knuckle's flexion, for bent fingers do not spread.
        openness: 1 (the four fingers straight) to 0 (all of them in a fist).
        pinch_m: (4,) from the thumb's tip to the tips of index, middle, ring and little finger.
        palm_centre_m: (3,) mean of wrist and knuckles, in the frame of the joints.
        palm_normal: (3,) unit vector out of the palm (not out of its back), in that frame.
        grasp: class; None where it cannot be told.
    """

    side: Side
    angles: HandAngles
    flexion_rad: Array
    flexion: Array
    spread_rad: float
    openness: float
    pinch_m: Array
    palm_centre_m: Array
    palm_normal: Array
    grasp: Grasp | None


@dataclass(frozen=True)
class GraspThresholds:
    """Where one class of grasp ends; see ``GraspClassifier``.

    The distances are the 20 and 40 mm of 003, example 3 (metres here); the rest is not in 003.

    Attributes:
        pinch_m: a tip nearer than this to the thumb's tip touches it.
        power_m: with the index finger's tip nearer than this to the thumb's, the hand holds
            something, if the other fingers bend by ``holding`` on average.
        holding: 0..1.
        curled: flexion 0..1 from which on a finger is in the fist.
        straight: flexion 0..1 up to which the index finger points.
        distance_margin: a class is left only beyond its distance by this share of it.
        flexion_margin: a class is left only beyond its flexion by so much.
    """

    pinch_m: float = 0.020
    power_m: float = 0.040
    holding: float = 0.25
    curled: float = 0.6
    straight: float = 0.35
    distance_margin: float = 0.25
    flexion_margin: float = 0.08

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one is negative or not finite.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"threshold {field.name} is {value}: give a number from 0 up")

    def loosened(self) -> GraspThresholds:
        """The same, easier to keep."""
        return GraspThresholds(
            pinch_m=self.pinch_m * (1.0 + self.distance_margin),
            power_m=self.power_m * (1.0 + self.distance_margin),
            holding=max(self.holding - self.flexion_margin, 0.0),
            curled=max(self.curled - self.flexion_margin, 0.0),
            straight=self.straight + self.flexion_margin,
            distance_margin=self.distance_margin,
            flexion_margin=self.flexion_margin,
        )


class GraspClassifier:
    """Tells the class of one hand's grasp from frame to frame, with hysteresis.

    Of these the first that fits, where the class of the frame before is judged by loosened
    thresholds:

    * power: all four fingers curled (a fist, also with the thumb up or around something);
    * point: index finger straight, the other three curled;
    * precision: tips of index and middle finger both touch the thumb's (003);
    * pinch: any one tip touches the thumb's;
    * power: thumb and index finger within ``power_m`` (003), the other fingers partly bent;
    * open: everything else (003).
    """

    def __init__(self, thresholds: GraspThresholds | None = None) -> None:
        """Start without a past."""
        self._strict = thresholds or GraspThresholds()
        self._loose = self._strict.loosened()
        self._last: Grasp | None = None

    def reset(self) -> None:
        """Forget the past: another hand, or the same after a gap."""
        self._last = None

    def classify(self, flexion: Array, pinch_m: Array) -> Grasp | None:
        """The class of this frame; None, and the past kept, where something is not finite.

        Args:
            flexion: (5,) 0..1, as in ``HandFeatures``.
            pinch_m: (4,) metres, as in ``HandFeatures``.
        """
        if not (np.isfinite(flexion[_LONG]).all() and np.isfinite(pinch_m).all()):
            return None
        self._last = self._first_fit(flexion, pinch_m)
        return self._last

    def _first_fit(self, flexion: Array, pinch_m: Array) -> Grasp:
        if flexion[_LONG].min() >= self._limits("power").curled:
            return "power"
        limits = self._limits("point")
        if flexion[_INDEX] <= limits.straight and flexion[_BESIDE_INDEX].min() >= limits.curled:
            return "point"
        if pinch_m[:2].max() < self._limits("precision").pinch_m:
            return "precision"
        if pinch_m.min() < self._limits("pinch").pinch_m:
            return "pinch"
        limits = self._limits("power")
        if pinch_m[0] < limits.power_m and flexion[_BESIDE_INDEX].mean() >= limits.holding:
            return "power"
        return "open"

    def _limits(self, grasp: Grasp) -> GraspThresholds:
        return self._loose if self._last == grasp else self._strict


def hand_features(
    joints_m: ArrayLike, side: Side, classifier: GraspClassifier | None = None
) -> HandFeatures:
    """Read the features of one hand.

    Args:
        joints_m: (21, 3) metres, in any right-handed frame.
        side: which hand it is.
        classifier: that of this very hand, which remembers its last class; without one the class
            is that of this frame alone.

    Raises:
        ValueError: the joints have another shape.
    """
    joints = checked_joints(joints_m)
    angles = hand_angles(joints, side)
    by_digit = angles.by_digit()
    flexion_rad = by_digit[:, _FLEXIONS].sum(axis=1)
    flexion = np.clip(flexion_rad / FULL_FLEXION_RAD, 0.0, 1.0)
    tips = joints[list(TIPS)]
    pinch_m = np.linalg.norm(tips[1:] - tips[0], axis=1)
    back = palm_axes(joints)[:, 1]
    return HandFeatures(
        side=side,
        angles=angles,
        flexion_rad=flexion_rad,
        flexion=flexion,
        spread_rad=_spread(by_digit),
        openness=1.0 - float(flexion[_LONG].mean()),
        pinch_m=pinch_m,
        palm_centre_m=joints[list(PALM_JOINTS)].mean(axis=0),
        palm_normal=back if side == "left" else -back,
        grasp=(classifier or GraspClassifier()).classify(flexion, pinch_m),
    )


def _spread(by_digit: Array) -> float:
    outer = by_digit[[_INDEX, _LITTLE]]
    weights = np.maximum(np.cos(outer[:, FIRST_FLEXION]), 0.0)
    return float(weights @ outer[:, ABDUCTION])
