"""The learned chain in all three slots: detector, key points (CPM), regressor (ACR).

000 section 3.2-3.3. The detector searches whole images only for hands that are not followed; a
followed hand's window comes from its last key points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hand_recon_ros.acr.pairs import HandEstimate, PairRegressor
from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.common import SearchSchedule, check_image, hand_box
from hand_recon_ros.detection.evidence import new_hand_belief, unlikely_small
from hand_recon_ros.detection.followed import FollowedHand
from hand_recon_ros.detection.looking import Look, WindowLooker
from hand_recon_ros.detection.refused import RefusedPlaces
from hand_recon_ros.keypoints.calibration import Calibration
from hand_recon_ros.keypoints.confidence import OUTSIDE
from hand_recon_ros.keypoints.crops import HandCrop
from hand_recon_ros.keypoints.windows import WindowReader
from hand_recon_ros.stages import Detector
from hand_recon_ros.temporal.association import grouped, hand_size, without_duplicates
from hand_recon_ros.types import Array, Detection, Frame, Keypoints, PoseGuess

_SAME_BOX: Final = 0.3
"""Overlap (intersection over the smaller box) beyond which a found box is a known hand's."""
_STATIC_LOOKS: Final = 2
"""Boxes to look at for each wanted hand where no later search can try the next ones: 3 of 100
rendered hands more, and no more ghosts."""
_NEW: Final = 1.0
"""What a new hand costs against a followed one when both lie on one physical hand."""


@dataclass(slots=True, eq=False)
class _Seen:
    """A hand of the current frame; ``detection`` is the box in which a new one was found."""

    keypoints: Keypoints
    hand: FollowedHand
    look: Look
    detection: Detection | None = None


@dataclass(frozen=True, slots=True)
class LearnedParts:
    """The three networks as the front end runs them."""

    boxes: Detector
    reader: WindowReader
    regressor: PairRegressor


class LearnedHands:
    """Fills the slots ``Detector``, ``KeypointEstimator`` and ``Regressor``.

    Sides are right for an unmirrored image.

    Args:
        boxes: searches whole images.
        reader: key points in windows.
        regressor: 3D of one or two hands.
        config: how many hands, scores, how often to search.
        static: every image stands alone.
        calibration: of the confidences.

    Attributes:
        parts: what was given, for measuring each by itself.
    """

    def __init__(
        self,
        boxes: Detector,
        reader: WindowReader,
        regressor: PairRegressor,
        config: DetectorConfig,
        *,
        static: bool = False,
        calibration: Calibration | None = None,
    ) -> None:
        """Start with no hands."""
        self.parts = LearnedParts(boxes, reader, regressor)
        self._boxes = boxes
        self._looker = WindowLooker(reader, config.min_tracking_score)
        self._regressor = regressor
        self._config = config
        self._static = static
        self._calibration = calibration or Calibration()
        self._searches = SearchSchedule(config.max_hands, config.search_interval, always=static)
        self._searched = False
        self._seen: list[_Seen] = []
        self._refused = RefusedPlaces()

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        """Boxes of followed hands, and of new ones where a search is due.

        Raises:
            ValueError: the image is not (H, W, 3) uint8.
        """
        check_image(frame.image, "the learned front end")
        height, width = frame.image.shape[:2]
        followed = [] if self._static else [seen.hand for seen in self._seen]
        boxes = [hand_box(hand.expected_px(frame.stamp), width, height) for hand in followed]
        detections = [
            Detection(hand.side, hand.score, box, hint=hand)
            for hand, box in zip(followed, boxes, strict=True)
        ]
        self._searched = self._searches.due()
        if self._searched:
            found = self._boxes.detect(frame, previous)
            bar = self._config.min_score
            detections += [
                d
                for d in found
                if not _on_any(d.box_px, boxes)
                and (d.score >= bar or (d.box_px, frame.stamp) not in self._refused)
            ]
        return detections

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        """Key points in the boxes that do show a hand; each physical hand once.

        Boxes of another detector are read as those of new hands.
        """
        old = [(d.hint, d) for d in detections if isinstance(d.hint, FollowedHand)]
        seen = [
            self._follow(hand, look, frame)
            for (hand, _), look in zip(
                old, self._looker.follow(frame, [hand for hand, _ in old]), strict=True
            )
            if look is not None
        ]
        new = [d for d in detections if not isinstance(d.hint, FollowedHand)]
        # Strong boxes that were refused lately may try again, but neither first nor at length.
        again = {id(d) for d in new if (d.box_px, frame.stamp) in self._refused}
        new.sort(key=lambda d: (id(d) in again, -d.score))
        looks = self._config.max_hands * (_STATIC_LOOKS if self._static else 1)
        for detection in new[:looks]:
            # In a stream, a hand of less presence than the bar would be lost in the next frame.
            look = self._looker.find(
                frame,
                detection,
                [s.look for s in seen],
                turned=id(detection) not in again,
                doubtful=self._static,
            )
            if look is not None and self._believed(detection, look):
                seen.append(self._begin(look, frame, detection))
            elif not self._static and not _on_any(
                detection.box_px, [s.keypoints.box_px for s in seen]
            ):
                self._refused.add(detection.box_px, frame.stamp)
        self._seen = self._distinct(self._of_like_sizes(seen, frame))
        if self._searched and len(self._seen) < self._config.max_hands:
            self._seen = self._distinct([*self._seen, *self._partners(frame)])
        self._searches.plan(len(self._seen), searched=self._searched)
        return [s.keypoints for s in self._seen]

    def regress(self, frame: Frame, keypoints: Sequence[Keypoints]) -> list[Keypoints]:
        """The same hands with refined points, calibrated confidence and their 3D.

        Set are ``relative_m``, ``guess`` and, for the two hands of a pair, ``other_wrist_m``.

        Raises:
            TypeError: key points that ``estimate`` did not find in this frame.
        """
        by_id = {id(seen.keypoints): seen for seen in self._seen}
        if not all(id(k) in by_id for k in keypoints):
            raise TypeError("LearnedHands.regress takes only its own key points of this frame")
        hands = [by_id[id(k)] for k in keypoints]
        for group in _pairs(hands):
            estimates = self._regressor([(s.look.crop, s.look.reading) for s in group])
            for seen, estimate in zip(group, estimates, strict=True):
                seen.keypoints = self._refined(seen, estimate, frame)
                seen.hand.corrected(seen.keypoints.points_px)
        return [seen.keypoints for seen in hands]

    def reset(self) -> None:
        """Forget earlier frames."""
        self._seen = []
        self._refused.clear()
        self._searches.reset()
        self._boxes.reset()

    def close(self) -> None:
        """Free the models."""
        self._boxes.close()

    def _believed(self, detection: Detection, look: Look) -> bool:
        belief = new_hand_belief(detection.score, look.reading.presence, look.reading.peaks)
        return belief >= self._config.min_score

    def _of_like_sizes(self, seen: list[_Seen], frame: Frame) -> list[_Seen]:
        """Without new hands that are far too small beside another: they are parts of it, mostly."""
        sizes = [hand_size(s.look.points_px) for s in seen]
        kept = []
        for s, size in zip(seen, sizes, strict=True):
            if s.hand.age > 0 or not unlikely_small(size, max(sizes), s.look.reading.presence):
                kept.append(s)
            elif s.detection is not None and not self._static:
                self._refused.add(s.detection.box_px, frame.stamp)
        return kept

    def _partners(self, frame: Frame) -> list[_Seen]:
        """The other hands beside those that are alone, if they are clearly there.

        A single picture is searched at once, a stream a little at each search.
        """
        found: list[Look | None] = []
        for seen in (group[0] for group in _pairs(self._seen) if len(group) == 1):
            box = seen.detection if self._static else None
            found.append(self._looker.partner(frame, seen.look, box, seen.hand.partner_searches))
            seen.hand.partner_searches += 1
        return [self._begin(look, frame) for look in found if look is not None]

    def _follow(self, hand: FollowedHand, look: Look, frame: Frame) -> _Seen:
        hand.see(look.points_px, frame.stamp, look.score)
        return _Seen(_keypoints(hand, look, frame), hand, look)

    def _begin(self, look: Look, frame: Frame, detection: Detection | None = None) -> _Seen:
        evidence = float(np.clip(look.lead, 0.0, 1.0))
        hand = FollowedHand(look.side, look.points_px, frame.stamp, look.score, evidence)
        return _Seen(_keypoints(hand, look, frame), hand, look, detection)

    def _distinct(self, seen: list[_Seen]) -> list[_Seen]:
        """Each physical hand once, followed ones first; at most ``max_hands``."""
        costs = np.array([_NEW if s.hand.age == 0 else 0.0 for s in seen])
        kept = without_duplicates([s.keypoints for s in seen], costs)
        kept.sort(key=lambda i: (costs[i], -seen[i].keypoints.score))
        return [seen[i] for i in kept[: self._config.max_hands]]

    def _refined(self, seen: _Seen, estimate: HandEstimate, frame: Frame) -> Keypoints:
        crop, reading = seen.look.crop, seen.look.reading
        points = crop.to_image(estimate.points_px)
        confidence = self._calibration.confidence(
            reading.peaks, estimate.log_sigma_px, hand_size(estimate.points_px)
        )
        height, width = frame.image.shape[:2]
        return replace(
            seen.keypoints,
            points_px=points,
            confidence=_inside(confidence, points, width, height),
            box_px=hand_box(points, width, height),
            relative_m=crop.to_camera(estimate.joints_m),
            guess=_guess(crop, estimate),
            other_wrist_m=None
            if estimate.other_wrist_m is None
            else crop.to_camera(estimate.other_wrist_m),
        )


def _keypoints(hand: FollowedHand, look: Look, frame: Frame) -> Keypoints:
    height, width = frame.image.shape[:2]
    return Keypoints(
        side=hand.side,
        score=look.score,
        points_px=look.points_px,
        confidence=_inside(np.clip(look.reading.peaks, 0, 1), look.points_px, width, height),
        box_px=hand_box(look.points_px, width, height),
        side_score=hand.side_score,
    )


def _guess(crop: HandCrop, estimate: HandEstimate) -> PoseGuess | None:
    if estimate.rotations is None or estimate.betas is None:
        return None
    rotations = crop.rotations_to_camera(estimate.rotations)
    return PoseGuess(rotations[0], rotations[1:], estimate.betas)


def _inside(confidence: Array, points_px: Array, width: int, height: int) -> Array:
    """Trust points outside the image less."""
    outside = ((points_px < 0) | (points_px > (width - 1, height - 1))).any(axis=1)
    return np.where(outside, OUTSIDE * confidence, confidence)


def _on_any(box: Array, hands: Sequence[Array]) -> bool:
    """Whether a found box is that of a hand whose box is known."""
    return any(_overlap(box, hand) >= _SAME_BOX for hand in hands)


def _overlap(a: Array, b: Array) -> float:
    """Intersection over the smaller one of two boxes (x, y, width, height)."""
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    common = float(np.prod(np.clip(high - low, 0.0, None)))
    return common / max(float(min(np.prod(a[2:]), np.prod(b[2:]))), 1e-9)


def _pairs(hands: Sequence[_Seen]) -> list[list[_Seen]]:
    return [[hands[i] for i in group] for group in grouped([s.keypoints for s in hands])]
