"""Rendered views with compact labels: in memory, and packed in one small file.

A file is an ``.npz`` without pickles: ``pictures`` (uint8, WebP bytes one after the other), ``ends``
(n,) where each one ends, ``size`` their side, and one array for each field of ``LABEL``.
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

MOST_HANDS: Final = 2
_HAND: Final = (MOST_HANDS,)
LABEL: Final = np.dtype(
    [
        ("K", "f8", (3, 3)),
        ("shown", "?", _HAND),
        ("left", "?", _HAND),
        ("joints_m", "f4", (*_HAND, 21, 3)),
        ("visible", "?", (*_HAND, 21)),
        ("rotations", "f4", (*_HAND, 16, 3, 3)),
        ("betas", "f4", (*_HAND, 10)),
        ("has_mano", "?", _HAND),
    ]
)
"""Labels of a view, camera's optical frame; ``shown``: the hand is there and wholly in the view."""
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
        rgba: (n, 4, S, S) uint8 colours premultiplied with their coverage.
        labels: (n,) of ``LABEL``.
    """

    rgba: NDArray[np.uint8]
    labels: Labels

    def __len__(self) -> int:
        """Number of views."""
        return len(self.labels)

    def save(self, path: Path) -> None:
        """Write all views to one file; colours lose a little, labels nothing.

        Raises:
            OSError: the file cannot be written.
        """
        packed = [_encoded(view) for view in self.rgba]
        pictures = np.frombuffer(b"".join(packed), np.uint8)
        ends = np.cumsum([len(data) for data in packed])
        fields = {name: self.labels[name] for name in LABEL.names or ()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez_compressed(
                file, pictures=pictures, ends=ends, size=self.rgba.shape[-1], **fields
            )

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
            rgba = np.zeros((len(ends), 4, size, size), np.uint8)
            for view, data in zip(rgba, np.split(pictures, ends[:-1]), strict=True):
                view[:] = _decoded(data)
        except FileNotFoundError:
            raise ViewFileError(f"{path}: no such file of views; render it again") from None
        except (KeyError, OSError, ValueError, cv2.error, zipfile.BadZipFile) as error:
            raise ViewFileError(f"{path}: no file of views ({error}); render it again") from error
        return cls(rgba, labels)


def planar(view: HandView) -> NDArray[np.uint8]:
    """(4, S, S) the colours of a view."""
    return np.ascontiguousarray(view.picture.rgba.transpose(2, 0, 1))


def label_of(view: HandView) -> Labels:
    """The labels of a view as one record.

    Raises:
        ValueError: its lens distorts; crops are cut with homographies.
    """
    if view.camera.D.size:
        raise ValueError("views for training need a lens without distortion: set wide")
    label = np.zeros((), LABEL)
    label["K"] = view.camera.K
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
    picture = np.ascontiguousarray(rgba[[2, 1, 0, 3]].transpose(1, 2, 0))
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
    rgba = picture.transpose(2, 0, 1)[[2, 1, 0, 3]]
    # Where nothing is seen the codec writes what it likes.
    return np.minimum(rgba, rgba[3])
