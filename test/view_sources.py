"""Sources of views for tests of the producers, light to import: every producer does."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from itertools import count

import numpy as np

from hand_recon_ros.training.pyramid import texels
from hand_recon_ros.training.view_set import LABEL
from hand_recon_ros.training.views import Produced

SIZE = 16


@dataclass(frozen=True)
class Numbered:
    """View n of worker w is filled with n, and its focal length says w."""

    last: int | None = None

    def __call__(self, worker: int, workers: int) -> Produced:
        assert os.environ["LP_NUM_THREADS"] == os.environ["OMP_NUM_THREADS"] == "1"
        for n in count():
            if n == self.last:
                raise ArithmeticError("out of numbers")
            label = np.zeros((), LABEL)
            label["K"][0, 0] = worker
            label["hands"] = n % 256
            time.sleep(0.002)  # as if it rendered
            yield np.full((texels(SIZE), 4), n % 256, np.uint8), label


@dataclass(frozen=True)
class Suicidal:
    """Dies as a process killed by the system does."""

    def __call__(self, worker: int, workers: int) -> Produced:
        os.kill(os.getpid(), signal.SIGKILL)
        yield from Numbered()(worker, workers)
