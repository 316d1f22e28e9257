"""What can be said of a run without any truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hand_recon_ros.evaluation.alone import RunNumbers
from hand_recon_ros.evaluation.results import Evaluation
from hand_recon_ros.evaluation.tally import Tally
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.metrics.definitions import shown
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import HandFrame

_NO_TRUTH = "there is no truth for this run: the numbers tell smoothness, not accuracy"


def describe(
    frames: Iterable[HandFrame],
    title: str,
    *,
    models: Mapping[Side, HandModelData] | None = None,
    recording: bool = True,
) -> Evaluation:
    """Tracks, jitter, reprojection, contact and times of a run.

    Args:
        frames: in order.
        title: what was run.
        models: hand models, to measure how far two hands enter each other; None = not measured.
        recording: frames of one source follow each other in time; False for unrelated pictures.
    """
    tally = Tally()
    run = RunNumbers(tally, models, with_contact=models is not None, recording=recording)
    last: tuple[str, float] | None = None
    recordings = 0
    for frame in frames:
        if last is None or last[0] != frame.source or frame.stamp <= last[1]:
            recordings += 1
            run.new_recording()
        last = frame.source, frame.stamp
        tally.next_frame(frame.source, frame.index, frame.stamp)
        run.add(recordings, frame)
        if any(hand.state == "predicted" for hand in frame.hands):
            tally.set_state("predicted")
        elif frame.hands:
            tally.set_state("tracked")
    summary = tally.means.values() | run.summary()
    metrics = shown(summary)
    return Evaluation(
        title=title,
        summary={metric.name: summary[metric.name] for metric in metrics},
        metrics=metrics,
        frames=tally.frames(),
        latencies_ms=run.latencies_ms,
        notes=(_NO_TRUTH, *run.notes()),
    )
