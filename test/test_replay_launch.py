"""The replay launch file: what it starts for which bag. Stand-ins for ``launch`` note the actions.

(``launch`` itself is only in a full ROS 2 installation; test_launch.py runs the included file.)
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ament_index_python", reason="needs ROS 2 (make setup, then . ./env.sh)")

from bag_makers import MAKERS, storage_file

from hand_recon_ros.io.bags.make import IMAGE_TOPIC, INFO_TOPIC

FILE = Path(__file__).parents[1] / "launch" / "replay.launch.py"
MODULES = {
    "launch": ("LaunchContext", "LaunchDescription"),
    "launch.actions": (
        "DeclareLaunchArgument", "EmitEvent", "ExecuteProcess", "IncludeLaunchDescription",
        "LogInfo", "OpaqueFunction", "RegisterEventHandler", "TimerAction",
    ),
    "launch.event_handlers": ("OnProcessExit",),
    "launch.events": ("Shutdown",),
    "launch.launch_description_sources": ("PythonLaunchDescriptionSource",),
}  # fmt: skip


def stand_in(name: str) -> type:
    def init(self: Any, *arguments: Any, **options: Any) -> None:
        self.arguments, self.options = arguments, options

    return type(name, (), {"__init__": init})


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, kinds in MODULES.items():
        module = ModuleType(name)
        for kind in kinds:
            setattr(module, kind, stand_in(kind))
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("replay_launch", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Start = Callable[..., dict[str, Any]]


@pytest.fixture
def start(launch_file: Any, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Run the launch file with arguments; return its actions by kind, processes by name."""

    def run(ros2: bool = False, **given: str) -> dict[str, Any]:
        monkeypatch.setattr(launch_file, "ros2_bag_is_there", lambda: ros2)
        defaults = {name: default for name, (default, _) in launch_file.ARGUMENTS.items()}
        context = SimpleNamespace(launch_configurations=defaults | given)
        actions = launch_file.start(context)
        return {a.options.get("name") or type(a).__name__: a for a in actions}

    return run


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return MAKERS["mcap"](tmp_path / "bag")


def command(action: Any) -> list[str]:
    return list(action.options["cmd"])


def test_arguments_are_described(launch_file: Any) -> None:
    declared = launch_file.generate_launch_description().arguments[0][:-1]
    assert {a.arguments[0] for a in declared} == set(launch_file.ARGUMENTS)
    assert all(len(a.options["description"]) > 10 for a in declared)
    required = [a.arguments[0] for a in declared if a.options["default_value"] is None]
    assert required == ["bag"]
    for name, choices in launch_file.CHOICES.items():
        assert launch_file.ARGUMENTS[name][0] in choices


def test_ros2_bag_plays_a_sound_bag(start: Start, bag: Path) -> None:
    actions = start(ros2=True, bag=str(bag), rate="0.5", loop="true")
    played = command(actions["player"])
    assert played[:5] == ["ros2", "bag", "play", str(bag), "--clock"]
    assert played[played.index("--rate") + 1] == "0.5"
    assert "--loop" in played
    assert "LogInfo" not in actions
    node = dict(actions["IncludeLaunchDescription"].options["launch_arguments"])
    assert node == {
        "image": IMAGE_TOPIC,
        "camera_info": INFO_TOPIC,
        "image_transport": "raw",
        "use_sim_time": "true",
        "rviz": "false",
    }


def test_own_player_where_ros2_bag_is_missing_or_cannot(start: Start, bag: Path) -> None:
    actions = start(bag=str(bag))
    assert command(actions["player"])[1:4] == ["-m", "hand_recon_ros.nodes.bag_player", str(bag)]
    assert "not installed" in actions["LogInfo"].options["msg"]
    with pytest.raises(RuntimeError, match="needs 'ros2 bag'"):
        start(bag=str(bag), player="ros2")
    ros1 = MAKERS["ros 1"](bag.parent / "ros1")
    file = storage_file(bag)
    cut = bag.parent / "cut"
    shutil.copytree(bag, cut)
    storage_file(cut).write_bytes(file.read_bytes()[:-100])
    for path in (ros1, cut):
        assert "bag_player" in command(start(ros2=True, bag=str(path))["player"])[2]


def test_recorder_and_end(start: Start, bag: Path) -> None:
    actions = start(bag=str(bag), record="out/replay", namespace="/robot")
    assert command(actions["recorder"])[1:] == [
        "-m", "hand_recon_ros.nodes.recorder", "out/replay", "--node", "robot/hand_recon_node"
    ]  # fmt: skip
    handler = actions["RegisterEventHandler"].arguments[0]
    assert handler.options["target_action"] is actions["player"]
    assert list(actions)[-1] == "RegisterEventHandler"
    assert "RegisterEventHandler" not in start(bag=str(bag), rviz="true"), "people look on"


@pytest.mark.parametrize("given", [{"rate": "fast"}, {"delay": "-"}])
def test_bad_numbers_are_named(start: Start, bag: Path, given: dict[str, str]) -> None:
    (name,) = given
    with pytest.raises(RuntimeError, match=f"{name}:="):
        start(bag=str(bag), **given)
