"""The one configuration object and its texts."""

from pathlib import Path

import pytest
import yaml

from hand_recon_ros.config import Config, options
from hand_recon_ros.config_io import (
    apply_overrides,
    config_from_mapping,
    config_from_yaml,
    config_to_dict,
)
from hand_recon_ros.options import ConfigError


def test_every_option_has_a_meaning_and_a_default_inside_its_range():
    for option in options():
        assert option.help, option.name
        config_from_mapping({option.name: option.default})
        if option.type in (int, float):
            assert option.low is not None, option.name
            assert option.high is not None, option.name


def test_defaults_survive_a_round_trip():
    assert config_from_mapping(config_to_dict(Config())) == Config()


def test_flat_and_nested_names_mean_the_same():
    nested = config_from_mapping({"fit": {"hand_length_m": 0.19}, "device": "cpu"})
    flat = config_from_mapping({"fit.hand_length_m": 0.19, "device": "cpu"})
    assert nested == flat
    assert nested.fit.hand_length_m == 0.19
    assert nested.filter == Config().filter


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["fit.hand_lenght_m=0.2"], ["fit.hand_lenght_m", "fit.hand_length_m"]),
        (["fit.hand_length_m=long"], ["fit.hand_length_m", "float"]),
        (["fit.hand_length_m=7"], ["0.3"]),
        (["fit.hand_length_m=.nan"], ["finite"]),
        (["detector.front_end=yolo"], ["mediapipe"]),
        (["detector.max_hands=true"], ["int"]),
        (["detector.mirrored"], ["key=value"]),
        (["device=tpu"], ["auto", "cuda"]),
        (["detector.max_hands={"], ["detector.max_hands", "int"]),
        (["filter.savgol_window=4"], ["filter.savgol_window", "odd"]),
        (["filter.savgol_order=5"], ["filter.savgol_order", "below filter.savgol_window, 5"]),
    ],
)
def test_a_bad_override_names_the_option_and_the_remedy(overrides, words):
    with pytest.raises(ConfigError) as error:
        apply_overrides(Config(), overrides)
    for word in words:
        assert word in str(error.value)


def test_a_float_may_be_written_as_everywhere_else():
    assert apply_overrides(Config(), ["fit.sigma_prior_m=8e-3"]).fit.sigma_prior_m == 0.008


def test_overrides_are_typed():
    config = apply_overrides(
        Config(), ["fit.hand_length_m=0", "detector.mirrored=true", "model.right_path=1.pkl"]
    )
    assert config.fit.hand_length_m == 0.0
    assert config.detector.mirrored is True
    assert config.model.right_path == "1.pkl"


def test_a_ros_parameter_file_serves_the_core_too(tmp_path: Path):
    path = tmp_path / "live.yaml"
    document = {"/**": {"ros__parameters": {"image_transport": "raw", "fit": {"sigma_px": 3.0}}}}
    path.write_text(yaml.safe_dump(document))
    assert config_from_yaml(path).fit.sigma_px == 3.0


@pytest.mark.parametrize(
    ("text", "word"),
    [("fit: [1", "not YAML"), ("- 1", "section"), ("fit: {sigma_pxx: 1}", "sigma_px")],
)
def test_a_bad_file_is_named(tmp_path: Path, text: str, word: str):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=word) as error:
        config_from_yaml(path)
    assert "bad.yaml" in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        config_from_yaml(tmp_path / "nowhere.yaml")


def test_an_empty_file_and_an_empty_section_are_the_defaults(tmp_path: Path):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert config_from_yaml(path) == Config()
    path.write_text("fit:\n")
    assert config_from_yaml(path) == Config()
