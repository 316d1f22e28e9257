"""What a process needs that makes pictures on a core of its own."""

from __future__ import annotations

import os

import cv2


def one_core() -> None:
    """Keep NumPy's, OpenCV's, torch's and llvmpipe's work in the calling thread.

    Call it at the start of a worker process, before the first picture: with a process on each
    core, threads of their own would only wait for one another.
    """
    os.environ["LP_NUM_THREADS"] = "0"  # read when the OpenGL context is made
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
