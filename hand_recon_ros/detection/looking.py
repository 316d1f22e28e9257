"""Looks at hands through windows: finds the right window and side for a new or a followed hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hand_recon_ros.detection.evidence import partner_evidence, unlikely_small
from hand_recon_ros.detection.followed import FollowedHand
from hand_recon_ros.detection.ssd_rpn import BOX_MARGIN
from hand_recon_ros.keypoints.crops import FRAMING, HandCrop, crop_at, crop_round
from hand_recon_ros.keypoints.windows import WindowReader, WindowReading
from hand_recon_ros.skeleton import SIDES, Side, other_side
from hand_recon_ros.temporal.association import distance, hand_size
from hand_recon_ros.types import Array, Detection, Frame

_BOX_FRAMING: Final = FRAMING / (1 + 2 * BOX_MARGIN)
"""Side of a window over that of a detector's box, which is larger than the joints'."""
_SURE_SIDE: Final = 0.9
"""Side score of a detection beyond which the other side is not tried at the first look."""
_SURE: Final = 0.88
"""Presence beyond which no other direction of the hand is tried."""
_UPRIGHT: Final = (0.0, -1.0)
_TURNS: Final = (1j, -1j, -1.0)
"""What a direction may be off, as factors of complex numbers: quarter turns and half a turn."""
_ALL_TURNS: Final = (1.0, *_TURNS)
_OTHER_SIDE: Final = 1.5
"""Presence (logit) that a new hand of the side that is not yet found has ahead of one of the side
that is: two hands in a picture are mostly one person's."""
_PARTNER: Final = 0.75
_PARTNER_IN_STREAM: Final = 2.5
"""Least evidence (log odds) of the other hand of a pair that no box told of: in a single picture,
and in a stream, which is searched again and again."""
_PARTNER_TRACE: Final = -5.0
"""Presence (logit) at the first look below which there is no second look for the other hand."""
_PARTNER_APART: Final = 0.1
"""Distance from the found hand, in hand sizes, up to which a look for the other hand shows that
very hand, taken for the other side."""
_SAME_PLACE: Final = 0.2
"""Distance, in hand sizes, up to which a look shows a hand that is found already."""
_ROOM: Final = 1.3
"""Side of a window that has room for the other hand, over that for one."""
_MISPLACED: Final = 0.2
"""Share of its side by which a window may be off before it is cut again."""
_SMALLEST_PX: Final = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A hand seen through a window.

    Attributes:
        side: that the window was cut for.
        crop: the window.
        reading: what was read in it.
        points_px: (21, 2) raw image px.
        lead: presence logit over that of the other side; 0 where that was not looked at.
    """

    side: Side
    crop: HandCrop
    reading: WindowReading
    points_px: Array
    lead: float = 0.0

    @property
    def score(self) -> float:
        """Presence, 0..1."""
        return float(1.0 / (1.0 + np.exp(-np.clip(self.reading.presence, -50.0, 50.0))))


class WindowLooker:
    """Cuts windows and reads them.

    Args:
        reader: of windows.
        min_score: presence below which there is no hand, unless the caller judges that.
    """

    def __init__(self, reader: WindowReader, min_score: float) -> None:
        """Keep them."""
        self._reader = reader
        self._min_score = min_score

    def find(
        self,
        frame: Frame,
        detection: Detection,
        taken: Sequence[Look] = (),
        *,
        turned: bool = True,
        doubtful: bool = False,
    ) -> Look | None:
        """Look at a new hand: first through its box, then through a window round its key points.

        Both sides are tried at the second look, and at the first unless the detector was sure
        (``hint.side_score``). Where the box's direction (``hint.direction``, else upright) does not
        convince, windows turned by quarters are tried, too: of small or bent hands the key point
        network knows more than the detector.

        Args:
            frame: to look at.
            detection: where.
            taken: hands of this frame that are found already. A box on hands that touch shows both:
                the one that is taken is not found again, unless it is seen better here.
            turned: False = turned windows are not tried.
            doubtful: True = a presence below the bar is told, too; the caller is to judge it.
        """
        if not max(detection.box_px[2:]) > 0:
            return None
        sure = getattr(detection.hint, "side_score", 0.5) >= _SURE_SIDE
        sides = (detection.side,) if sure else SIDES
        # In a stream the frames to come tell the side, and would take back what was guessed here.
        rivals = taken if doubtful else ()
        looks: list[Look] = []
        best = None
        for turns in ((1.0,), _TURNS) if turned else ((1.0,),):
            read = self._read(frame, _box_windows(frame, detection, turns, sides))
            looks += [look for look in read if not _known(look, taken)]
            if not looks and not doubtful:
                return None
            best = max(looks, key=lambda look: _worth(look, rivals), default=None)
            if best is not None and best.score >= _SURE:
                break
        if best is None or not _plausible(best.points_px, frame):
            return None
        looks = self._read(frame, [(s, _window(frame, best.points_px, s)) for s in SIDES])
        looks.sort(key=lambda look: -_worth(look, rivals))
        look = _led(looks[0], looks[1])
        holds = _plausible(look.points_px, frame) if doubtful else self._holds(look, frame)
        return look if holds else None

    def partner(
        self, frame: Frame, found: Look, detection: Detection | None = None, turn: int = 0
    ) -> Look | None:
        """Look for the other hand of a pair beside a hand that was found.

        The detector sees hands that touch as one, and where one of them is followed its box is not
        looked at. So windows for the other side are cut there.

        Args:
            frame: to look at.
            found: the hand that was found.
            detection: its box, which may hold both: it and the surroundings of the found hand are
                searched in all four directions. None = only the surroundings, in one of them.
            turn: number of that direction, which is to change from search to search.

        Returns:
            The other hand, where it is likely (see ``partner_evidence``).
        """
        side = other_side(found.side)
        ways = _ALL_TURNS if detection else (_ALL_TURNS[turn % len(_ALL_TURNS)],)
        windows = [
            (side, _window(frame, found.points_px, side, room=_ROOM, turn=way)) for way in ways
        ]
        if detection is not None:
            windows += _box_windows(frame, detection, ways, (side,))
        first = [
            look
            for look in self._read(frame, windows)
            if look.reading.presence > _PARTNER_TRACE
            and _plausible(look.points_px, frame)
            and _apart(look, found) > _PARTNER_APART
        ]
        second = self._read(frame, [(side, _window(frame, a.points_px, side)) for a in first])
        told = [
            (_evidence(a, b, found), n)
            for n, (a, b) in enumerate(zip(first, second, strict=True))
            if _plausible(b.points_px, frame) and not _part_of(b, found)
        ]
        evidence, best = max(told, default=(-np.inf, 0))
        if evidence < (_PARTNER if detection else _PARTNER_IN_STREAM):
            return None
        look = second[best]
        wrong = self._read(frame, [(found.side, _window(frame, look.points_px, found.side))])[0]
        look = _led(look, wrong)
        # What cannot be followed, or will change its side, would come and go in a stream.
        stays = detection is not None or (look.lead > 0 and self._holds(look, frame))
        return look if stays else None

    def follow(self, frame: Frame, hands: Sequence[FollowedHand]) -> list[Look | None]:
        """Look where followed hands should be, all together; None for those that are lost.

        An undecided hand is looked at as the other side too, which may correct its side.
        """
        windows: list[tuple[Side, HandCrop]] = []
        places: list[list[int]] = []
        for hand in hands:
            expected = hand.expected_px(frame.stamp)
            sides = [hand.side, other_side(hand.side)] if hand.undecided else [hand.side]
            places.append(list(range(len(windows), len(windows) + len(sides))))
            windows += [(side, _window(frame, expected, side)) for side in sides]
        looks = self._read(frame, windows)
        found: list[Look | None] = []
        for hand, at in zip(hands, places, strict=True):
            look = looks[at[0]]
            if len(at) == 2:
                look = _led(look, looks[at[1]])
                if hand.vote(look.lead):
                    look = looks[at[1]]
            found.append(self._placed(frame, look))
        return found

    def _placed(self, frame: Frame, look: Look) -> Look | None:
        """The look, through a better window where the hand was not where it was expected."""
        if not self._holds(look, frame):
            return None
        if _off(look) > _MISPLACED:
            better = _window(frame, look.points_px, look.side)
            again = self._read(frame, [(look.side, better)])[0]
            return again if self._holds(again, frame) else None
        return look

    def _holds(self, look: Look, frame: Frame) -> bool:
        return look.score >= self._min_score and _plausible(look.points_px, frame)

    def _read(self, frame: Frame, windows: Sequence[tuple[Side, HandCrop]]) -> list[Look]:
        if not windows:
            return []
        readings = self._reader([crop.cut(frame.image) for _, crop in windows])
        return [
            Look(side, crop, reading, crop.to_image(reading.points_px))
            for (side, crop), reading in zip(windows, readings, strict=True)
        ]


def _box_windows(
    frame: Frame, detection: Detection, turns: Sequence[complex], sides: Sequence[Side]
) -> list[tuple[Side, HandCrop]]:
    """Windows at a box, turned from its direction, for each side."""
    x, y, width, height = detection.box_px
    centre, side_px = (x + width / 2, y + height / 2), _BOX_FRAMING * max(width, height)
    direction = complex(*getattr(detection.hint, "direction", _UPRIGHT))
    return [
        (s, crop_at(frame.camera, centre, side_px, (up.real, up.imag), mirrored=s == "left"))
        for up in (direction * turn for turn in turns)
        for s in sides
    ]


def _apart(a: Look, b: Look) -> float:
    return distance(a.points_px, b.points_px)


def _known(look: Look, taken: Sequence[Look]) -> bool:
    """Whether a hand is taken already, as what it is seen here or better."""
    return any(
        _apart(look, hand) < _SAME_PLACE and look.reading.presence <= hand.reading.presence
        for hand in taken
    )


def _worth(look: Look, taken: Sequence[Look]) -> float:
    """Presence, and what speaks for the side."""
    new_side = bool(taken) and all(look.side != hand.side for hand in taken)
    return look.reading.presence + _OTHER_SIDE * new_side


def _part_of(look: Look, found: Look) -> bool:
    sizes = hand_size(look.points_px), hand_size(found.points_px)
    return unlikely_small(*sizes, look.reading.presence)


def _evidence(first: Look, second: Look, found: Look) -> float:
    presences = (first.reading.presence, second.reading.presence)
    peaks = second.reading.peaks
    return partner_evidence(presences, peaks, second.points_px, found.points_px)


def _window(
    frame: Frame, points_px: Array, side: Side, *, room: float = 1.0, turn: complex = 1.0
) -> HandCrop:
    return crop_round(frame.camera, points_px, mirrored=side == "left", room=room, turn=turn)


def _led(look: Look, other: Look) -> Look:
    lead = look.reading.presence - other.reading.presence
    return Look(look.side, look.crop, look.reading, look.points_px, lead)


def _plausible(points_px: Array, frame: Frame) -> bool:
    """Whether points can be a hand: finite, not collapsed, their middle in the image."""
    if not np.isfinite(points_px).all() or hand_size(points_px) < _SMALLEST_PX:
        return False
    height, width = frame.image.shape[:2]
    middle = points_px.mean(axis=0)
    return bool(((middle >= 0) & (middle <= (width, height))).all())


def _off(look: Look) -> float:
    """How far a window is from the one that its points ask for, in shares of its side."""
    points, size = look.reading.points_px, look.crop.size
    low, high = points.min(axis=0), points.max(axis=0)
    shift = (low + high) / 2 - (size - 1) / 2
    zoom = np.log(FRAMING * float((high - low).max()) / size)
    return float(max(np.linalg.norm(shift) / size, 0.5 * abs(zoom)))
