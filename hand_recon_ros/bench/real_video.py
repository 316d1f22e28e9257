"""A real video of one right hand: found, side, ghosts, distance to MediaPipe, time beside it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.entrants import LEARNED, MEDIAPIPE, Entrants, seen_by
from hand_recon_ros.bench.real_pictures import Picture
from hand_recon_ros.bench.real_windows import WindowErrors
from hand_recon_ros.bench.rows import Row, at_least, at_most
from hand_recon_ros.bench.video import Recorded
from hand_recon_ros.bench.worst import WorstCases
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.io.cameras import load_cameras
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.training.real_exam import Judgement, KnownHand, box_share, judge, real_scores
from hand_recon_ros.types import Frame

_FOUND: Final = (615, 621)
_PERCENT: Final = 4.0
_EVERY, _FIRST = 10, 5
"""Frames whose windows are read: none of those that networks were trained on."""


@dataclass
class _Told:
    """What one chain said of the video."""

    judgements: list[Judgement] = field(default_factory=list)
    projected: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def video_rows(
    path: Path, entrants: Entrants, worst: WorstCases, limit: int | None = None
) -> list[Row]:
    """Measure on the first ``limit`` frames of a video with one right hand in every frame.

    The learned chain is timed as a whole, MediaPipe without what comes after it, frame by frame in
    turn; on a CPU in processor time, which other programs do not change.

    Raises:
        FileNotFoundError: the video is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(2, "no video", str(path))
    chains = entrants.chains(static=False)
    alone = Recorded()
    peer = chains[MEDIAPIPE].front_end if MEDIAPIPE in chains else None
    if peer is not None:
        chains[MEDIAPIPE].front_end = FrontEnd(alone, alone)  # it has been run, and timed, before
    told = {name: _Told() for name in chains}
    windows = WindowErrors()
    shown = LEARNED if LEARNED in chains else MEDIAPIPE
    with open_video(str(path), load_cameras(None)) as source:
        for frame in tqdm(islice(source, limit), total=limit or source.length, desc="video"):
            hand = KnownHand("right")
            if peer is not None:
                start = _now(entrants.device)
                found = peer.see(frame)
                told[MEDIAPIPE].seconds.append(_now(entrants.device) - start)
                alone.hands[frame.index] = found
                if found:
                    hand = KnownHand("right", max(found, key=lambda k: k.score).points_px)
            picture = Picture(str(frame.index), frame, (hand,))
            for name, chain in chains.items():
                start = _now(entrants.device)
                seen = seen_by(chain, frame)
                if name == LEARNED:
                    told[name].seconds.append(_now(entrants.device) - start)
                judgement = judge(picture.name, seen, picture.known)
                told[name].judgements.append(judgement)
                _project(judgement, frame, told[name].projected)
                if name == shown:
                    worst.offer("video", picture, seen, judgement)
            if entrants.parts and hand.points_px is not None and frame.index % _EVERY == _FIRST:
                windows.add(entrants.parts, frame, hand)
    for chain in chains.values():
        chain.close()
    if peer is not None:
        peer.close()
    rows = [row for name, one in told.items() for row in _rows(f"{path.name}, {name}", one, name)]
    if LEARNED in told and peer is not None:
        rows += _ratio(path.name, told[LEARNED], told[MEDIAPIPE])
    return rows + windows.rows(path.name)


def _rows(what: str, told: _Told, name: str) -> list[Row]:
    count = len(told.judgements)
    verdicts = [v for judgement in told.judgements for v in judgement.verdicts]
    found = sum(v.seen is not None for v in verdicts)
    least = _FOUND[0] * count // _FOUND[1]
    rows = [
        at_least(f"{what}: frames with the hand", found, least, f"of {count}"),
        at_most(
            f"{what}: frames with a ghost", sum(bool(j.ghosts) for j in told.judgements), 0, ""
        ),
    ]
    if not found:  # nothing that is right by being absent
        return rows
    wrong = sum(v.right_side is False for v in verdicts)
    rows.append(at_most(f"{what}: frames with the wrong side", wrong, 0, f"of {found}"))
    scores = real_scores(told.judgements)
    if name == LEARNED and "error" in scores:
        what_error = f"{what}: key points to MediaPipe's, mean over the hand box"
        rows.append(at_most(what_error, 100 * scores["error"], _PERCENT, "%"))
    if told.projected:
        error = 100 * float(np.mean(told.projected))
        what_error = f"{what}: projected joints_m to MediaPipe's key points"
        rows.append(Row(what_error, f"{error:.3g} % of the hand box", value=error))
    return rows


def _ratio(what: str, learned: _Told, peer: _Told) -> list[Row]:
    """The learned chain's time over the peer's, where there was a hand to work on."""
    there = [j.verdicts[0].seen is not None for j in learned.judgements]
    if not any(there):
        return []
    both = (np.median(np.array(told.seconds)[there]) for told in (learned, peer))
    ratio = float(next(both) / next(both))
    what = f"{what}: whole learned chain / MediaPipe Hands alone, median time of frames with a hand"
    return [at_most(what, ratio, 1.0, "times")]


def _project(judgement: Judgement, frame: Frame, errors: list[float]) -> None:
    for verdict in judgement.verdicts:
        if verdict.seen is not None and verdict.known.points_px is not None:
            projected = frame.camera.project(verdict.seen.joints_m)
            errors.append(box_share(projected, verdict.known.points_px))


def _now(device: str) -> float:
    return time.process_time() if device == "cpu" else time.perf_counter()
