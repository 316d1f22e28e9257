"""Puts the learned front end together from its networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.acr.pairs import PairNetwork
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.both_ways import found_both_ways
from hand_recon_ros.detection.learned import LearnedHands
from hand_recon_ros.detection.parts import found_in_parts
from hand_recon_ros.detection.ssd_rpn import FoundHand, SsdRpnDetector
from hand_recon_ros.keypoints.calibration import Calibration
from hand_recon_ros.keypoints.crops import CROP_SIZE
from hand_recon_ros.keypoints.windows import WindowNetwork
from hand_recon_ros.networks.runtime import Network, compile_network, fastest_backend
from hand_recon_ros.networks.weights import load_weights, weights_path
from hand_recon_ros.types import Detection, Frame, Keypoints

if TYPE_CHECKING:
    from torch import nn

    from hand_recon_ros.acr.network import Acr
    from hand_recon_ros.detection.network import SsdRpn
    from hand_recon_ros.keypoints.network import Cpm
    from hand_recon_ros.networks.int8 import Ranges

_CANDIDATE: Final = 0.25
"""Score of boxes that are looked at more closely over ``min_score``, which holds for what the
detector and the key point network believe together."""


@dataclass(frozen=True)
class LearnedNetworks:
    """The three networks of the chain and what was measured of them.

    Attributes:
        calibration: of the confidences.
        int8_ranges: of the key point network's convolutions (``networks.int8``); empty = it is not
            run in 8 bits.
    """

    detector: SsdRpn
    cpm: Cpm
    acr: Acr
    calibration: Calibration
    int8_ranges: Ranges


class FrameSearcher:
    """The slot ``Detector`` around the network that searches whole frames.

    Args:
        network: which.
        config: least score of hands, and how many are wanted.
        device: "cpu" or "cuda".
        static: frames are independent photographs: search the mirror image, too (see
            ``both_ways``), and parts, which show small hands (see ``parts``).
    """

    def __init__(
        self,
        network: SsdRpn,
        config: DetectorConfig,
        device: str,
        *,
        static: bool = False,
    ) -> None:
        """Wrap the network; it is compiled when the first frame tells its size."""
        from hand_recon_ros.detection.network import RunningSsdRpn

        self._module = RunningSsdRpn(network)
        self._config, self._device, self._static = config, device, static
        self._compiled: dict[tuple[int, ...], Network] = {}
        self._min_score = _CANDIDATE * config.min_score
        self._detector = SsdRpnDetector(self._run, self._min_score)

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        """Boxes of hands, best first; ``hint`` is the ``FoundHand`` with its direction."""
        if self._static:
            found = found_in_parts(
                self._both_ways,
                frame.image,
                self._both_ways(frame.image),
                max_hands=self._config.max_hands,
                sure=self._config.min_score,
            )
        else:  # a stream has other frames to search, and less time
            found = self._detector.find(frame.image)
        return [Detection(hand.side, hand.score, hand.box_px, hint=hand) for hand in found]

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Free the compiled networks."""
        self._compiled.clear()

    def _both_ways(self, image: NDArray[np.uint8]) -> list[FoundHand]:
        return found_both_ways(self._detector.find, image, self._min_score)

    def _run(self, image: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        if image.shape not in self._compiled:
            self._compiled[image.shape] = compile_network(
                self._module, [image], device=self._device, threads=self._config.threads
            )
        return self._compiled[image.shape](image)


def load_networks(folder: str = "", *, detector: bool = True) -> LearnedNetworks:
    """The networks with the weights of a folder (default: those of the package).

    Args:
        folder: of the weights.
        detector: False = the detector stays untrained, for windows from elsewhere.

    Raises:
        WeightsError: a file is missing, damaged or of another network.
    """
    networks = random_networks()
    if detector:
        load_weights(networks.detector, weights_path("detector", folder))
    seen = load_weights(networks.cpm, weights_path("cpm", folder))
    told = load_weights(networks.acr, weights_path("acr", folder))
    return replace(
        networks,
        calibration=Calibration.from_facts(told),
        int8_ranges=seen.get("int8_ranges", {}),
    )


def random_networks() -> LearnedNetworks:
    """The networks as before training: to measure how fast they run."""
    from hand_recon_ros.acr.network import Acr
    from hand_recon_ros.detection.network import SsdRpn
    from hand_recon_ros.keypoints.network import Cpm

    return LearnedNetworks(SsdRpn(), Cpm(), Acr(), Calibration(), {})


def load_learned_hands(
    config: DetectorConfig, *, static: bool = False, device: str = "cpu"
) -> LearnedHands:
    """The learned front end as configured.

    Raises:
        WeightsError: weights are missing or damaged.
    """
    return learned_hands(load_networks(config.weights_dir), config, static=static, device=device)


def learned_hands(
    networks: LearnedNetworks,
    config: DetectorConfig,
    *,
    static: bool = False,
    device: str = "cpu",
) -> LearnedHands:
    """The learned front end around given networks."""
    cpm: nn.Module = networks.cpm
    if networks.int8_ranges and fastest_backend(device) == "openvino":
        from hand_recon_ros.networks.int8 import in_int8

        cpm = in_int8(cpm, networks.int8_ranges)
    reader = WindowNetwork(cpm, device, config.threads)
    example = reader([np.zeros((CROP_SIZE, CROP_SIZE, 3), np.uint8)])[0]
    return LearnedHands(
        FrameSearcher(
            networks.detector,
            config,
            device,
            static=static,
        ),
        reader,
        PairNetwork(networks.acr, example, device, config.threads),
        config,
        static=static,
        calibration=networks.calibration,
    )
