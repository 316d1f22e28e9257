"""Hand models by path: the embedded one, or the user's licensed MANO files."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np

from hand_recon_ros.mano.data import (
    EMBEDDED,
    NUM_BETAS,
    NUM_FACES,
    NUM_VERTICES,
    FloatArray,
    HandModelData,
)
from hand_recon_ros.mano.pickles import ForbiddenError, dense, read_pickle
from hand_recon_ros.skeleton import MANO_PARENTS, SIDES, Side, other_side

EMBEDDED_FILE: Final = Path(__file__).parents[1] / "data" / "embedded_hand.npz"
MICROMETRE: Final = 1e-6
"""Unit of the integers in which the embedded model's lengths are stored."""

MANO_TIPS: Final[dict[str, dict[Side, tuple[int, ...]]]] = {
    "smplx": {"right": (744, 320, 443, 554, 671), "left": (744, 320, 443, 554, 671)},
    "freihand": {"right": (744, 320, 443, 555, 672), "left": (744, 320, 443, 555, 672)},
    "manopth": {"right": (745, 317, 444, 556, 673), "left": (745, 317, 445, 556, 673)},
}
"""Finger tip vertices in MANO's own files, thumb first; conventions differ (facts A2.2)."""
_MANO_WRIST_LOOP: Final = (
    108, 79, 78, 121, 214, 215, 279, 239, 234, 92, 38, 122, 118, 117, 119, 120,
)  # fmt: skip
_MANO_PALM: Final = (95, 22)
_SHAPES: Final[dict[str, tuple[int, ...]]] = {
    "v_template": (NUM_VERTICES, 3),
    "shapedirs": (NUM_VERTICES, 3, NUM_BETAS),
    "posedirs": (NUM_VERTICES, 3, 135),
    "J_regressor": (16, NUM_VERTICES),
    "weights": (NUM_VERTICES, 16),
    "kintree_table": (2, 16),
    "f": (NUM_FACES, 3),
    "hands_components": (45, 45),
    "hands_mean": (45,),
}
_DOWNLOAD: Final = (
    "MANO_RIGHT.pkl and MANO_LEFT.pkl come from https://mano.is.tue.mpg.de (own licence); "
    "an empty path selects the embedded model"
)
_log = logging.getLogger(__name__)


class ModelError(ValueError):
    """A hand model cannot be used; the message names the file and the remedy."""


class UnsafePickleError(ModelError, pickle.PickleError):
    """The file asks for something that no MANO file needs; nothing of it was run."""


def load_hand_model(
    side: Side,
    path: str | Path = "",
    *,
    fix_left_shapedirs: bool = True,
    tips: str = "manopth",
    reference_right: str | Path = "",
) -> HandModelData:
    """Load the hand model of one side.

    Args:
        side: which hand.
        path: the user's MANO file; empty = the embedded model (left = its mirror image).
        fix_left_shapedirs: negate x of a left file's shape directions where they repeat the
            right hand's sign, a known fault of MANO_LEFT.pkl (facts A2.3). With
            ``reference_right`` the two files are compared; without it the file is judged by
            itself: a direction that makes a hand larger moves its ends apart along all axes, so
            growth along x and along y and z must agree.
        tips: whose finger tip vertices to use in a user's file, see ``MANO_TIPS``.
        reference_right: the right file to compare a left one with.

    Raises:
        ModelError: the file is missing, damaged, not MANO, or of the other hand.
    """
    if side not in SIDES:
        raise ModelError(f"unknown side {side!r}: use one of {', '.join(SIDES)}")
    if not str(path):
        return _load_embedded(side)
    if tips not in MANO_TIPS:
        raise ModelError(f"unknown finger tip convention {tips!r}: use {', '.join(MANO_TIPS)}")
    path = Path(path)
    arrays = _read_mano(path, side)
    shapedirs = arrays["shapedirs"]
    if side == "left" and fix_left_shapedirs:
        reference = _read_mano(Path(reference_right), "right") if str(reference_right) else None
        if _repeats_right(arrays, reference, path):
            shapedirs = shapedirs * np.array([-1.0, 1.0, 1.0])[:, None]
    loop = _MANO_WRIST_LOOP if side == "right" else _MANO_WRIST_LOOP[::-1]
    return HandModelData(
        name=path.name,
        side=side,
        v_template=arrays["v_template"],
        shapedirs=shapedirs,
        posedirs=arrays["posedirs"],
        j_regressor=arrays["J_regressor"],
        weights=arrays["weights"],
        faces=arrays["f"].astype(np.int64),
        hands_mean=arrays["hands_mean"],
        hands_components=arrays["hands_components"],
        tips=np.array(MANO_TIPS[tips][side]),
        wrist_loop=np.array(loop),
        palm=np.array(_MANO_PALM),
    )


def _load_embedded(side: Side) -> HandModelData:
    with np.load(EMBEDDED_FILE) as file:
        stored = {key: file[key] for key in file.files}
    weights = stored["weights"].astype(np.float64)
    data = HandModelData(
        name=EMBEDDED,
        side="right",
        v_template=stored["v_template"] * MICROMETRE,
        shapedirs=stored["shapedirs"] * MICROMETRE,
        posedirs=stored["posedirs"] * MICROMETRE,
        j_regressor=stored["j_regressor"],
        weights=weights / weights.sum(axis=1, keepdims=True),
        faces=stored["faces"].astype(np.int64),
        hands_mean=stored["hands_mean"],
        hands_components=stored["hands_components"],
        tips=stored["tips"].astype(np.int64),
        wrist_loop=stored["wrist_loop"].astype(np.int64),
        palm=stored["palm"].astype(np.int64),
        uv=stored["uv"].astype(np.float64),
        uv_faces=stored["uv_faces"].astype(np.int64),
    )
    return data if side == "right" else data.mirrored()


def _read_mano(path: Path, side: Side) -> dict[str, FloatArray]:
    """Arrays of a MANO file by its own keys, checked, float64."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file. {_DOWNLOAD}")
    try:
        content = read_pickle(path)
    except ForbiddenError as error:
        raise UnsafePickleError(
            f"{path}: refused to load: {error}. Nothing of it was run; use the original MANO file"
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise ModelError(
            f"{path}: damaged or not a pickle ({type(error).__name__}: {error}); "
            f"download it again. {_DOWNLOAD}"
        ) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: holds a {type(content).__name__}, not a MANO model. {_DOWNLOAD}")
    missing = [key for key in _SHAPES if key not in content]
    if missing:
        raise ModelError(f"{path}: not a MANO model, it lacks {', '.join(missing)}. {_DOWNLOAD}")
    arrays = {key: _array(path, key, content[key], shape) for key, shape in _SHAPES.items()}
    _check(path, arrays, side)
    return arrays


def _array(path: Path, key: str, value: Any, shape: tuple[int, ...]) -> FloatArray:
    try:
        array = dense(value).astype(np.float64)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ModelError(f"{path}: {key} cannot be read ({error}). {_DOWNLOAD}") from error
    if array.shape != shape:
        raise ModelError(
            f"{path}: {key} has shape {array.shape}, a MANO hand has {shape}. {_DOWNLOAD}"
        )
    if not np.isfinite(array).all():
        raise ModelError(f"{path}: {key} holds NaN or infinite values. {_DOWNLOAD}")
    return array


def _check(path: Path, arrays: dict[str, FloatArray], side: Side) -> None:
    """Refuse a wrong tree, faces beyond the mesh, odd weights and the other hand."""
    if tuple(arrays["kintree_table"][0, 1:].astype(np.int64)) != MANO_PARENTS[1:]:
        raise ModelError(f"{path}: its joint tree is not MANO's. {_DOWNLOAD}")
    if arrays["f"].min() < 0 or arrays["f"].max() >= NUM_VERTICES:
        raise ModelError(f"{path}: its faces point beyond its vertices. {_DOWNLOAD}")
    for key in ("weights", "J_regressor"):
        if np.abs(arrays[key].sum(axis=1) - 1.0).max() > 1e-3:
            raise ModelError(f"{path}: rows of {key} do not sum to 1. {_DOWNLOAD}")
    joints = arrays["J_regressor"] @ arrays["v_template"]
    fingers = joints[[1, 4, 7, 10]].mean(axis=0) - joints[0]
    thumb = joints[13:].mean(axis=0) - joints[0]
    # With the back of the hand up (+y) the thumb lies to one side of the fingers.
    found: Side = "right" if np.cross(fingers, thumb)[1] > 0 else "left"
    if found != side:
        raise ModelError(
            f"{path}: holds a {found} hand but was given as the {side} one; set it as "
            f"model.{found}_path, and MANO_{other_side(found).upper()}.pkl as model.{side}_path"
        )


def _repeats_right(
    arrays: dict[str, FloatArray], reference: dict[str, FloatArray] | None, path: Path
) -> bool:
    """Whether a left model's shape directions have the right hand's sign in x."""
    across = arrays["shapedirs"][:, 0]
    if reference is not None:
        other = reference["shapedirs"][:, 0]
        norm = np.linalg.norm(across) * np.linalg.norm(other)
        if norm > 0 and abs(float((across * other).sum() / norm)) > 0.5:
            return bool((across * other).sum() > 0)
        _log.warning("%s: its shape does not mirror the reference's; judged by itself", path)
    centred = arrays["v_template"] - arrays["v_template"].mean(axis=0)
    growth = np.einsum("vc,vcb->cb", centred, arrays["shapedirs"])
    growth /= np.square(centred).sum(axis=0)[:, None]
    agreement = growth[0] * (growth[1] + growth[2])
    certainty = float(agreement.sum() / max(np.abs(agreement).sum(), 1e-30))
    if abs(certainty) < 0.2:
        _log.warning("%s: cannot tell the sign of its shapedirs; left as they are", path)
        return False
    return certainty < 0
