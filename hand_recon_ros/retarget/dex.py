"""Retargeting by the library dex-retargeting (extra ``dex``), with its own YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hand_recon_ros.retarget.robot_model import RobotError
from hand_recon_ros.retarget.wrist_frame import operator_joints
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Array


class DexRetargeting:
    """See ``mapping.Retargeter``: vector, position and DexPilot modes, by optimisation.

    Args:
        config: dex-retargeting's YAML file.
        urdf_dir: folder that its ``urdf_path`` is relative to.

    Raises:
        RobotError: the library is missing or refuses the file; the message says what to do.
    """

    def __init__(self, config: Path, urdf_dir: Path) -> None:
        """Build the optimiser."""
        try:
            from dex_retargeting.retargeting_config import RetargetingConfig
        except ImportError as error:
            raise RobotError(
                f"retargeting by dex needs the library (pip install 'hand_recon_ros[dex]'): {error}"
            ) from None
        if not config.is_file():
            raise RobotError(f"dex-retargeting's file '{config}' does not exist")
        try:
            RetargetingConfig.set_default_urdf_dir(str(urdf_dir))
            self._solver: Any = RetargetingConfig.load_from_file(str(config)).build()
        except Exception as error:  # the library raises whatever its parts do
            raise RobotError(f"dex-retargeting refuses '{config}': {error}") from error
        self._pairs = np.asarray(self._solver.optimizer.target_link_human_indices)
        self._kind = str(self._solver.optimizer.retargeting_type)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Order of the targets."""
        return tuple(self._solver.joint_names)

    def retarget(self, joints_m: Array, side: Side) -> Array:
        """See ``Retargeter.retarget``; NaN where the hand is not finite."""
        if not np.isfinite(joints_m).all():
            return np.full(len(self.joint_names), np.nan)
        joints = operator_joints(joints_m, side)
        if self._kind == "POSITION":
            reference = joints[self._pairs]
        else:
            origin, task = self._pairs
            reference = joints[task] - joints[origin]
        return np.asarray(self._solver.retarget(reference), dtype=np.float64)

    def reset(self) -> None:
        """Start the next search from the middle of the joints' ranges."""
        self._solver.reset()
        if self._solver.filter is not None:
            self._solver.filter.reset()
