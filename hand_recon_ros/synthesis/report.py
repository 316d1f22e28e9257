"""A contact sheet and histograms of a set of samples, to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rendering.tiles import in_rows
from hand_recon_ros.skeleton import BONES, FINGERS
from hand_recon_ros.synthesis.appearance import TONES
from hand_recon_ros.synthesis.poses import POSE_KINDS
from hand_recon_ros.synthesis.sample import Sample

_COLOURS: Final = ((255, 90, 60), (255, 200, 0), (70, 210, 70), (0, 180, 255), (200, 90, 255))
_HIDDEN: Final = (120, 120, 120)
_TILE: Final = 192


def contact_sheet(
    samples: Sequence[Sample], columns: int = 8, *, labels: bool = False
) -> NDArray[np.uint8]:
    """Pictures beside each other, RGB; with ``labels`` key points and masks are drawn in."""
    tiles = [labelled(sample) if labels else sample.image for sample in samples]
    size = (_TILE, _TILE)
    small = [cv2.resize(tile, size, interpolation=cv2.INTER_AREA) for tile in tiles]
    return in_rows([np.asarray(tile, np.uint8) for tile in small], columns)


def labelled(sample: Sample) -> NDArray[np.uint8]:
    """The picture with skeletons (hidden joints grey), boxes and outlines of the parts."""
    image = sample.image.copy()
    borders = (
        np.abs(np.diff(sample.part.astype(int), axis=0, prepend=0))
        + np.abs(np.diff(sample.part.astype(int), axis=1, prepend=0))
    ) > 0
    image[borders] = (0.5 * image[borders] + 127).astype(np.uint8)
    for hand in sample.hands:
        points = np.where(np.isfinite(hand.joints_px), hand.joints_px, -100)
        pixels: list[Any] = np.clip(np.round(points), -500, 1500).astype(int).tolist()
        for parent, joint in BONES:
            colour = _COLOURS[(joint - 1) // 4]
            cv2.line(image, pixels[parent], pixels[joint], colour, 1, cv2.LINE_AA)
        for joint, pixel in enumerate(pixels):
            shown = _COLOURS[(joint - 1) // 4 if joint else 0] if hand.visible[joint] else _HIDDEN
            cv2.circle(image, pixel, 2, shown, -1, cv2.LINE_AA)
        x, y, w, h = np.clip(np.round(hand.box_px), -500, 1500).astype(int).tolist()
        edge = (60, 160, 255) if hand.side == "left" else (255, 140, 60)
        cv2.rectangle(image, (x, y), (x + w, y + h), edge, 1)
    return image


def write_histograms(samples: Sequence[Sample], path: Path) -> None:
    """Plot pose, shape, distance, tone, occlusion and how pictures were made, as a PNG.

    Raises:
        ImportError: matplotlib is missing.
    """
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(f"histograms need matplotlib ({error}): pip install matplotlib") from None
    hands = [hand for sample in samples for hand in sample.hands]
    figure, axes = pyplot.subplots(3, 3, figsize=(16, 13))
    _bars(axes[0, 0], "pose kind", Counter(h.pose_kind for h in hands), list(POSE_KINDS))
    _bars(axes[0, 1], "tone of skin", Counter(h.tone for h in hands), list(TONES))
    angles = np.array([h.mano.hand_pose.reshape(15, 3) for h in hands])
    bends = np.rad2deg(np.linalg.norm(angles, axis=-1))
    order = ("index", "middle", "little", "ring", "thumb")
    for finger in FINGERS:
        mine = bends[:, 3 * order.index(finger) : 3 * order.index(finger) + 3]
        axes[0, 2].hist(mine.sum(axis=1), 40, histtype="step", label=finger)
    axes[0, 2].legend()
    axes[0, 2].set_title("bend of the fingers, three joints together, degrees")
    axes[1, 0].boxplot(np.array([h.mano.betas for h in hands]))
    axes[1, 0].set_title("shape: betas 1 to 10")
    axes[1, 1].hist([h.joints_m[:, 2].mean() for h in hands], 40)
    axes[1, 1].set_title("distance of the hands, m")
    axes[1, 2].hist([h.seen for h in hands], 40)
    axes[1, 2].set_title("share of a hand that is seen")
    axes[2, 0].hist([h.visible.sum() for h in hands], np.arange(23) - 0.5)
    axes[2, 0].set_title("visible joints of a hand")
    made = Counter(f"{key} {sample.meta[key]}" for sample in samples
                   for key in ("scene", "view", "background"))  # fmt: skip
    _bars(axes[2, 1], "how pictures were made", made, sorted(made))
    axes[2, 2].hist([sample.image.mean() for sample in samples], 40)
    axes[2, 2].set_title("brightness of the pictures")
    figure.suptitle(f"{len(samples)} pictures, {len(hands)} hands")
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def _bars(axis: Any, title: str, counts: Counter[str], names: Sequence[str]) -> None:
    axis.barh(range(len(names)), [counts.get(name, 0) for name in names])
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.invert_yaxis()
    axis.set_title(title)
