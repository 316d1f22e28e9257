"""Builds the stages that look at the image: detector, key point estimator, 3D regressor."""

from __future__ import annotations

from dataclasses import dataclass

from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.stages import Detector, KeypointEstimator, Regressor


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """The image side of the chain. ``regressor`` is None where key points bring their own 3D."""

    detector: Detector
    estimator: KeypointEstimator
    regressor: Regressor | None = None

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
