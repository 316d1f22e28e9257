"""Rendered views with compact labels: in memory, and packed in one small file.

A file is an ``.npz`` without pickles: ``pictures`` (uint8, WebP bytes one after the other),
``ends`` (n,) where each one ends, ``size`` their side, and one array for each field of ``LABEL``.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.rotations import exp_so3
from hand_recon_ros.synthesis.sample import HandLabel
from hand_recon_ros.synthesis.views import HandView
from hand_recon_ros.training.pyramid import pyramid, texels

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

Labels = NDArray[np.void]


class ViewFileError(ValueError):
    """A file of views cannot be read; the message names it and the remedy."""


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
        packed = [_encoded(self.picture(k)) for k in range(len(self))]
        pictures = np.frombuffer(b"".join(packed), np.uint8)
        ends = np.cumsum([len(data) for data in packed])
        fields = {name: self.labels[name] for name in LABEL.names or ()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez_compressed(file, pictures=pictures, ends=ends, size=self.size, **fields)

    @classmethod
    def load(cls, path: Path) -> ViewSet:
        """Read a file that ``save`` wrote.

        Raises:
            ViewFileError: it is missing or is no such file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = {name: file[name] for name in file.files}
            size, ends, pictures = int(stored["size"]), stored["ends"], stored["pictures"]
            labels = np.zeros(len(ends), LABEL)
            for name in LABEL.names or ():
                labels[name] = stored[name]
            pixels = np.zeros((len(ends), texels(size), 4), np.uint8)
            for view, data in zip(pixels, np.split(pictures, ends[:-1]), strict=True):
                view[:] = pyramid(_decoded(data))
        except FileNotFoundError:
            raise ViewFileError(f"{path}: no such file of views; render it again") from None
        except (KeyError, OSError, ValueError, cv2.error, zipfile.BadZipFile) as error:
            raise ViewFileError(f"{path}: no file of views ({error}); render it again") from error
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


def _encoded(rgba: NDArray[np.uint8]) -> bytes:
    """WebP takes straight colours; these are stored as they are, so dark edges stay right."""
    picture = cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA)
    done, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    if not done:
        raise ValueError("this build of OpenCV writes no WebP: use the one from PyPI")
    return data.tobytes()


def _decoded(data: NDArray[np.uint8]) -> NDArray[Any]:
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError("a picture in it cannot be read")
    if picture.shape[2] == 3:  # every pixel is covered
        picture = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    rgba = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA)
    # Where nothing is seen the codec writes what it likes.
    return np.minimum(rgba, rgba[..., 3:])
