"""The chain: one frame in, two hands out.

frame -> detection -> key points -> (regressor) -> tracks -> MANO fit -> Kalman -> Savitzky-Golay
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.config import Config
from hand_recon_ros.device import resolve_device
from hand_recon_ros.front_end import FrontEnd, configured_front_end
from hand_recon_ros.mano.factory import load_hand_models
from hand_recon_ros.mano.fit import ManoFitter, fittable
from hand_recon_ros.mano.joints import hand_joints
from hand_recon_ros.mano.kinematics import HandSkeleton
from hand_recon_ros.mano.model import HandModel
from hand_recon_ros.mano.results import FitRequest, FitResult
from hand_recon_ros.mano.shape import ShapeEstimator
from hand_recon_ros.skeleton import Side
from hand_recon_ros.temporal import make_filter, make_smoother
from hand_recon_ros.temporal.hand_state import FilterState
from hand_recon_ros.temporal.smoothing import Smoothed
from hand_recon_ros.temporal.tracks import Match, Track, Tracker
from hand_recon_ros.timing import StageClock
from hand_recon_ros.types import Array, Frame, Hand, HandFrame, Keypoints, ScaleSource

_SAME_PERSON_S = 10.0
"""A hand that comes back within this time is taken for the same person's."""


class HandReconstructor:
    """Reconstructs the hands of one camera, frame by frame.

    Args:
        config: all options.
        static: every frame stands alone (photographs): no tracking, no filtering.
        front_end: detector, key point estimator and regressor; by default the configured ones.

    Attributes:
        device: "cpu" or "cuda", where torch models run.
        warnings: what a user should be told once, such as a missing GPU.
        models: the hand model of each side.

    Raises:
        ModelError: the user's hand model cannot be read.
        FrontEndError: the configured front end is not installed.
        WeightsError: its weights are missing or damaged.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        static: bool = False,
        front_end: FrontEnd | None = None,
    ) -> None:
        """Load all models."""
        self.config = config or Config()
        self.static = static
        self.device, warning = resolve_device(self.config.device)
        self.warnings = [warning] if warning else []
        self.models = load_hand_models(self.config.model)
        self.front_end = front_end or configured_front_end(
            self.config, self.models, static, self.device
        )
        self.warnings += self.front_end.warnings
        self._meshes = {s: HandModel(m).to(self.device) for s, m in self.models.items()}
        self._skeletons = {s: HandSkeleton.of(m) for s, m in self.models.items()}
        self._fitter = ManoFitter(self.models, self.config.fit)
        self._tracker = Tracker(self.config.detector, self.config.filter, static=static)
        self._keypoints: list[Keypoints] = []
        self._shapes: dict[Side, tuple[ShapeEstimator, float]] = {}
        self._size: tuple[int, int] | None = None

    def process(self, frame: Frame) -> HandFrame:
        """Run the chain on one frame.

        A jump back in time, a long gap or another image size starts afresh. With
        ``detector.mirrored`` the result speaks of ``unmirrored(frame)``.

        Raises:
            StampError: the frame is a little older than the one before: skip it.
        """
        clock = StageClock()
        with clock("total"):
            frame = self._prepare(frame)
            with clock("detection"):
                detections = self.front_end.detector.detect(frame, self._keypoints)
            with clock("keypoints"):
                keypoints = self.front_end.estimator.estimate(frame, detections)
            if self.front_end.regressor is not None:
                with clock("regressor"):
                    keypoints = self.front_end.regressor.regress(frame, keypoints)
            with clock("tracks"):
                matches = self._tracker.associate(keypoints, frame.stamp, frame.camera)
            with clock("fit"):
                fits = self._fit(matches, frame)
            with clock("filter"):
                hands = [self._follow(match, fits.get(match.track.id), frame) for match in matches]
            self._keypoints = keypoints
        return HandFrame(
            index=frame.index,
            source=frame.source,
            stamp=frame.stamp,
            camera=frame.camera,
            hands=tuple(hand for hand in hands if hand is not None),
            timings_ms=clock.milliseconds,
        )

    def reset(self) -> None:
        """Forget all earlier frames."""
        self.front_end.reset()
        self._tracker.reset()
        self._keypoints = []
        self._shapes = {}

    def close(self) -> None:
        """Free the models of the front end."""
        self.front_end.close()

    def vertices(self, hand: Hand) -> Array:
        """The (778, 3) mesh of a hand, metres, camera's optical frame."""
        return self._meshes[hand.side].forward_parameters(hand.mano)[0]

    def faces(self, side: Side) -> NDArray[np.int64]:
        """The (1538, 3) triangles of a side's mesh."""
        return self.models[side].faces

    def _prepare(self, frame: Frame) -> Frame:
        size = _size(frame)
        if size != (frame.camera.width, frame.camera.height):
            raise ValueError(
                f"the image is {size[0]}x{size[1]}, but its camera is calibrated for "
                f"{frame.camera.width}x{frame.camera.height}: pass camera.resized(*size)"
            )
        if self.static or (self._size is not None and size != self._size):
            self.reset()
        self._size = size
        return unmirrored(frame) if self.config.detector.mirrored else frame

    def _fit(self, matches: Sequence[Match], frame: Frame) -> Mapping[int, FitResult]:
        """Fit all hands that were seen, together, each starting from where it should be."""
        requests: dict[int, FitRequest] = {}
        for track, keypoints in ((m.track, m.keypoints) for m in matches):
            if keypoints is None or not fittable(keypoints, frame.camera):
                continue
            warm, since = None, 0.0
            if track.filter is not None:
                predicted = track.filter.predict(frame.stamp)
                warm, since = predicted.parameters, frame.stamp - track.last.stamp
            if track.shape is None:
                track.shape = self._shape_of(track)
            requests[track.id] = FitRequest(track.side, keypoints, warm, track.shape.betas, since)
        results = self._fitter.fit(list(requests.values()), frame.camera)
        return dict(zip(requests, results, strict=True))

    def _follow(self, match: Match, fit: FitResult | None, frame: Frame) -> Hand | None:
        """Filter and smooth one hand; None while it is not to be published yet."""
        track = match.track
        if track.filter is None:
            if fit is None:
                return None
            track.filter = make_filter(self.config.filter)
            track.smoother = make_smoother(self.config.filter)
        if fit is None:
            state = track.filter.predict(frame.stamp)
        else:
            state = track.filter.update(fit, frame.stamp)
            track.shape.add(fit)
            remembered = self._shapes.get(track.side)
            if remembered is not None and remembered[0] is track.shape:
                self._shapes[track.side] = (track.shape, frame.stamp)
            track.last = state
        joints = hand_joints(self._skeletons[track.side], state.parameters)
        smooth = track.smoother.update(joints, frame.stamp)
        if not track.confirmed:
            return None
        scale: ScaleSource = "hand_length" if self.config.fit.hand_length_m > 0 else "adult_prior"
        return _hand(match, fit, state, smooth, frame, scale)

    def _shape_of(self, track: Track) -> ShapeEstimator:
        """The shape of a new track: that of the same person's hand, if it was here just before.

        Shape belongs to a person, and a hand that comes back into view is most likely the one
        that left. A second hand of the same side belongs to somebody else.
        """
        others = [t for t in self._tracker.tracks if t.id != track.id and t.side == track.side]
        fresh, now = ShapeEstimator(self.config.fit), track.last_stamp
        if others:
            return fresh
        known, seen = self._shapes.get(track.side, (fresh, now))
        shape = known if now - seen <= _SAME_PERSON_S else fresh
        self._shapes[track.side] = (shape, now)
        return shape


def unmirrored(frame: Frame) -> Frame:
    """The frame that an unmirrored camera would have taken (image and intrinsics flipped)."""
    camera = frame.camera.mirrored()
    return replace(frame, image=np.ascontiguousarray(frame.image[:, ::-1]), camera=camera)


def _size(frame: Frame) -> tuple[int, int]:
    height, width = frame.image.shape[:2]
    return width, height


def _hand(
    match: Match,
    fit: FitResult | None,
    state: FilterState,
    smooth: Smoothed,
    frame: Frame,
    scale: ScaleSource,
) -> Hand:
    track: Track = match.track
    seen = match.keypoints if fit is not None else None
    if seen is None:
        points = frame.camera.project(smooth.joints_m)
        low, high = points.min(axis=0), points.max(axis=0)
        box, confidence = np.concatenate([low, high - low]), np.zeros(len(points))
    else:
        points, box, confidence = seen.points_px, seen.box_px, seen.confidence
    return Hand(
        side=track.side,
        track_id=track.id,
        state="tracked" if seen is not None else "predicted",
        score=track.score,
        box_px=box,
        joints_px=points,
        joint_confidence=confidence,
        joints_m=smooth.joints_m,
        mano=state.parameters,
        wrist_rotation=state.wrist_rotation,
        joint_velocities=smooth.velocities,
        wrist_velocity=state.wrist_velocity,
        wrist_covariance=state.wrist_covariance,
        scale_source=scale,
    )
