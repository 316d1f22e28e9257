"""What every number of an evaluation means: name, unit, direction, source and definition."""

from __future__ import annotations

from typing import Final

from hand_recon_ros.evaluation.results import Metric
from hand_recon_ros.skeleton import FINGERS

_INTERHAND = "InterHand2.6M, official evaluation"
_FREIHAND = "FreiHAND, official evaluation"
_TWO_HANDS = "Zhao et al. (paper 001), section 4.1"
_HMMR = "HMMR and VIBE; Zhao et al. (paper 001)"
_MOT = "CLEAR MOT, Bernardin and Stiefelhagen 2008"
_OWN = "this package"

_POSITION = (
    Metric(
        "mpjpe_mm", "MPJPE, wrist-aligned", "mm", "lower", _INTERHAND,
        "Distance of 21 joints to the truth after moving both wrists to the origin; mean over "
        "found hands for each joint, then over joints (the wrist's zero counts).",
    ),
    Metric(
        "mpjpe_scaled_mm", "MPJPE, wrist-aligned, true size", "mm", "lower", _OWN,
        "As MPJPE, after giving the found hand the truth's overall bone length: one picture does "
        "not tell a hand's size.",
    ),
    Metric(
        "pa_mpjpe_mm", "PA-MPJPE", "mm", "lower", "Umeyama 1991; Zhao et al. (paper 001)",
        "Joint distance after the best similarity (turn, scale, shift; no reflection).",
    ),
    Metric(
        "pa_mpjpe_reflect_mm", "PA-MPJPE, reflection allowed", "mm", "lower", _FREIHAND,
        "Joint distance after the best similarity or its mirror image, as FreiHAND's official "
        "evaluation aligns.",
    ),
    Metric(
        "camera_space_mm", "Joint error in camera space", "mm", "lower", _FREIHAND,
        "Joint distance with no alignment at all: position, size and pose together.",
    ),
    Metric(
        "wrist_mm", "Wrist error in camera space", "mm", "lower", _OWN,
        "Distance of the wrist joint to its truth with no alignment.",
    ),
    Metric(
        "mrrpe_mm", "MRRPE", "mm", "lower", _INTERHAND,
        "Error of the way from the right wrist to the left wrist, in frames where both hands are "
        "labelled and found.",
    ),
    Metric(
        "mrrpe_median_mm", "MRRPE, median", "mm", "lower", _OWN,
        "Median over frames of the same error: a hand that is taken for another one is metres "
        "off, and leads the mean.",
    ),
    Metric(
        "mpjpe_single_mm", "MPJPE, one hand in view", "mm", "lower", _INTERHAND,
        "MPJPE over frames with one labelled hand (single-hand sequences).",
    ),
    Metric(
        "mpjpe_two_mm", "MPJPE, two hands in view", "mm", "lower", _INTERHAND,
        "MPJPE over frames with two or more labelled hands (interacting-hand sequences).",
    ),
    Metric(
        "mpjpe_left_mm", "MPJPE, left hands", "mm", "lower", _INTERHAND,
        "MPJPE over true left hands.",
    ),
    Metric(
        "mpjpe_right_mm", "MPJPE, right hands", "mm", "lower", _INTERHAND,
        "MPJPE over true right hands.",
    ),
    *(
        Metric(
            f"mpjpe_{finger}_mm", f"MPJPE, {finger}", "mm", "lower", _INTERHAND,
            f"MPJPE over the four joints of the {finger}.",
        )
        for finger in FINGERS
    ),
)  # fmt: skip

_MESH = (
    Metric(
        "mpvpe_mm", "MPVPE, wrist-aligned", "mm", "lower", _TWO_HANDS,
        "Distance of corresponding mesh vertices after moving both wrists to the origin.",
    ),
    Metric(
        "pa_mpvpe_mm", "PA-MPVPE", "mm", "lower", "Umeyama 1991",
        "Vertex distance after the best similarity of the vertices (no reflection).",
    ),
    Metric(
        "f5", "F@5 mm", "", "higher", _FREIHAND,
        "Harmonic mean of the shares of found vertices near the true mesh's and of true ones near "
        "the found mesh's, nearer than 5 mm, with no alignment.",
    ),
    Metric("f15", "F@15 mm", "", "higher", _FREIHAND, "As F@5 mm, with 15 mm."),
    Metric(
        "pa_f5", "F@5 mm, aligned", "", "higher", _FREIHAND,
        "F@5 mm after FreiHAND's similarity of the vertices (reflection allowed); of the joints "
        "where the meshes' vertices do not correspond.",
    ),
    Metric("pa_f15", "F@15 mm, aligned", "", "higher", _FREIHAND, "As pa_f5, with 15 mm."),
    Metric(
        "pa_auc_mesh", "AUC of vertices, 0-50 mm, aligned", "", "higher", _FREIHAND,
        "Area under the vertices' PCK curve from 0 to 50 mm after FreiHAND's similarity.",
    ),
    Metric(
        "silhouette_iou", "Silhouette IoU", "", "higher", _OWN,
        "Intersection over union of the found and the true mesh's outline in the image (both "
        "closed at the wrist, hidden parts included, within the picture).",
    ),
)  # fmt: skip

_SHARES = (
    Metric(
        "auc_3d", "AUC, 0-50 mm", "", "higher", _TWO_HANDS,
        "Area under the PCK curve of wrist-aligned joints from 0 to 50 mm (100 thresholds, "
        "trapezoids, mean over joints).",
    ),
    Metric(
        "pa_auc_3d", "AUC, 0-50 mm, aligned", "", "higher", _FREIHAND,
        "As AUC, after FreiHAND's similarity (reflection allowed).",
    ),
    Metric(
        "error_2d_px", "2D error", "px", "lower", _OWN,
        "Distance of the key points to the truth in the raw image.",
    ),
    Metric(
        "error_2d_box_pct", "2D error, share of the box", "%", "lower", _OWN,
        "2D error over the longer side of the box around the true key points.",
    ),
    Metric(
        "pck_half_bone", "PCK at half a bone", "%", "higher", "paper 000, section 5.1",
        "Share of key points within half the true length, in the image, of the bone that ends "
        "there (for the wrist: the bone to the middle finger's knuckle).",
    ),
)  # fmt: skip

_MOTION = (
    Metric(
        "accel_error_mm_frame2", "Acceleration error, per frame", "mm/frame^2", "lower", _HMMR,
        "Difference of found and true second differences of wrist-aligned joints over three "
        "consecutive frames; papers print this number as mm/s^2 though no frame rate enters.",
    ),
    Metric(
        "accel_error_mm_s2", "Acceleration error, per second", "mm/s^2", "lower", _OWN,
        "The same by divided differences on the real stamps.",
    ),
    Metric(
        "jitter_mm_frame2", "Jitter, per frame", "mm/frame^2", "lower", _OWN,
        "Size of the second difference of the found joints in camera space; the hand's own "
        "acceleration is part of it.",
    ),
    Metric(
        "jitter_mm_s2", "Jitter, per second", "mm/s^2", "lower", _OWN,
        "The same by divided differences on the real stamps.",
    ),
    Metric(
        "lag_ms", "Lag", "ms", "lower", _OWN,
        "Delay of the truth at which the cross-correlation of found and true joints in camera "
        "space peaks (in pixels without 3D truth); negative = ahead.",
    ),
)  # fmt: skip

_CONTACT = (
    Metric(
        "mmpd_mm", "MMPD", "mm", "lower", _TWO_HANDS,
        "Greatest depth of the right mesh's vertices inside the closed left mesh, 0 without "
        "contact; mean over frames where both hands were found.",
    ),
    Metric(
        "penetration_cm3", "Penetration volume", "cm^3", "lower", "Hasson et al. 2019, section 4",
        "Volume that is inside both closed meshes; mean over the same frames.",
    ),
)  # fmt: skip

_FINDING = (
    Metric(
        "found_pct", "Hands found", "%", "higher", _MOT,
        "Share of the labelled hands on which a found hand lies, whatever its side.",
    ),
    Metric(
        "side_errors_pct", "Wrong side", "%", "lower", _INTERHAND,
        "Share of the found hands whose side is wrong (100 minus handedness accuracy).",
    ),
    Metric(
        "ghosts_pct", "Ghosts", "%", "lower", _MOT,
        "Share of the reported hands that lie on no labelled one, in frames where all hands are "
        "labelled.",
    ),
    Metric(
        "predicted_pct", "Predicted without measurement", "%", "neither", _OWN,
        "Share of the reported hands that were carried on by the filter, not seen.",
    ),
    Metric(
        "identity_switches", "Identity switches", "", "lower", _MOT,
        "How often a labelled hand is found under another track than the last time.",
    ),
    Metric(
        "reacquire_ms", "Time to re-acquire", "ms", "lower", _OWN,
        "From the first frame that misses a hand found before, while it stays in view, to the "
        "frame that finds it again; mean over these losses.",
    ),
    Metric(
        "never_reacquired", "Losses without return", "", "lower", _OWN,
        "Losses that lasted until the hand left the picture or the recording ended.",
    ),
)  # fmt: skip

_RUN = (
    Metric(
        "frames_with_hands_pct", "Frames with a hand", "%", "neither", _OWN,
        "Share of the frames in which any hand was found.",
    ),
    Metric("tracks", "Tracks", "", "neither", _OWN, "Number of different tracks."),
    Metric(
        "track_seconds", "Length of a track", "s", "neither", _OWN,
        "Mean time from a track's first to its last frame.",
    ),
    Metric(
        "reprojection_px", "Reprojection", "px", "lower", _OWN,
        "Distance of the projected 3D joints to the key points that they were fitted to, of hands "
        "that were seen.",
    ),
    Metric("latency_ms", "Time of a frame", "ms", "lower", _OWN, "Processing time of one frame."),
    Metric(
        "latency_p50_ms", "Time of a frame, median", "ms", "lower", _OWN,
        "Median processing time of a frame.",
    ),
    Metric(
        "latency_p95_ms", "Time of a frame, 95 %", "ms", "lower", _OWN,
        "95 % of the frames were processed in less.",
    ),
)  # fmt: skip

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for group in (_POSITION, _MESH, _SHARES, _MOTION, _CONTACT, _FINDING, _RUN)
    for metric in group
}
"""By name, in the order in which reports show them."""


def shown(summary: dict[str, float]) -> tuple[Metric, ...]:
    """The definitions of a summary's numbers, in showing order."""
    return tuple(metric for name, metric in METRICS.items() if name in summary)
