"""The work of ``hand_recon train``: puts data, network and loop together.

Material that every run needs is made once and kept in the folder of the runs: photographs
(``material``) and the pictures of ``exams``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from tqdm import tqdm

from hand_recon_ros.device import resolve_device
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.acr_task import AcrTask, joint_shapes
from hand_recon_ros.training.background_terms import background_terms
from hand_recon_ros.training.batch import CropBatch, concatenate
from hand_recon_ros.training.cpm_task import CpmTask
from hand_recon_ros.training.data import WAITING, DataConfig, TrainingData
from hand_recon_ros.training.detector_task import DetectorTask
from hand_recon_ros.training.exams import EXAM_SEED, crop_exams, exam_views_file, frame_exams
from hand_recon_ros.training.material import photographs_file, whole_photographs_file
from hand_recon_ros.training.photographs import HELD_OUT, Photographs, packed_hands
from hand_recon_ros.training.picture_file import read_notes
from hand_recon_ros.training.provenance import provenance
from hand_recon_ros.training.replay import Refill, Replay, fill
from hand_recon_ros.training.settings import SHIPPED_WEIGHTS, TrainingConfig, training_config
from hand_recon_ros.training.trainer import CHECKPOINT, Trainer
from hand_recon_ros.training.view_set import ViewSet
from hand_recon_ros.training.views import VIEW_SIZE, RenderedViews, ViewRing
from hand_recon_ros.training.whole_photographs import lines_packed

KINDS: Final = ("detector", "cpm", "acr", "losses")


@dataclass(frozen=True)
class TrainOptions:
    """What the command line says.

    Attributes:
        kind: one of ``KINDS``.
        folder: of all runs; this one's things go into a folder of its name there.
        config: YAML file; None = the shipped one of this kind.
        overrides: ``key=value`` changes to it.
        device: "auto", "cpu" or "cuda".
        minutes: most minutes to train; None = until all samples are seen.
        data: folder with ``photos``, ``digits``, ``motion`` and ``video``; what is missing is not
            used.
        views: rendered views to begin with, for machines without OpenGL.
        photos: more folders of labelled photographs (``hand_recon label`` makes them).
        backgrounds: more folders of pictures without hands, see ``background_terms``.
    """

    kind: str
    folder: Path
    config: Path | None = None
    overrides: Sequence[str] = ()
    device: str = "auto"
    minutes: float | None = None
    data: Path = Path("../shared/data")
    views: Path | None = None
    photos: Sequence[Path] = ()
    backgrounds: Sequence[Path] = ()


def train(options: TrainOptions) -> str:
    """Train a network, or go on with it; returns what was reached, in words.

    Raises:
        TrainingError: the loss or an earlier checkpoint is of no use.
        ProducerError: nothing can be rendered.
        ValueError, OSError: an option or a file is wrong.
    """
    shipped = Path(__file__).parents[1] / "data" / "training" / f"{options.kind}.yaml"
    config = training_config(options.config or shipped, options.overrides)
    device, warning = resolve_device(options.device)
    if warning:
        tqdm.write(warning)
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
    torch.manual_seed(config.seed)  # of the first weights
    if options.backgrounds and options.kind == "losses":
        raise ValueError("the table of losses is made without further backgrounds: leave them out")
    backgrounds = background_terms(options.backgrounds)
    synthesis = SynthesisConfig(data_dir=options.data, more_backgrounds=tuple(options.backgrounds))
    at_hand = (options.folder, options.data, options.photos)
    photos = photographs_file(*at_hand) if options.kind != "losses" else None
    with ExitStack() as stack:
        data = DataConfig(
            batch=config.batch,
            seed=config.seed,
            real_share=config.real_share if photos else 0.0,
            real_3d=config.photo_depth > 0,
            producers=config.producers,
            slots=config.views_kept,
            uses=config.view_uses,
            grounds=config.grounds,
            views=options.views,
            photos=photos or Path(),
            synthesis=synthesis,
        )
        folder = options.folder / options.kind
        if options.kind == "losses":
            return _losses(config, data, folder, device, options.minutes)
        exam_views = exam_views_file(options.folder, synthesis)
        whole = None
        if options.kind == "detector" and data.real_share * config.whole_share > 0:
            whole = whole_photographs_file(*at_hand)
        task: CpmTask | AcrTask | DetectorTask
        batches: Iterator[Any]
        if options.kind == "detector":
            task, batches = _detector(config, data, whole, exam_views, device, stack)
        else:
            task, batches = _crops(options.kind, config, data, exam_views, device, stack)
        used = set(packed_hands(photos)) if photos else set()
        used |= set(lines_packed(whole)) if whole else set()
        facts = provenance(used, read_notes(photos) if photos else None, backgrounds)
        begun = None
        if config.start_from and not (folder / CHECKPOINT).exists():
            begun = task.start_from(_folder_of(config.start_from))
        trainer = Trainer(task, config, folder, device, facts, begun)
        metrics = trainer.run(batches, options.minutes)
    told = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    return f"{options.kind}: {trainer.seen} samples seen; {told}; everything is in {folder}"


def _folder_of(weights: str) -> str:
    """The folder of weights to start from, as ``weights_path`` takes it."""
    return "" if weights == SHIPPED_WEIGHTS else weights


def _crops(
    kind: str,
    config: TrainingConfig,
    data: DataConfig,
    exam_views: Path,
    device: str,
    stack: ExitStack,
) -> tuple[CpmTask | AcrTask, Iterator[CropBatch]]:
    batches = iter(stack.enter_context(TrainingData(data, device)))
    exams = crop_exams(data, exam_views, device)
    if kind == "cpm":
        return CpmTask(config, exams), batches
    shapes = joint_shapes(batches) if config.losses.get("asm", 0.0) > 0 else None
    return AcrTask(config, exams, shapes), batches


def _detector(
    config: TrainingConfig,
    data: DataConfig,
    whole: Path | None,
    exam_views: Path,
    device: str,
    stack: ExitStack,
) -> tuple[DetectorTask, Iterator[Any]]:
    from hand_recon_ros.training.detector_data import Frames, detector_batches
    from hand_recon_ros.training.frame_composer import FrameComposer
    from hand_recon_ros.training.grounds import FrameGrounds
    from hand_recon_ros.training.photo_frames import PhotoComposer
    from hand_recon_ros.training.whole_frames import WholeComposer
    from hand_recon_ros.training.whole_photographs import WholePhotographs

    views = Replay(data.slots, VIEW_SIZE, device)
    if data.views is not None:
        views.add(ViewSet.load(data.views))
    folders = data.synthesis.backgrounds_dirs
    grounds = FrameGrounds(device, data.seed, folders, data.grounds)
    rendered = partial(FrameComposer(grounds, device).frames, views)
    photographed: list[tuple[float, Frames]] = []
    if data.real_share > 0:
        share = data.real_share * config.whole_share if whole else 0.0
        if share < data.real_share:
            kept = Photographs.load(data.photos, device, without=HELD_OUT, cut_outs=True)
            cut_out = PhotoComposer(kept, grounds, device).frames
            photographed.append((data.real_share - share, cut_out))
        if whole:
            pictures = WholePhotographs.load(whole, device)
            photographed.append((share, WholeComposer(pictures, grounds, device).frames))
    exams = frame_exams(data, exam_views, device)
    refresh = None
    if data.producers >= 0:
        ring = stack.enter_context(
            ViewRing(RenderedViews(data.synthesis, data.seed), WAITING, data.workers)
        )
        fill(views, ring, data.first_fill)
        refill = Refill(views, ring, data.uses)

        def refresh() -> None:
            refill.used(round(config.batch * (1 - data.real_share)))

    batches = detector_batches(
        rendered, photographed, batch=config.batch, seed=config.seed, refresh=refresh
    )
    return DetectorTask(config, exams), batches


def _losses(
    config: TrainingConfig,
    data: DataConfig,
    folder: Path,
    device: str,
    minutes: float | None,
) -> str:
    from hand_recon_ros.training.loss_hands import (
        HANDS_FILE,
        load_hands,
        lone_hands,
        part_of,
        save_hands,
        views_to_come,
    )
    from hand_recon_ros.training.loss_table import EPOCHS, PUBLISHED_MM, TESTED, TRAINED, LossTable

    half = config.half_size_samples > 0
    file = folder / HANDS_FILE
    if not file.exists():
        # With producers, the people of the exam are rendered as the others are.
        exam = exam_views_file(folder.parent, data.synthesis) if data.producers < 0 else None
        sources = ((data, data.views, TRAINED), (replace(data, seed=EXAM_SEED), exam, TESTED))
        parts = []
        for source, from_file, number in sources:
            with views_to_come(source, from_file) as views:
                parts.append(lone_hands(views, source, number, half=half))
        save_hands(concatenate(parts), file)
    hands = load_hands(file, TRAINED + TESTED, half=half).to(device)
    table = LossTable(
        part_of(hands, slice(0, TRAINED)),
        part_of(hands, slice(TRAINED, None)),
        folder,
        epochs=max(1, min(EPOCHS, round(config.samples / TRAINED))),
        seed=config.seed,
        half=config.half,
    )
    rows = [
        f"| {name} | {curve[-1]:.1f} | {len(curve)} | {PUBLISHED_MM[name]} |"
        for name, curve in table.run(minutes).items()
    ]
    head = ["joint error, mm:", "| losses | ours | epochs | 004 |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])
