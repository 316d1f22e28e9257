"""The published ACR network in the slots of the chain: it finds hands, key points and 3D at once.

One pass tells all, so ``detect`` runs it and leaves the key points, which bring their own 3D, in
``Detection.hint``, where ``estimate`` finds them. Every frame stands alone: what ties frames
together are the chain's tracks and filters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.acr_official.hands import HandLift
from hand_recon_ros.acr_official.network import INPUT_SIZE
from hand_recon_ros.acr_official.picture import squared
from hand_recon_ros.acr_official.readout import CENTRE_THRESHOLD, Reader, Readings, hands_of
from hand_recon_ros.detection.common import check_image, own_keypoints
from hand_recon_ros.mano.data import HandModelData
from hand_recon_ros.networks.runtime import compile_network
from hand_recon_ros.skeleton import Side
from hand_recon_ros.types import Detection, Frame, Keypoints

if TYPE_CHECKING:
    from hand_recon_ros.acr_official.network import OfficialAcr

ReadPicture = Callable[[NDArray[np.uint8]], Readings]
"""Takes a picture (512, 512, 3), RGB; returns the readings of a batch of one, as arrays."""


class OfficialAcrHands:
    """Fills the slots ``Detector`` and ``KeypointEstimator``; no regressor is needed after it.

    Args:
        read: the network.
        models: of both sides; they give the 3D, so they should be the user's MANO files.
        max_hands: 1 = only the one whose centre is surest.
        threshold: a hand's centre counts above it.
    """

    def __init__(
        self,
        read: ReadPicture,
        models: Mapping[Side, HandModelData],
        max_hands: int = 2,
        threshold: float = CENTRE_THRESHOLD,
    ) -> None:
        """Read the constants off the models."""
        self._read = read
        self._lifts = {side: HandLift(model) for side, model in models.items()}
        self._max_hands = max_hands
        self._threshold = threshold

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        """Find a left and a right hand at most, the surest first.

        Raises:
            ValueError: the image is not (H, W, 3) uint8.
        """
        check_image(frame.image, "the ACR network")
        picture, padding = squared(frame.image)
        found = (
            self._lifts[hand.side].keypoints(hand, padding, frame.camera)
            for hand in hands_of(self._read(picture), self._threshold)
        )
        hands = sorted((hand for hand in found if hand is not None), key=lambda k: -k.score)
        return [Detection(k.side, k.score, k.box_px, hint=k) for k in hands[: self._max_hands]]

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        """Unpack what ``detect`` found in the same frame.

        Raises:
            TypeError: a detection comes from another detector.
        """
        return own_keypoints(detections, "OfficialAcrHands")

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held that is not freed with the object."""


def compiled_reader(
    network: OfficialAcr, device: str = "cpu", threads: int = 1, backend: str = ""
) -> ReadPicture:
    """The network made ready to run on one picture at a time; see ``compile_network``."""
    blank: NDArray[Any] = np.zeros((1, INPUT_SIZE, INPUT_SIZE, 3), np.uint8)
    run = compile_network(Reader(network), [blank], device=device, threads=threads, backend=backend)
    return lambda picture: Readings(*run(picture[None]))
