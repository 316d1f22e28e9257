"""The learned chain on real pictures, beside MediaPipe in the same run.

``python -m hand_recon_ros.bench real [--weights DIR] [--peer mediapipe] [--limit N]``: a video,
small pictures of digits, photographs nobody trained on, key points without a detector, and 3D on a
rendered clip. Digits are padded and enlarged as ``training.photo_packing.read_digit`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.entrants import LEARNED, MEDIAPIPE, PEERS, Entrants, seen_by
from hand_recon_ros.bench.real_clip import clip_rows
from hand_recon_ros.bench.real_pictures import Picture, digit_picture, digit_pictures, photographs
from hand_recon_ros.bench.real_video import video_rows
from hand_recon_ros.bench.real_windows import WindowErrors
from hand_recon_ros.bench.rows import Row, at_least
from hand_recon_ros.bench.worst import WorstCases
from hand_recon_ros.training.real_exam import Judgement, KnownHand, SeenHand, judge, real_scores

VIDEO: Final = "right_hand_fingers_720p30.mp4"
_DIGITS_FOUND, _DIGITS_COUNTED = 97.0, 90.0


@dataclass
class Judged:
    """What every chain said of some pictures, in their order.

    Attributes:
        held_out: whether each picture is one that nobody trained on.
        told: by the chain's name.
    """

    held_out: list[bool] = field(default_factory=list)
    told: dict[str, list[Judgement]] = field(default_factory=dict)

    def only_held_out(self) -> Judged:
        """The part that nobody trained on."""
        told = {
            name: [j for j, out in zip(all_of, self.held_out, strict=True) if out]
            for name, all_of in self.told.items()
        }
        return Judged([True] * sum(self.held_out), told)


def bench_real(
    data: Path,
    weights: str = "",
    peer: str = PEERS[0],
    limit: int | None = None,
    sheet: Path | None = None,
) -> list[Row]:
    """Measure on all real pictures that are there.

    Args:
        data: folder with ``video``, ``digits`` and ``photos``.
        weights: folder of the networks' weights; empty = those of the package.
        peer: "mediapipe", or "none".
        limit: most pictures of each kind.
        sheet: picture of the learned chain's worst cases, or MediaPipe's where that is missing.
    """
    entrants = Entrants.enter(weights, peer)
    worst = WorstCases()
    kinds: list[Callable[[], list[Row]]] = [
        lambda: video_rows(data / "video" / VIDEO, entrants, worst, limit),
        lambda: _digits(data / "digits", entrants, worst, limit),
        lambda: _photographs(data / "photos", entrants, worst, limit),
        lambda: clip_rows(entrants, limit),
    ]
    rows = [*entrants.notes]
    for measure in kinds:
        try:
            rows += measure()
        except FileNotFoundError as error:
            rows.append(Row("real", f"skipped: {error.filename} is not there"))
    if sheet is not None and worst.write(sheet):
        rows.append(Row("real: worst cases", str(sheet)))
    return rows


def _digits(folder: Path, entrants: Entrants, worst: WorstCases, limit: int | None) -> list[Row]:
    files = digit_pictures(folder, limit)
    pictures = (digit_picture(file, out) for file, out in tqdm(files, desc="digits"))
    judged, windows = _judge(pictures, "digit", entrants, worst)
    rows = digit_rows("digits", judged)
    rows += digit_rows("digits of people held out of training", judged.only_held_out())
    return rows + windows.rows("digits of people held out of training")


def _photographs(
    folder: Path, entrants: Entrants, worst: WorstCases, limit: int | None
) -> list[Row]:
    pictures = tqdm(photographs(folder, limit), desc="photographs")
    judged, windows = _judge(pictures, "photo", entrants, worst)
    return photo_rows(judged) + windows.rows("photographs held out of training")


def _judge(
    pictures: Iterable[Picture], kind: str, entrants: Entrants, worst: WorstCases
) -> tuple[Judged, WindowErrors]:
    """Run every chain on every picture; windows are read in those that are held out."""
    chains = entrants.chains(static=True)
    judged = Judged(told={name: [] for name in chains})
    windows = WindowErrors()
    shown = LEARNED if LEARNED in chains else MEDIAPIPE
    for picture in pictures:
        judged.held_out.append(picture.held_out)
        peers = seen_by(chains[MEDIAPIPE], picture.frame) if MEDIAPIPE in chains else []
        known = tuple(_pointed(hand, peers) for hand in picture.known)
        for name, chain in chains.items():
            if name == MEDIAPIPE:
                seen, labels = peers, picture.known
            else:
                seen, labels = seen_by(chain, picture.frame), known
            told = judge(picture.name, seen, labels, others=picture.others)
            judged.told[name].append(told)
            if name == shown:
                worst.offer(kind, replace(picture, known=labels), seen, told)
        if entrants.parts is not None and picture.held_out:
            for hand in known:
                if hand.points_px is not None:
                    windows.add(entrants.parts, picture.frame, hand)
    for chain in chains.values():
        chain.close()
    return judged, windows


def _pointed(hand: KnownHand, peers: Sequence[SeenHand]) -> KnownHand:
    """A hand of which nothing is known but the digit, with what the peer saw of it."""
    if hand.points_px is not None or not peers:
        return hand
    return replace(hand, side=hand.side or peers[0].side, points_px=peers[0].points_px)


def digit_rows(what: str, judged: Judged) -> list[Row]:
    """The rows of digits: found, fingers counted, and both where MediaPipe counts right."""
    rows: list[Row] = []
    peers = judged.told.get(MEDIAPIPE)
    for name, told in judged.told.items():
        scores = real_scores(told)
        if not scores:
            continue
        it = f"{what}, {name}"
        rows += [
            at_least(
                f"{it}: hand found, of {len(told)}", 100 * scores["found"], _DIGITS_FOUND, "%"
            ),
            *_share_rows(it, scores, "MediaPipe's"),
            _percent(f"{it}: as many fingers extended as in the digit", scores["count"]),
            _percent(f"{it}: the very fingers of the digit", scores["fingers"]),
            _by_digit(f"{it}: as many fingers, by digit", told),
        ]
        if name != MEDIAPIPE and peers is not None:
            both = agreement(told, peers)
            if both:
                rows.append(
                    at_least(
                        f"{it}: as many fingers, of {len(both)} where MediaPipe counts right",
                        100 * float(np.mean(both)),
                        _DIGITS_COUNTED,
                        "%",
                    )
                )
    return rows


def agreement(told: Sequence[Judgement], peers: Sequence[Judgement]) -> list[bool]:
    """Whether each digit is counted right, of those that the peer counts right."""
    return [
        one.right_count
        for judgement, peer in zip(told, peers, strict=True)
        for one, other in zip(judgement.verdicts, peer.verdicts, strict=True)
        if other.right_count
    ]


def photo_rows(judged: Judged) -> list[Row]:
    """The rows of labelled photographs."""
    rows: list[Row] = []
    for name, told in judged.told.items():
        scores = real_scores(told)
        if not scores:
            continue
        it = f"photographs held out of training, {name}"
        hands = sum(len(j.verdicts) for j in told)
        rows.append(_percent(f"{it}: hands found, of {hands}", scores["found"]))
        rows += _share_rows(it, scores, "the labels' (MediaPipe's)")
    return rows


def _share_rows(what: str, scores: dict[str, float], whose: str) -> list[Row]:
    """Side, ghosts and distance, as far as they can be told."""
    rows = []
    if "side" in scores:
        rows.append(_percent(f"{what}: side as {whose}", scores["side"]))
    if "ghosts" in scores:
        rows.append(_percent(f"{what}: ghosts over pictures", scores["ghosts"]))
    if "error" in scores:
        mean, median = 100 * scores["error"], 100 * scores["error_median"]
        told = f"mean {mean:.1f} %, median {median:.1f} % of the hand box"
        rows.append(Row(f"{what}: key points to {whose}", told, value=mean))
    return rows


def _by_digit(what: str, told: Sequence[Judgement]) -> Row:
    right: dict[int, list[bool]] = {}
    for judgement in told:
        for verdict in judgement.verdicts:
            assert verdict.known.digit is not None
            right.setdefault(verdict.known.digit, []).append(verdict.right_count)
    shares = (f"{digit}: {100 * np.mean(right[digit]):.0f}" for digit in sorted(right))
    return Row(what, f"{', '.join(shares)} %")


def _percent(what: str, share: float) -> Row:
    return Row(what, f"{100 * share:.1f} %", value=100 * share)
