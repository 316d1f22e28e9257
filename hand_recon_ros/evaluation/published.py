"""What papers report on the data sets, to be shown beside our own numbers.

Rows are (method, numbers by metric name, source). Millimetres; F-scores 0..1, after alignment.
Only what a source states is here: MediaPipe has published no such error on these data sets, so that
it has no row; run it beside ours with ``--set detector.front_end=mediapipe``. Protocols differ:
papers give their networks boxes of the hands, and often the true scale or root depth, while here
the whole chain runs on the whole picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Row = tuple[str, dict[str, float], str]

_HAMER: Final = "Pavlakos et al., CVPR 2024, as quoted by later papers"
_WILOR: Final = "Potamias et al., 2024, as quoted by later papers"
_ZHAO: Final = "paper 001 (Zhao et al.), table 1"
_A2P: Final = "arXiv 2503.17788, comparison table"
_DYN: Final = "Dyn-HaMR, tables 1-2"
_WHOLE: Final = "Hand4Whole++, table 5"


def _aligned(joints: float, vertices: float, f5: float, f15: float) -> dict[str, float]:
    return {"pa_mpjpe_mm": joints, "pa_mpvpe_mm": vertices, "pa_f5": f5, "pa_f15": f15}


def _two_hands(
    joints: float, vertices: float, two: float, one: float, apart: float | None = None
) -> dict[str, float]:
    numbers = {
        "mpjpe_mm": joints,
        "mpvpe_mm": vertices,
        "mpjpe_two_mm": two,
        "mpjpe_single_mm": one,
    }
    return numbers if apart is None else {**numbers, "mrrpe_mm": apart}


def _followed(
    acceleration: float,
    depth: float | None,
    joints: float,
    vertices: float | None,
    aligned: float | None,
) -> dict[str, float]:
    """A row of paper 001; its "mm/s^2" is a difference of frames (facts A5.4)."""
    numbers = {
        "accel_error_mm_frame2": acceleration,
        "mmpd_mm": depth,
        "mpjpe_mm": joints,
        "mpvpe_mm": vertices,
        "pa_mpjpe_mm": aligned,
    }
    return {name: value for name, value in numbers.items() if value is not None}


_FREIHAND: Final[tuple[Row, ...]] = (
    ("HaMeR", _aligned(6.0, 5.7, 0.785, 0.990), _HAMER),
    ("WiLoR", _aligned(5.5, 5.1, 0.825, 0.993), _WILOR),
    ("MaskHand", _aligned(5.5, 5.4, 0.801, 0.991), "paperswithcode2.com/paper/518558"),
    ("simpleHand", {"pa_mpjpe_mm": 5.7, "pa_mpvpe_mm": 6.0}, "arXiv 2403.01813, abstract"),
    ("HandOS", {"pa_mpjpe_mm": 5.0}, "arXiv 2412.01537, abstract"),
    (
        "RealisticHands, MediaPipe key points",
        {"pa_mpvpe_mm": 9.7, "pa_f5": 0.575, "pa_f15": 0.949},
        "paper 002 (Seeber et al.)",
    ),
    (
        "RealisticHands, PoseNet key points",
        {"pa_mpvpe_mm": 7.8, "pa_f5": 0.662, "pa_f15": 0.971},
        "paper 002 (Seeber et al.)",
    ),
    ("ScaleHP", {"camera_space_mm": 35.8}, "arXiv 2606.25619, abstract"),
)

_INTERHAND_5: Final[tuple[Row, ...]] = (
    ("IntagHand", _two_hands(9.95, 10.29, 10.27, 9.67), _A2P),
    ("ACR", _two_hands(8.09, 8.29, 9.08, 6.85), _A2P),
    ("InterWild", _two_hands(7.85, 8.16, 8.24, 6.72, 26.74), _A2P),
    ("4DHands", {"mrrpe_mm": 24.58, "mpjpe_mm": 7.49, "mpvpe_mm": 7.72}, _A2P),
    ("A2P", _two_hands(5.36, 5.58, 5.93, 4.84, 21.60), _A2P),
    ("HaMeR", {"mpvpe_mm": 9.53, "mrrpe_mm": 594.8}, _WHOLE),
    ("WiLoR", {"mpvpe_mm": 11.17, "mrrpe_mm": 94877.0}, _WHOLE),
)

_INTERHAND_30: Final[tuple[Row, ...]] = (
    ("ACR", _followed(3.99, None, 8.75, 9.01, None), _DYN),
    ("HaMeR", _followed(5.13, None, 9.84, 10.13, None), _DYN),
    ("Dyn-HaMR", _followed(2.76, None, 7.94, 8.15, None), _DYN),
    ("InterNet", _followed(13.46, None, 17.81, None, 9.21), _ZHAO),
    ("HPS", _followed(8.14, 7.96, 19.40, 19.78, 9.51), _ZHAO),
    ("ITH-3D", _followed(6.01, 7.67, 14.45, 14.74, 8.64), _ZHAO),
    ("SeqHand", _followed(6.69, 8.11, 18.20, 19.46, 9.24), _ZHAO),
    ("Zhao et al.", _followed(3.70, 4.22, 13.25, 13.91, 8.12), _ZHAO),
)

_HIC: Final[tuple[Row, ...]] = (
    ("InterNet", _followed(7.40, None, 9.83, None, 6.74), _ZHAO),
    ("HPS", _followed(6.26, 1.95, 8.11, 5.57, 7.09), f"{_ZHAO} (MPVPE as printed)"),
    ("ITH-3D", _followed(3.36, 2.97, 7.29, 8.76, 5.25), _ZHAO),
    ("SeqHand", _followed(2.02, 2.85, 7.64, 8.15, 4.38), _ZHAO),
    ("Zhao et al.", _followed(1.87, 1.73, 6.08, 6.90, 3.73), _ZHAO),
    ("IntagHand", {"mpvpe_mm": 20.08, "mrrpe_mm": 52.46}, _WHOLE),
    ("InterWild", {"mpvpe_mm": 15.68, "mrrpe_mm": 31.35}, _WHOLE),
    ("HaMeR", {"mpvpe_mm": 16.15, "mrrpe_mm": 526.9}, _WHOLE),
    ("WiLoR", {"mpvpe_mm": 15.44, "mrrpe_mm": 848.0}, _WHOLE),
    ("4DHands", {"mpjpe_mm": 9.32}, _A2P),
    ("A2P", {"mpjpe_mm": 6.67}, _A2P),
)

_ROWS: Final[Mapping[str, tuple[Row, ...]]] = {
    "freihand": _FREIHAND,
    "interhand": _INTERHAND_5,
    "interhand30": _INTERHAND_30,
    "hic": _HIC,
}


def published_rows(data_set: str, *, followed: bool = False) -> tuple[Row, ...]:
    """Rows of papers on a data set; empty where none is known.

    Args:
        data_set: "freihand", "interhand", "hic", "synthetic".
        followed: the version in sequences (InterHand2.6M at 30 frames a second).
    """
    if data_set == "interhand" and followed:
        data_set = "interhand30"
    return _ROWS.get(data_set, ())
