"""Camera player and node as processes of their own, for the demo and the measurements."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ament_index_python.packages import get_package_share_directory

from hand_recon_ros.io.closing import Closing

_PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Of Fast DDS 2 (Jazzy) and 3 (Kilted)."""
_DOMAINS = range(1, 101)
"""ROS domains whose ports stay clear of the ports that Linux gives to programs."""


def prepare_dds() -> int:
    """Give images room in shared memory and keep to this machine; return the ROS domain.

    Call it before ``rclpy.init``; child processes inherit it. What the user has set stays.
    """
    profile = Path(get_package_share_directory("hand_recon_ros")) / "config" / "fastdds_shm.xml"
    if not any(os.environ.get(name) for name in _PROFILE_VARIABLES):
        for name in _PROFILE_VARIABLES:
            os.environ[name] = str(profile)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    # A domain that is unlikely to be in use, so that neither a camera nor a node that already runs
    # here mixes with ours.
    own = _DOMAINS[os.getpid() % len(_DOMAINS)]
    return int(os.environ.setdefault("ROS_DOMAIN_ID", str(own)))


class Process(Closing):
    """A Python module that runs in a process of its own; stopped at the end of a ``with`` block."""

    def __init__(self, module: str, arguments: Sequence[str], log: Path) -> None:
        """Start ``python -m module arguments`` with its output in ``log``."""
        self.log = log
        with open(log, "wb") as output:
            # A session of its own: Ctrl-C at the terminal reaches us, and we stop it in order.
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def press_enter(self) -> None:
        """Send an empty line; ignored if it has ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()

    def stop(self, patience_s: float = 15.0) -> int:
        """Interrupt it as Ctrl-C does; kill it only if it does not end. Returns the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        return self._process.wait()

    def last_words(self, lines: int = 12) -> str:
        """The end of its output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def close(self) -> None:
        """Stop it."""
        self.stop()


def start_node(parameters: Mapping[str, object], log: Path) -> Process:
    """Start ``hand_recon_node``, listening to /camera."""
    ros = ["--ros-args", *_REMAPS]
    for name, value in parameters.items():
        ros += ["-p", f"{name}:={value}"]
    return Process("hand_recon_ros.nodes.hand_recon_node", ros, log)


def start_camera(video: str, options: Sequence[str], log: Path) -> Process:
    """Start the camera player, publishing under /camera."""
    arguments = [video, *options, "--ros-args", *_REMAPS]
    return Process("hand_recon_ros.nodes.camera_player", arguments, log)


_REMAPS = ("-r", "image:=/camera/image_raw", "-r", "camera_info:=/camera/camera_info")
