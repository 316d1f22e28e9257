"""Hand models by path: the embedded one, or the user's licensed MANO files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.skeleton import Side

EMBEDDED_FILE = Path(__file__).parents[1] / "data" / "embedded_hand.npz"


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
        arrays = {key: np.asarray(file[key]) for key in file.files}
    integers = {"faces", "tips", "wrist_loop", "palm"}
    data = HandModelData(
        name="embedded",
        side="right",
        **{k: v.astype(np.int64 if k in integers else np.float64) for k, v in arrays.items()},
    )
    return data if side == "right" else data.mirrored()
