"""How fast the published ACR network runs, and in how much memory: random weights do for that.

Each way to run it gets a process of its own, so that its peak of memory is its own as well.
"""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Final

import numpy as np

from hand_recon_ros.bench.chain import multiply_adds
from hand_recon_ros.bench.rows import Row
from hand_recon_ros.camera import Camera
from hand_recon_ros.device import resolve_device
from hand_recon_ros.networks.runtime import fastest_backend
from hand_recon_ros.types import Frame

FRAMES: Final = 12
_WARM_UP: Final = 2
_SIZE: Final = (1280, 720)
_ANY_CENTRE: Final = -1e9
"""Threshold that both hands always pass: all that is done for two hands is timed."""


@dataclass(frozen=True)
class _Way:
    """How the network is run."""

    device: str
    backend: str
    threads: int

    def __str__(self) -> str:
        threads = "" if self.device == "cuda" else f", {self.threads} thread"
        return f"{self.backend}{threads}{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class _Cost:
    """Medians over the frames (s), seconds until the first one, and peaks of memory (MB)."""

    wall: float
    cpu: float
    start: float
    memory: float
    gpu_memory: float


def bench_official(device: str = "auto", frames: int = FRAMES) -> list[Row]:
    """Time the network from a 720p frame to the key points and 3D of two hands.

    Args:
        device: "auto", "cpu" or "cuda".
        frames: of noise; what they show makes no difference.
    """
    device, _ = resolve_device(device)
    rows = [Row("ACR (published network): size", _size())]
    for way in _ways(device):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            cost = pool.submit(_cost, way, frames).result()
        name = f"ACR (published network), {way}"
        seconds = f"{1e3 * cost.wall:.0f} ms, processor {1e3 * cost.cpu:.0f} ms"
        memory = f"{cost.memory:.0f} MB"
        if device == "cuda":
            memory += f", on the GPU {cost.gpu_memory:.0f} MB"
        rows += [
            Row(f"{name}: 720p frame to two hands, median", seconds, value=1e3 * cost.wall),
            Row(f"{name}: frames a second", f"{1 / cost.wall:.2f}", value=1 / cost.wall),
            Row(f"{name}: peak memory", memory, value=cost.memory),
            Row(f"{name}: until the first frame", f"{cost.start:.1f} s", value=cost.start),
        ]
    return rows


def _ways(device: str) -> list[_Way]:
    best = fastest_backend(device)
    if device == "cuda":
        return [_Way(device, best, 1)]
    ways = [_Way(device, backend, 1) for backend in sorted({best, "torch"})]
    cores = len(os.sched_getaffinity(0))
    return ways + ([_Way(device, best, cores)] if cores > 1 else [])


def _size() -> str:
    import torch

    from hand_recon_ros.acr_official.network import INPUT_SIZE, OfficialAcr

    network = OfficialAcr().eval()
    count = sum(p.numel() for p in network.parameters())
    with torch.no_grad():
        work = multiply_adds(network, (torch.zeros(1, INPUT_SIZE, INPUT_SIZE, 3),))
    return f"{count / 1e6:.2f} M parameters, {work / 1e9:.1f} G multiply-adds"


def _cost(way: _Way, frames: int) -> _Cost:
    """Run it; in a process of its own."""
    import resource

    import torch

    from hand_recon_ros.acr_official.network import OfficialAcr
    from hand_recon_ros.config import ModelConfig
    from hand_recon_ros.detection.official import OfficialAcrHands, compiled_reader
    from hand_recon_ros.mano.factory import load_hand_models

    begun = perf_counter()
    read = compiled_reader(OfficialAcr(), way.device, way.threads, way.backend)
    stage = OfficialAcrHands(read, load_hand_models(ModelConfig()), threshold=_ANY_CENTRE)
    start = perf_counter() - begun
    random, camera = np.random.default_rng(0), Camera.from_fov(*_SIZE)
    wall, cpu = [], []
    for k in range(_WARM_UP + frames):
        image = random.integers(0, 256, (*_SIZE[::-1], 3), np.uint8)
        frame = Frame(image, k / 30, camera, k)
        times = perf_counter(), process_time()
        stage.estimate(frame, stage.detect(frame, ()))
        wall.append(perf_counter() - times[0])
        cpu.append(process_time() - times[1])
    return _Cost(
        wall=float(np.median(wall[_WARM_UP:])),
        cpu=float(np.median(cpu[_WARM_UP:])),
        start=start,
        memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        gpu_memory=torch.cuda.max_memory_allocated() / 2**20 if way.device == "cuda" else 0.0,
    )
