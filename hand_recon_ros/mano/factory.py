"""Loads both hands' models as the configuration names them."""

from __future__ import annotations

from hand_recon_ros.config import ModelConfig
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.mano.loader import load_hand_model
from hand_recon_ros.skeleton import Side


def load_hand_models(config: ModelConfig) -> dict[Side, HandModelData]:
    """The model of each side: the user's file where one is named, else the embedded one.

    Raises:
        ModelError: a file is missing, broken or not a MANO model.
    """
    right = load_hand_model("right", config.right_path, tips=config.tips)
    left = load_hand_model(
        "left",
        config.left_path,
        tips=config.tips,
        fix_left_shapedirs=config.fix_left_shapedirs,
        reference_right=config.right_path,
    )
    return {"left": left, "right": right}
