"""Builds the stages that look at the image: detector, key point estimator, 3D regressor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hand_recon_ros.config import Config, DetectorConfig
from hand_recon_ros.mano.data import EMBEDDED
from hand_recon_ros.skeleton import Side
from hand_recon_ros.stages import Detector, KeypointEstimator, Regressor
from hand_recon_ros.types import Frame, Keypoints

if TYPE_CHECKING:
    from hand_recon_ros.mano.data import HandModelData

MEDIAPIPE_DETECTOR: Final = DetectorConfig(front_end="mediapipe")
"""The peer that photographs are labelled by and that ours is measured against."""
_APPROXIMATE: Final = (
    "regressor acr_official tells parameters of MANO, but the embedded hand ({} side) is another "
    "model: the geometry is approximate. Set model.right_path and model.left_path to your MANO "
    "files (https://mano.is.tue.mpg.de)"
)


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """The image side of the chain.

    Attributes:
        detector, estimator: what finds hands and their key points.
        regressor: None where key points bring their own 3D.
        warnings: what a user should be told once.
    """

    detector: Detector
    estimator: KeypointEstimator
    regressor: Regressor | None = None
    warnings: tuple[str, ...] = ()

    def see(self, frame: Frame) -> list[Keypoints]:
        """The hands of a frame, by all stages.

        Raises:
            ValueError: the image is not (H, W, 3) uint8.
        """
        hands = self.estimator.estimate(frame, self.detector.detect(frame, ()))
        return self.regressor.regress(frame, hands) if self.regressor else hands

    def reset(self) -> None:
        """Forget earlier frames in every stage."""
        for stage in self._stages():
            stage.reset()

    def close(self) -> None:
        """Free the models of every stage."""
        for stage in self._stages():
            stage.close()

    def _stages(self) -> list[Detector | KeypointEstimator | Regressor]:
        """Each stage once, also where one fills two slots."""
        stages = (self.detector, self.estimator, self.regressor)
        return list({id(stage): stage for stage in stages if stage is not None}.values())


def configured_front_end(
    config: Config, models: Mapping[Side, HandModelData], static: bool, device: str = "cpu"
) -> FrontEnd:
    """The front end that ``config.regressor`` and ``config.detector`` name.

    Args:
        config: all options.
        models: the hand model of each side, for networks that tell its parameters.
        static: frames are independent photographs.
        device: "cpu" or "cuda", for torch models.

    Raises:
        FrontEndError, WeightsError: see ``build_front_end``.
    """
    if config.regressor == "acr_official":
        return _official_acr(config, models, device)
    return build_front_end(config.detector, static, device)


def build_front_end(config: DetectorConfig, static: bool, device: str = "cpu") -> FrontEnd:
    """The front end that ``config.front_end`` names.

    Args:
        config: options of the detector.
        static: frames are independent photographs.
        device: "cpu" or "cuda", for torch models.

    Raises:
        FrontEndError: its library is not installed; the message says how to get it.
        WeightsError: its weights are missing or damaged; the message says what to do.
    """
    if config.front_end == "learned":
        from hand_recon_ros.detection.assembly import load_learned_hands

        learned = load_learned_hands(config, static=static, device=device)
        return FrontEnd(detector=learned, estimator=learned, regressor=learned)

    from hand_recon_ros.detection.mediapipe import MediaPipeHands

    stage = MediaPipeHands(config, static=static)
    return FrontEnd(detector=stage, estimator=stage)


def _official_acr(config: Config, models: Mapping[Side, HandModelData], device: str) -> FrontEnd:
    from hand_recon_ros.acr_official.checkpoint import load_official_acr
    from hand_recon_ros.detection.official import OfficialAcrHands, compiled_reader

    network = load_official_acr(config.acr_checkpoint)
    stage = OfficialAcrHands(
        compiled_reader(network, device, config.detector.threads),
        models,
        config.detector.max_hands,
        config.acr_centre_threshold,
    )
    embedded = [side for side, model in models.items() if model.name == EMBEDDED]
    warnings = (_APPROXIMATE.format(" and ".join(embedded)),) if embedded else ()
    return FrontEnd(detector=stage, estimator=stage, warnings=warnings)
