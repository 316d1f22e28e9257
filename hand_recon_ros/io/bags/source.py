"""The images of a bag as frames, with the camera of each."""

from __future__ import annotations

import itertools
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from hand_recon_ros.camera import DEFAULT_HFOV_DEG, Camera
from hand_recon_ros.io.bags.messages import InfosByStamp, Unpacker
from hand_recon_ros.io.bags.notes import Notes
from hand_recon_ros.io.bags.storage import Bag
from hand_recon_ros.io.bags.stored import Stored, Topic
from hand_recon_ros.io.bags.topics import CAMERA_INFO, COMPRESSED, camera_info_topic, image_topic
from hand_recon_ros.io.cameras import CameraBook
from hand_recon_ros.io.frames import FrameSource, SourceError
from hand_recon_ros.stream.camera_source import CameraSource
from hand_recon_ros.stream.codec import (
    RGB,
    decode_compressed,
    decode_image,
    unsupported_encoding,
    unsupported_format,
)
from hand_recon_ros.stream.reader import PictureReader
from hand_recon_ros.types import Frame

_NS = 1_000_000_000
_LONGEST_S = 1e9
_RATE_IMAGES = 10
_DEFAULT_FPS = Fraction(30)
_INFO_PATIENCE = 8
"""So many images wait for the camera_info of the first of them, which may be recorded later."""


@dataclass(frozen=True)
class BagOptions:
    """Which part of a bag is read.

    Attributes:
        image_topic: None = the only one.
        camera_info_topic: None = the one next to the images.
        start_s: and ``end_s``: seconds from the bag's begin, by recording time; None = all.
        cameras: a calibration instead of the bag's.
        hfov_deg: horizontal field of view assumed where there is no calibration, degrees.
    """

    image_topic: str | None = None
    camera_info_topic: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    cameras: CameraBook | None = None
    hfov_deg: float = DEFAULT_HFOV_DEG


class BagSource(FrameSource):
    """Every image of a bag's topic, as the live node would see it if it never was too slow.

    ``Frame.index`` counts the topic's messages from ``start_s`` on, also those that are left out.

    Attributes:
        bag: what is read.
        image: the topic of the images.
        info: that of the calibration, or None.
    """

    def __init__(self, path: str | Path, options: BagOptions | None = None) -> None:
        """Open the bag and choose the topics.

        Raises:
            BagError: the bag or its topics cannot be read; the message lists what there is.
            ValueError: the times cannot be.
        """
        self._options = options or BagOptions()
        self._span_s = _checked_span(self._options)
        self.bag = Bag(path)
        try:
            self._unpacker = Unpacker(self.bag.is_ros1)
            self.image = image_topic(self.bag.topics, self._options.image_topic, self._problem)
            self.info: Topic | None = None
            if self._options.cameras is None:
                named = self._options.camera_info_topic
                self.info = camera_info_topic(self.bag.topics, self.image, named)
        except BaseException:
            self.bag.close()
            raise
        whole = self._options.start_s is None and self._options.end_s is None
        super().__init__(str(path), self._rate(), self.image.count if whole else None)
        self._headers: dict[int, tuple[int, str]] = {}
        self._recorded_ns = array("q")
        self._is_compressed = self.image.type == COMPRESSED

    def __iter__(self) -> Iterator[Frame]:
        """Yield the images; how many were left out, and what is damaged, is told at the end."""
        notes = Notes()
        given = self._options.cameras
        name = self.info.name if self.info else "camera_info"
        found = CameraSource(
            notes, hfov_deg=self._options.hfov_deg, timeout_s=0.0, required=False, topic=name
        )
        cameras = found if given is None else _GivenCamera(given, self.name)
        reader = PictureReader(self._decode, self.image.name, cameras, notes)
        used = 0
        try:
            for index, (time_ns, message, info) in enumerate(self._messages(notes)):
                self._recorded_ns.append(time_ns)
                if info is not None:
                    found.update(info)
                picture = None if message is None else reader.read(message, time_ns, index)
                if picture is None:
                    notes.left_out()
                    continue
                notes.used()
                used += 1
                if picture.restart:
                    self.restarts.add(index)
                self._headers[index] = picture.stamp_ns, picture.frame_id
                yield picture.frame
        finally:
            self._tell(notes)
        if not used:
            reasons = "; ".join(self.skipped) or "none lies between --start and --end"
            raise SourceError(
                f"no image of {self.image.name} in '{self.name}' can be used: {reasons}"
            )

    def take_header(self, frame: Frame) -> tuple[int, str]:
        """The exact stamp of a frame (ns) and its frame_id; to be asked once for each frame."""
        return self._headers.pop(frame.index)

    def image_of(self, index: int) -> RGB | None:
        """The image of a frame that was read before; None if it cannot be found again."""
        if not 0 <= index < len(self._recorded_ns):
            return None
        time_ns = self._recorded_ns[index]
        same = [k for k in range(index) if self._recorded_ns[k] == time_ns]
        messages = self.bag.messages((self.image.name,), time_ns, time_ns + 1)
        for stored in itertools.islice(messages, len(same), None):
            try:
                return self._decode(self._unpacker.unpack(stored.data, self.image.type))
            except ValueError:
                return None
        return None

    def close(self) -> None:
        """Close the bag."""
        self.bag.close()

    def _messages(self, notes: Notes) -> Iterator[tuple[int, Any, Any]]:
        """Recording time, image (None = unreadable) and its camera_info (None = none yet).

        An image waits until the camera_info of its stamp is there.
        """
        infos = InfosByStamp()
        names = [self.image.name]
        if self.info is not None:
            names.append(self.info.name)
            for stored in self.bag.messages((self.info.name,)):  # a latched one lies at the begin
                self._add_info(infos, stored, notes)
                break
        waiting: deque[tuple[int, Any]] = deque()
        for stored in self.bag.messages(names, *self.span_ns()):
            if stored.topic != self.image.name:
                self._add_info(infos, stored, notes)
            else:
                waiting.append((stored.time_ns, self._unpacked(stored, notes)))
            while waiting:
                time_ns, message = waiting[0]
                patient = self.info is not None and len(waiting) <= _INFO_PATIENCE
                if patient and message is not None and not infos.reach(message):
                    break
                yield time_ns, message, infos.of(message)
                waiting.popleft()
        for time_ns, message in waiting:
            yield time_ns, message, infos.of(message)

    def _unpacked(self, stored: Stored, notes: Notes) -> Any:
        try:
            return self._unpacker.unpack(stored.data, self.image.type)
        except ValueError as error:
            notes.report("message", f"{stored.topic}: unreadable message: {error}")
            return None

    def _add_info(self, infos: InfosByStamp, stored: Stored, notes: Notes) -> None:
        try:
            infos.add(self._unpacker.unpack(stored.data, CAMERA_INFO))
        except ValueError as error:
            notes.report("info", f"{stored.topic}: unreadable message: {error}")

    def _rate(self) -> Fraction:
        """Nominal frame rate, by the recording times of the first images."""
        images = itertools.islice(self.bag.messages((self.image.name,)), _RATE_IMAGES)
        steps = np.diff([stored.time_ns for stored in images])
        usual = float(np.median(steps)) if steps.size else 0.0
        if not 1e-3 * _NS <= usual <= 10 * _NS:
            return _DEFAULT_FPS
        return Fraction(_NS / usual).limit_denominator(1001)

    def span_ns(self) -> tuple[int | None, int | None]:
        """Recording times between which the bag is read, ns; None = without bound."""
        start_s, end_s = self._span_s
        begin = self.bag.start_ns
        return (
            None if start_s is None else begin + round(start_s * _NS),
            None if end_s is None else begin + round(end_s * _NS),
        )

    def _decode(self, message: Any) -> RGB:
        return decode_compressed(message) if self._is_compressed else decode_image(message)

    def _problem(self, topic: Topic) -> str | None:
        """What the images of a topic cannot be used for, by the first of them."""
        for stored in self.bag.messages((topic.name,)):
            try:
                message = self._unpacker.unpack(stored.data, topic.type)
            except ValueError:
                return None  # damaged: says nothing of the others
            if topic.type == COMPRESSED:
                return unsupported_format(message.format)
            return unsupported_encoding(message.encoding)
        return None

    def _tell(self, notes: Notes) -> None:
        for text, count in notes.counts():
            self.skip(f"{count} image{'s' if count > 1 else ''}: {text}")
        for line in self.bag.losses():
            self.skip(f"damaged parts: {line}")


def _checked_span(options: BagOptions) -> tuple[float | None, float | None]:
    start_s, end_s = options.start_s, options.end_s
    for name, value in (("--start", start_s), ("--end", end_s)):
        if value is not None and not 0.0 <= value < _LONGEST_S:
            raise ValueError(f"{name} must be seconds from the bag's begin, not {value:g}")
    if start_s is not None and end_s is not None and start_s >= end_s:
        raise ValueError(f"--start {start_s:g} must lie before --end {end_s:g}")
    return start_s, end_s


class _GivenCamera:
    """The user's calibration in place of the bag's."""

    def __init__(self, book: CameraBook, source: str) -> None:
        self._book, self._source = book, source
        self._cameras: dict[tuple[int, int], Camera] = {}

    def find(self, width: int, height: int) -> Camera:
        if (width, height) not in self._cameras:
            self._cameras[width, height] = self._book.camera(self._source, width, height)
        return self._cameras[width, height]
