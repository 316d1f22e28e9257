"""Found hands against the truth of the same frames: all numbers of one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from hand_recon_ros.evaluation.alone import RunNumbers
from hand_recon_ros.evaluation.hands import HandNumbers, compare_hand
from hand_recon_ros.evaluation.matching import Matching, match, true_pixels
from hand_recon_ros.evaluation.meshes import FoundMesh
from hand_recon_ros.evaluation.motion import Followed, Trails
from hand_recon_ros.evaluation.outlines import outline_iou
from hand_recon_ros.evaluation.results import Curve, Evaluation
from hand_recon_ros.evaluation.running import JointErrors, Means, PckCount
from hand_recon_ros.evaluation.tally import Tally
from hand_recon_ros.evaluation.truth import TrueFrame, TrueHand
from hand_recon_ros.mano.data import NUM_VERTICES, HandModelData
from hand_recon_ros.metrics.curves import PCK_THRESHOLDS_M
from hand_recon_ros.metrics.definitions import shown
from hand_recon_ros.metrics.positions import mean_known, relative_root_error, root_relative
from hand_recon_ros.skeleton import FINGERS, NUM_JOINTS, SIDES, WRIST, Side
from hand_recon_ros.types import Array, Hand, HandFrame

_MM = 1000.0
_GROUPS = ("", "_single", "_two", *(f"_{side}" for side in SIDES))


class Evaluator:
    """Compares frame by frame; ``finish`` may be called at any time, also after Ctrl-C.

    Joint, mesh and image errors are those of the labelled hands that were found, whatever their
    side; read them together with ``found_pct`` and ``side_errors_pct``.

    Args:
        title: of the evaluation.
        models: hand models, for mesh numbers; None = joints only.
        penetration: measure how far two hands enter each other.
        silhouettes: compare outlines where the truth has meshes.
        recording: frames of one source follow each other in time. False for unrelated pictures:
            no acceleration, lag, tracks or returns.
    """

    def __init__(
        self,
        title: str,
        *,
        models: Mapping[Side, HandModelData] | None = None,
        penetration: bool = True,
        silhouettes: bool = True,
        recording: bool = True,
    ) -> None:
        """Start with nothing."""
        self._title = title
        self._silhouettes = silhouettes
        self._recording = recording
        self._tally = Tally()
        with_contact = penetration and models is not None
        self._run = RunNumbers(self._tally, models, with_contact=with_contact, recording=recording)
        self._joints = {group: JointErrors(NUM_JOINTS) for group in _GROUPS}
        self._camera_space = JointErrors(NUM_JOINTS)
        self._pck = PckCount(NUM_JOINTS)
        self._pa_pck = PckCount(NUM_JOINTS)
        self._mesh_pck = PckCount(NUM_VERTICES)
        self._followed = Followed()
        self._trails = Trails()
        self._lag = Means()
        self._last: tuple[str, float] | None = None
        self._recordings = 0
        self._unlike_meshes = 0

    def add(self, truth: TrueFrame, found: HandFrame) -> None:
        """Count a frame.

        Raises:
            ValueError: the two are not the same frame.
        """
        if truth.index != found.index:
            raise ValueError(
                f"truth of frame {truth.index} ({truth.source}) was paired with the hands of "
                f"frame {found.index} ({found.source}): pair them by index"
            )
        if self._last is None or self._last[0] != truth.source or truth.stamp <= self._last[1]:
            self._end_recording()
        self._last = truth.source, truth.stamp
        self._tally.next_frame(truth.source, truth.index, truth.stamp)
        meshes = self._run.add(self._recordings, found)
        matching = match(truth, found.hands)
        self._count(truth, found, matching)
        for pair in matching.matches:
            self._compare(
                truth, truth.hands[pair.truth], found.hands[pair.found], meshes[pair.found]
            )
        self._relative_wrists(truth, found, matching)
        if self._recording:
            self._follow(truth, found, matching)

    def _count(self, truth: TrueFrame, found: HandFrame, matching: Matching) -> None:
        note = self._tally.note
        for pair in matching.matches:
            note("found_pct", 100.0)
            note("side_errors_pct", 0.0 if pair.right_side else 100.0)
        for _ in matching.missed:
            note("found_pct", 0.0)
        if truth.complete and not matching.unplaced:
            for j in range(len(found.hands)):
                note("ghosts_pct", 100.0 if j in matching.ghosts else 0.0)
        if matching.missed:
            self._tally.set_state("lost")
        elif any(found.hands[pair.found].state == "predicted" for pair in matching.matches):
            self._tally.set_state("predicted")
        elif matching.matches:
            self._tally.set_state("tracked")

    def _compare(
        self, frame: TrueFrame, truth: TrueHand, found: Hand, mesh: FoundMesh | None
    ) -> None:
        numbers = compare_hand(truth, found, frame.camera, mesh)
        for name, value in numbers.values.items():
            self._tally.note(name, value)
        if mesh is not None and truth.vertices_m is not None:
            self._unlike_meshes += numbers.vertices_aligned_m is None
            if self._silhouettes:
                iou = outline_iou(truth, mesh, frame.camera)
                self._tally.note("silhouette_iou", iou)
        self._spread(numbers, truth.side, len(frame.hands))

    def _spread(self, numbers: HandNumbers, side: Side, hands: int) -> None:
        """Add the errors of a hand's points to their curves and groups."""
        group = "_single" if hands == 1 else "_two"
        for name in ("", group, f"_{side}"):
            self._joints[name].add(numbers.joints_m)
        self._pck.add(numbers.joints_m)
        self._pa_pck.add(numbers.joints_aligned_m)
        for name in (group, f"_{side}"):
            self._tally.note_frame(f"mpjpe{name}_mm", _MM * mean_known(numbers.joints_m))
        if numbers.vertices_aligned_m is not None:
            self._mesh_pck.add(numbers.vertices_aligned_m)

    def _relative_wrists(self, truth: TrueFrame, found: HandFrame, matching: Matching) -> None:
        wrists: dict[Side, tuple[Array, Array]] = {}
        for pair in matching.matches:
            hand = truth.hands[pair.truth]
            both = found.hands[pair.found].joints_m[WRIST], hand.joints_m[WRIST]
            wrists.setdefault(hand.side, both)
        if len(wrists) == 2:
            (left, true_left), (right, true_right) = wrists["left"], wrists["right"]
            error = relative_root_error(left, right, true_left, true_right)
            self._tally.note("mrrpe_mm", _MM * error)

    def _follow(self, truth: TrueFrame, found: HandFrame, matching: Matching) -> None:
        by_truth = {pair.truth: found.hands[pair.found] for pair in matching.matches}
        for i, hand in enumerate(truth.hands):
            key = (hand.identity, hand.side)
            other = by_truth.get(i)
            if other is None and i not in matching.missed:
                continue  # out of the picture
            place, stamp = self._tally.place, truth.stamp
            track = -1 if other is None else other.track_id
            points, theirs = _moving(hand, other, truth)
            self._followed.add(key, place, stamp, points, theirs, track)
            if other is None:
                continue
            both = np.stack([root_relative(other.joints_m), root_relative(hand.joints_m)])
            shake = self._trails.push(key, place, stamp, both)
            if shake is not None:
                for name, second in (
                    ("accel_error_mm_frame2", shake.per_frame),
                    ("accel_error_mm_s2", shake.per_second),
                ):
                    off = np.linalg.norm(second[0] - second[1], axis=-1)
                    self._tally.note(name, _MM * mean_known(off), place=shake.place)

    def _end_recording(self) -> None:
        self._recordings += 1
        lag, samples = self._followed.finish()
        self._lag.add("lag_ms", lag, samples)
        self._trails = Trails()
        self._run.new_recording()

    def finish(self) -> Evaluation:
        """The numbers of all frames so far."""
        self._end_recording()
        self._last = None
        values = self._tally.means.values() | self._run.summary() | self._joint_summary()
        if self._recording and "found_pct" in values:
            values |= self._motion_summary()
        frames = self._tally.frames()
        ways = [frame.values["mrrpe_mm"] for frame in frames if "mrrpe_mm" in frame.values]
        if ways:
            values["mrrpe_median_mm"] = float(np.median(ways))
        summary = {name: value for name, value in values.items() if np.isfinite(value)}
        metrics = shown(summary)
        joints = self._joints[""].means()
        return Evaluation(
            title=self._title,
            summary={metric.name: summary[metric.name] for metric in metrics},
            metrics=metrics,
            curves=self._curves(),
            per_joint_mm=tuple((_MM * joints).tolist()) if np.isfinite(joints).any() else None,
            frames=frames,
            latencies_ms=self._run.latencies_ms,
            notes=tuple(self._notes()),
        )

    def _joint_summary(self) -> dict[str, float]:
        """Means over joints of their means over hands, and areas under curves."""
        values = {f"mpjpe{group}_mm": _MM * e.mean() for group, e in self._joints.items()}
        for k, finger in enumerate(FINGERS):
            joints = tuple(range(1 + 4 * k, 5 + 4 * k))
            values[f"mpjpe_{finger}_mm"] = _MM * self._joints[""].mean(joints)
        return values | {
            "auc_3d": self._pck.area(),
            "pa_auc_3d": self._pa_pck.area(),
            "pa_auc_mesh": self._mesh_pck.area(),
        }

    def _motion_summary(self) -> dict[str, float]:
        returns = self._followed.returns_ms
        return self._lag.values() | {
            "identity_switches": float(self._followed.switches),
            "reacquire_ms": float(np.mean(returns)) if returns else float("nan"),
            "never_reacquired": float(self._followed.never),
        }

    def _curves(self) -> dict[str, Curve]:
        titles = {
            "pck_3d": ("PCK, wrist-aligned", self._pck),
            "pa_pck_3d": ("PCK, aligned", self._pa_pck),
            "pa_pck_mesh": ("PCK of vertices, aligned", self._mesh_pck),
        }
        x = tuple((_MM * PCK_THRESHOLDS_M).tolist())
        return {
            name: Curve(title, "threshold, mm", "share", x, tuple(count.curve().tolist()))
            for name, (title, count) in titles.items()
            if np.isfinite(count.area())
        }

    def _notes(self) -> list[str]:
        notes = self._run.notes()
        if self._unlike_meshes:
            notes.append(
                f"{self._unlike_meshes} true meshes have other triangles than the found ones: no "
                "vertex errors for them, and their F-scores are aligned by the joints"
            )
        return notes


def _moving(truth: TrueHand, found: Hand | None, frame: TrueFrame) -> tuple[Array, Array | None]:
    """True and found points whose delay is the lag: in space, or in the image without 3D truth."""
    if np.isfinite(truth.joints_m).any():
        return truth.joints_m, None if found is None else found.joints_m
    # The key points of a found hand are those of its front end, before any filter.
    seen = None if found is None else frame.camera.project(found.joints_m)
    return true_pixels(truth, frame.camera), seen


def evaluate(
    pairs: Iterable[tuple[TrueFrame, HandFrame]],
    title: str,
    *,
    models: Mapping[Side, HandModelData] | None = None,
    penetration: bool = True,
    silhouettes: bool = True,
    recording: bool = True,
) -> Evaluation:
    """Compare found hands with the truth (see ``Evaluator``, which takes the same arguments)."""
    evaluator = Evaluator(
        title,
        models=models,
        penetration=penetration,
        silhouettes=silhouettes,
        recording=recording,
    )
    for truth, found in pairs:
        evaluator.add(truth, found)
    return evaluator.finish()
