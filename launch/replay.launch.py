"""A bag through the live node in simulated time, and on request a recorder and RViz.

ros2 launch hand_recon_ros replay.launch.py bag:=PATH rate:=0.5 rviz:=true record:=out/replay

Further arguments are those of live.launch.py (hand_length_m:=, device:=, params_file:= ...).
"""

import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource

from hand_recon_ros.io.bags.source import BagOptions, BagSource
from hand_recon_ros.io.bags.topics import COMPRESSED

SHARE = Path(get_package_share_directory("hand_recon_ros"))
NODE = "hand_recon_node"
LAST_RESULTS_S = 2.0  # between the bag's end and the end of node and recorder

CHOICES = {
    "loop": ["true", "false"],
    "player": ["auto", "ros2", "own"],
    "rviz": ["true", "false"],
}
ARGUMENTS = {
    "bag": (None, "Bag to play: rosbag2 folder, .mcap, .db3, or ROS 1 .bag (own player)."),
    "rate": ("1.0", "Times as fast as recorded."),
    "loop": ("false", "Start again at the end; the node starts afresh each time."),
    "image": ("", "Topic of the images in the bag; empty = the only one."),
    "camera_info": ("", "Topic of the calibration in the bag; empty = camera_info next to it."),
    "record": ("", "Folder to make: a bag of what the node publishes. Empty = none."),
    "player": (
        "auto",
        "ros2 = ros2 bag play; own = our player (also damaged and ROS 1 bags, images only); "
        "auto = ros2 where it is installed and can read the bag.",
    ),
    "delay": ("5.0", "Seconds that ros2 bag play waits for the node's models; own waits itself."),
    "rviz": ("false", "Start RViz."),
}


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(
            name, default_value=default, description=description, choices=CHOICES.get(name)
        )
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list:
    """Look into the bag and build the actions."""
    given = dict(context.launch_configurations)
    for name in ("rate", "delay"):
        number(given, name)
    image, info, compressed, readable_by_ros2 = look_into(given)
    use_ros2 = given["player"] != "own" and (given["player"] == "ros2" or readable_by_ros2)
    actions = []
    if use_ros2 and not ros2_bag_is_there():
        if given["player"] == "ros2":
            raise RuntimeError(
                "player:=ros2 needs 'ros2 bag': install ros-$ROS_DISTRO-rosbag2, or player:=own"
            )
        actions.append(LogInfo(msg="'ros2 bag' is not installed: the package's own player plays"))
        use_ros2 = False
    live = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(SHARE / "launch" / "live.launch.py")),
        launch_arguments={
            "image": image,
            "camera_info": info,
            "image_transport": "compressed" if compressed else "raw",
            "use_sim_time": "true",
            "rviz": given["rviz"],
        }.items(),
    )
    player = ros2_player(given) if use_ros2 else own_player(given, image, info, compressed)
    actions.append(live)
    if given["record"]:
        actions.append(recorder(given))
    actions.append(player)
    if given["rviz"] == "false":
        end = TimerAction(
            period=LAST_RESULTS_S, actions=[EmitEvent(event=Shutdown(reason="the bag has ended"))]
        )
        handler = OnProcessExit(target_action=player, on_exit=[end])
        actions.append(RegisterEventHandler(handler))
    return actions


def look_into(given: dict) -> tuple[str, str, bool, bool]:
    """Topics of image (without /compressed) and camera_info, and who can play the bag."""
    options = BagOptions(given["image"] or None, given["camera_info"] or None)
    with BagSource(given["bag"], options) as source:
        image = source.image.name
        base = image.removesuffix("/compressed")
        info = source.info.name if source.info else base.rpartition("/")[0] + "/camera_info"
        sound = not source.bag.is_ros1 and not source.bag.losses()
        return base, info, source.image.type == COMPRESSED, sound


def ros2_bag_is_there() -> bool:
    try:
        get_package_share_directory("ros2bag")
    except PackageNotFoundError:
        return False
    return True


def number(given: dict, name: str) -> float:
    try:
        return float(given[name])
    except ValueError:
        raise RuntimeError(f"{name}:={given[name]} is no number") from None


def ros2_player(given: dict) -> ExecuteProcess:
    command = ["ros2", "bag", "play", given["bag"], "--clock", "--rate", given["rate"]]
    command += ["--delay", given["delay"], "--disable-keyboard-controls"]
    command += ["--loop"] if given["loop"] == "true" else []
    return ExecuteProcess(cmd=command, name="player", output="screen")


def own_player(given: dict, image: str, info: str, compressed: bool) -> ExecuteProcess:
    command = [sys.executable, "-m", "hand_recon_ros.nodes.bag_player", given["bag"]]
    command += ["--rate", given["rate"]]
    command += ["--image-topic", image + "/compressed" if compressed else image]
    command += ["--camera-info-topic", given["camera_info"]] if given["camera_info"] else []
    command += ["--loop"] if given["loop"] == "true" else []
    return ExecuteProcess(cmd=command, name="player", output="screen")


def recorder(given: dict) -> ExecuteProcess:
    """The package's own recorder: it needs no ros2 bag, and knows the package's messages."""
    command = [sys.executable, "-m", "hand_recon_ros.nodes.recorder", given["record"]]
    namespace = given.get("namespace", "").strip("/")
    command += ["--node", f"{namespace}/{NODE}"] if namespace else []
    return ExecuteProcess(cmd=command, name="recorder", output="screen", sigterm_timeout="10")
