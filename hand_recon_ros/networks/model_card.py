"""Model cards: what a file of weights is, what it was made from and where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

TITLES: Final = {
    "detector": "Hand detector (SSD whose boxes an RPN refines)",
    "cpm": "Key points (six-stage convolutional pose machine)",
    "acr": "3D of both hands (attention-collaboration regressor)",
}
_SECTIONS: Final = {"data": "Data", "metrics": "Metrics", "limits": "Limits"}
_UNTOLD: Final = ("int8_ranges",)
"""Facts for programs only."""
_PURPOSE: Final = {
    "detector": "Boxes, sides and directions of hands in a whole picture.",
    "cpm": "Belief maps of 21 key points in a window on one hand, left hands mirrored.",
    "acr": "3D joints, MANO pose and shape of one or two hands from the key point network's maps.",
}


def model_card(name: str, facts: Mapping[str, Any]) -> str:
    """A Markdown page about weights.

    Args:
        name: "detector", "cpm" or "acr".
        facts: "data" (texts, or a mapping of a source to its licence), "metrics" (name to figure),
            "limits" (texts); everything else (seed, samples, SHA-256) goes into a table.
    """
    lines = [f"# {TITLES.get(name, name)}", ""]
    if name in _PURPOSE:
        lines += [_PURPOSE[name], ""]
    lines += ["| fact | value |", "|---|---|"]
    plain = {k: value for k, value in facts.items() if k not in (*_SECTIONS, *_UNTOLD)}
    lines += [f"| {key} | {_text(value)} |" for key, value in sorted(_flat(plain).items())]
    for key, title in _SECTIONS.items():
        if facts.get(key):
            lines += ["", f"## {title}", "", *_section(facts[key])]
    return "\n".join(lines) + "\n"


def _section(content: Any) -> list[str]:
    if isinstance(content, Mapping):
        rows = [f"| {key} | {_text(value)} |" for key, value in _flat(content).items()]
        return ["| what | |", "|---|---|", *rows]
    texts = [content] if isinstance(content, str) else list(content)
    return [f"- {text}" for text in texts]


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in facts.items():
        if isinstance(value, Mapping):
            result |= _flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(item) for item in value)
    return str(value).replace("|", "\\|")
