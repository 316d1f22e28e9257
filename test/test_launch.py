"""Launch file, RViz configuration and Fast DDS profile fit the node."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LAUNCH_FILE = ROOT / "launch" / "live.launch.py"
PROFILE = ROOT / "config" / "fastdds_shm.xml"
RVIZ = ROOT / "rviz" / "hand_recon.rviz"
NODE = "hand_recon_node"
PROFILE_NAMES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")


def constants():
    """The tables of the launch file that are plain values, read without running it."""
    tree = ast.parse(LAUNCH_FILE.read_text(), str(LAUNCH_FILE))
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            name = statement.targets[0].id
            if name in ("PARAMETERS", "CHOICES", "ARGUMENTS", "NODE"):
                found[name] = statement.value
    return found


def keys(name):
    return [key.value for key in constants()[name].keys]


def test_every_argument_has_a_description():
    for name, entry in zip(keys("ARGUMENTS"), constants()["ARGUMENTS"].values, strict=True):
        default, description = entry.elts
        assert isinstance(default, ast.expr)
        assert len(ast.literal_eval(description)) > 10, name


def test_tables_of_arguments_agree():
    assert set(keys("PARAMETERS")) <= set(keys("ARGUMENTS"))
    assert set(keys("CHOICES")) <= set(keys("ARGUMENTS"))


def test_arguments_stand_for_parameters_that_exist():
    parameters = pytest.importorskip(
        "hand_recon_ros.nodes.parameters", reason="needs ROS (make setup)"
    )
    choices = dict(zip(keys("CHOICES"), constants()["CHOICES"].values, strict=True))
    for argument, entry in zip(keys("PARAMETERS"), constants()["PARAMETERS"].values, strict=True):
        name, kind = entry.elts
        option = parameters.ALL_OPTIONS[name.value]
        assert option.type.__name__ == kind.id
        if option.choices:
            assert ast.literal_eval(choices[argument]) == ["", *option.choices]


def displays():
    document = yaml.safe_load(RVIZ.read_text())
    return document["Visualization Manager"]["Displays"]


def test_rviz_shows_the_node_s_topics():
    topics = {d["Name"]: d["Topic"]["Value"] for d in displays() if "Topic" in d}
    assert topics == {
        "Hands": f"/{NODE}/markers",
        "Overlay": f"/{NODE}/overlay",
        "Camera": "/camera/image_raw",
    }
    assert ast.literal_eval(constants()["NODE"]) == NODE
    kinds = {d["Class"].removeprefix("rviz_default_plugins/") for d in displays() if d["Enabled"]}
    assert {"Grid", "MarkerArray", "TF", "Image"} <= kinds


def test_rviz_shows_the_markers_namespaces():
    markers = (ROOT / "hand_recon_ros" / "nodes" / "markers.py").read_text()
    (hands,) = [d for d in displays() if d["Name"] == "Hands"]
    used = re.findall(r'_marker\(\s*header, "(\w+)"', markers)
    assert set(hands["Namespaces"]) == set(used)
    assert all(hands["Namespaces"].values())


def test_profile_gives_images_room():
    tree = ElementTree.parse(PROFILE)
    text = {e.tag.rpartition("}")[2]: e.text for e in tree.iter() if e.text and e.text.strip()}
    assert text["segment_size"] == str(64 * 2**20)
    assert text["maxMessageSize"] == str(16 * 2**20)
    kinds = [e.text for e in tree.iter() if e.tag.endswith("}type")]
    assert kinds == ["SHM", "UDPv4"]


def test_profile_is_read_by_fast_dds(tmp_path):
    """A participant with the profile holds a segment of that size, and complains of nothing."""
    pytest.importorskip("rclpy", reason="needs ROS (make setup)")
    if os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp") != "rmw_fastrtps_cpp":
        pytest.skip("another middleware than Fast DDS is set")
    if shutil.disk_usage("/dev/shm").free < 256 * 2**20:
        pytest.skip("/dev/shm is too small (Docker: shm_size 1g)")
    script = tmp_path / "probe.py"
    script.write_text(
        "import os, re, rclpy\n"
        "rclpy.init()\n"
        "node = rclpy.create_node('probe')\n"
        "maps = open('/proc/self/maps').read()\n"
        "for path in set(re.findall(r'/dev/shm/fast(?:rtps|dds)_\\w+', maps)):\n"
        "    print(os.stat(path).st_size)\n"
    )
    environment = os.environ | dict.fromkeys(PROFILE_NAMES, str(PROFILE))
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "xml" not in done.stderr.lower(), done.stderr
    sizes = [int(line) for line in done.stdout.split()]
    assert max(sizes) >= 64 * 2**20


# The launch file run by the real launch and launch_ros, with executables that note what they are
# given instead of the node, the drivers and RViz

PROBE = f"""#!{sys.executable}
import json, os, sys
import yaml
arguments, parameters, files = sys.argv[1:], {{}}, []
for flag, path in zip(arguments, arguments[1:]):
    if flag == "--params-file":
        files.append(path)
        for section in yaml.full_load(open(path)).values():
            if not path.endswith("live.yaml"):
                parameters |= section["ros__parameters"]
rules = [b for a, b in zip(arguments, arguments[1:]) if a == "-r"]
note = {{
    "arguments": arguments,
    "remappings": dict(rule.split(":=", 1) for rule in rules),
    "parameters": parameters,
    "files": files,
    "environment": dict(os.environ),
}}
json.dump(note, open(os.path.join(os.environ["PROBE_NOTES"], sys.argv[0].split("/")[-1]), "w"))
"""
EXECUTABLES = {
    "hand_recon_ros": "hand_recon_node",
    "usb_cam": "usb_cam_node_exe",
    "v4l2_camera": "v4l2_camera_node",
    "rviz2": "rviz2",
}


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Run the launch file with arguments; return what each executable was given."""
    # `launch` alone would also find the folder launch/ of this repository
    pytest.importorskip("launch_ros", reason="launch_ros is only in a full ROS 2 installation")
    from launch import LaunchService
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    prefix, notes = tmp_path / "prefix", tmp_path / "notes"
    index = prefix / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    notes.mkdir()
    for package, executable in EXECUTABLES.items():
        (index / package).touch()
        path = prefix / "lib" / package / executable
        path.parent.mkdir(parents=True)
        path.write_text(PROBE)
        path.chmod(0o755)
    share = prefix / "share" / "hand_recon_ros"
    share.mkdir()
    for folder in ("config", "rviz", "launch"):
        (share / folder).symlink_to(ROOT / folder)
    for name in PROFILE_NAMES:
        monkeypatch.delenv(name, raising=False)
    known = os.environ.get("AMENT_PREFIX_PATH", "")
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join([str(prefix), known]))
    monkeypatch.setenv("PROBE_NOTES", str(notes))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))

    def run(**arguments):
        service = LaunchService(noninteractive=True)
        service.include_launch_description(
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(str(share / "launch" / LAUNCH_FILE.name)),
                launch_arguments=arguments.items(),
            )
        )
        code = service.run()
        found = {path.name: json.loads(path.read_text()) for path in notes.iterdir()}
        return code, found

    return run


def only(result, executable="hand_recon_node"):
    code, found = result
    assert code == 0
    return found[executable]


def test_launch_starts_the_node_with_the_shipped_parameters(start):
    code, found = start(image="/cam/image_raw")
    assert (code, list(found)) == (0, ["hand_recon_node"])
    node = found["hand_recon_node"]
    assert node["remappings"] == {
        "__node": NODE,
        "__ns": "/",
        "image": "/cam/image_raw",
        "image/compressed": "/cam/image_raw/compressed",
        "camera_info": "/cam/camera_info",
        "~/hands": f"{NODE}/hands",
        "~/markers": f"{NODE}/markers",
        "~/overlay": f"{NODE}/overlay",
        "/tf": "/tf",
    }
    assert node["parameters"] == {"use_sim_time": False}
    assert Path(node["files"][0]).read_text() == (ROOT / "config" / "live.yaml").read_text()


@pytest.mark.parametrize(
    ("image", "info", "expected"),
    [
        ("/a/b/image_raw", "", "/a/b/camera_info"),
        ("/image", "", "/camera_info"),
        ("image", "", "camera_info"),
        ("cam/image", "", "cam/camera_info"),
        ("/a/image", "/b/info", "/b/info"),
    ],
)
def test_camera_info_lies_next_to_the_image(start, image, info, expected):
    node = only(start(image=image, camera_info=info))
    assert node["remappings"]["camera_info"] == expected


def test_arguments_become_typed_parameters(start, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("/**: {ros__parameters: {stale_after_s: 5.0, device: cuda}}")
    node = only(
        start(
            hand_length_m="0.19",
            device="cpu",
            mirrored="true",
            image_transport="compressed",
            image_reliability="reliable",
            camera_frame="optical",
            frame_prefix="7",
            mesh="false",
            trails="false",
            use_sim_time="true",
            params_file=str(own),
            namespace="robot",
        )
    )
    assert node["parameters"] == {
        "stale_after_s": 5.0,
        "fit.hand_length_m": 0.19,
        "device": "cpu",
        "detector.mirrored": True,
        "image_transport": "compressed",
        "image_reliability": "reliable",
        "camera_frame": "optical",
        "frame_prefix": "7",
        "markers.mesh": False,
        "markers.trails": False,
        "use_sim_time": True,
    }
    assert node["files"][0] == str(own)
    assert node["remappings"]["__ns"] == "/robot"


def test_whole_number_as_hand_length_is_a_float(start):
    node = only(start(hand_length_m="0"))
    assert repr(node["parameters"]["fit.hand_length_m"]) == "0.0"


@pytest.mark.parametrize(
    ("name", "value"), [("device", "gpu"), ("camera", "kinect"), ("rviz", "1")]
)
def test_bad_choice_is_refused(start, name, value, caplog):
    code, found = start(**{name: value})
    assert (code, found) == (1, {})
    assert re.search(f'"{name}" provided value "{value}" is not valid', caplog.text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"hand_length_m": "19cm"}, "hand_length_m:=19cm is no float"),
        ({"camera": "usb_cam", "image_width": "HD"}, "image_width:=HD is no int"),
    ],
)
def test_bad_number_is_named(start, arguments, words, caplog):
    code, found = start(**arguments)
    assert (code, found) == (1, {})
    assert words in caplog.text


@pytest.mark.parametrize(
    ("camera", "executable"), [("usb_cam", "usb_cam_node_exe"), ("v4l2_camera", "v4l2_camera_node")]
)
def test_camera_driver_feeds_the_node(start, camera, executable):
    result = start(camera=camera, video_device="/dev/video7", image_width="1280")
    driver, node = only(result, executable), only(result)
    for theirs, ours in {
        "image_raw": "image",
        "image_raw/compressed": "image/compressed",
        "camera_info": "camera_info",
    }.items():
        assert driver["remappings"][theirs] == node["remappings"][ours]
    parameters = driver["parameters"]
    assert parameters["video_device"] == "/dev/video7"
    fixed = yaml.safe_load(RVIZ.read_text())["Visualization Manager"]["Global Options"]
    frame = "frame_id" if camera == "usb_cam" else "camera_frame_id"
    assert parameters[frame] == fixed["Fixed Frame"]
    size = parameters.get("image_size") or [parameters["image_width"], parameters["image_height"]]
    assert list(size) == [1280, 480]


def test_rviz_follows_the_remaps(start):
    result = start(rviz="true", namespace="robot", overlay="/seen", image="/c/i")
    rviz = only(result, "rviz2")
    assert rviz["remappings"] == {
        "__node": "rviz",
        f"/{NODE}/markers": f"/robot/{NODE}/markers",
        f"/{NODE}/overlay": "/seen",
        "/camera/image_raw": "/c/i",
        "/tf": "/tf",
    }
    assert rviz["arguments"][0] == "-d"
    assert Path(rviz["arguments"][1]).read_text() == RVIZ.read_text()


def test_fixed_frame_reaches_rviz(start):
    rviz = only(start(rviz="true", camera_frame="optical"), "rviz2")
    assert rviz["arguments"][2:4] == ["-f", "optical"]


def test_profile_is_set_unless_the_user_has_one(start, monkeypatch):
    environment = only(start())["environment"]
    for name in PROFILE_NAMES:
        assert Path(environment[name]).read_text() == PROFILE.read_text()
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(PROFILE_NAMES[0], "/mine.xml")
    environment = only(start())["environment"]
    assert environment[PROFILE_NAMES[0]] == "/mine.xml"
    assert PROFILE_NAMES[1] not in environment
