"""MediaPipe Hands as detector and key point estimator (extra ``mediapipe``, imported lazily).

One graph finds boxes and key points together, so ``detect`` runs it and leaves the key points
in ``Detection.hint``, where ``estimate`` finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hand_recon_ros.config import DetectorConfig
from hand_recon_ros.detection.common import SearchSchedule, check_image, hand_box, own_keypoints
from hand_recon_ros.detection.mediapipe_graph import open_graph
from hand_recon_ros.detection.native_log import native_chatter_hidden
from hand_recon_ros.keypoints.confidence import joint_confidence
from hand_recon_ros.skeleton import Side, other_side
from hand_recon_ros.types import Detection, Frame, Keypoints


class MediaPipeHands:
    """Both front-end slots in one: a ``Detector`` and a ``KeypointEstimator``.

    Sides are right for an unmirrored image: the pipeline turns mirrored ones (``mirrored``).

    Args:
        config: which hands to look for.
        static: every image stands alone: no tracking from one to the next.

    Raises:
        FrontEndError: MediaPipe is not installed.
    """

    def __init__(self, config: DetectorConfig, static: bool = False) -> None:
        """Load the models and run them once, so that the first frame is not late."""
        self._config = config
        self._static = static
        with native_chatter_hidden():
            self._graph = open_graph(
                max_hands=config.max_hands,
                min_score=config.min_score,
                min_tracking_score=config.min_tracking_score,
                complexity=config.complexity,
                threads=config.threads,
                static=static,
            )
            self._warm_up()
        self._searches = SearchSchedule(config.max_hands, config.search_interval, always=static)

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        """Find hands; the graph follows them by itself, so ``previous`` is not needed.

        Raises:
            ValueError: the image is not (H, W, 3) uint8.
        """
        image = frame.image
        check_image(image, "MediaPipe")
        view = np.ascontiguousarray(image).view()
        view.flags.writeable = False  # lets the graph share the pixels
        search = self._searches.due()
        result = self._graph.process({"image": view, "search": search})
        hands = self._unpack(result, frame)
        self._searches.plan(len(hands), searched=search)
        return [Detection(hand.side, hand.score, hand.box_px, hint=hand) for hand in hands]

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        """Unpack the key points that ``detect`` found in the same frame.

        Raises:
            TypeError: a detection comes from another detector.
        """
        return own_keypoints(detections, "MediaPipeHands")

    def reset(self) -> None:
        """Forget earlier frames."""
        if self._static:
            return  # nothing is remembered from one image to the next
        with native_chatter_hidden():
            try:
                self._graph.reset()
            except (RuntimeError, ValueError):  # one that failed says so once more as it closes
                self._graph.reset()
            self._warm_up()
        self._searches.reset()

    def close(self) -> None:
        """Free the models; the object cannot be used any more."""
        if self._graph is not None:
            self._graph.close()
            self._graph = None

    def _warm_up(self) -> None:
        black = np.zeros((64, 64, 3), np.uint8)  # the models load, and log, with the first image
        self._graph.process({"image": black, "search": True})

    def _unpack(self, result: Any, frame: Frame) -> list[Keypoints]:
        if not result.multi_hand_landmarks:
            return []
        # The graph scores every region it looked at, but lets only those above the bar pass.
        threshold = self._config.min_tracking_score
        scores = [score for score in result.hand_presence_scores if score > threshold]
        return [
            self._keypoints(landmarks, world, handedness.classification[0], score, frame)
            for landmarks, world, handedness, score in zip(
                result.multi_hand_landmarks,
                result.multi_hand_world_landmarks,
                result.multi_handedness,
                scores,
                strict=True,
            )
        ]

    def _keypoints(
        self, landmarks: Any, world: Any, handedness: Any, score: float, frame: Frame
    ) -> Keypoints:
        height, width = frame.image.shape[:2]
        # Whole numbers are pixel centres, as in OpenCV: the graph's own half pixel cancels
        # (checked by resizing its input).
        points = np.array([(p.x, p.y) for p in landmarks.landmark], dtype=np.float64)
        points = points * np.array([width, height], dtype=np.float64)
        relative = np.array([(p.x, p.y, p.z) for p in world.landmark], dtype=np.float64)
        relative -= relative[0]
        label: Side = "left" if handedness.label == "Left" else "right"
        return Keypoints(
            side=other_side(label),  # the graph names sides as if the image were mirrored
            score=float(min(score, 1.0)),
            points_px=points,
            confidence=joint_confidence(points, relative, (width, height), score),
            box_px=hand_box(points, width, height),
            side_score=float(np.clip(handedness.score, 0.5, 1.0)),
            relative_m=relative,
        )
