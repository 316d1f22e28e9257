"""Time stamps of images as they come: zero, invalid, repeated, late, or from a bag that loops."""

from __future__ import annotations

from dataclasses import dataclass

from hand_recon_ros.stream.problems import Problems

LATE_FRAMES = 3
"""So many frames in a row from before the newest one are no longer late: time has jumped back."""
JUMP_BACK_S = 0.5
"""A single frame so far back is a jump at once (a bag that starts again)."""
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an image.

    Attributes:
        stamp_ns: time to work with, ns; None = leave the image out.
        restart: time has jumped back, forget earlier frames.
    """

    stamp_ns: int | None
    restart: bool = False


class StampCheck:
    """Lets only stamps through that grow, and says when a new time line has begun."""

    def __init__(self, problems: Problems) -> None:
        """Start a time line."""
        self._problems = problems
        self._last_ns: int | None = None
        self._late = 0

    def check(self, sec: int, nanosec: int, received_ns: int) -> Verdict:
        """Judge the stamp of the next image.

        Args:
            sec: as in ``builtin_interfaces/Time``.
            nanosec: as in ``builtin_interfaces/Time``.
            received_ns: when the image came, by the node's clock; used where the stamp is none.
        """
        stamp_ns = sec * _NS + nanosec
        if stamp_ns == 0:
            self._problems.report(
                "stamp", "image stamps are zero: the time of receipt is used; set header.stamp"
            )
            stamp_ns = received_ns
        elif sec < 0 or nanosec >= _NS:
            self._problems.report(
                "stamp",
                "image stamps are not valid (negative, or nanosec >= 10^9): the time of receipt "
                "is used; repair the driver's clock",
            )
            stamp_ns = received_ns
        else:
            self._problems.clear("stamp")
        return self._order(stamp_ns)

    def _order(self, stamp_ns: int) -> Verdict:
        last = self._last_ns
        if last is None or stamp_ns > last:
            self._late = 0
            self._last_ns = stamp_ns
            self._problems.clear("order")
            return Verdict(stamp_ns)
        if stamp_ns == last:
            self._problems.report(
                "order", "images repeat a stamp: repetitions are left out; check the driver"
            )
            return Verdict(None)
        self._late += 1
        back_s = (last - stamp_ns) / _NS
        if back_s < JUMP_BACK_S and self._late < LATE_FRAMES:
            self._problems.report("order", "images come out of order: late ones are left out")
            return Verdict(None)
        self._problems.report(
            "order", f"image time jumped back by {back_s:.3g} s (a bag that loops?): starting anew"
        )
        self._late = 0
        self._last_ns = stamp_ns
        return Verdict(stamp_ns, restart=True)
