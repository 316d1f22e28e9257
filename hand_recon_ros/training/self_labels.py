"""Labels for photographs that have none: where a peer agrees with itself, and ours with it.

The peer (MediaPipe) looks at a picture, its mirror image and two turned copies; a hand that it sees
alike in all of them is labelled with the mean. The learned chain looks as well: where it tells the
same, its key points count in the mean; where it does not, the label stays, since that is what there
is to learn, but counts less (``unconfirmed``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hand_recon_ros.front_end import MEDIAPIPE_DETECTOR, FrontEnd, build_front_end
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.io.frames import IMAGE_SUFFIXES
from hand_recon_ros.training.agreement import (
    AgreedHand,
    AgreedPicture,
    agreed_hands,
    apart,
    nearest,
)
from hand_recon_ros.training.photo_packing import LABELS_FILE, label_lines, read_picture, scaled
from hand_recon_ros.training.photographs import SOURCES
from hand_recon_ros.training.surroundings import cut_round_hands

_LONGEST: Final = 640
"""Of the copies that are kept, px."""
_TURNED: Final = (15.0, -15.0)
_CONFIRMED: Final = 0.1
"""Most distance between our key points and the peer's, over the hand's box."""
_OF_PEOPLE: Final = 4
"""Hands to look for round a hand of somebody who may stand among others."""
_NUMBERED: Final = re.compile(r"(_[0-9a-f]{10})(_\d{1,3})?\.jpg$")
"""How copies' names end: part of the picture's digest, and the number of the cut-out."""

Image = NDArray[np.uint8]


class Labeller(Closing):
    """Two front ends that look at photographs; use it in a ``with`` block.

    Args:
        people: among whom others may stand: more than two hands are looked for.

    Raises:
        FrontEndError: MediaPipe is not installed.
        WeightsError: the learned chain's weights are missing.
    """

    def __init__(self, people: bool = False) -> None:
        """Load both."""
        config = replace(MEDIAPIPE_DETECTOR, min_score=0.4)
        if people:
            config = replace(config, max_hands=_OF_PEOPLE)
        with ExitStack() as undo:
            self._peer = build_front_end(config, static=True)
            undo.callback(self._peer.close)
            self._ours: FrontEnd = build_front_end(
                replace(config, front_end="learned"), static=True
            )
            undo.pop_all()

    def close(self) -> None:
        """Free the models."""
        self._peer.close()
        self._ours.close()

    def surroundings(self, image: Image) -> list[Image]:
        """Cut-outs of a picture (H, W, 3) RGB of whole people, see ``cut_round_hands``."""
        return cut_round_hands(self._peer, image)

    def label(self, image: Image) -> Iterator[dict[str, Any]]:
        """Labels of the hands of a picture (H, W, 3) RGB, as ``photo_packing`` reads them."""
        told = agreed_hands(self._peer, image, _TURNED)
        if not told.hands:
            return
        ours = agreed_hands(self._ours, image)
        for hand in told.hands:
            assert hand.relative_m is not None
            same = _same(hand, ours)
            points = hand.points_px if same is None else (3 * hand.points_px + same.points_px) / 4
            yield {
                "side": hand.side,
                "joints_px": np.round(points, 2).tolist(),
                "joints_rel_m": np.round(hand.relative_m, 5).tolist(),
                "agreement_rel": round(hand.disagreement, 5),
                "unconfirmed": same is None,
                "hands_seen_in_file": max(told.seen, ours.seen),
            }


def label_pictures(
    pictures: Path, folder: Path, source: str, terms: str, *, people: bool = False
) -> tuple[int, int]:
    """Label all pictures below a folder; what was labelled before is not looked at again.

    Args:
        pictures: folder with photographs.
        folder: gets copies of the pictures with hands, or of cut-outs, and a line for each hand in
            ``labels.jsonl``; several sources can share it.
        source: short name of where the pictures are from.
        terms: maker and licence, for the model card.
        people: pictures show whole people: what is labelled are cut-outs round their hands.

    Returns:
        Hands that were labelled now, and pictures that were looked at.

    Raises:
        ValueError: there are no pictures, or the name is not to be used.
        OSError: something cannot be read or written.
    """
    if source in SOURCES or not re.fullmatch(r"[\w-]+", source):
        raise ValueError(
            f"source '{source}': choose a name of letters, digits, _ and - that is none of "
            + ", ".join(SOURCES)
        )
    found = sorted(
        path
        for path in pictures.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and folder.resolve() not in path.resolve().parents
    )
    if not found:
        raise ValueError(f"'{pictures}': no pictures ({', '.join(IMAGE_SUFFIXES)}) are in it")
    (folder / source).mkdir(parents=True, exist_ok=True)
    known = {_NUMBERED.sub(r"\1", hand["file"]) for hand in label_lines(folder)}
    hands = looked = 0
    with (
        Labeller(people) as labeller,
        (folder / LABELS_FILE).open("a", encoding="utf-8") as file,
    ):
        for path in tqdm(found, unit="picture", desc=source):
            # The same picture has one name, wherever it lies, and no other picture has it.
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:10]
            name = f"{source}/{path.stem}_{digest}"
            if name in known:
                continue
            known.add(name)
            looked += 1
            try:
                image = read_picture(path)
            except ValueError as error:
                tqdm.write(f"{error}: left out")
                continue
            lines: list[dict[str, Any]] = []
            for number, shown in enumerate(labeller.surroundings(image) if people else [image]):
                copy = f"{name}_{number}.jpg" if people else f"{name}.jpg"
                about = {"file": copy, "source": source, "terms": terms}
                told = _labelled(labeller, _reduced(shown), folder / copy)
                lines += [about | line for line in told]
            file.write("".join(json.dumps(line) + "\n" for line in lines))
            file.flush()  # an interruption keeps what was labelled
            hands += len(lines)
    return hands, looked


def _labelled(labeller: Labeller, image: Image, path: Path) -> list[dict[str, Any]]:
    """Labels of a picture (H, W, 3) RGB, which is kept where it has some."""
    lines = list(labeller.label(image))
    if lines and not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f"'{path}' cannot be written: is the disk full?")
    return lines


def _same(hand: AgreedHand, ours: AgreedPicture) -> AgreedHand | None:
    best = nearest(hand, ours.hands)
    if best is None or apart(hand.points_px, best.points_px) > _CONFIRMED:
        return None
    return best


def _reduced(image: Image) -> Image:
    return scaled(image, min(1.0, _LONGEST / max(image.shape[:2])))
