"""Numbers of a run that need no truth: jitter, contact, tracks, times."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from hand_recon_ros.evaluation.meshes import FoundMesh, MeshMaker
from hand_recon_ros.evaluation.motion import Trails
from hand_recon_ros.evaluation.tally import Tally
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.metrics.penetration import penetration
from hand_recon_ros.metrics.positions import distances, mean_known
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Hand, HandFrame

_MM = 1000.0


class RunNumbers:
    """Counts found hands, whatever the truth.

    Args:
        tally: where the numbers go.
        models: hand models, for meshes; None = no meshes.
        with_contact: measure how far two hands enter each other (some 20 ms a touching pair).
        recording: frames of one source follow each other in time.
    """

    def __init__(
        self,
        tally: Tally,
        models: Mapping[Side, HandModelData] | None,
        *,
        with_contact: bool,
        recording: bool,
    ) -> None:
        """Start with nothing."""
        self._tally = tally
        self._meshes = None if models is None else MeshMaker(models)
        self._contact = with_contact
        self._recording = recording
        self._trails = Trails()
        self._spans: dict[Hashable, tuple[float, float]] = {}
        self._latencies: list[float] = []

    def new_recording(self) -> None:
        """Nothing that comes is connected to what was."""
        self._trails = Trails()

    def add(self, recording: int, frame: HandFrame) -> list[FoundMesh | None]:
        """Count a frame's hands; their meshes, in order.

        Args:
            recording: number of the recording that the frame belongs to.
            frame: what was found.
        """
        tally = self._tally
        tally.note("frames_with_hands_pct", 100.0 * bool(frame.hands))
        latency = frame.timings_ms.get("total", float("nan"))
        if np.isfinite(latency):
            self._latencies.append(latency)
            tally.note_frame("latency_ms", latency)
        for hand in frame.hands:
            tally.note("predicted_pct", 100.0 * (hand.state == "predicted"))
            if hand.state == "tracked":
                off = distances(frame.camera.project(hand.joints_m), hand.joints_px)
                tally.note("reprojection_px", mean_known(off))
            if self._recording:
                self._follow(recording, frame.stamp, hand)
        meshes = [None if self._meshes is None else self._meshes.mesh(h) for h in frame.hands]
        if self._contact:
            self._touch(frame, meshes)
        return meshes

    def _follow(self, recording: int, stamp: float, hand: Hand) -> None:
        key = (recording, hand.track_id)
        first, _ = self._spans.get(key, (stamp, stamp))
        self._spans[key] = (first, stamp)
        shake = self._trails.push(key, self._tally.place, stamp, hand.joints_m)
        if shake is not None:
            for name, second in (
                ("jitter_mm_frame2", shake.per_frame),
                ("jitter_mm_s2", shake.per_second),
            ):
                value = _MM * mean_known(np.linalg.norm(second, axis=-1))
                self._tally.note(name, value, place=shake.place)

    def _touch(self, frame: HandFrame, meshes: list[FoundMesh | None]) -> None:
        by_side: dict[Side, FoundMesh] = {}
        for hand, mesh in zip(frame.hands, meshes, strict=True):
            if mesh is not None:
                by_side.setdefault(hand.side, mesh)
        if len(by_side) < 2:
            return
        left, right = by_side["left"], by_side["right"]
        contact = penetration(
            right.vertices_m, right.sealed_faces, left.vertices_m, left.sealed_faces
        )
        self._tally.note("mmpd_mm", _MM * contact.depth_m)
        self._tally.note("penetration_cm3", 1e6 * contact.volume_m3)

    def summary(self) -> dict[str, float]:
        """Numbers that are no means over frames."""
        values: dict[str, float] = {}
        if self._recording:
            values["tracks"] = float(len(self._spans))
        if self._spans:
            values["track_seconds"] = float(np.mean([b - a for a, b in self._spans.values()]))
        if self._latencies:
            p50, p95 = np.percentile(self._latencies, (50, 95))
            values |= {"latency_p50_ms": float(p50), "latency_p95_ms": float(p95)}
        return values

    @property
    def latencies_ms(self) -> tuple[float, ...]:
        """Of each frame where it was measured."""
        return tuple(self._latencies)

    def notes(self) -> list[str]:
        """What a reader has to know."""
        if self._meshes is None or not self._meshes.other_models:
            return []
        names = ", ".join(sorted(self._meshes.other_models))
        return [f"no meshes for hands fitted with another model than the given ones: {names}"]
