"""Make what `make` and env.sh need: .venv, the colcon overlay in install/, install/environment.sh.

Runs on the standard library of Python 3.11 or 3.12. Where ROS 2 is sourced (ROS_DISTRO) its colcon,
messages and Python are used and .venv only adds what ROS does not have; elsewhere ROS 2 comes from
the wheels of ros.lock. Stamps with digests of all inputs, written last, make a second run instant
and an interrupted one start again.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

CI = Path(__file__).resolve().parent
ROOT = CI.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
BUILD = ROOT / "build"
INSTALL = ROOT / "install"
ENVIRONMENT = INSTALL / "environment.sh"

# Not sys.executable: that may be the very .venv that is to be replaced.
INTERPRETER = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
UNDERLAY = CI / "underlay" / "tf2_msgs"
# Shared libraries that the OpenCV wheel takes from the system, and their Debian/Ubuntu packages.
SYSTEM_LIBRARIES = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
SUPPORTED_PYTHON = ((3, 11), (3, 12))
# Set by an entered environment (env.sh) or by ROS wheels in a parent process; wrong for a build.
FOREIGN_VARIABLES = (
    "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
    "AMENT_PREFIX_PATH",
    "CMAKE_PREFIX_PATH",
    "COLCON_PREFIX_PATH",
    "LD_LIBRARY_PATH",
    "PYTHONHOME",
    "PYTHONPATH",
)


class SetupError(Exception):
    """The environment cannot be made; the message says what to do."""


def digest(parts: Iterable[str | Path]) -> str:
    """Return a SHA-256 over texts and the contents of files, in order."""
    total = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(hashlib.sha256(data).digest())
    return total.hexdigest()


def read_stamp(stamp: Path) -> str:
    """Return the content of a stamp, empty where there is none."""
    return stamp.read_text() if stamp.exists() else ""


def run(command: list[str | Path], environment: dict[str, str] | None = None) -> None:
    """Run a command with its output shown; raise ``SetupError`` where it fails."""
    result = subprocess.run([str(word) for word in command], cwd=ROOT, env=environment, check=False)
    if result.returncode != 0:
        raise SetupError(
            f"exit status {result.returncode} of: {shlex.join(str(word) for word in command)}"
        )


def missing_system_packages(distro: str | None) -> list[str]:
    """Return the Debian/Ubuntu packages without which the next steps would fail."""
    version = INTERPRETER.name
    missing = []
    if not any(shutil.which(compiler) for compiler in ("c++", "g++", "clang++")):
        missing.append("g++")
    if not shutil.which("make"):
        missing.append("make")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        missing.append(f"{version}-dev")
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        missing.append(f"{version}-venv")
    if distro and not shutil.which("colcon"):
        missing.append("python3-colcon-common-extensions")
    for library, package in SYSTEM_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


def check_system(distro: str | None) -> None:
    """Install missing system packages as root, name them otherwise."""
    if sys.version_info[:2] not in SUPPORTED_PYTHON:
        raise SetupError(
            f"Python {platform.python_version()} does not do (numpy 1.26 and MediaPipe 0.10.21 have"
            " wheels for 3.11 and 3.12): install one of these, or name it: make PYTHON=python3.12"
        )
    if " " in str(ROOT):
        raise SetupError(f"ROS 2's build tools cannot work in a path with spaces: '{ROOT}'")
    if distro is None and platform.machine() != "x86_64":
        raise SetupError(
            f"the package index has no ROS 2 for {platform.machine()}: install ROS 2 Jazzy or"
            " Kilted, source its setup file and run make again"
        )
    packages = missing_system_packages(distro)
    if not packages:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"setup: installing system packages: {' '.join(packages)}", flush=True)
        run(["apt-get", "update", "-q"])
        run(command)
        packages = missing_system_packages(distro)
    if packages:
        raise SetupError(f"these system packages are missing; run: sudo {shlex.join(command)}")


def make_venv(distro: str | None) -> None:
    """Bring .venv to the state of the lock files.

    Without a stamp (interrupted), and for another interpreter or place, it is made anew; for
    changed locks pip changes what differs.
    """
    stamp = VENV / ".complete"
    locks = [CI / "requirements.lock"] + ([] if distro else [CI / "ros.lock"])
    base = digest([str(ROOT), sys.base_prefix, platform.python_version(), distro or "wheels"])
    state = f"{base}\n{digest([*locks, Path(__file__)])}\n"
    old = read_stamp(stamp)
    if old == state:
        return
    stamp.unlink(missing_ok=True)
    if old.splitlines()[:1] != [base]:
        print(f"setup: new virtual environment, Python {platform.python_version()}", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        options = ["--system-site-packages"] if distro else []
        run([INTERPRETER, "-m", "venv", *options, VENV], clean_environment())
    print("setup: Python packages (minutes, about 2 GB)", flush=True)
    requirements = [word for lock in locks for word in ("-r", str(lock))]
    pip = [VENV_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, *requirements], os.environ.copy() if distro else clean_environment())
    if not distro:
        repair_wheels()
    stamp.write_text(state)


def repair_wheels() -> None:
    """Point the wheels' exported CMake files at this Python and NumPy.

    They carry the include folders of the machine that built them, which exist nowhere else.
    """
    script = "import numpy, sysconfig; print(sysconfig.get_path('include'), numpy.get_include())"
    probe = [VENV_PYTHON, "-c", script]
    python_include, numpy_include = subprocess.check_output(
        probe, text=True, env=clean_environment()
    ).split()
    farm = r"/opt/python/cp\d+-cp\d+/"
    for file in VENV.glob("share/*/cmake/*.cmake"):
        text = file.read_text()
        fixed = re.sub(farm + r"include/python3\.\d+", lambda _: python_include, text)
        fixed = re.sub(farm + r'lib/[^;">]*/numpy/[^;">]*include', lambda _: numpy_include, fixed)
        if fixed != text:
            file.write_text(fixed)


def clean_environment() -> dict[str, str]:
    """Return the environment variables without those of ROS or of an entered environment."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}


def make_overlay(distro: str | None) -> None:
    """Build the messages into install/ and write install/environment.sh, its stamp.

    A finished overlay of the same interpreter is brought up to date in place, so that programs that
    use it go on; any other is removed.
    """
    installed = ("launch", "config", "rviz")
    inputs = [
        *(ROOT / name for name in ("CMakeLists.txt", "package.xml")),
        *sorted(path for path in (ROOT / "msg").iterdir()),
        *sorted(path for path in UNDERLAY.rglob("*") if path.is_file()),
        *sorted(str(path) for name in installed for path in (ROOT / name).rglob("*")),
    ]
    environment_stamp = read_stamp(VENV / ".complete")
    base = f"# {environment_stamp.split()[0]} "
    state = base + digest([environment_stamp, *inputs])
    old = read_stamp(ENVIRONMENT)
    if old.startswith(state):
        return
    print("setup: messages and overlay (about half a minute)", flush=True)
    if not old.startswith(base):
        for folder in (BUILD, INSTALL):
            shutil.rmtree(folder, ignore_errors=True)
    python, environment, packages = INTERPRETER, os.environ.copy(), [ROOT]
    if not distro:
        python = VENV_PYTHON
        environment = clean_environment()
        environment |= {"AMENT_PREFIX_PATH": str(VENV), "CMAKE_PREFIX_PATH": str(VENV)}
        environment["PATH"] = f"{VENV / 'bin'}:{environment['PATH']}"
        packages.append(UNDERLAY)
    layout = ["--merge-install", "--symlink-install", "--base-paths", *packages]
    cmake = [f"-DPython3_EXECUTABLE={python}", "-DBUILD_TESTING=OFF", "-DCMAKE_BUILD_TYPE=Release"]
    colcon = shutil.which("colcon", path=environment["PATH"])
    if colcon is None:
        raise SetupError(f"no colcon in {environment['PATH']}")
    run([colcon, "--log-level", "error", "build", *layout, "--cmake-args", *cmake], environment)
    # Only the package, not the source tree, whose launch/ and config/ would pass for packages.
    link = BUILD / "python" / "hand_recon_ros"
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "hand_recon_ros")
    partial = ENVIRONMENT.with_suffix(".partial")
    partial.write_text(f"{state}\n{environment_script(distro)}")
    partial.rename(ENVIRONMENT)


def environment_script(distro: str | None) -> str:
    """Return the POSIX shell text that enters the environment (sourced by env.sh)."""
    messages = next(INSTALL.glob("**/hand_recon_ros/msg/__init__.py"), None)
    if messages is None:
        raise SetupError(f"colcon succeeded, but there is no hand_recon_ros.msg in {INSTALL}")
    if distro:
        wrong = f'"${{ROS_DISTRO:-}}" != {shlex.quote(distro)}'
        remedy = f"source the setup file of ROS 2 {distro} first (or: make setup)"
    else:
        wrong = '-n "${ROS_DISTRO:-}"'
        remedy = "built without ROS, but ROS is sourced now: run make setup"
    prefixes = [INSTALL] if distro else [VENV, INSTALL]
    additions = [
        *(("PATH", prefix / "bin") for prefix in (VENV, INSTALL)),
        *(("AMENT_PREFIX_PATH", prefix) for prefix in prefixes),
        *(("CMAKE_PREFIX_PATH", prefix) for prefix in prefixes),
        ("LD_LIBRARY_PATH", INSTALL / "lib"),
        ("PYTHONPATH", messages.parents[2]),
        ("PYTHONPATH", BUILD / "python"),
    ]
    prepend = "\n".join(
        f"_hand_recon_prepend {name} {shlex.quote(str(path))}" for name, path in additions
    )
    profile = shlex.quote(str(ROOT / "config" / "fastdds_shm.xml"))
    return f"""\
if [ {wrong} ]; then
  echo {shlex.quote(f"env.sh: {remedy}")} >&2
  return 1
fi
_hand_recon_prepend() {{
  eval "_hand_recon_old=\\${{$1:-}}"
  case ":$_hand_recon_old:" in
    *":$2:"*) ;;
    *) eval "$1=\\$2\\${{_hand_recon_old:+:\\$_hand_recon_old}}; export $1" ;;
  esac
}}
VIRTUAL_ENV={shlex.quote(str(VENV))}
export VIRTUAL_ENV
{prepend}
if [ -z "${{FASTRTPS_DEFAULT_PROFILES_FILE:-}}" ] && [ -r {profile} ]; then
  FASTRTPS_DEFAULT_PROFILES_FILE={profile}
  export FASTRTPS_DEFAULT_PROFILES_FILE
fi
unset -f _hand_recon_prepend
unset _hand_recon_old
"""


def main() -> int:
    """Make the environment; return the exit status."""
    distro = os.environ.get("ROS_DISTRO") or None
    lock = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at once: the second waits, then finds it done
    try:
        check_system(distro)
        make_venv(distro)
        make_overlay(distro)
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; the next make starts the unfinished step again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
