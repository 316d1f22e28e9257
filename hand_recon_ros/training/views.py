"""Producer processes that render views into a ring in shared memory.

The trainer takes what is new from time to time (see ``replay``); producers wait until it does.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from multiprocessing.context import SpawnContext
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from hand_recon_ros.errors import ExpectedError
from hand_recon_ros.io.closing import Closing
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.pyramid import pyramid, texels
from hand_recon_ros.training.view_set import LABEL, Labels, ViewSet

VIEW_SIZE: Final = 256
"""Side of a view, px: hands in it are somewhat larger than in crops of 128 px."""
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LP_NUM_THREADS"), "1"
)
_END_S: Final = 10.0
_PAUSE_S: Final = 0.05
"""Between two looks of a producer whether its view was taken."""

Produced = Iterator[tuple[NDArray[np.uint8], Labels]]
Source = Callable[[int, int], Produced]
"""(worker, workers) -> endless views, as pyramids (T, 4), and labels; runs in a producer."""


class ProducerError(ExpectedError):
    """A producer of views died; the message says of what."""


class RenderedViews:
    """A ``Source``: what ``synthetic_views`` renders, for crops.

    Args:
        config: what is rendered; size and framing are set here.
        seed: see ``synthetic_views``.
        size: side of the views, px.
    """

    def __init__(self, config: SynthesisConfig, seed: int, size: int = VIEW_SIZE) -> None:
        """Keep the options: nothing heavy is made before a producer starts."""
        self._config = replace(config, size=size, takes_per_view=1, effects=False, wide=True)
        self._seed = seed

    def __call__(self, worker: int, workers: int) -> Produced:
        """Render in this process."""
        from hand_recon_ros.synthesis.views import synthetic_views
        from hand_recon_ros.training.view_set import label_of

        for view in synthetic_views(self._config, self._seed, worker=worker, workers=workers):
            label = label_of(view)
            if label["shown"].any():
                yield pyramid(view.picture.rgba), label


class ViewRing(Closing):
    """A bounded ring of views that producers keep filling.

    Each producer owns every ``workers``-th slot, so that nobody waits for a lock; counters in each
    slot tell which views are new and which were taken. A producer whose slots are all full waits:
    views that nobody looks at would only keep cores from the training. Use it in a ``with`` block.

    Args:
        source: what producers run; it must be picklable.
        slots: views that wait to be taken at most.
        workers: number of producer processes.
        size: side of the views that the source gives, px.
    """

    def __init__(
        self, source: Source, slots: int = 512, workers: int = 1, size: int = VIEW_SIZE
    ) -> None:
        """Start the producers.

        Raises:
            ValueError: there is no producer, or fewer slots than producers.
        """
        if not 1 <= workers <= slots:
            raise ValueError(f"{workers} producers for {slots} slots: use 1 to {slots} producers")
        # Spawned, not forked: OpenGL and threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        self._size = size
        self._shared = _Shared(context, slots, size)
        self._end, theirs = context.Pipe(duplex=False)
        self._processes = [
            context.Process(
                target=_produce,
                args=(source, self._shared, theirs, os.getpid(), worker, workers),
                daemon=True,
            )
            for worker in range(workers)
        ]
        self._started = time.monotonic()
        self._closed = False
        with _environment(_ONE_THREAD):
            for process in self._processes:
                process.start()
        theirs.close()

    @property
    def produced(self) -> int:
        """Views made so far."""
        return int((self._shared.versions // 2).sum())

    @property
    def views_per_second(self) -> float:
        """Views made a second since the start."""
        return self.produced / max(time.monotonic() - self._started, 1e-6)

    def check(self, wait_s: float = 0.0) -> None:
        """Do nothing while all producers live.

        Raises:
            ProducerError: one died.
        """
        if self._closed:
            raise ProducerError("the ring of views is closed")
        try:
            if self._end.poll(wait_s):
                raise ProducerError(f"a producer of views failed:\n{self._end.recv()}")
        except (EOFError, OSError):  # all of them are gone without a word
            pass
        for process in self._processes:
            if process.exitcode is not None:
                raise ProducerError(
                    f"a producer of views ended with exit code {process.exitcode} "
                    "(negative: the number of the signal that killed it; 9 = out of memory?)"
                )

    def news(self, most: int | None = None) -> ViewSet:
        """Copies of views that came since the last call; possibly none.

        Args:
            most: to take; the others stay for the next call. None = all.

        Raises:
            ProducerError: a producer died.
        """
        self.check()
        shared = self._shared
        versions = shared.versions.copy()
        slots = np.flatnonzero((versions != shared.taken) & (versions % 2 == 0))[:most]
        views = ViewSet(shared.pixels[slots], shared.labels[slots], self._size)
        shared.taken[slots] = versions[slots]  # from now on they may be overwritten
        return views

    def close(self) -> None:
        """End the producers; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._shared.stop.value = True
        until = time.monotonic() + _END_S
        for process in self._processes:
            process.join(max(until - time.monotonic(), 0.1))
            if process.is_alive():
                process.kill()
                process.join()
        self._end.close()


class _Shared:
    """Memory of the ring; nameless, so that nothing is left behind however a process ends."""

    def __init__(self, context: SpawnContext, slots: int, size: int) -> None:
        self._slots, self._size = slots, size
        # ``versions`` counts up by 2 with each view: odd = being written, 0 = empty. ``taken`` is
        # the version that the reader took last; each array has one writer.
        byte: Any = ctypes.c_uint8
        self._raw = context.RawArray(byte, slots * texels(size) * 4)
        self._raw_labels = context.RawArray(byte, slots * LABEL.itemsize)
        self._raw_versions = context.RawArray(ctypes.c_int64, slots)
        self._raw_taken = context.RawArray(ctypes.c_int64, slots)
        self.stop = context.RawValue(ctypes.c_bool, False)  # no lock: a killed process holds none

    @property
    def pixels(self) -> NDArray[np.uint8]:
        return np.frombuffer(self._raw, np.uint8).reshape(self._slots, texels(self._size), 4)

    @property
    def labels(self) -> Labels:
        return np.frombuffer(self._raw_labels, LABEL)

    @property
    def versions(self) -> NDArray[np.int64]:
        return np.frombuffer(memoryview(self._raw_versions), np.int64)

    @property
    def taken(self) -> NDArray[np.int64]:
        return np.frombuffer(memoryview(self._raw_taken), np.int64)


def _produce(
    source: Source, shared: _Shared, tell: Any, parent: int, worker: int, workers: int
) -> None:
    """Body of a producer: fill the own slots in turn until told to stop or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    pixels, labels = shared.pixels, shared.labels
    versions, taken = shared.versions, shared.taken
    own = cycle(range(worker, len(versions), workers))
    try:
        for picture, label in source(worker, workers):
            slot = next(own)
            while not (shared.stop.value or os.getppid() != parent) and (
                versions[slot] != taken[slot]
            ):
                time.sleep(_PAUSE_S)
            if shared.stop.value or os.getppid() != parent:
                return
            versions[slot] += 1
            pixels[slot], labels[slot] = picture, label
            versions[slot] += 1
        raise RuntimeError("the source of views came to an end")
    except Exception:
        if not shared.stop.value:
            tell.send(traceback.format_exc())


class _environment:  # noqa: N801 (reads like a function)
    """Environment variables for processes that are started inside."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
