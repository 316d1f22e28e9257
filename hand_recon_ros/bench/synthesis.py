"""How fast synthetic hands are made, and where the time goes.

Processor time counts all threads of a process, those of a software OpenGL, too. Skins and painted
backgrounds, which a worker makes once, are made before the clock starts.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from unittest import mock

from hand_recon_ros.bench.rows import Row, at_least, at_most

CROPS_A_SECOND, CPU_MS = 150.0, 13.0
_WORKERS = 2
_SECONDS = 10.0
_WARM_BLOCKS = 2
_SEED = 1


@dataclass(frozen=True)
class Speed:
    """What one process made.

    Attributes:
        crops: how many.
        seconds: in how long.
        cpu_s: with how much processor time.
    """

    crops: int
    seconds: float
    cpu_s: float


@dataclass
class Stages:
    """Processor time of each stage, less that of the stages inside it, s."""

    spent: dict[str, float] = field(default_factory=dict)
    _inside: list[float] = field(default_factory=list)

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time goes to a stage."""

        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            self._inside.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                whole = time.process_time() - start
                own = whole - self._inside.pop()
                self.spent[name] = self.spent.get(name, 0.0) + own
                if self._inside:
                    self._inside[-1] += whole

        return run


_STAGES: Final = (
    ("poses, legality and placing", "synthesis.placing.Placer.draw"),
    ("skinned and subdivided meshes", "synthesis.cast.Cast.instance"),
    ("things worn, held and in the way", "synthesis.views.worn"),
    ("things worn, held and in the way", "synthesis.views.held"),
    ("things worn, held and in the way", "synthesis.views.occluder"),
    ("viewpoints and lights", "synthesis.views.draw_viewpoint"),
    ("viewpoints and lights", "synthesis.views.draw_lights"),
    ("OpenGL: normals and upload", "rendering.gl.engine.Renderer._upload"),
    ("OpenGL: shadow pass", "rendering.gl.engine.Renderer._draw_shadows"),
    ("OpenGL: colour pass", "rendering.gl.engine.Renderer._draw_colours"),
    ("OpenGL: label pass", "rendering.gl.engine.Renderer._draw_labels"),
    ("backgrounds", "synthesis.backgrounds.Backgrounds.draw"),
    ("takes: windows of a view", "synthesis.generator.draw_take"),
    ("takes: windows of a view", "synthesis.generator.straight_take"),
    ("takes: windows of a view", "synthesis.takes.Take.cut"),
    ("hands over backgrounds", "synthesis.generator.over"),
    ("camera effects", "synthesis.camera_effects.CameraEffects.apply"),
    ("labels and masks", "synthesis.views.HandView.projected"),
    ("labels and masks", "synthesis.labels.ProjectedHand.label"),
    ("labels and masks", "synthesis.generator.masks"),
    ("mirroring", "synthesis.generator.mirrored"),
)
"""Stages and the functions that make them up, in the order of the work."""


@contextmanager
def stages() -> Iterator[Stages]:
    """Time the stages of the generator while inside; each draws before the next begins."""
    from pkgutil import resolve_name

    from hand_recon_ros.rendering.gl.context import finish_drawing

    result = Stages()

    def finished(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            value = function(*args, **kwargs)
            finish_drawing()
            return value

        return run

    with ExitStack() as patches:
        for name, path in _STAGES:
            target = f"hand_recon_ros.{path}"
            function = resolve_name(target)
            if "OpenGL" in name:
                function = finished(function)
            patches.enter_context(mock.patch(target, result.timed(name, function)))
        yield result


def bench_synthesis(data: Path) -> list[Row]:
    """Crops a second of one process and of two, processor time of a crop, and of its stages.

    Args:
        data: recordings and photographs, see ``SynthesisConfig.data_dir``.
    """
    alone = _in_processes(1, data)
    both = _in_processes(_WORKERS, data)
    crops = sum(speed.crops for speed in both)
    rate = sum(speed.crops / speed.seconds for speed in both)
    cpu_ms = 1e3 * sum(speed.cpu_s for speed in both) / crops
    what = "labelled 256x256 crops, default settings"
    cores = os.cpu_count() or 1
    rows = [
        at_least(
            f"{what}: {_WORKERS} processes on {cores} cores", rate, CROPS_A_SECOND, "a second"
        ),
        at_most(f"{what}: processor time of each, {_WORKERS} processes", cpu_ms, CPU_MS, "ms"),
        Row(f"{what}: one process", f"{alone[0].crops / alone[0].seconds:.4g} a second"),
        Row(
            f"{what}: processor time of each, one process",
            f"{1e3 * alone[0].cpu_s / alone[0].crops:.3g} ms",
        ),
    ]
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        made, spent = pool.apply(_staged, (data,))
    rows += [Row(f"{name}, of each crop", f"{1e3 * s / made:.2f} ms") for name, s in spent.items()]
    return rows


def _in_processes(number: int, data: Path) -> list[Speed]:
    """Run the generator in so many processes at once; the clock starts when all are ready."""
    context = multiprocessing.get_context("spawn")  # a forked one would share OpenGL's state
    ready, results = context.Barrier(number), context.SimpleQueue()
    processes = [
        context.Process(target=_measured, args=(data, worker, number, ready, results))
        for worker in range(number)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a worker of the bench ended with {process.exitcode}")
    return [results.get() for _ in processes]


def _measured(data: Path, worker: int, workers: int, ready: Any, results: Any) -> None:
    with _ready_factory(data) as factory:
        ready.wait()
        start, cpu, crops, block = time.perf_counter(), time.process_time(), 0, worker
        while time.perf_counter() < start + _SECONDS:
            crops += sum(1 for _ in factory.block(block))
            block += workers
        results.put(Speed(crops, time.perf_counter() - start, time.process_time() - cpu))


def _staged(data: Path) -> tuple[int, dict[str, float]]:
    with _ready_factory(data) as factory, stages() as table:
        start, cpu, crops, block = time.perf_counter(), time.process_time(), 0, 0
        while time.perf_counter() < start + _SECONDS:
            crops += sum(1 for _ in factory.block(block))
            block += 1
        rest = time.process_time() - cpu - sum(table.spent.values())
    order = dict.fromkeys(name for name, _ in _STAGES)
    return crops, {**{name: table.spent.get(name, 0.0) for name in order}, "the rest": rest}


def _ready_factory(data: Path) -> Any:
    from hand_recon_ros.synthesis.generator import SampleFactory
    from hand_recon_ros.synthesis.settings import SynthesisConfig
    from hand_recon_ros.synthesis.workers import one_core

    one_core()
    factory = SampleFactory(replace(SynthesisConfig(), data_dir=data), _SEED)
    factory.prepare()
    for block in range(_WARM_BLOCKS):
        list(factory.block(10_000 + block))
    return factory
