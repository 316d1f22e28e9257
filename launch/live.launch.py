"""Hands from a camera topic: the node, and on request a camera driver and RViz.

ros2 launch hand_recon_ros live.launch.py image:=/camera/image_raw
ros2 launch hand_recon_ros live.launch.py camera:=usb_cam rviz:=true
"""

import os
from pathlib import Path, PurePosixPath

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

SHARE = Path(get_package_share_directory("hand_recon_ros"))
NODE = "hand_recon_node"

# Launch arguments that stand for a parameter of the same meaning; empty = as in params_file.
PARAMETERS = {
    "hand_length_m": ("fit.hand_length_m", float),
    "device": ("device", str),
    "mirrored": ("detector.mirrored", bool),
    "image_transport": ("image_transport", str),
    "image_reliability": ("image_reliability", str),
    "camera_frame": ("camera_frame", str),
    "frame_prefix": ("frame_prefix", str),
    "mesh": ("markers.mesh", bool),
    "trails": ("markers.trails", bool),
}
CHOICES = {
    "device": ["", "auto", "cpu", "cuda"],
    "mirrored": ["", "true", "false"],
    "image_transport": ["", "raw", "compressed"],
    "image_reliability": ["", "best_effort", "reliable"],
    "mesh": ["", "true", "false"],
    "trails": ["", "true", "false"],
    "use_sim_time": ["true", "false"],
    "rviz": ["true", "false"],
    "camera": ["none", "usb_cam", "v4l2_camera"],
}
ARGUMENTS = {
    "image": ("/camera/image_raw", "Topic of the camera's images (without /compressed)."),
    "camera_info": ("", "Topic of the calibration; empty = camera_info next to the image topic."),
    "params_file": (str(SHARE / "config" / "live.yaml"), "YAML file of the node's parameters."),
    "namespace": ("", "Namespace of the node."),
    "hand_length_m": (
        "",
        "Wrist to middle finger tip of the user's flat hand, metres: makes distances metric. "
        "Empty = as in params_file.",
    ),
    "device": ("", "Where torch runs. Empty = as in params_file."),
    "mirrored": ("", "The images are mirrored (selfie view). Empty = as in params_file."),
    "image_transport": ("", "What the camera sends. Empty = as in params_file."),
    "image_reliability": ("", "Quality of service of the images. Empty = as in params_file."),
    "camera_frame": ("", "Optical frame of the camera. Empty = the images' own frame_id."),
    "frame_prefix": ("", "Put before the names of the published frames."),
    "mesh": ("", "Show the hands' surface in ~/markers. Empty = as in params_file."),
    "trails": ("", "Show motion trails in ~/markers. Empty = as in params_file."),
    "hands": (f"{NODE}/hands", "Remaps the output topic ~/hands."),
    "markers": (f"{NODE}/markers", "Remaps the output topic ~/markers."),
    "overlay": (f"{NODE}/overlay", "Remaps the output topic ~/overlay."),
    "tf": ("/tf", "Remaps /tf."),
    "use_sim_time": ("false", "Take the time from /clock (a rosbag played with --clock)."),
    "rviz": ("false", "Start RViz."),
    "rviz_config": (str(SHARE / "rviz" / "hand_recon.rviz"), "RViz configuration."),
    "fixed_frame": ("", "RViz's fixed frame; empty = camera_frame, else that of rviz_config."),
    "camera": ("none", "Camera driver to start as well (install its package first)."),
    "video_device": ("/dev/video0", "Device of the camera driver."),
    "image_width": ("640", "Image width of the camera driver, px."),
    "image_height": ("480", "Image height of the camera driver, px."),
    "camera_info_url": ("", "Calibration file of the camera driver, for example file:///c.yaml."),
}
DRIVER_FRAME = "camera_optical_frame"


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
    if not given["camera_info"]:
        given["camera_info"] = str(PurePosixPath(given["image"]).with_name("camera_info"))
    actions = [*shared_memory(), hand_recon(given)]
    if given["camera"] != "none":
        actions.append(camera_driver(given))
    if given["rviz"] == "true":
        actions.append(rviz(given))
    return actions


def number(given: dict, name: str, kind: type) -> float:
    try:
        return kind(given[name])
    except ValueError:
        raise RuntimeError(f"{name}:={given[name]} is no {kind.__name__}") from None


def shared_memory() -> list:
    """Give Fast DDS room for images, unless the user has a profile of their own."""
    profile = str(SHARE / "config" / "fastdds_shm.xml")
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # Jazzy, Kilted
    if any(os.environ.get(name) for name in names):
        return []
    return [SetEnvironmentVariable(name, profile) for name in names]


def hand_recon(given: dict) -> Node:
    parameters = {
        parameter: number(given, name, float)
        if kind is float
        else ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind) in PARAMETERS.items()
        if given[name]
    }
    parameters["use_sim_time"] = given["use_sim_time"] == "true"
    return Node(
        package="hand_recon_ros",
        executable="hand_recon_node",
        name=NODE,
        namespace=given["namespace"],
        parameters=[given["params_file"], parameters],
        remappings=[
            ("image", given["image"]),
            ("image/compressed", given["image"] + "/compressed"),
            ("camera_info", given["camera_info"]),
            ("~/hands", given["hands"]),
            ("~/markers", given["markers"]),
            ("~/overlay", given["overlay"]),
            ("/tf", given["tf"]),
        ],
        output="screen",
        emulate_tty=True,
    )


def camera_driver(given: dict) -> Node:
    width, height = number(given, "image_width", int), number(given, "image_height", int)
    frame = given["camera_frame"] or DRIVER_FRAME
    common = {"video_device": given["video_device"], "camera_info_url": given["camera_info_url"]}
    if given["camera"] == "usb_cam":
        executable = "usb_cam_node_exe"
        own = {
            "frame_id": frame,
            "image_width": width,
            "image_height": height,
            "framerate": 30.0,
            "pixel_format": "mjpeg2rgb",  # USB 2 carries raw 720p only at 10 frames a second
        }
    else:
        executable = "v4l2_camera_node"
        own = {"camera_frame_id": frame, "image_size": [width, height], "output_encoding": "rgb8"}
    return Node(
        package=given["camera"],
        executable=executable,
        name="camera",
        namespace=given["namespace"],
        parameters=[common | own],
        remappings=[
            ("image_raw", given["image"]),
            ("image_raw/compressed", given["image"] + "/compressed"),
            ("camera_info", given["camera_info"]),
        ],
        output="screen",
    )


def rviz(given: dict) -> Node:
    frame = given["fixed_frame"] or given["camera_frame"]
    namespace = given["namespace"].strip("/")
    base = f"/{namespace}/" if namespace else "/"
    topics = {name: given[name] for name in ("markers", "overlay")}
    return Node(
        package="rviz2",
        executable="rviz2",
        name="rviz",
        arguments=["-d", given["rviz_config"], *(["-f", frame] if frame else [])],
        parameters=[{"use_sim_time": given["use_sim_time"] == "true"}],
        remappings=[
            *((f"/{NODE}/{n}", t if t.startswith("/") else base + t) for n, t in topics.items()),
            ("/camera/image_raw", given["image"]),
            ("/tf", given["tf"]),
        ],
        output="log",
    )
