"""ROS parameters mirror the configuration, with real nodes."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

pytest.importorskip("rclpy", reason="needs ROS (make setup)")

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from hand_recon_ros.config import Config, options
from hand_recon_ros.nodes.parameter_table import NODE_ARGUMENTS
from hand_recon_ros.nodes.parameters import (
    ALL_OPTIONS,
    CORE_OPTIONS,
    NODE_OPTIONS,
    MarkerConfig,
    NodeConfig,
    declare_parameters,
    is_dynamic,
    parameters_markdown,
    parameters_yaml,
    read_config,
    with_dynamic,
)
from hand_recon_ros.options import ConfigError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def make_node():
    context = Context()
    rclpy.init(context=context, args=[])
    nodes = []

    def make(*arguments, **overrides):
        """A node with overrides from the command line (texts) or from code (values)."""
        command_line = [x for a in arguments for x in a.split(" ", 1)]
        node = Node(
            "probe",
            context=context,
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
            cli_args=["--ros-args", *command_line],
            parameter_overrides=[
                Parameter(name.replace("__", "."), value=value) for name, value in overrides.items()
            ],
            **NODE_ARGUMENTS,
        )
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def node(make_node):
    node = make_node()
    declare_parameters(node)
    return node


def test_names_of_core_and_node_do_not_collide():
    assert set(CORE_OPTIONS) == {option.name for option in options()}
    assert not set(CORE_OPTIONS) & set(NODE_OPTIONS)
    sections = {name.split(".")[0] for name in CORE_OPTIONS if "." in name}
    assert not sections & {name.split(".")[0] for name in NODE_OPTIONS}


def test_defaults_are_the_configuration_s(node):
    assert read_config(node) == (Config(), NodeConfig())


def test_every_parameter_is_described(node):
    for name, option in ALL_OPTIONS.items():
        descriptor = node.describe_parameter(name)
        assert descriptor.description.startswith(option.help)
        assert ("next configure" in descriptor.description) == (
            not is_dynamic(name) and name != "autostart"
        )
        for choice in option.choices:
            assert choice in descriptor.additional_constraints
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        assert [(r.from_value, r.to_value) for r in ranges] == (
            [] if option.low is None else [(option.low, option.high)]
        )


def test_overrides_arrive_in_both_configurations(make_node):
    node = make_node(
        fit__hand_length_m=0.19,
        detector__mirrored=True,
        image_transport="compressed",
        markers__trail_length=60,
        frame_prefix="op_",
    )
    declare_parameters(node)
    core, own = read_config(node)
    assert core == replace(
        Config(),
        fit=replace(core.fit, hand_length_m=0.19),
        detector=replace(core.detector, mirrored=True),
    )
    assert own == replace(
        NodeConfig(),
        image_transport="compressed",
        frame_prefix="op_",
        markers=replace(own.markers, trail_length=60),
    )


def test_command_line_overrides_arrive(make_node):
    node = make_node("-p fit.hand_length_m:=0.19", "-p device:=cpu", "-p use_sim_time:=true")
    declare_parameters(node)
    core, _ = read_config(node)
    assert (core.fit.hand_length_m, core.device) == (0.19, "cpu")


def test_whole_number_is_taken_for_a_float(make_node):
    node = make_node("-p fit.sigma_px:=3")
    declare_parameters(node)
    assert read_config(node)[0].fit.sigma_px == 3.0
    assert node.get_parameter("fit.sigma_px").type_ == Parameter.Type.DOUBLE


def test_shipped_file_is_accepted_and_holds_the_defaults(make_node):
    node = make_node(f"--params-file {ROOT / 'config' / 'live.yaml'}")
    declare_parameters(node)
    assert read_config(node) == (Config(), NodeConfig())


def test_readme_lists_every_parameter():
    """Rewrite its table by: python -m hand_recon_ros.nodes.parameters --markdown."""
    assert parameters_markdown() in (ROOT / "README.md").read_text()


def test_shipped_file_lists_every_parameter():
    """Rewrite it by: python -m hand_recon_ros.nodes.parameters > config/live.yaml."""
    text = (ROOT / "config" / "live.yaml").read_text()
    assert text == parameters_yaml()
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    flat = {}
    for name, value in values.items():
        flat |= (
            {f"{name}.{k}": v for k, v in value.items()}
            if isinstance(value, dict)
            else {name: value}
        )
    assert flat == {name: option.default for name, option in ALL_OPTIONS.items()}
    assert {n: type(v) for n, v in flat.items()} == {n: o.type for n, o in ALL_OPTIONS.items()}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("fit.hand_lenght_m:=0.19", "'fit.hand_lenght_m'.*Did you mean 'fit.hand_length_m'"),
        ("image_transprot:=raw", "'image_transprot'.*Did you mean 'image_transport'"),
        ("fit.hand_length_m:=abc", "'fit.hand_length_m' must be a float, got 'abc'"),
        ("fit.hand_length_m:=19.0", "'fit.hand_length_m' is 19.0; allowed: 0.0 to 0.3"),
        ("fit.hand_length_m:=.nan", "'fit.hand_length_m' must be finite"),
        ("fit.max_iterations:=2.5", "'fit.max_iterations' must be a int"),
        ("detector.mirrored:=1", "'detector.mirrored' must be a bool"),
        ("image_transport:=theora", "'image_transport' is 'theora'; allowed: raw, compressed"),
        ("image_reliability:=0", "'image_reliability' must be a str"),
        ("markers.trail_length:=1", "'markers.trail_length' is 1; allowed: 2 to 1000"),
        ("device:=gpu", "'device' is 'gpu'; allowed: auto, cpu, cuda"),
    ],
)
def test_bad_override_is_named_with_its_remedy(make_node, override, words):
    node = make_node(f"-p {override}")
    with pytest.raises(ConfigError, match=words):
        declare_parameters(node)


def test_parameter_of_another_node_is_only_warned_of(make_node, capfd):
    """One YAML file for several nodes ('/**') must not stop this one."""
    declare_parameters(make_node("-p zzz_qqq:=1"))
    assert "unknown parameter 'zzz_qqq' is ignored" in capfd.readouterr().err


def test_parameters_of_rclpy_are_known(make_node, capfd):
    declare_parameters(
        make_node("-p use_sim_time:=true", "-p qos_overrides./clock.subscription.depth:=2")
    )
    assert "unknown parameter" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("device", "gpu", "'device' is 'gpu'; allowed: auto, cpu, cuda"),
        ("image_transport", "theora", "'image_transport' is 'theora'; allowed: raw, compressed"),
        ("fit.hand_length_m", float("nan"), "hand_length_m"),
        ("fit.hand_length_m", 19.0, "hand_length_m"),
        ("fit.hand_length_m", "abc", "Wrong parameter type"),
        ("markers.trail_length", 1, "trail_length"),
        ("autostart", False, "read-only"),
    ],
)
def test_bad_change_at_run_time_is_refused(node, name, value, words):
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert words in result.reason
    assert read_config(node) == (Config(), NodeConfig())


def test_good_change_at_run_time_is_taken(node):
    changes = [Parameter("markers.mesh", value=False), Parameter("filter.smoothing", value="none")]
    assert all(result.successful for result in node.set_parameters(changes))
    core, own = read_config(node)
    assert core.filter.smoothing == "none"
    assert not own.markers.mesh


def test_only_what_acts_at_once_is_taken_over():
    before = NodeConfig()
    wanted = replace(
        before, publish_tf=False, image_transport="compressed", markers=MarkerConfig(mesh=False)
    )
    now = with_dynamic(before, wanted)
    assert now == replace(wanted, image_transport="raw")


def test_what_acts_at_once():
    assert is_dynamic("markers.mesh")
    assert is_dynamic("publish_tf")
    assert not is_dynamic("image_transport")
    assert not is_dynamic("fit.hand_length_m")
