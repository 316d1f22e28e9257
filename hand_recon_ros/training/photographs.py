"""Real hands with pseudo-labels, packed in one file, as crops of the same kind as rendered ones.

Their labels are a peer's (see the README of the photographs): good for what real pictures look
like, not for accuracy beyond that peer's. ``photo_packing`` makes the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hand_recon_ros.training.frame_layers import directions_of
from hand_recon_ros.training.hand_labels import HandLabels, Numbers
from hand_recon_ros.training.picture_file import (
    Labels,
    decoded,
    read_field,
    read_notes,
    read_pictures,
    stored_names,
    write_pictures,
)
from hand_recon_ros.training.pyramid import pyramid, texels

PHOTO_SIZE: Final = 192
SOURCES: Final = (
    "synthetic",
    "subhih_handsdataset",
    "candir_custom_gesture",
    "davidlee_asl_letters",
    "lebanese_univ_hand_gesture",
    "digits",
    "digits_held_out",
    "video",
)
"""Names by ``CropBatch.source``; further ones follow in the order of a packed file's notes."""
HELD_OUT: Final = ("candir_custom_gesture", "digits_held_out")
"""Never trained on: other people and another camera, to watch the gap."""
PHOTO_LABEL: Final = np.dtype(
    [
        ("source", "u1"),
        ("K", "f8", (3, 3)),
        ("left", "?"),
        ("points_px", "f4", (21, 2)),
        ("relative_m", "f4", (21, 3)),
        ("alone", "?"),
        ("other", "u1"),
        ("other_px", "f4", (21, 2)),
        ("plain", "?"),
        ("weight", "f4"),
    ]
)
"""One packed hand: ``K`` is a guess; ``plain``: it lies on a plain bright ground; ``relative_m``:
wrist at the origin, picture's axes; ``other``: the picture's other hand, where only that one is
seen besides and it is labelled: 1 left, 2 right."""
_QUALITY: Final = 76
_HANGING_SHARE: Final = 0.15
"""Share of hands that hang down, as far as ``_MOST_TIMES`` allows. Photographs of gestures show
hardly any: a detector that saw only those misses the hands of people who stand, and the key point
network doubts them, since relaxed hands are seen from sides that gestures do not show."""
_HANGING: Final = 0.5
"""How far down a hand points (1 = straight down) that hangs."""
_MOST_TIMES: Final = 5.0
"""Times that a hanging hand may be drawn for each drawing of another of its source."""
_COLOUR, _DARK = 9.0, 70.0
"""Lab distance from the ground's colour, and lightness, of what is no plain ground."""


@dataclass(frozen=True)
class Photographs:
    """n pictures of ``PHOTO_SIZE`` px on a device, each round one hand; some show its pair's other.

    Attributes:
        pixels: (n, T) int32 pyramids.
        labels: (n,) of ``PHOTO_LABEL``, on the host.
        cut_out: (n,) the picture's ground is transparent.
    """

    pixels: Tensor
    labels: Labels
    cut_out: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.labels)

    @property
    def size(self) -> int:
        """Side of the pictures, px."""
        return PHOTO_SIZE

    @classmethod
    def load(
        cls,
        path: Path,
        device: torch.device | str,
        only: Collection[str] = (),
        without: Collection[str] = (),
        cut_outs: bool = False,
    ) -> Photographs:
        """Read a packed file.

        Args:
            path: that ``save`` wrote.
            device: where the pixels go.
            only: names of sources; empty = all.
            without: names of sources that are left out.
            cut_outs: give hands on a plain ground a second time, without their ground.

        Raises:
            PictureFileError: the file is missing or is no such file.
            ValueError: a name is no source, or nothing is left.
        """
        packed, labels = read_pictures(path, PHOTO_LABEL)
        known = (*SOURCES, *read_notes(path))
        for name in (*only, *without):
            if name not in known[1:]:
                raise ValueError(f"photo source {name!r} is unknown: {', '.join(known[1:])}")
        names = np.array(known)[labels["source"]]
        wanted = ~np.isin(names, list(without)) & (np.isin(names, list(only)) | (not only))
        chosen = np.flatnonzero(wanted)
        if not len(chosen):
            raise ValueError(f"{path}: no pictures of the wanted sources are in it")
        again = chosen[labels["plain"][chosen]] if cut_outs else chosen[:0]
        order = np.concatenate([chosen, again])
        cut_out = np.arange(len(order)) >= len(chosen)
        pixels = np.empty((len(order), texels(PHOTO_SIZE), 4), np.uint8)
        for levels, k, cut in zip(pixels, order, cut_out, strict=True):
            picture = decoded(packed[k])
            levels[:] = pyramid(without_ground(picture) if cut else picture)
        on_device = torch.from_numpy(pixels).view(torch.int32)[..., 0].to(device)
        return cls(on_device, labels[order], cut_out)

    @cached_property
    def _hanging(self) -> NDArray[np.bool_]:
        return hangs(self.labels["points_px"])

    def draw(
        self, count: int, rng: np.random.Generator, among: NDArray[np.bool_] | None = None
    ) -> Numbers:
        """Random pictures, see ``shares``.

        Args:
            count: of pictures.
            rng: source of randomness.
            among: (n,) which ones there are to choose from, at least one; None = all.
        """
        numbers = np.arange(len(self)) if among is None else np.flatnonzero(among)
        share = shares(self.labels["source"][numbers], self._hanging[numbers])
        return rng.choice(numbers, count, p=share)

    def hands(self, numbers: Numbers, has_3d: bool = False) -> HandLabels:
        """The hands of some pictures.

        Args:
            numbers: which ones.
            has_3d: say that relative 3D is known, too; it is a peer's guess.
        """
        chosen, n = self.labels[numbers], len(numbers)
        points = chosen["points_px"].astype(np.float64)
        relative = chosen["relative_m"].astype(np.float64)
        K = chosen["K"]
        return HandLabels(
            number=numbers,
            K=K,
            left=chosen["left"],
            points_px=points,
            joints_m=relative + _wrists(points, relative, K)[:, None],
            known=np.ones((n, 21), bool),
            visible=np.ones((n, 21), bool),
            has_3d=np.full(n, has_3d),
            rotations=np.tile(np.eye(3), (n, 16, 1, 1)),
            betas=np.zeros((n, 10)),
            has_mano=np.zeros(n, bool),
            partner=np.full(n, -1),
            alone=chosen["alone"],
            covering=~self.cut_out[numbers],
            weight=chosen["weight"].astype(np.float64),
            source=chosen["source"].astype(np.int64),
        )


def hangs(points_px: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """(...) whether hands with key points (..., 21, 2) hang down."""
    return np.asarray(directions_of(points_px.astype(np.float64))[..., 1] > _HANGING)


def shares(source: NDArray[np.integer[Any]], hanging: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How often to draw each picture: a source as the root of its size, hanging hands more often.

    Args:
        source: (n,) numbers of the pictures' sources.
        hanging: (n,) whether a hand hangs down there.

    Returns:
        (n,) shares; their sum is 1.
    """
    share = 1 / np.sqrt(np.bincount(source)[source])
    natural = share[hanging].sum() / share.sum()
    if 0 < natural < _HANGING_SHARE:
        odds = _HANGING_SHARE / (1 - _HANGING_SHARE) * (1 - natural) / natural
        share[hanging] *= min(odds, _MOST_TIMES)
    return np.asarray(share / share.sum())


def packed_hands(path: Path) -> Counter[str]:
    """Numbers of hands in a packed file, by their source.

    Raises:
        PictureFileError: the file is missing or is no such file.
    """
    known = (*SOURCES, *read_notes(path))
    return Counter(known[number] for number in read_field(path, "source"))


def is_current(path: Path) -> bool:
    """Whether a packed file holds all that is read of it now; earlier versions wrote less.

    Raises:
        PictureFileError: the file is missing or is no such file.
    """
    return set(PHOTO_LABEL.names or ()) <= set(stored_names(path))


def save_photographs(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    labels: Labels,
    further: Mapping[str, str] | None = None,
) -> None:
    """Write pictures (192, 192, 3) RGB with labels (n,) of ``PHOTO_LABEL``.

    Args:
        path: of the file.
        pictures: to write.
        labels: whose ``source`` counts through ``SOURCES`` and then through ``further``.
        further: sources by name, with their terms.

    Raises:
        OSError: the file cannot be written.
    """
    write_pictures(path, pictures, labels, _QUALITY, further)


def without_ground(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(S, S, 4) premultiplied: what differs in colour from the plain ground at the upper border."""
    lab = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_RGB2LAB).astype(np.float32)
    size = len(lab)
    rim = size // 12
    sides = (lab[:rim], lab[: size // 2, :rim], lab[: size // 2, -rim:])
    ground = np.median(np.concatenate([side.reshape(-1, 3) for side in sides]), axis=0)
    # Lightness falls off towards the corners of a plain ground; its colour does not.
    differs = np.linalg.norm((lab - ground)[..., 1:], axis=2) > _COLOUR
    differs |= lab[..., 0] < _DARK
    count, parts, stats, _ = cv2.connectedComponentsWithStats(differs.astype(np.uint8))
    if count < 2:
        return np.zeros_like(picture)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    hand = (parts == largest).astype(np.float32)
    hand = cv2.morphologyEx(hand, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    alpha = np.clip(2 * cv2.GaussianBlur(hand, (0, 0), 1.8) - 0.8, 0, 1)
    cut = np.empty_like(picture)
    cut[..., :3] = picture[..., :3] * alpha[..., None] + 0.5
    cut[..., 3] = 255 * alpha + 0.5
    return cut


def _wrists(
    points: NDArray[np.float64], relative: NDArray[np.float64], K: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 3) where the wrists would be for hands of these sizes in pixels and metres."""
    spread_px = points.std(axis=1).mean(axis=1)
    spread_m = relative[..., :2].std(axis=1).mean(axis=1)
    depth = K[:, 0, 0] * spread_m / np.maximum(spread_px, 1e-6)
    rays = np.column_stack([points[:, 0], np.ones(len(points))])
    rays = np.einsum("nij,nj->ni", np.linalg.inv(K), rays)
    return rays * np.maximum(depth - relative[:, :, 2].mean(axis=1), 0.05)[:, None]
