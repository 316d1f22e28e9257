"""report.html and report.json: what is in them, and that they stand alone."""

from __future__ import annotations

import base64
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluations import HOSTILE, evaluation_of, frames_of, full_evaluation, run_of
from numpy.typing import NDArray

from hand_recon_ros.config import Config
from hand_recon_ros.config_io import apply_overrides
from hand_recon_ros.evaluation.results import Evaluation, FrameNumbers
from hand_recon_ros.evaluation.run_info import RunInfo
from hand_recon_ros.report.files import ReportError, load
from hand_recon_ros.report.write import write_report

VOID = {"meta", "img", "br", "link", "input", "hr", "circle", "line", "rect", "path"}


class Page(HTMLParser):
    """Collects tags with attributes, text by tag, and checks that tags close in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def grey(frame: FrameNumbers) -> NDArray[np.uint8]:
    return np.full((720, 1280, 3), (200, 100, 50), np.uint8)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return full_evaluation()


@pytest.fixture(scope="module")
def folder(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "new"
    run = RunInfo.collect(
        HOSTILE, apply_overrides(Config(), ["fit.hand_length_m=0.19"]), seconds=12.5, seed=3
    )
    assert write_report(folder, evaluation, run=run, picture=grey) == folder / "report.html"
    return folder


def test_json_round_trip_is_exact(folder: Path, evaluation: Evaluation) -> None:
    report = load(folder)
    assert report.evaluation == evaluation
    assert report.run.config["fit"]["hand_length_m"] == 0.19
    assert (report.run.seed, report.run.seconds, report.run.source) == (3, 12.5, HOSTILE)
    assert report.run.versions["numpy"] == np.__version__
    assert re.fullmatch(r"[0-9a-f]{64}", report.run.models["embedded_hand.npz"])


@pytest.mark.parametrize(
    ("settings", "learned"),
    [
        ([], True),
        (["detector.front_end=mediapipe"], False),
        (["regressor=acr_official", "acr_checkpoint=mine.pkl"], False),
    ],
)
def test_only_weights_that_were_used_are_told(settings: list[str], learned: bool) -> None:
    run = RunInfo.collect("take.mp4", apply_overrides(Config(), settings), seconds=1.0, seed=0)
    networks = {"detector.safetensors", "cpm.safetensors", "acr.safetensors"}
    assert networks & set(run.models) == (networks if learned else set())


def test_numbers_of_the_page_are_those_of_the_json(folder: Path) -> None:
    shown = {float(tag["value"]) for tag in Page(folder / "report.html").all("data")}
    data = json.loads((folder / "report.json").read_text())["evaluation"]
    assert set(data["summary"].values()) <= shown
    assert set(data["per_joint_mm"]) <= shown
    worst = sorted((f["values"].get("mpjpe_mm", 0.0) for f in data["frames"]), reverse=True)
    assert worst[0] in shown


def test_page_shows_what_a_reader_needs(folder: Path, evaluation: Evaluation) -> None:
    text = Page(folder / "report.html").text
    for metric in evaluation.metrics:
        assert metric.title in text
        assert metric.text in text
    for told in (
        "3 frames could not be read", "Some Net", "6.25", "not found: 10 frames",
        "only predicted: 4 frames", "fit.hand_length_m", "median", "12.50 s",
    ):  # fmt: skip
        assert told in text


def test_page_stands_alone(folder: Path) -> None:
    page = Page(folder / "report.html")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data", "poster", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not page.all("link")
    assert all("src" not in script for script in page.all("script"))
    source = (folder / "report.html").read_text()
    assert not re.search(r"@import|url\((?!#)", source)
    assert re.search(r"default-src 'none'", source)


def test_names_are_escaped(folder: Path) -> None:
    page = Page(folder / "report.html")
    assert HOSTILE in page.text
    assert len(page.all("script")) == 1
    assert not page.all("b")
    assert not page.all("i")


def test_worst_frames_come_with_small_pictures_and_not_next_to_each_other(
    folder: Path, evaluation: Evaluation
) -> None:
    page = Page(folder / "report.html")
    pictures = [tag["src"] for tag in page.all("img")]
    assert len(pictures) == 10
    content = base64.b64decode(pictures[0].removeprefix("data:image/jpeg;base64,"))
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (360, 640, 3)
    assert np.abs(image.mean(axis=(0, 1)) - (50, 100, 200)).max() < 4  # OpenCV reads BGR
    indices = sorted(int(tag["alt"].split()[-1]) for tag in page.all("img"))
    assert min(np.diff(indices)) >= 5
    worst = max(evaluation.frames, key=lambda frame: frame.values.get("mpjpe_mm", 0))
    assert page.all("img")[0]["alt"].endswith(f" {worst.index}")


def test_every_table_has_headers_and_pictures_have_words(folder: Path) -> None:
    page = Page(folder / "report.html")
    assert all(tag.get("scope") in ("row", "col") for tag in page.all("th"))
    assert all(tag.get("alt") for tag in page.all("img"))
    for tag in page.all("svg"):
        assert tag.get("aria-hidden") == "true" or (tag["role"] == "img" and tag["aria-label"])


def test_a_run_with_next_to_nothing_has_a_page(tmp_path: Path) -> None:
    write_report(tmp_path, Evaluation("empty", {}, ()), run=run_of())
    page = Page(tmp_path / "report.html")
    assert "empty" in page.text
    assert not page.all("figure")
    assert load(tmp_path).evaluation == Evaluation("empty", {}, ())


def test_numbers_that_are_none_or_not_finite(tmp_path: Path) -> None:
    frames = frames_of([np.nan, np.nan, np.nan])
    evaluation = replace(
        evaluation_of(frames),
        summary={"mpjpe_mm": math.nan, "lag_ms": math.inf, "new_number": 7.125},
        per_joint_mm=(math.nan,) * 21,
        latencies_ms=(math.nan, 5.0),
    )
    write_report(tmp_path, evaluation, run=run_of(), picture=lambda frame: None)
    assert "NaN" not in (tmp_path / "report.json").read_text()
    back = load(tmp_path).evaluation
    assert math.isnan(back.summary["mpjpe_mm"])
    assert math.isnan(back.summary["lag_ms"])
    assert np.isnan(back.per_joint_mm or ()).all()
    assert back.latencies_ms[1] == 5.0
    assert back.frames == frames
    page = Page(tmp_path / "report.html")
    assert "7.125" in page.text, "a number without definition is shown by its name"
    assert "nan" not in page.text.lower().split()


def test_long_runs_give_small_pages(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    errors = rng.uniform(5, 15, 20_000)
    errors[7777] = 300.0
    more = {name: rng.uniform(0, 1, 20_000) for name in ("f5", "error_2d_px", "jitter_mm_s2")}
    write_report(tmp_path, evaluation_of(frames_of(errors, **more)), run=run_of())
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
    text = Page(tmp_path / "report.html").text
    assert "20000 frames, drawn as their extremes" in text
    assert "up to 300" in text


@pytest.mark.parametrize(
    "content", [None, "{", "[]", '{"run": {}}', '{"evaluation": {}, "run": {}}']
)
def test_no_report_names_the_file_and_the_remedy(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(ReportError, match=r"report\.json.*hand_recon evaluate"):
        load(tmp_path)


def test_run_info_of_another_version_is_refused() -> None:
    info = run_of(config={"fit": {"x": 1}}, seed=4)
    assert RunInfo.from_json(json.loads(json.dumps(info.to_json()))) == info
    with pytest.raises(ValueError, match="colour"):
        RunInfo.from_json({**info.to_json(), "colour": "red"})
