"""Rendered views with compact labels: in memory, and packed in one small file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.training.picture_file import (
    Labels,
    decoded,
    picture_size,
    read_pictures,
    write_pictures,
)
from hand_recon_ros.training.pyramid import pyramid, texels

if TYPE_CHECKING:
    from hand_recon_ros.synthesis.sample import HandLabel
    from hand_recon_ros.synthesis.views import HandView

MOST_HANDS: Final = 2
_HAND: Final = (MOST_HANDS,)
LABEL: Final = np.dtype(
    [
        ("K", "f8", (3, 3)),
        ("hands", "u1"),
        ("shown", "?", _HAND),
        ("left", "?", _HAND),
        ("joints_m", "f4", (*_HAND, 21, 3)),
        ("visible", "?", (*_HAND, 21)),
        ("rotations", "f4", (*_HAND, 16, 3, 3)),
        ("betas", "f4", (*_HAND, 10)),
        ("has_mano", "?", _HAND),
    ]
)
"""Labels of a view, camera's optical frame: ``hands`` in the scene, and for each of them whether it
is ``shown``: wholly in the view."""
_OURS: Final = "embedded"
"""Betas belong to this mesh; those of another one mean something else."""
_QUALITY: Final = 90


@dataclass(frozen=True)
class ViewSet:
    """n views of S x S px.

    Attributes:
        pixels: (n, T, 4) uint8 RGBA, premultiplied: the pyramids of the views.
        labels: (n,) of ``LABEL``.
        size: S, px.
    """

    pixels: NDArray[np.uint8]
    labels: Labels
    size: int

    def __len__(self) -> int:
        """Number of views."""
        return len(self.labels)

    def picture(self, number: int) -> NDArray[np.uint8]:
        """(S, S, 4) one view."""
        level = self.pixels[number, : self.size**2]
        return level.reshape(self.size, self.size, 4)

    def save(self, path: Path) -> None:
        """Write all views to one file; colours lose a little, labels nothing.

        Raises:
            OSError: the file cannot be written.
        """
        pictures = [self.picture(k) for k in range(len(self))]
        write_pictures(path, pictures, self.labels, _QUALITY)

    @classmethod
    def load(cls, path: Path) -> ViewSet:
        """Read a file that ``save`` wrote.

        Raises:
            PictureFileError: it is missing or is no such file.
        """
        packed, labels = read_pictures(path, LABEL)
        size = picture_size(packed[0])
        pixels = np.zeros((len(packed), texels(size), 4), np.uint8)
        for levels, data in zip(pixels, packed, strict=True):
            rgba = decoded(data)
            # Where nothing is seen the codec writes what it likes.
            levels[:] = pyramid(np.minimum(rgba, rgba[..., 3:]))
        return cls(pixels, labels, size)


def label_of(view: HandView) -> Labels:
    """The labels of a view as one record.

    Raises:
        ValueError: its lens distorts; crops are cut with homographies.
    """
    if view.camera.D.size:
        raise ValueError("views for training need a lens without distortion: set wide")
    label = np.zeros((), LABEL)
    label["K"] = view.camera.K
    label["hands"] = len(view.hands)
    size = view.camera.width
    for k, hand in enumerate(view.labels()[:MOST_HANDS]):
        _note(label, k, hand, size)
    return label


def _note(label: Labels, k: int, hand: HandLabel, size: int) -> None:
    mano = hand.mano
    pose = np.concatenate([mano.global_orient[None], mano.hand_pose.reshape(15, 3)])
    label["shown"][k] = ((hand.joints_px > 0) & (hand.joints_px < size - 1)).all()
    label["left"][k] = hand.side == "left"
    label["joints_m"][k] = hand.joints_m
    label["visible"][k] = hand.visible
    label["rotations"][k] = exp_so3(pose)
    label["betas"][k] = mano.betas
    label["has_mano"][k] = mano.model == _OURS
