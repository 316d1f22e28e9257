"""Who is measured on real pictures: the learned chain, and MediaPipe as its peer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hand_recon_ros.bench.rows import Row
from hand_recon_ros.config import Config, DetectorConfig
from hand_recon_ros.detection.assembly import LearnedNetworks, learned_hands, load_networks
from hand_recon_ros.detection.learned import LearnedParts
from hand_recon_ros.detection.mediapipe_graph import FrontEndError
from hand_recon_ros.device import resolve_device
from hand_recon_ros.front_end import MEDIAPIPE_DETECTOR, FrontEnd, build_front_end
from hand_recon_ros.networks.weights import WeightsError
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.training.real_exam import SeenHand
from hand_recon_ros.types import Frame

LEARNED: Final = "learned"
MEDIAPIPE: Final = "MediaPipe"
PEERS: Final = ("mediapipe", "none")
_DETECTOR: Final = DetectorConfig(max_hands=2)


@dataclass
class Entrants:
    """The front ends that can be had here.

    Attributes:
        device: "cpu" or "cuda".
        networks: all three; None = some weights are missing.
        parts: networks that read windows; None = they are missing, too.
        peer: whether MediaPipe takes part.
        notes: what does not take part, and why.
    """

    device: str
    networks: LearnedNetworks | None = None
    parts: LearnedParts | None = None
    peer: bool = True
    notes: list[Row] = field(default_factory=list)

    @classmethod
    def enter(cls, weights: str = "", peer: str = PEERS[0], device: str = "auto") -> Entrants:
        """See who can take part.

        Args:
            weights: folder of the networks' weights; empty = those of the package.
            peer: one of ``PEERS``.
            device: "auto", "cpu" or "cuda".
        """
        entrants = cls(resolve_device(device)[0], peer=peer == PEERS[0])
        if entrants.peer:
            try:
                build_front_end(MEDIAPIPE_DETECTOR, static=True).close()
            except FrontEndError as error:
                entrants.peer = False
                entrants.notes.append(Row(f"real: {MEDIAPIPE}", f"does not take part: {error}"))
        try:
            entrants.networks = load_networks(weights)
        except WeightsError as error:
            entrants.notes.append(Row("real: learned chain", f"does not take part: {error}"))
        try:
            readers = entrants.networks or load_networks(weights, detector=False)
        except WeightsError:
            return entrants
        entrants.parts = learned_hands(readers, _DETECTOR, device=entrants.device).parts
        return entrants

    def chains(self, *, static: bool) -> dict[str, HandReconstructor]:
        """The whole chain behind each front end, by name.

        Args:
            static: every picture stands alone.
        """
        front_ends: dict[str, FrontEnd] = {}
        if self.networks is not None:
            stage = learned_hands(self.networks, _DETECTOR, static=static, device=self.device)
            front_ends[LEARNED] = FrontEnd(stage, stage, stage)
        if self.peer:
            front_ends[MEDIAPIPE] = build_front_end(MEDIAPIPE_DETECTOR, static)
        config = Config(device=self.device, detector=_DETECTOR)
        return {
            name: HandReconstructor(config, static=static, front_end=front_end)
            for name, front_end in front_ends.items()
        }


def seen_by(chain: HandReconstructor, frame: Frame) -> list[SeenHand]:
    """The hands that a chain finds in this very frame, surest first."""
    hands = [hand for hand in chain.process(frame).hands if hand.state == "tracked"]
    hands.sort(key=lambda hand: -hand.score)
    return [SeenHand(hand.side, hand.joints_px, hand.joints_m) for hand in hands]
