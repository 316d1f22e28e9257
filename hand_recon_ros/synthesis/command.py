"""The work of ``hand_recon synthesize``: shards, and on request a sheet and histograms."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice
from pathlib import Path

import cv2
from tqdm import tqdm

from hand_recon_ros.synthesis.generator import SampleFactory, block_size
from hand_recon_ros.synthesis.report import contact_sheet, write_histograms
from hand_recon_ros.synthesis.sample import Sample
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.synthesis.shards import decoded, encoded, write_shards
from hand_recon_ros.synthesis.workers import one_core

_ON_SHEET = 64
_factory: SampleFactory | None = None
"""One in each worker process."""


def synthesize(
    config: SynthesisConfig,
    number: int,
    folder: Path,
    seed: int,
    *,
    workers: int,
    sheet: bool,
    report: bool,
) -> str:
    """Write ``number`` samples as shards; returns what was done, in words.

    Args:
        config: what the pictures are made of.
        number: of pictures.
        folder: for ``shard-*.tar``, ``sheet.jpg``, ``labels.jpg`` and ``histograms.png``.
        seed: the same seed gives the same labels, whatever the number of workers.
        workers: processes.
        sheet: write the first pictures side by side, plain and with labels.
        report: plot how the samples are spread.
    """
    if number < 1:
        raise ValueError(f"-n {number}: at least one picture must be asked for")
    if workers < 1:
        raise ValueError(f"--workers {workers}: at least one process is needed")
    start = time.perf_counter()
    kept: list[Sample] = []

    def noted() -> Iterator[dict[str, bytes]]:
        made = islice(_encoded_samples(config, number, seed, workers), number)
        for members in tqdm(made, total=number, unit="picture"):
            if report or (sheet and len(kept) < _ON_SHEET):
                kept.append(decoded(members))
            yield members

    shards = list(write_shards(noted(), folder))
    seconds = time.perf_counter() - start
    if sheet:
        for name, labels in (("sheet.jpg", False), ("labels.jpg", True)):
            picture = contact_sheet(kept[:_ON_SHEET], labels=labels)
            cv2.imwrite(str(folder / name), picture[..., ::-1])
    if report:
        write_histograms(kept, folder / "histograms.png")
    return (
        f"{number} pictures in {len(shards)} shard(s) in {folder}, "
        f"{number / seconds:.0f} pictures a second"
    )


def _encoded_samples(
    config: SynthesisConfig, number: int, seed: int, workers: int
) -> Iterator[dict[str, bytes]]:
    blocks = range(-(-number // block_size(config)))
    if workers == 1:
        with SampleFactory(config, seed) as factory:
            for block in blocks:
                yield from (encoded(sample) for sample in factory.block(block))
        return
    # A forked process would share the parent's OpenGL state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (config, seed)) as pool:
        yield from chain.from_iterable(pool.map(_encoded_block, blocks))


def _start_worker(config: SynthesisConfig, seed: int) -> None:
    global _factory
    one_core()
    _factory = SampleFactory(config, seed)


def _encoded_block(number: int) -> list[dict[str, bytes]]:
    assert _factory is not None
    return [encoded(sample) for sample in _factory.block(number)]
