"""Whether synthetic hands look like hands: a front end never trained on them must find them.

What is counted: every picture has one hand, wholly inside the picture, with nothing in front of
it and nothing in it (rings, watches and sleeves stay), 42 to 80 % of the picture's side long; no
border is added (it changes the share by less than 1 %). Of these,

* the bar is for colour pictures in which the hand shows ``MOST_JOINTS`` or more of its 21 joints:
  a fist from behind or a flat hand from its edge hides most of itself, which is an occlusion too;
* the same without that condition, and grey pictures, follow as rows of their own, nothing left out.

A hand is found if a detection's key points lie within ``real_exam.MATCH`` boxes of the
labels on average, so that an arm or a lamp taken for a hand is a miss. The measure is the longer
side of the whole mesh's box in the labels.

``python -m hand_recon_ros.bench.synthetic`` prints the table; ``--misses DIR`` keeps the pictures
in which the hand was not found or the key points are far off, to look at; ``--photographs DIR``
adds what the same front end finds in real photographs, as they are and without colour.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.matching import best_match
from hand_recon_ros.bench.photographs import photograph_rows
from hand_recon_ros.bench.rows import Row, at_least, at_most, markdown
from hand_recon_ros.front_end import MEDIAPIPE_DETECTOR, build_front_end
from hand_recon_ros.synthesis.generator import synthetic_samples
from hand_recon_ros.synthesis.sample import HandLabel, Sample
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.types import Array, Frame

FOUND_PERCENT, ERROR_PERCENT = 90.0, 8.0
MOST_JOINTS = 15
"""A hand that hides more of its own joints than the rest is not unoccluded."""


@dataclass(frozen=True)
class Verdict:
    """What the front end said of one picture.

    Attributes:
        error: mean distance of key points to labels over the hand's box; NaN = not found.
        right_side: whether it took the hand for what it is.
    """

    sample: Sample
    error: float
    right_side: bool
    points_px: Array | None

    @property
    def found(self) -> bool:
        """Whether the hand was found."""
        return bool(np.isfinite(self.error))

    @property
    def hand(self) -> HandLabel:
        """The one hand of the picture."""
        return self.sample.hands[0]


def plain_samples(config: SynthesisConfig, seed: int) -> Iterator[Sample]:
    """Endless pictures of one whole, uncovered hand."""
    alone = replace(
        config, scenes={"single": 1.0}, held_share=0.0, occluder_share=0.0, cut_share=0.0,
        takes_per_view=1, views_per_scene=1,
    )  # fmt: skip
    return synthetic_samples(alone, seed)


def judge(samples: Iterator[Sample], number: int) -> list[Verdict]:
    """Run the front end on the first ``number`` pictures, each on its own."""
    front_end = build_front_end(MEDIAPIPE_DETECTOR, static=True)
    verdicts = []
    for index, sample in zip(tqdm(range(number), unit="picture"), samples, strict=False):
        label = sample.hands[0]
        frame = Frame(sample.image, index / 30, sample.camera, index)
        error, hand = best_match(front_end, frame, label.joints_px, float(label.box_px[2:].max()))
        if hand is None:
            verdicts.append(Verdict(sample, error, False, None))
        else:
            verdicts.append(Verdict(sample, error, hand.side == label.side, hand.points_px))
    front_end.close()
    return verdicts


def rows(verdicts: Sequence[Verdict]) -> list[Row]:
    """The table: hands that show most of themselves, all hands, then by tone, pose and view."""
    clear = [v for v in verdicts if v.hand.visible.sum() >= MOST_JOINTS]
    coloured = [v for v in verdicts if not v.sample.meta["grey"]]
    shown = [v for v in clear if not v.sample.meta["grey"]]
    grey = [v for v in clear if v.sample.meta["grey"]]
    what = f"single hands in colour with {MOST_JOINTS} or more of 21 joints in sight"
    error = 100 * float(np.mean([v.error for v in shown if v.found]))
    right = 100 * float(np.mean([v.right_side for v in shown if v.found]))
    table = [
        at_least(f"{what}: found, of {len(shown)}", _percent(shown), FOUND_PERCENT, "%"),
        at_most(f"{what}: key points to labels, over the hand box", error, ERROR_PERCENT, "%"),
        Row(f"{what}: side told right", f"{right:.1f} %"),
        _row("the same in grey pictures", grey),
        _row("every single hand in colour, also from its edge, end or behind", coloured),
        _row("every single hand, grey pictures too: nothing left out", verdicts),
    ]
    groups: list[tuple[str, Callable[[Verdict], str]]] = [
        ("tone", lambda v: v.hand.tone),
        ("pose", lambda v: v.hand.pose_kind),
        ("view", lambda v: str(v.sample.meta["view"])),
        ("background", lambda v: str(v.sample.meta["background"])),
    ]
    for name, key in groups:
        split: dict[str, list[Verdict]] = defaultdict(list)
        for verdict in shown:
            split[key(verdict)].append(verdict)
        for value in sorted(split):
            table.append(_row(f"{name} {value}", split[value]))
    return table


def _percent(verdicts: Sequence[Verdict]) -> float:
    return 100 * sum(v.found for v in verdicts) / max(len(verdicts), 1)


def _row(what: str, verdicts: Sequence[Verdict]) -> Row:
    errors = [v.error for v in verdicts if v.found]
    share = _percent(verdicts)
    error = f"{100 * float(np.mean(errors)):.1f} %" if errors else "-"
    return Row(what, f"{share:.0f} % of {len(verdicts)} found, {error} off")


def keep_misses(verdicts: Sequence[Verdict], folder: Path) -> None:
    """Write contact sheets of what was missed and of what is far off."""
    import cv2

    from hand_recon_ros.synthesis.report import contact_sheet

    folder.mkdir(parents=True, exist_ok=True)
    far = sorted((v for v in verdicts if v.found), key=lambda v: -v.error)[:48]
    missed = [v for v in verdicts if not v.found]
    missed = sorted(missed, key=lambda v: (bool(v.sample.meta["grey"]), -int(v.hand.visible.sum())))
    missed = missed[:48]
    for name, chosen in (("missed", missed), ("far", far)):
        if chosen:
            sheet = contact_sheet([v.sample for v in chosen])
            cv2.imwrite(str(folder / f"{name}.png"), sheet[..., ::-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--number", type=int, default=560, help="pictures of each seed")
    parser.add_argument("--size", type=int, default=320, help="side of the pictures, px")
    parser.add_argument("--seed", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--misses", type=Path, help="folder for pictures that went wrong")
    parser.add_argument("--photographs", type=Path, help="labelled photographs (labels.jsonl)")
    options = parser.parse_args()
    config = SynthesisConfig(size=options.size)
    verdicts: list[Verdict] = []
    for seed in options.seed:
        verdicts += judge(plain_samples(config, seed), options.number)
    table = rows(verdicts)
    if options.photographs:
        table += photograph_rows(options.photographs, options.size)
    print(markdown(table))
    if options.misses:
        keep_misses(verdicts, options.misses)


if __name__ == "__main__":
    main()
