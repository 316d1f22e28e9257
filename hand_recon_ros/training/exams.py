"""What trained networks are examined on: the same pictures, whatever the run.

``exam_views.npz`` (rendered hands that are never trained on) is made once and kept in the folder of
the runs; photographs are those of the sources that are held out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import torch
from tqdm import tqdm

from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.batch import CropBatch
from hand_recon_ros.training.data import DataConfig, photo_batches, view_batches
from hand_recon_ros.training.detector_batch import DetectorBatch
from hand_recon_ros.training.photographs import HELD_OUT, Photographs, packed_hands
from hand_recon_ros.training.replay import Replay, next_views
from hand_recon_ros.training.view_set import ViewSet
from hand_recon_ros.training.views import RenderedViews, ViewRing

EXAM_VIEWS: Final = "exam_views.npz"
EXAM_SEED: Final = 90_001
"""Its people, lights and poses are none of the training's."""
_EXAM_VIEWS: Final = 1200
"""With 300, two networks whose errors differ by less than 2 % came out in either order."""
_EXAM_BATCH: Final = 64
_EXAM_FRAMES: Final = 10


def exam_views_file(folder: Path, synthesis: SynthesisConfig) -> Path:
    """The rendered views of the exam; rendered now where they are not there yet.

    Raises:
        ProducerError: there is no OpenGL, or another trouble with rendering.
        OSError: the file cannot be written.
    """
    path = folder / EXAM_VIEWS
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with ViewRing(RenderedViews(_plain(synthesis), EXAM_SEED), _EXAM_VIEWS, 1) as ring:
        next_views(ring, _EXAM_VIEWS, "views for exams").save(path)
    tqdm.write(f"rendered {_EXAM_VIEWS} views for exams into {path}")
    return path


def crop_exams(data: DataConfig, exam_views: Path, device: str) -> dict[str, list[CropBatch]]:
    """Fixed batches: rendered hands as in training, and photographs of sources never trained on."""
    # A seed of its own: runs with other seeds must be examined on the same pictures.
    fixed = replace(
        data,
        synthesis=_plain(data.synthesis),
        seed=EXAM_SEED,
        batch=_EXAM_BATCH,
        grounds=min(data.grounds, 200),
    )
    views = ViewSet.load(exam_views)
    with torch.random.fork_rng():  # sensor noise is torch's
        torch.manual_seed(EXAM_SEED)
        exams = {"rendered": list(view_batches(views, fixed, device, still=False))}
        if data.real_share > 0 and _has_held_out(data.photos):
            held_out = Photographs.load(data.photos, device, only=HELD_OUT)
            exams["photos"] = list(islice(photo_batches(held_out, fixed, device), _EXAM_FRAMES))
    return exams


def frame_exams(data: DataConfig, exam_views: Path, device: str) -> dict[str, list[DetectorBatch]]:
    """The same for the detector: whole frames."""
    from hand_recon_ros.training.detector_data import Frames, fixed_frames
    from hand_recon_ros.training.frame_composer import FrameComposer
    from hand_recon_ros.training.grounds import FrameGrounds
    from hand_recon_ros.training.photo_frames import PhotoComposer

    folders = _plain(data.synthesis).backgrounds_dirs
    grounds = FrameGrounds(device, EXAM_SEED, folders, min(data.grounds, 100))
    views = Replay.of(ViewSet.load(exam_views), device)
    sources: dict[str, Frames] = {"rendered": partial(FrameComposer(grounds, device).frames, views)}
    if data.real_share > 0 and _has_held_out(data.photos):
        others = Photographs.load(data.photos, device, only=HELD_OUT)
        # The few pairs that are held out would else be half of what is seen.
        sources["photos"] = PhotoComposer(others, grounds, device, pair_share=0.0).frames
    return {
        name: fixed_frames(frames, batch=16, number=_EXAM_FRAMES, seed=EXAM_SEED)
        for name, frames in sources.items()
    }


def _plain(synthesis: SynthesisConfig) -> SynthesisConfig:
    """Runs with further backgrounds are examined on the same pictures as those without."""
    return replace(synthesis, more_backgrounds=())


def _has_held_out(photos: Path) -> bool:
    return bool(set(HELD_OUT) & set(packed_hands(photos)))
