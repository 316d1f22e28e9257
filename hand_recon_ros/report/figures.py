"""Numbers as people read them, and the round marks of an axis."""

from __future__ import annotations

import math

_DIGITS = 4


def figure(value: float | None) -> str:
    """A number with four significant digits, whole numbers and thousands whole; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == round(value):
        return f"{value:.0f}"
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    if decimals > 2 * _DIGITS:
        return f"{value:.{_DIGITS - 1}e}"
    return f"{value:.{max(0, decimals)}f}"


def round_marks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within [low, high], about so many."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * min((1, 2, 5, 10), key=lambda k: abs(math.log(k * power / rough)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]
