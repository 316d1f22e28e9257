"""The MANO fit against known truth, and its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench import samples
from hand_recon_ros.bench.rows import Row, at_most
from hand_recon_ros.bench.samples import CAMERA, TrueHand, random_hand, turned
from hand_recon_ros.config import FitConfig
from hand_recon_ros.mano.data import NUM_BETAS
from hand_recon_ros.mano.fit import ManoFitter
from hand_recon_ros.mano.results import FitRequest
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.types import Array, ManoParameters

Start = Callable[[np.random.Generator, TrueHand], ManoParameters | None]
_SETTING = "projected truth, 0.5 m, f 900 px, 1 px noise, known length"


@dataclass(frozen=True, slots=True)
class FitErrors:
    """Errors of many fits.

    Attributes:
        joints: (N,) mean root-relative joint error, m.
        wrist: (N,) wrist error as a share of the distance.
        scores: (N, 2) normalised squared error of all 51 axes and of the wrist; about 1 when
            the covariance is honest.
    """

    joints: Array
    wrist: Array
    scores: Array


def fit_many(
    count: int, start: Start, *, noise_m: float | None = None, seed: int = 0, **options: float
) -> FitErrors:
    """Fit random legal hands of both sides, each alone.

    Args:
        count: number of hands.
        start: the warm start of a hand, or None for a cold one.
        noise_m: noise of the relative 3D of each joint; None = no relative 3D.
        seed: of hands and noise.
        options: of ``FitConfig``; the hand's length is always given.
    """
    rng = np.random.default_rng(seed)
    joints, wrists, scores = [], [], []
    fitters = {side: samples.model(side) for side in SIDES}
    for k in tqdm(range(count), unit="fit", leave=False):
        hand = random_hand(rng, SIDES[(k + 1) % 2])
        keypoints = hand.keypoints(rng, noise_m=noise_m)
        config = FitConfig(hand_length_m=hand.length, **options)  # type: ignore[arg-type]
        request = FitRequest(hand.side, keypoints, start(rng, hand))
        result = ManoFitter(fitters, config).fit([request], CAMERA)[0]
        joints.append(hand.joint_error(result.joints_m))
        wrists.append(hand.wrist_error(result.joints_m))
        error = hand.tangent_error(result)
        wrist = error[:6] @ np.linalg.solve(result.covariance[:6, :6], error[:6]) / 6
        scores.append((error @ np.linalg.solve(result.covariance, error) / len(error), wrist))
    return FitErrors(np.array(joints), np.array(wrists), np.array(scores))


def ten_degrees_off(rng: np.random.Generator, hand: TrueHand) -> ManoParameters:
    """Every rotation 10 degrees off the truth."""
    orientation = turned(rng, hand.orientation, 10)
    return hand.parameters(orientation=orientation, pose=turned(rng, hand.pose, 10))


def mean_shape_ten_degrees_off(rng: np.random.Generator, hand: TrueHand) -> ManoParameters:
    """The same, and nothing known of the shape."""
    return ten_degrees_off(rng, hand).replace(betas=np.zeros(NUM_BETAS))


def mirrored(rng: np.random.Generator, hand: TrueHand) -> ManoParameters:
    """Every finger mirrored in depth."""
    return hand.parameters(pose=samples.mirrored_in_depth(hand))


def cold(rng: np.random.Generator, hand: TrueHand) -> None:
    """No start at all."""


def warm_times_ms(count: int = 300, seed: int = 5) -> Array:
    """(count,) processor time of warm fits of one hand whose shape is held, ms."""
    rng = np.random.default_rng(seed)
    hand = random_hand(rng)
    fitter = ManoFitter({side: samples.model(side) for side in SIDES}, FitConfig())
    spent = []
    for _ in range(count):
        warm = hand.parameters(pose=turned(rng, hand.pose, 3))
        request = FitRequest("right", hand.keypoints(rng, noise_m=0.004), warm, hand.betas)
        begin = time.process_time()
        fitter.fit([request], CAMERA)
        spent.append(1e3 * (time.process_time() - begin))
    return np.array(spent)


def bench_fit(count: int = 100) -> list[Row]:
    """Measure accuracy and time of the fit."""
    off = fit_many(count, ten_degrees_off)
    unknown = fit_many(count, mean_shape_ten_degrees_off, seed=1)
    depth = fit_many(count, mirrored, noise_m=0.008, seed=2)
    alone = fit_many(count, cold, noise_m=0.008, seed=3)
    times = warm_times_ms()

    def joints(errors: FitErrors) -> float:
        return 1e3 * float(np.median(errors.joints))

    return [
        at_most(f"fit, {_SETTING}, started 10 deg off: joints, median", joints(off), 3, "mm"),
        at_most("the same: wrist, median", 100 * float(np.median(off.wrist)), 1, "% of distance"),
        Row("the same, shape unknown too: joints, median", f"{joints(unknown):.3g} mm"),
        at_most(
            "the same, fingers mirrored in depth, 3D prior of 8 mm: joints, median",
            joints(depth),
            4,
            "mm",
        ),
        Row("the same, cold start, 3D prior of 8 mm: joints, median", f"{joints(alone):.3g} mm"),
        at_most("warm fit of one hand: median on one core", float(np.median(times)), 4, "ms"),
    ]
