"""How a run was made: what somebody needs to repeat it."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from hand_recon_ros.config import Config
from hand_recon_ros.config_io import config_to_dict
from hand_recon_ros.device import resolve_device
from hand_recon_ros.manifest import digest
from hand_recon_ros.mano.loader import EMBEDDED_FILE
from hand_recon_ros.networks.weights import weights_path

_PACKAGES: Final = {
    "hand_recon_ros": ("hand-recon-ros",),
    "mediapipe": ("mediapipe",),
    "numpy": ("numpy",),
    "opencv": ("opencv-python", "opencv-contrib-python"),
    "openvino": ("openvino",),
    "rosbags": ("rosbags",),
    "torch": ("torch",),
}
"""By the name that is shown: the distributions that may bring it."""
_NETWORKS: Final = ("detector", "cpm", "acr")


@dataclass(frozen=True, slots=True)
class RunInfo:
    """Origin of an evaluation.

    Attributes:
        command: the command line.
        source: what was read: a bag, a video, a data set.
        config: options of the chain, nested sections; empty where no chain ran.
        versions: of Python, of the package and of what it computes with.
        models: SHA-256 of each model file that was used.
        seed: of random numbers; None where none were drawn.
        started: time of the start, ISO 8601, UTC.
        seconds: duration.
        device: where networks ran: "cpu" or "cuda"; empty where no chain ran.
    """

    command: str
    source: str
    config: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    seed: int | None = None
    started: str = ""
    seconds: float = 0.0
    device: str = ""

    @staticmethod
    def collect(
        source: str,
        config: Config | None = None,
        *,
        seconds: float = 0.0,
        seed: int | None = None,
        command: str | None = None,
    ) -> RunInfo:
        """Describe the run that ends now.

        Args:
            source: what was read.
            config: options of the chain; None where no chain ran.
            seconds: how long it took; the start is counted back from now.
            seed: of random numbers, if any were drawn.
            command: the command line; None = this process's own.
        """
        started = datetime.now(UTC) - timedelta(seconds=seconds)
        return RunInfo(
            command=_command_line() if command is None else command,
            source=source,
            config={} if config is None else config_to_dict(config),
            versions=_versions(),
            models={} if config is None else _models(config),
            seed=seed,
            started=started.isoformat(timespec="seconds"),
            seconds=seconds,
            device="" if config is None else resolve_device(config.device)[0],
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> RunInfo:
        """The inverse of ``to_json``.

        Raises:
            ValueError: a field is missing or unknown; the message names it.
        """
        try:
            return RunInfo(**data)
        except TypeError as error:
            raise ValueError(f"not the description of a run: {error}") from None


def _command_line() -> str:
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.platform()}
    for name, distributions in _PACKAGES.items():
        for distribution in distributions:
            try:
                found[name] = importlib.metadata.version(distribution)
                break
            except importlib.metadata.PackageNotFoundError:
                continue
    return found


def _models(config: Config) -> dict[str, str]:
    """Name and SHA-256 of the model files that this configuration reads."""
    model = config.model
    files = [Path(path).expanduser() for path in (model.right_path, model.left_path) if path]
    if not (model.right_path and model.left_path):
        files.append(EMBEDDED_FILE)
    if config.regressor == "auto" and config.detector.front_end == "learned":
        files += [weights_path(name, config.detector.weights_dir) for name in _NETWORKS]
    return {path.name: digest(path.read_bytes()) for path in files}
