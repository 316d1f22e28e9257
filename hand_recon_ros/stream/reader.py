"""From unpacked image messages to frames of the chain: the same for a live camera and a bag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from hand_recon_ros.camera import Camera
from hand_recon_ros.stream.codec import RGB, ImageError
from hand_recon_ros.stream.problems import Problems
from hand_recon_ros.stream.stamps import StampCheck
from hand_recon_ros.types import Frame

_NS = 1_000_000_000


class Cameras(Protocol):
    """Knows the intrinsics of images."""

    def find(self, width: int, height: int) -> Camera | None:
        """Return those of an image of this size; None = leave the image out for now."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame to process.

    Attributes:
        frame: for the chain.
        stamp_ns: its stamp, exact.
        frame_id: the camera's optical frame.
        restart: forget earlier frames first (time jumped back, another camera).
    """

    frame: Frame
    stamp_ns: int
    frame_id: str
    restart: bool


class PictureReader:
    """Turns image messages into frames, or says why one is left out."""

    def __init__(
        self,
        decode: Callable[[Any], RGB],
        topic: str,
        cameras: Cameras,
        problems: Problems,
        camera_frame: str = "",
    ) -> None:
        """Start a stream.

        Args:
            decode: makes a message an RGB array, or raises ``ImageError``.
            topic: becomes ``Frame.source``.
            cameras: intrinsics by image size.
            problems: told of what is wrong.
            camera_frame: replaces the images' frame_id; empty = keep it.
        """
        self._decode = decode
        self._topic = topic
        self._camera_frame = camera_frame
        self._cameras = cameras
        self._problems = problems
        self._stamps = StampCheck(problems)
        self._camera: Camera | None = None
        self._restart = False

    def read(self, message: Any, received_ns: int, index: int) -> Picture | None:
        """Return the picture; None = left out, ``problems`` knows why.

        Args:
            message: has the fields of its ``sensor_msgs`` type.
            received_ns: when it came; used where it has no valid stamp.
            index: becomes ``Frame.index``.
        """
        header = message.header
        verdict = self._stamps.check(header.stamp.sec, header.stamp.nanosec, received_ns)
        self._restart |= verdict.restart
        if verdict.stamp_ns is None:
            return None
        try:
            image = self._decode(message)
        except ImageError as error:
            self._problems.report("image", f"{self._topic}: {error}", "error")
            return None
        self._problems.clear("image")
        height, width = image.shape[:2]
        camera = self._cameras.find(width, height)
        if camera is None:
            return None
        restart = self._restart or camera is not self._camera
        self._camera, self._restart = camera, False
        frame_id = self._camera_frame or header.frame_id
        if frame_id:
            self._problems.clear("frame_id")
        else:
            self._problems.report(
                "frame_id",
                f"images of {self._topic} have no frame_id, so /tf is not published: set the "
                "driver's frame id, or camera_frame",
            )
        frame = Frame(image, verdict.stamp_ns / _NS, camera, index, self._topic)
        return Picture(frame, verdict.stamp_ns, frame_id, restart)
