"""Robot hands that follow the hands of hand_recon_node; start that one with live.launch.py.

ros2 launch hand_recon_ros teleop.launch.py robot:=my_hand.yaml
ros2 launch hand_recon_ros teleop.launch.py shown:=true rviz:=true
"""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory("hand_recon_ros"))
NODE = "hand_teleop_node"
SIDES = ("left", "right")

# Launch arguments that stand for a parameter of the same meaning; empty = as in params_file.
PARAMETERS = {
    "robot": ("robots", str),
    "output": ("output", str),
    "engage_by": ("safety.engage_by", str),
    "target_frame": ("workspace.target_frame", str),
    "mirrored": ("workspace.mirrored", bool),
}
CHOICES = {
    "output": ["", "trajectory", "joint_state", "array"],
    "engage_by": ["", "service", "deadman"],
    "mirrored": ["", "true", "false"],
    "shown": ["true", "false"],
    "use_sim_time": ["true", "false"],
    "rviz": ["true", "false"],
}
ARGUMENTS = {
    "robot": (
        "",
        "YAML file of the robot hand, or several between commas. Empty = as in params_file; "
        "with shown: the example hand.",
    ),
    "hands": ("hand_recon_node/hands", "Topic of the hands."),
    "params_file": (str(SHARE / "config" / "teleop.yaml"), "YAML file of the node's parameters."),
    "namespace": ("", "Namespace of the node."),
    "output": ("", "Messages of the commands. Empty = as in params_file."),
    "engage_by": ("", "What engages. Empty = as in params_file."),
    "target_frame": ("", "Frame of the wrist's pose. Empty = as in params_file."),
    "mirrored": ("", "The person is a mirror image. Empty = as in params_file."),
    "left_command": (f"{NODE}/left/command", "Remaps the output topic ~/left/command."),
    "right_command": (f"{NODE}/right/command", "Remaps the output topic ~/right/command."),
    "left_joint_states": ("left/joint_states", "Joint states of the left robot hand."),
    "right_joint_states": ("right/joint_states", "Joint states of the right robot hand."),
    "shown": (
        "false",
        "No robot, only its picture: commands go to robot_state_publisher, nothing answers.",
    ),
    "use_sim_time": ("false", "Take the time from /clock (a rosbag played with --clock)."),
    "rviz": ("false", "Start RViz."),
    "rviz_config": (str(SHARE / "rviz" / "hand_teleop.rviz"), "RViz configuration."),
}
EXAMPLE = SHARE / "config" / "robots" / "example_hand_right.yaml"


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(
            name,
            default_value=default,
            description=description,
            choices=CHOICES.get(name),
        )
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list:
    """Build the actions from the values of the arguments."""
    given = dict(context.launch_configurations)
    shown = given["shown"] == "true"
    if shown and not given["robot"]:
        given["robot"] = str(EXAMPLE)
    if shown:
        given["output"] = "joint_state"
    actions = [teleop(given, shown)]
    if shown:
        for path in given["robot"].split(","):
            actions += robot_picture(path.strip(), given)
    if given["rviz"] == "true":
        actions.append(rviz(given))
    return actions


def teleop(given: dict, shown: bool) -> Node:
    parameters = {
        parameter: ParameterValue(
            given[name] == "true" if kind is bool else given[name], value_type=kind
        )
        for name, (parameter, kind) in PARAMETERS.items()
        if given[name]
    }
    parameters["use_sim_time"] = given["use_sim_time"] == "true"
    if shown:
        parameters["safety.require_robot_state"] = False
    return Node(
        package="hand_recon_ros",
        executable="hand_teleop_node",
        name=NODE,
        namespace=given["namespace"],
        parameters=[given["params_file"], parameters],
        remappings=[
            ("hands", given["hands"]),
            *((f"~/{side}/command", given[f"{side}_command"]) for side in SIDES),
            *((f"{side}/joint_states", given[f"{side}_joint_states"]) for side in SIDES),
        ],
        output="screen",
        emulate_tty=True,
    )


def robot_picture(path: str, given: dict) -> list:
    """One robot hand for RViz, fed with its commands; both stand side by side, palms to us."""
    try:
        robot = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        side = robot["side"]
        description = (Path(path).parent / robot["urdf"]).read_text(encoding="utf-8")
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise RuntimeError(f"robot:={path} is no robot file: {error!r}") from None
    sim_time = {"use_sim_time": given["use_sim_time"] == "true"}
    publisher = Node(
        package="robot_state_publisher",
        executable="robot_state_publisher",
        name=f"{side}_robot_state_publisher",
        namespace=given["namespace"],
        parameters=[
            {
                "robot_description": ParameterValue(description, value_type=str),
                "frame_prefix": f"{side}_robot/",
                **sim_time,
            }
        ],
        remappings=[
            ("joint_states", given[f"{side}_command"]),
            ("robot_description", f"{side}_robot_description"),
        ],
        output="screen",
    )
    place = Node(
        package="tf2_ros",
        executable="static_transform_publisher",
        name=f"{side}_robot_place",
        namespace=given["namespace"],
        arguments=[
            *("--y", "0.15" if side == "left" else "-0.15"),
            *("--frame-id", "robots", "--child-frame-id", f"{side}_robot/{base_link(description)}"),
        ],
        parameters=[sim_time],
        output="log",
    )
    return [publisher, place]


def base_link(urdf: str) -> str:
    """The link of a URDF that is no joint's child."""
    robot = ElementTree.fromstring(urdf)
    children = {joint.find("child").get("link") for joint in robot.findall("joint")}
    return next(
        link.get("name") for link in robot.findall("link") if link.get("name") not in children
    )


def rviz(given: dict) -> Node:
    return Node(
        package="rviz2",
        executable="rviz2",
        name="teleop_rviz",
        arguments=["-d", given["rviz_config"]],
        parameters=[{"use_sim_time": given["use_sim_time"] == "true"}],
        output="log",
    )
