"""3D where the truth is exact: our own rendered clip of two hands, through the whole chain."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bench.entrants import Entrants, seen_by
from hand_recon_ros.bench.rows import Row
from hand_recon_ros.rendering.clip import render_clip
from hand_recon_ros.training.real_exam import Judgement, KnownHand, judge, real_scores
from hand_recon_ros.types import Array, Frame

FRAMES: Final = 120
_SEED: Final = 3
_FPS: Final = 30.0


def clip_rows(entrants: Entrants, limit: int | None = None) -> list[Row]:
    """Root-relative error at true scale, Procrustes-aligned error, and error of the wrist.

    No hand's length is given, so the wrist's distance is only as right as an adult's size.
    """
    chains = entrants.chains(static=False)
    judgements: dict[str, list[Judgement]] = defaultdict(list)
    pairs: dict[str, list[tuple[Array, Array]]] = defaultdict(list)
    count = min(FRAMES, limit or FRAMES)
    clip = render_clip(count, fps=_FPS, seed=_SEED)
    for index, (image, camera, truth) in enumerate(tqdm(clip, total=count, desc="clip")):
        frame = Frame(image, index / _FPS, camera, index)
        known = [KnownHand(hand.side, camera.project(hand.joints_m)) for hand in truth]
        for name, chain in chains.items():
            told = judge(str(index), seen_by(chain, frame), known)
            judgements[name].append(told)
            pairs[name] += [
                (verdict.seen.joints_m, hand.joints_m)
                for verdict, hand in zip(told.verdicts, truth, strict=True)
                if verdict.seen is not None
            ]
    for chain in chains.values():
        chain.close()
    return [
        row
        for name in chains
        for row in _rows(f"rendered clip, {name}", judgements[name], pairs[name])
    ]


def _rows(what: str, judgements: list[Judgement], pairs: list[tuple[Array, Array]]) -> list[Row]:
    scores = real_scores(judgements)
    rows = [
        _figure(f"{what}: hands found", 100 * scores["found"], "%"),
        _figure(f"{what}: ghosts a frame", scores["ghosts"], ""),
    ]
    if not pairs:
        return rows
    root, aligned, wrist = (float(errors.mean()) for errors in errors_mm(pairs))
    return [
        *rows,
        _figure(f"{what}: side right", 100 * scores["side"], "%"),
        _figure(f"{what}: key points to truth", 100 * scores["error"], "% of the hand box"),
        _figure(f"{what}: joints, root-relative at true scale, mean", root, "mm"),
        _figure(f"{what}: joints, Procrustes-aligned, mean", aligned, "mm"),
        _figure(f"{what}: wrist, mean", wrist, "mm"),
    ]


def errors_mm(pairs: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """Errors of n hands, mm: root-relative at true scale, Procrustes-aligned, of the wrist.

    Args:
        pairs: (21, 3) joints and true joints of each, metres, in one frame.
    """
    import torch

    from hand_recon_ros.training.scores import joint_errors_mm

    joints, truth = (np.array(side) for side in zip(*pairs, strict=True))
    relative = (torch.from_numpy(hands - hands[:, :1]) for hands in (joints, truth))
    root, aligned = joint_errors_mm(*relative)
    wrist = 1e3 * np.linalg.norm(joints[:, 0] - truth[:, 0], axis=1)
    return root.numpy(), aligned.numpy(), wrist


def _figure(what: str, value: float, unit: str) -> Row:
    return Row(what, f"{value:.3g} {unit}".rstrip(), value=value)
