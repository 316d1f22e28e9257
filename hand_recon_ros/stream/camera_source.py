"""Which camera belongs to an image: camera_info where there is one, else an assumed view."""

from __future__ import annotations

import time
from collections.abc import Callable

from hand_recon_ros.camera import Camera, CameraError
from hand_recon_ros.stream.camera_info import CameraInfo, camera_for_image, camera_from_info
from hand_recon_ros.stream.problems import Problems

_QUIET_S = 1.0
"""The first images often come a little before the first camera_info: no reason to complain."""


class CameraSource:
    """Remembers the newest camera_info and finds the intrinsics for each image size.

    * The info's size is the image's, or the image is a scaled copy of it (said once): used.
    * None has come, or it is for another aspect ratio: images wait for ``timeout_s``, then a field
      of view is assumed, with a warning, until a fitting info comes.
    * It cannot be used (K all zeros, NaN): said once as an error, and a field of view is assumed.
    * ``required``: nothing is ever assumed; images wait.
    """

    def __init__(
        self,
        problems: Problems,
        *,
        hfov_deg: float,
        timeout_s: float,
        required: bool,
        topic: str = "camera_info",
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without any info.

        Args:
            problems: told of what is wrong.
            hfov_deg: horizontal field of view to assume, degrees.
            timeout_s: how long images wait for a camera_info.
            required: wait for ever.
            topic: resolved name, for messages.
            now: a steady clock, seconds.
        """
        self._problems = problems
        self._hfov_deg = hfov_deg
        self._timeout_s = timeout_s
        self._required = required
        self._topic = topic
        self._now = now
        self._info: tuple[Camera | None, str] = (None, "")  # camera, or why it cannot be used
        self._info_key: tuple = ()
        self._waiting: tuple[int, int, float] | None = None  # image size, since when
        self._current: Camera | None = None
        self._current_key: tuple = ()

    def update(self, msg: CameraInfo) -> None:
        """Take in a camera_info (cheap while it repeats itself)."""
        roi = msg.roi
        key = (
            *(msg.width, msg.height, msg.distortion_model, msg.k.tobytes(), tuple(msg.d)),
            *(msg.binning_x, msg.binning_y, roi.x_offset, roi.y_offset, roi.width, roi.height),
        )
        if repr(key) == repr(self._info_key):  # NaN is not equal to itself, its text is
            return
        self._info_key = key
        try:
            self._info = camera_from_info(msg), ""
        except CameraError as error:
            self._info = None, str(error)

    def find(self, width: int, height: int) -> Camera | None:
        """Return the intrinsics of an image of this size; None = wait, leave the image out.

        The same object comes back until the size or the calibration changes.
        """
        info, error = self._info
        key = (info, error, width, height)
        if key == self._current_key and self._current is not None:
            return self._current
        camera = self._calibrated(info, width, height)
        if camera is None and self._may_assume(info, error, width, height):
            camera = Camera.from_fov(width, height, self._hfov_deg)
        self._current, self._current_key = camera, key
        return camera

    def _calibrated(self, info: Camera | None, width: int, height: int) -> Camera | None:
        if info is None:
            return None
        try:
            camera = camera_for_image(info, width, height)
        except CameraError:
            return None
        self._waiting = None
        self._problems.clear("camera", at_once=True)
        if camera is info:
            self._problems.clear("camera_size", at_once=True)
        else:
            self._problems.report(
                "camera_size",
                f"{self._topic} is for {info.width}x{info.height}, images are {width}x{height}: "
                "K is scaled; if the driver crops instead of scaling, load a calibration for it",
            )
        return camera

    def _may_assume(self, info: Camera | None, error: str, width: int, height: int) -> bool:
        """Say what is wrong, and whether a field of view is assumed (else the images wait)."""
        if error:
            then = "images wait for a usable one" if self._required else self._guess()
            self._problems.report("camera", f"{error}; {then}", "error")
            return not self._required
        now = self._now()
        if self._waiting is None or self._waiting[:2] != (width, height):
            self._waiting = width, height, now
        waited_s = now - self._waiting[2]
        missing = f"no {self._topic} for images of {width}x{height}"
        if info is not None:
            missing += f" (it is for {info.width}x{info.height})"
        if self._required or waited_s < self._timeout_s:
            if waited_s > _QUIET_S:
                self._problems.report("camera", f"{missing}: images wait for it")
            return False
        self._problems.report("camera", f"{missing}: {self._guess()}")
        return True

    def _guess(self) -> str:
        return (
            f"a horizontal field of view of {self._hfov_deg:g} deg is assumed, distances are only "
            "as right as that (calibrate the camera, or set camera.hfov_deg)"
        )
