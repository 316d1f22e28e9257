"""What a camera would tell of a known motion: noise, dropouts, outliers, irregular stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.bench.filters.motions import Motion
from hand_recon_ros.bench.samples import CAMERA, constants, model
from hand_recon_ros.config import FilterConfig, FitConfig
from hand_recon_ros.mano.fit import ManoFitter
from hand_recon_ros.mano.results import FitRequest, FitResult
from hand_recon_ros.temporal.kalman import HandKalman
from hand_recon_ros.types import Array, Keypoints

FPS = 30.0
LAGS_S = np.arange(-0.06, 0.1601, 0.004)
"""Delays of the truth at which an estimate is compared with it; negative = it runs ahead."""
_FINGERS = np.arange(1, 21).reshape(5, 4)


@dataclass(frozen=True)
class Disturbance:
    """What is added to the truth.

    Attributes:
        noise_m: one sigma of each coordinate of a joint, white, where joints are measured.
        noise_px, relative_m: the same of key points and of relative 3D, where a hand is fitted.
        jitter: one sigma of a stamp's distance to its even place, as a share of the period.
        lost: share of the frames with which a stretch of 1 to 5 frames without a hand begins.
        outliers: share of the frames in which a finger or the whole hand is somewhere else.
    """

    noise_m: float = 0.003
    noise_px: float = 1.5
    relative_m: float = 0.008
    jitter: float = 0.0
    lost: float = 0.0
    outliers: float = 0.0


NOISE = Disturbance()
TROUBLE = Disturbance(jitter=0.15, lost=0.02, outliers=0.02)
"""Noise, irregular stamps, dropouts (6 % of the frames) and outliers."""


@dataclass(frozen=True)
class Case:
    """A motion as it was measured.

    Attributes:
        name: of the motion.
        still: whether it stands still.
        stamps: (T,) s.
        delayed: (L, T, 21, 3) truth at the stamps less each of ``LAGS_S``, m.
        seen: (T,) whether the hand was found; all else of a frame that was not seen is NaN.
        measured: (T, 21, 3) m.
        fits: (T,) what the MANO fit made of it; None: not seen, or there is no fit in this case.
    """

    name: str
    still: bool
    stamps: Array
    delayed: Array
    seen: NDArray[np.bool_]
    measured: Array
    fits: Sequence[FitResult | None] = ()

    @property
    def truth(self) -> Array:
        """(T, 21, 3) at the stamps."""
        return np.asarray(self.delayed[int(np.argmin(np.abs(LAGS_S)))])


def joint_case(motion: Motion, disturbance: Disturbance, seed: int) -> Case:
    """Joints measured with noise, at 30 fps."""
    rng = np.random.default_rng(seed)
    stamps, delayed, seen = _sampled(motion, disturbance, rng)
    truth = motion.joints(stamps)
    measured = truth + rng.normal(0.0, disturbance.noise_m, truth.shape)
    for frame in np.flatnonzero(rng.random(len(stamps)) < disturbance.outliers):
        moved = _FINGERS[rng.integers(5)] if rng.random() < 0.5 else slice(None)
        measured[frame, moved] += rng.normal(0.0, 0.04, 3)
    measured[~seen] = np.nan
    return Case(motion.name, motion.still, stamps, delayed, seen, measured)


def fit_case(motion: Motion, disturbance: Disturbance, seed: int) -> Case:
    """Key points measured with noise, at 30 fps, and the MANO fit of each frame.

    The fits are made once, each started where the filter as shipped expects the hand, as the
    pipeline does; the hand's shape is known.
    """
    rng = np.random.default_rng(seed)
    stamps, delayed, seen = _sampled(motion, disturbance, rng)
    truth = motion.joints(stamps)
    wild = rng.random(len(stamps)) < disturbance.outliers
    length = float(constants("right").skeleton.flat_length(np.zeros((1, 10)))[0][0])
    fitter = ManoFitter({"right": model("right")}, FitConfig(hand_length_m=length))
    kalman, last = HandKalman(FilterConfig()), None
    fits: list[FitResult | None] = []
    for frame, stamp in enumerate(stamps):
        if not seen[frame]:
            fits.append(None)
            continue
        keypoints = _keypoints(truth[frame], disturbance, rng, wild=bool(wild[frame]))
        warm = None if last is None else kalman.predict(stamp).parameters
        since = 0.0 if last is None else stamp - last
        request = FitRequest("right", keypoints, warm, np.zeros(10), since)
        fits += fitter.fit([request], CAMERA)
        kalman.update(fits[-1], stamp)  # type: ignore[arg-type]
        last = stamp
    lost = np.full((21, 3), np.nan)
    measured = np.stack([lost if fit is None else fit.joints_m for fit in fits])
    return Case(motion.name, motion.still, stamps, delayed, seen, measured, fits)


def _sampled(
    motion: Motion, disturbance: Disturbance, rng: np.random.Generator
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Stamps (T,), delayed truth (L, T, 21, 3) and whether a hand is found (T,)."""
    # far enough from both ends that the delayed truth is known
    stamps = np.arange(motion.begin - LAGS_S[0], motion.end + LAGS_S[0] - 1 / FPS, 1 / FPS)
    stamps = stamps + np.clip(rng.normal(0, disturbance.jitter, len(stamps)), -0.4, 0.4) / FPS
    known = np.ones(len(stamps), dtype=bool)
    for begin, end in motion.gaps:
        known &= (stamps <= begin) | (stamps >= end)
    stamps = stamps[known]
    times = np.maximum(stamps - LAGS_S[:, None], motion.begin)
    delayed = motion.joints(times.ravel()).reshape(*times.shape, 21, 3)
    seen = np.ones(len(stamps), dtype=bool)
    for first in np.flatnonzero(rng.random(len(stamps)) < disturbance.lost):
        seen[max(first, 3) : max(first, 3) + rng.integers(1, 6)] = False
    return stamps, delayed, seen


def _keypoints(
    truth: Array, disturbance: Disturbance, rng: np.random.Generator, *, wild: bool
) -> Keypoints:
    pixels = CAMERA.project(truth) + rng.normal(0, disturbance.noise_px, (21, 2))
    relative = truth - truth[0] + rng.normal(0, disturbance.relative_m, (21, 3))
    if wild:
        moved = _FINGERS[rng.integers(5)] if rng.random() < 0.5 else slice(None)
        pixels[moved] += rng.normal(0, 0.25 * np.ptp(pixels, axis=0).max(), 2)
        relative[moved] += rng.normal(0, 0.04, 3)
    box = np.concatenate((pixels.min(axis=0), np.ptp(pixels, axis=0)))
    return Keypoints("right", 1.0, pixels, np.ones(21), box, relative_m=relative - relative[0])
