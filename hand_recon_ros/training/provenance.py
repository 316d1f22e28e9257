"""What weights were made from, and what they cannot do: for their model cards."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from hand_recon_ros.training.photographs import HELD_OUT

_RENDERED: Final = {
    "rendered hands": "own hand model, skins and renderer of this package, Apache-2.0",
    "backgrounds": "Poly Haven environments, CC0; painted clutter of this package",
}
_SECOND_MESH: Final = "generic hand of @webxr-input-profiles/assets, MIT, where it is installed"
_MOTION: Final = "Leap Motion recordings, Apache-2.0"
PHOTOGRAPHS: Final = {
    "subhih_handsdataset": "SubhiH/HandsDataset, Apache-2.0",
    "candir_custom_gesture": "emrecandir9/custom-gesture-dataset, MIT",
    "davidlee_asl_letters": "ASL letters by David Lee, public domain",
    "lebanese_univ_hand_gesture": "Roboflow workspace lebanese-university-grkoz, CC BY 4.0",
    "digits": "Turkish sign language digits, Apache-2.0",
    "digits_held_out": "Turkish sign language digits, Apache-2.0",
    "video": "right hand, 720p, MIT",
}
"""Whose pictures they are, by the names of ``photographs.SOURCES``."""
_LABELS: Final = (
    "MediaPipe Hands 0.10.21 (Apache-2.0), where it agrees with itself on turned copies"
)
_FURTHER_LABELS: Final = "; of further sources a quarter our own, where they agree with them"
_LABELS_KEY: Final = "labels of photographs"
_HELD_OUT_KEY: Final = "held out"
_RENDERED_ONLY: Final = "trained on rendered hands only"
_LIMITS: Final = (
    "photographs show few people (about 120, and 200 for digits), few children or old people",
    "their labels are MediaPipe's: its errors are learned as well",
    "no gloves, hardly any hands that hold things",
)


def provenance(
    photographs: Collection[str],
    further: Mapping[str, str] | None = None,
    backgrounds: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Data with licences, and limits, as ``model_card`` takes them.

    Args:
        photographs: names of the sources of photographs; those held out were not trained on.
        further: terms of sources beside those of the shared data, by name.
        backgrounds: terms of pictures without hands beside those of the shared data, by source.
    """
    data = {**_RENDERED, "a second hand mesh": _SECOND_MESH, "hand motion": _MOTION}
    data |= {f"backgrounds: {name}": told for name, told in (backgrounds or {}).items()}
    if not photographs:
        return {"data": data, "limits": [_RENDERED_ONLY]}
    terms = {**PHOTOGRAPHS, **(further or {})}
    trained = [name for name in terms if name in photographs and name not in HELD_OUT]
    data |= {f"photographs: {name}": terms[name] for name in trained}
    data[_LABELS_KEY] = _LABELS + (_FURTHER_LABELS if further else "")
    data[_HELD_OUT_KEY] = ", ".join(name for name in HELD_OUT if name in photographs)
    limits = list(_LIMITS)
    if further:
        limits.append("the further sources of photographs show one or two people each")
    return {"data": data, "limits": limits}


def with_earlier(facts: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run together with those of what it goes on with: it was learned from, too.

    Args:
        facts: of this run; where both tell of the same, this counts.
        earlier: of a checkpoint or of weights; empty = there is none.
    """
    before, now = earlier.get("data", {}), facts.get("data", {})
    data = {**before, **now}
    for key in (_LABELS_KEY, _HELD_OUT_KEY):  # the longer text tells of more
        if key in before:
            data[key] = max(before[key], now.get(key, ""), key=len)
    told = [known["limits"] for known in (earlier, facts) if "limits" in known]
    limits = dict.fromkeys(limit for limits in told for limit in limits)
    if any(_RENDERED_ONLY not in limits for limits in told):
        limits.pop(_RENDERED_ONLY, None)
    return {**facts, "data": data, "limits": list(limits)}
