"""Frames from a file or webcam through the chain into a results folder."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from hand_recon_ros.config import Config
from hand_recon_ros.io.frames import FrameSource
from hand_recon_ros.io.records import RecordWriter
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.pipeline import HandReconstructor, unmirrored
from hand_recon_ros.rendering.overlay import draw_overlay
from hand_recon_ros.skeleton import SIDES
from hand_recon_ros.types import Frame, HandFrame

_log = logging.getLogger(__name__)
RECORDS_FILE = "hands.jsonl"
VIDEO_FILE = "overlay.mp4"
IMAGES_FOLDER = "overlay"
_SLIDE_SHOW_FPS = Fraction(2)
"""Rate of a video that is made of unrelated images."""


@dataclass
class Summary:
    """What a run did; prints as a few lines."""

    output: Path
    frames: int = 0
    frames_with_hands: int = 0
    hands: int = 0
    seconds: float = 0.0
    skipped: int = 0
    interrupted: bool = False
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The lines that the command prints at its end."""
        rate = self.frames / self.seconds if self.seconds > 0 else 0.0
        state = "interrupted, kept" if self.interrupted else "done"
        lines = [
            f"{state}: {self.frames} frames, {self.frames_with_hands} with hands, "
            f"{self.hands} hands, {rate:.1f} frames/s"
        ]
        if self.skipped:
            lines.append(f"skipped: {self.skipped} (see above)")
        lines += [f"results: {self.output / name}" for name in self.files]
        return "\n".join(lines)


def reconstruct(
    source: FrameSource,
    config: Config,
    output: Path,
    *,
    static: bool = False,
    save_video: bool = False,
    save_images: bool = False,
) -> Summary:
    """Run every frame of the source through the chain.

    Ctrl-C ends the run early and in order: all files are complete up to that frame.

    Args:
        source: where the frames come from.
        config: options of the chain.
        output: folder for the results; made if missing.
        static: every frame stands alone.
        save_video: also write the overlay as MP4.
        save_images: also write the overlay of each frame as JPEG.

    Raises:
        SourceError: the source gives no frame.
        OSError: the folder cannot be written.
    """
    summary = Summary(output)
    reconstructor = HandReconstructor(config, static=static)
    for warning in reconstructor.warnings:
        _log.warning(warning)
    output.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        records = stack.enter_context(RecordWriter(output / RECORDS_FILE))
        summary.files = (RECORDS_FILE,)
        video = None
        if save_video:
            fps = source.fps or _SLIDE_SHOW_FPS
            video = stack.enter_context(VideoWriter(output / VIDEO_FILE, fps))
            summary.files += (VIDEO_FILE,)
        if save_images:
            (output / IMAGES_FOLDER).mkdir(exist_ok=True)
            summary.files += (IMAGES_FOLDER,)
        stack.enter_context(logging_redirect_tqdm())
        progress = stack.enter_context(tqdm(total=source.length, unit="frame"))
        started = time.perf_counter()
        try:
            for frame in source:
                result = reconstructor.process(frame)
                records.write(result)
                summary.frames += 1
                summary.frames_with_hands += bool(result.hands)
                summary.hands += len(result.hands)
                if save_video or save_images:
                    overlay = _overlay(reconstructor, frame, result)
                    if video is not None:
                        video.write(overlay, None if source.fps is None else frame.stamp)
                    if save_images:
                        _save_image(output / IMAGES_FOLDER, frame, static, overlay)
                progress.update()
        except KeyboardInterrupt:
            summary.interrupted = True
        summary.seconds = time.perf_counter() - started
    summary.skipped = len(source.skipped)
    return summary


def _overlay(
    reconstructor: HandReconstructor, frame: Frame, result: HandFrame
) -> NDArray[np.uint8]:
    if reconstructor.config.detector.mirrored:
        frame = unmirrored(frame)
    meshes = {hand.track_id: reconstructor.vertices(hand) for hand in result.hands}
    faces = {side: reconstructor.faces(side) for side in SIDES}
    return draw_overlay(frame.image, result, meshes, faces)


def _save_image(folder: Path, frame: Frame, named: bool, image: NDArray[np.uint8]) -> None:
    """Write a JPEG; photographs keep their name behind the frame number that keeps it unique."""
    name = f"{frame.index:06d}_{Path(frame.source).stem}" if named else f"{frame.index:06d}"
    path = folder / f"{name}.jpg"
    ok, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not ok:
        raise OSError(f"{path} cannot be encoded")
    path.write_bytes(data.tobytes())
