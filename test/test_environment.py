"""The built environment (env.sh, overlay, commands) and the script that builds it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
MESSAGES = sorted(path.stem for path in (ROOT / "msg").glob("*.msg"))

in_environment = pytest.mark.skipif(
    not (ROOT / "install" / "environment.sh").exists() or "AMENT_PREFIX_PATH" not in os.environ,
    reason="not in the built environment (make setup, then . ./env.sh)",
)


def load_build_script() -> ModuleType:
    path = ROOT / ".ci" / "build_environment.py"
    spec = importlib.util.spec_from_file_location("build_environment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shell(command: str, name: str = "sh", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command with -e and -u in the repository, in a shell that has entered nothing yet."""
    names = ("HOME", "PATH", "TMPDIR")
    if "ROS_DISTRO" in os.environ:
        names = tuple(os.environ)  # the sourced ROS
    keep = {key: os.environ[key] for key in names if key in os.environ}
    return subprocess.run(
        [name, "-euc", command], cwd=ROOT, env=keep | variables, capture_output=True, text=True
    )


@in_environment
@pytest.mark.parametrize("name", ["sh", "bash", "dash", "zsh"])
def test_env_sh_enters_in_any_shell(name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"no {name} here")
    command = """
        . ./env.sh; before=$PATH; . ./env.sh; test "$PATH" = "$before"
        command -v hand_recon; command -v hand_recon_node; python -c "import hand_recon_ros.msg"
        set | grep _hand_recon_ || true"""
    done = shell(command, name)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    bin_folder = ROOT / "install" / "bin"
    assert done.stdout.split()[:2] == [
        str(bin_folder / "hand_recon"),
        str(bin_folder / "hand_recon_node"),
    ]


@in_environment
def test_env_sh_keeps_the_users_dds_profile() -> None:
    show = '. ./env.sh; echo "$FASTRTPS_DEFAULT_PROFILES_FILE"'
    assert shell(show).stdout.strip() == str(ROOT / "config" / "fastdds_shm.xml")
    mine = shell(show, FASTRTPS_DEFAULT_PROFILES_FILE="/mine.xml")
    assert mine.stdout.strip() == "/mine.xml"


@in_environment
def test_env_sh_refuses_another_ros() -> None:
    done = shell(". ./env.sh; echo entered", ROS_DISTRO="another")
    assert done.returncode != 0
    assert "entered" not in done.stdout
    assert "make setup" in done.stderr


@pytest.mark.parametrize("name", ["bash", "dash", "zsh"])
def test_env_sh_says_when_nothing_is_built(name: str, tmp_path: Path) -> None:
    if not shutil.which(name):
        pytest.skip(f"no {name} here")
    shutil.copy(ROOT / "env.sh", tmp_path)
    done = shell(f"cd {tmp_path}; set +e; . ./env.sh; echo status $?", name)
    assert done.stdout.splitlines() == ["status 1"]
    assert "make setup" in done.stderr
    assert str(tmp_path) in done.stderr


@in_environment
def test_messages_and_modules_are_one_package() -> None:
    from tf2_msgs.msg import TFMessage

    import hand_recon_ros.msg
    import hand_recon_ros.skeleton

    for name in MESSAGES:
        assert hasattr(hand_recon_ros.msg, name)
    joints = len(hand_recon_ros.skeleton.JOINT_NAMES)
    assert len(hand_recon_ros.msg.Hand().joints) == joints
    assert TFMessage().transforms == []


@in_environment
def test_ros_tools_find_the_package() -> None:
    prefix = ROOT / "install"
    assert (prefix / "share/ament_index/resource_index/packages/hand_recon_ros").exists()
    for name in ("hand_recon", "hand_recon_node"):
        assert os.access(prefix / "lib" / "hand_recon_ros" / name, os.X_OK)
    for folder in ("launch", "config", "rviz"):
        installed = {path.name for path in (prefix / "share/hand_recon_ros" / folder).iterdir()}
        assert installed >= {path.name for path in (ROOT / folder).glob("*.*")}


@in_environment
def test_the_command_knows_its_version() -> None:
    done = subprocess.run(["hand_recon", "--version"], capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.split() == ["hand_recon", project["version"]]


@in_environment
def test_the_command_may_start_processes(tmp_path: Path) -> None:
    """Each imports the installed script anew, which must not start the command once more."""
    words = ["hand_recon", "synthesize", "-n", "2", "--workers", "2", "--data", "missing"]
    done = subprocess.run([*words, "-o", str(tmp_path)], capture_output=True, text=True)
    if done.returncode and "OpenGL" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("*.tar"))


def test_cmake_files_of_the_wheels_are_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_build_script()
    file = tmp_path / "share" / "a_msgs" / "cmake" / "export.cmake"
    file.parent.mkdir(parents=True)
    farm = "/opt/python/cp312-cp312"
    file.write_text(
        f'DIRS "{farm}/include/python3.12;{farm}/lib/python3.12/site-packages/numpy/_core/include"'
        "\nKEEP /opt/python/other"
    )
    monkeypatch.setattr(script, "VENV", tmp_path)
    monkeypatch.setattr(script, "VENV_PYTHON", Path(sys.executable))
    script.repair_wheels()
    first, second = file.read_text().splitlines()
    folders = first.removeprefix('DIRS "').removesuffix('"').split(";")
    assert [
        (Path(folder) / header).exists()
        for folder, header in zip(folders, ("", "numpy/arrayobject.h"), strict=True)
    ] == [True, True]
    assert farm not in first
    assert second == "KEEP /opt/python/other"


def test_missing_system_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load_build_script()
    monkeypatch.setattr(script, "SYSTEM_LIBRARIES", {"libnowhere.so.1": "libnowhere1"})
    monkeypatch.setattr(script.shutil, "which", lambda *_, **__: None)
    monkeypatch.setattr(script.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(script.platform, "machine", lambda: "x86_64")
    with pytest.raises(script.SetupError, match=r"sudo apt-get install .*g\+\+ make.* libnowhere1"):
        script.check_system(None)
    with pytest.raises(script.SetupError, match="python3-colcon-common-extensions"):
        script.check_system("jazzy")


def test_unsupported_machines_get_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load_build_script()
    monkeypatch.setattr(script.platform, "machine", lambda: "riscv64")
    with pytest.raises(script.SetupError, match=r"riscv64.*install ROS 2"):
        script.check_system(None)
    monkeypatch.setattr(script, "SUPPORTED_PYTHON", ())
    with pytest.raises(script.SetupError, match=r"PYTHON=python3\.12"):
        script.check_system(None)


def test_an_interrupted_environment_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_build_script()
    venv = tmp_path / ".venv"
    commands: list[list[str]] = []
    monkeypatch.setattr(script, "VENV", venv)
    monkeypatch.setattr(script, "repair_wheels", lambda: None)

    def run(command: list[str | Path], environment: dict[str, str]) -> None:
        words = [str(word) for word in command]
        commands.append(words)
        if "venv" in words:
            assert not venv.exists()
            venv.mkdir()
        elif fail:
            raise script.SetupError("no network")

    monkeypatch.setattr(script, "run", run)
    fail = True
    with pytest.raises(script.SetupError, match="no network"):
        script.make_venv(None)
    fail = False
    (venv / "left over").touch()
    commands.clear()
    script.make_venv(None)  # no stamp: removed and made again
    assert ["venv" in words for words in commands] == [True, False]
    commands.clear()
    script.make_venv(None)  # complete: nothing to do
    assert commands == []
    script.make_venv("jazzy")  # for another ROS: made again, on top of the system's packages
    assert "--system-site-packages" in commands[0]
    assert not any("ros.lock" in word for words in commands for word in words)
