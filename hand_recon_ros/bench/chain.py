"""How fast the learned chain is, beside MediaPipe on the same frames in the same run.

Each frame is given to both in turn, so that a machine whose speed drifts is fair to both. Ratios
are of processor time, which another program's load does not change; on a GPU they are of wall time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.chain_inputs import (
    Scene,
    TellsPeersHands,
    load_or_random,
    make_front_end,
    make_scenes,
)
from hand_recon_ros.bench.rows import Row, at_least, at_most
from hand_recon_ros.config import Config, DetectorConfig
from hand_recon_ros.detection.assembly import LearnedNetworks
from hand_recon_ros.detection.learned import LearnedHands
from hand_recon_ros.detection.mediapipe_graph import FrontEndError
from hand_recon_ros.device import resolve_device
from hand_recon_ros.front_end import MEDIAPIPE_DETECTOR, FrontEnd, build_front_end
from hand_recon_ros.networks.runtime import fastest_backend
from hand_recon_ros.pipeline import HandReconstructor
from hand_recon_ros.stages import Regressor
from hand_recon_ros.types import Array, Detection, Frame, Keypoints

FRAMES: Final = 70
_WARM_UP: Final = 10
"""First frames, which are not counted: hands are new and the whole image is searched."""
_SEARCH_SIZE: Final = (192, 320)
_SLOTS: Final = ("detection", "keypoints", "regressor")
_LATER: Final = ("tracks", "fit", "filter")


@dataclass
class Times:
    """Milliseconds of each counted frame, by what took them."""

    wall: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def median(self, name: str, cpu: bool = False) -> float:
        """Median time, ms."""
        return float(np.median((self.cpu if cpu else self.wall)[name]))


@dataclass
class _Clocked:
    """A front end whose slots are timed."""

    stage: LearnedHands
    regressor: Regressor
    times: Times

    def detect(self, frame: Frame, previous: Sequence[Keypoints]) -> list[Detection]:
        with self._clock("detection", frame):
            return self.stage.detect(frame, previous)

    def estimate(self, frame: Frame, detections: Sequence[Detection]) -> list[Keypoints]:
        with self._clock("keypoints", frame):
            return self.stage.estimate(frame, detections)

    def regress(self, frame: Frame, keypoints: Sequence[Keypoints]) -> list[Keypoints]:
        with self._clock("regressor", frame):
            return self.regressor.regress(frame, keypoints)

    def reset(self) -> None:
        self.stage.reset()

    def close(self) -> None:
        self.stage.close()

    @contextmanager
    def _clock(self, slot: str, frame: Frame) -> Iterator[None]:
        start = perf_counter(), process_time()
        yield
        _add(self.times, slot, start, frame.index >= _WARM_UP)


def bench_chain(video: Path, device: str = "auto", frames: int = FRAMES) -> list[Row]:
    """Time every stage and the whole chain.

    Args:
        video: of one hand that is always there.
        device: "auto", "cpu" or "cuda".
        frames: of the video.
    """
    device, _ = resolve_device(device)
    networks, trained = load_or_random()
    backend = fastest_backend(device)
    weights = "shipped weights" if trained else "random weights, told where the hands are"
    rows = [Row("chain: run by", f"{backend}; {weights}"), *_sizes(networks)]
    scenes = make_scenes(video, frames)
    for scene in tqdm(scenes, unit="scene", desc="chain"):
        rows += _rows(scene, _time(scene, networks, trained, device), device)
    return rows


def _time(scene: Scene, networks: LearnedNetworks, trained: bool, device: str) -> Times:
    """Both front ends on each frame in turn, and what comes after the learned one."""
    detector = DetectorConfig(max_hands=2)
    peer = _peer()
    boxes = _boxes(peer, scene.frames[0]) or _middle(scene)
    stage = make_front_end(networks, trained, detector, device, boxes[: scene.hands])
    untrained = TellsPeersHands(stage) if peer is not None and not trained else None
    times = Times()
    clocked = _Clocked(stage, untrained or stage, times)
    front_end = FrontEnd(clocked, clocked, clocked)
    chain = HandReconstructor(Config(device=device), front_end=front_end)
    for frame in scene.frames:
        counted = frame.index >= _WARM_UP
        if peer is not None:
            start = perf_counter(), process_time()
            seen = peer.see(frame)
            if untrained is not None:
                untrained.hands = seen
            _add(times, "MediaPipe", start, counted)
        start = perf_counter(), process_time()
        told = chain.process(frame)
        _add(times, "whole chain", start, counted)
        if counted:
            for name in _LATER:
                times.wall[name].append(told.timings_ms[name])
            for kind in (times.wall, times.cpu):
                kind["front end"].append(sum(kind[slot][-1] for slot in _SLOTS))
    chain.close()
    if peer is not None:
        peer.close()
    return times


def _rows(scene: Scene, times: Times, device: str) -> list[Row]:
    name = f"chain: {scene.size}, {scene.hands} hand{'s' if scene.hands > 1 else ''}"
    median = ", ".join(f"{s} {times.median(s):.2f}" for s in (*_SLOTS, *_LATER))
    spent = ", ".join(f"{s} {times.median(s, cpu=True):.2f}" for s in _SLOTS)
    rows = [
        Row(f"{name}: stages, median wall time", f"{median} ms"),
        Row(f"{name}: stages, median processor time", f"{spent} ms"),
        _figure(f"{name}: front end, median", times.median("front end"), "ms"),
        _figure(f"{name}: whole chain, median", times.median("whole chain"), "ms"),
    ]
    if times.wall["MediaPipe"]:
        cpu = device == "cpu"
        front = times.median("front end", cpu) / times.median("MediaPipe", cpu)
        whole = times.median("whole chain", cpu) / times.median("MediaPipe", cpu)
        rows += [
            _figure(f"{name}: MediaPipe alone, median", times.median("MediaPipe"), "ms"),
            _figure(f"{name}: front end / MediaPipe", front, "times"),
            at_most(f"{name}: whole chain / MediaPipe", whole, 1.0, "times"),
        ]
    if device == "cuda":
        whole_ms = np.array(times.wall["front end"])
        rate = at_least, f"{name}: frame to joints", 1e3 / float(whole_ms.mean()), "frames a second"
        slow = at_most, f"{name}: frame to joints, 95 %", float(np.quantile(whole_ms, 0.95)), "ms"
        bars = scene.size == "1080p" and scene.hands == 2
        rows += [
            make(what, value, bar, unit) if bars else _figure(what, value, unit)
            for (make, what, value, unit), bar in ((rate, 300.0), (slow, 5.0))
        ]
    return rows


def _sizes(networks: LearnedNetworks) -> list[Row]:
    """Parameters, and arithmetic for one hand or one searched frame of 16 : 9."""
    import torch

    from hand_recon_ros.acr.network import GEOMETRY
    from hand_recon_ros.keypoints.crops import CROP_SIZE

    height, width = _SEARCH_SIZE
    with torch.no_grad():
        window = torch.zeros(1, 3, CROP_SIZE, CROP_SIZE)
        seen = networks.cpm.eval()(window)
        alone = torch.tensor([-1]), torch.zeros(1, GEOMETRY)
        inputs: dict[str, tuple[Any, tuple[Any, ...]]] = {
            "detector": (networks.detector, (torch.zeros(1, 3, height, width),)),
            "key points": (networks.cpm, (window,)),
            "regressor": (networks.acr, (seen.features, seen.deep, seen.beliefs[:, -1], *alone)),
        }
        return [
            Row(
                f"chain: {name}",
                f"{sum(p.numel() for p in module.parameters()) / 1e6:.2f} M parameters, "
                f"{multiply_adds(module, args) / 1e6:.0f} M multiply-adds",
            )
            for name, (module, args) in inputs.items()
        ]


def multiply_adds(module: Any, args: tuple[Any, ...]) -> float:
    """Multiplications, each with its addition, of one run of a torch module."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        module.eval()(*args)
    return counter.get_total_flops() / 2


def _peer() -> FrontEnd | None:
    try:
        return build_front_end(MEDIAPIPE_DETECTOR, static=False)
    except FrontEndError:
        return None


def _boxes(peer: FrontEnd | None, frame: Frame) -> list[Array]:
    return [d.box_px for d in peer.detector.detect(frame, ())] if peer else []


def _middle(scene: Scene) -> list[Array]:
    """Boxes for when nobody says where the hands are."""
    height, width = scene.frames[0].image.shape[:2]
    side = height / (2 * scene.hands)
    return [
        np.array([width * (k + 0.5) / scene.hands - side / 2, (height - side) / 2, side, side])
        for k in range(scene.hands)
    ]


def _add(times: Times, name: str, start: tuple[float, float], counted: bool) -> None:
    if counted:
        times.wall[name].append(1e3 * (perf_counter() - start[0]))
        times.cpu[name].append(1e3 * (process_time() - start[1]))


def _figure(what: str, value: float, unit: str) -> Row:
    return Row(what, f"{value:.3g} {unit}", value=value)
