"""Hand models by path: the embedded one, or the user's licensed MANO files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.skeleton import Side

EMBEDDED_FILE = Path(__file__).parents[1] / "data" / "embedded_hand.npz"
_MICROMETRE = 1e-6


class ModelError(ValueError):
    """A hand model cannot be used; the message names the file and the remedy."""


def load_hand_model(
    side: Side,
    path: str | Path = "",
    *,
    fix_left_shapedirs: bool = True,
    tips: str = "manopth",
    reference_right: str | Path = "",
) -> HandModelData:
    """Load the hand model of one side; an empty ``path`` means the embedded one."""
    if str(path):
        raise ModelError(f"{path}: not implemented yet")
    with np.load(EMBEDDED_FILE) as file:
        stored = {key: file[key] for key in file.files}
    weights = stored["weights"].astype(np.float64)
    data = HandModelData(
        name="embedded",
        side="right",
        v_template=stored["v_template"] * _MICROMETRE,
        shapedirs=stored["shapedirs"] * _MICROMETRE,
        posedirs=stored["posedirs"] * _MICROMETRE,
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
