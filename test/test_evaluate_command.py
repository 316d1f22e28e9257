"""``hand_recon evaluate`` on small data sets, with a front end that tells the truth."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from data_set_trees import Known, Moment, crop_camera, freihand_tree, interhand_tree, known_hand

from hand_recon_ros import cli, pipeline
from hand_recon_ros.evaluation.published import published_rows
from hand_recon_ros.front_end import FrontEnd
from hand_recon_ros.io.records import RecordWriter, frame_to_record, read_records, record_to_frame
from hand_recon_ros.metrics.definitions import METRICS
from hand_recon_ros.types import Detection, Frame, Keypoints

SPEED = ("--set", "render.engine=cpu")
HANDS = [known_hand("right", (0.0, 0.05, 0.5), seed) for seed in range(6)]
BOTH = known_hand("right", (-0.06, 0.05, 0.7), 1), known_hand("left", (0.05, 0.06, 0.75), 2)


@dataclass
class Oracle:
    """Stands in for detector and key point network: projects the true hands of each frame.

    Attributes:
        hands: gives the true hands of a frame.
        interrupt_at: number of the look at which the user presses Ctrl-C.
        seen: frames that were looked at.
    """

    hands: Callable[[Frame], list[Known]]
    interrupt_at: int = -1
    seen: list[tuple[str, int]] = field(default_factory=list)

    def detect(self, frame: Frame, previous: object) -> list[Detection]:
        if len(self.seen) == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        self.seen.append((Path(frame.source).name, frame.index))
        return [self._detection(hand, frame) for hand in self.hands(frame)]

    def _detection(self, hand: Known, frame: Frame) -> Detection:
        points = frame.camera.project(hand.joints)
        low, size = points.min(axis=0), np.ptp(points, axis=0)
        keypoints = Keypoints(
            hand.mano.side,
            0.95,
            points,
            np.ones(21),
            np.concatenate([low, size]),
            side_score=0.95,
            relative_m=hand.joints - hand.joints[0],
        )
        return Detection(hand.mano.side, 0.95, keypoints.box_px, hint=keypoints)

    def estimate(self, frame: Frame, detections: list[Detection]) -> list[Keypoints]:
        return [d.hint for d in detections]  # type: ignore[misc]

    def reset(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Oracle:
    own = Oracle(lambda frame: [HANDS[frame.index]])
    monkeypatch.setattr(pipeline, "configured_front_end", lambda *_: FrontEnd(own, own))
    return own


@pytest.fixture(scope="module")
def freihand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("freihand")
    freihand_tree(root, "evaluation", HANDS)
    return root


@pytest.fixture(scope="module")
def interhand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("interhand_30fps")
    frames = [(seq, 3 * k) for seq in ("ROM01", "ROM02", "ROM03") for k in range(5)]
    interhand_tree(root, [Moment(k, *BOTH, sequence=seq) for seq, k in frames])
    return root


def evaluate(*arguments: object) -> int:
    return cli.main(["evaluate", *map(str, arguments)])


def judge(root: Path, out: Path, *more: object, name: str = "freihand") -> int:
    return evaluate("--dataset", name, "--root", root, "-o", out, *SPEED, *more)


def results(folder: Path) -> list[dict]:
    """What was found, without the times that it took."""
    frames = [frame_to_record(frame) for frame in read_records(folder / "hands.jsonl")]
    return [{**frame, "timings_ms": {}} for frame in frames]


def summary(folder: Path) -> dict[str, float]:
    numbers = json.loads((folder / "report.json").read_text())["evaluation"]["summary"]
    return {name: value for name, value in numbers.items() if not name.startswith("latency")}


def test_a_data_set_is_measured_beside_published_rows(
    oracle: Oracle, freihand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(freihand, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert all(words in said for words in ("freihand/evaluation, 6 frames", "HaMeR", "WiLoR"))
    assert said.index("hand_recon_ros ") < said.index("HaMeR ")
    numbers = summary(tmp_path / "out")
    assert numbers["found_pct"] == 100
    assert numbers["pa_mpjpe_mm"] < 4
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000
    # The chain saw enlarged crops, the results speak of the data set's own pictures.
    assert numbers["error_2d_px"] < 0.01
    first = next(read_records(tmp_path / "out" / "hands.jsonl"))
    np.testing.assert_allclose(first.camera.K, crop_camera().K, atol=1e-5)
    points = crop_camera().project(HANDS[0].joints)
    np.testing.assert_allclose(first.hands[0].joints_px, points, atol=2e-3)


def test_pictures_that_are_gone_are_told(
    oracle: Oracle, freihand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(freihand, root)
    (root / "evaluation" / "rgb" / "00000002.jpg").unlink()
    (root / "evaluation" / "rgb" / "00000003.jpg").write_bytes(b"no jpeg")
    out = tmp_path / "out"
    assert judge(root, out) == 1
    assert "2 pictures were left out" in capsys.readouterr().out
    assert [frame["frame"] for frame in results(out)] == [0, 1, 4, 5]
    looks = len(oracle.seen)
    assert judge(root, out) == 1  # nothing is left to do, and the same is told
    assert "2 pictures were left out" in capsys.readouterr().out
    assert len(oracle.seen) == looks
    for file in (root / "evaluation" / "rgb").iterdir():
        file.unlink()
    assert judge(root, tmp_path / "none") == 2
    assert "not one picture could be used" in capsys.readouterr().err


def test_a_run_that_was_stopped_goes_on(
    oracle: Oracle, freihand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge(freihand, tmp_path / "whole") == 0
    oracle.seen, oracle.interrupt_at = [], 2
    assert judge(freihand, tmp_path / "parts") == 130
    assert "interrupted, kept: freihand/evaluation, 3 frames" in capsys.readouterr().out
    with (tmp_path / "parts" / "hands.jsonl").open("a") as file:
        file.write('{"frame": 3, "sou')  # the power went, too
    oracle.interrupt_at = -1
    assert judge(freihand, tmp_path / "parts") == 0
    assert [index for _, index in oracle.seen] == [0, 1, 2, 3, 4, 5]
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")


def test_a_sequence_that_was_stopped_starts_again(
    oracle: Oracle, interhand: Path, tmp_path: Path
) -> None:
    oracle.hands = lambda frame: list(BOTH)
    assert judge(interhand, tmp_path / "whole", name="interhand") == 0
    assert {
        hand["track_id"] for frame in results(tmp_path / "whole") for hand in frame["hands"]
    } == {
        1,
        2,
    }
    numbers = summary(tmp_path / "whole")
    assert numbers["identity_switches"] == 0
    assert numbers["pa_mpjpe_mm"] < 4
    oracle.seen, oracle.interrupt_at = [], 7
    assert judge(interhand, tmp_path / "parts", name="interhand") == 130
    oracle.interrupt_at = -1
    assert judge(interhand, tmp_path / "parts", name="interhand") == 0
    looks = [index for _, index in oracle.seen]
    assert looks == [0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert summary(tmp_path / "parts") == summary(tmp_path / "whole")


def test_a_folder_with_another_run_is_refused(
    oracle: Oracle, freihand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert judge(freihand, out, "--limit", 2) == 0
    before = (out / "hands.jsonl").read_bytes()
    for more, message in (
        (("--limit", 3), "limit was 2, now 3"),
        (("--limit", 2, "--set", "fit.hand_length_m=0.19"), "fit.hand_length_m was 0.0, now 0.19"),
    ):
        assert judge(freihand, out, *more) == 2
        assert message in capsys.readouterr().err
        assert (out / "hands.jsonl").read_bytes() == before
    (out / "evaluation.json").unlink()
    assert judge(freihand, out, "--limit", 2) == 2
    assert "results of something else" in capsys.readouterr().err


def moved(folder: Path, source: str, by_m: float, frames: slice = slice(None)) -> Path:
    """The results of another run: everything moved, and under another name."""
    out = folder / f"{source}.jsonl"
    with RecordWriter(out) as writer:
        for frame in list(read_records(folder / "hands.jsonl"))[frames]:
            record = frame_to_record(frame) | {"source": source}
            for hand in record["hands"]:
                shifted = np.array(hand["joints_m"]) + np.array([0.0, 0.0, by_m])
                hand["joints_m"] = shifted.tolist()
            writer.write(record_to_frame(record))
    return out


def test_one_results_file_against_another(
    oracle: Oracle, interhand: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    oracle.hands = lambda frame: list(BOTH)
    assert judge(interhand, tmp_path, "--limit", 5, name="interhand") == 0
    own = tmp_path / "hands.jsonl"
    capsys.readouterr()
    assert evaluate("--pred", own, "--truth", own, "-o", tmp_path / "same") == 0
    numbers = summary(tmp_path / "same")
    assert numbers["camera_space_mm"] == pytest.approx(0, abs=1e-6)
    # The true wrist is a smoothed one, that of a mesh is not.
    assert numbers["mpvpe_mm"] == pytest.approx(0, abs=0.01)
    far = moved(tmp_path, "far", 0.01)
    assert evaluate("--pred", far, "--truth", own, "-o", tmp_path / "far") == 0
    assert summary(tmp_path / "far")["camera_space_mm"] == pytest.approx(10, abs=1e-3)
    part = moved(tmp_path, "part", 0.0, slice(3))
    assert evaluate("--pred", part, "--truth", own) == 1
    assert "2 that only" in capsys.readouterr().out
    late = moved(tmp_path, "late", 0.0, slice(3, None))
    assert evaluate("--pred", late, "--truth", part) == 2
    assert "no frame in common" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "freihand", "-o", "out"), "needs --root"),
        (("--dataset", "freihand", "--root", "ROOT"), "needs -o"),
        (("--dataset", "freihand", "--root", "absent", "-o", "out"), "'absent' is not a folder"),
        (("--dataset", "freihand", "--root", "ROOT", "-o", "out", "--split", "x"), "no split 'x'"),
        (("--dataset", "freihand", "--root", "ROOT", "-o", "out", "--fps", "5"), "interhand"),
        (("--dataset", "freihand", "--root", "ROOT", "-o", "out", "--limit", "0"), "1 or more"),
        (("--dataset", "synthetic", "--root", "ROOT", "-o", "out"), "hand_recon synthesize"),
        (("--dataset", "synthetic", "-o", "out", "--set", "detector.mirrored=true"), "mirrored"),
        (("--dataset", "synthetic", "-o", "out", "--truth", "b.jsonl"), "--truth belongs"),
        (("--pred", "a.jsonl"), "needs --truth"),
        (("--pred", "a.jsonl", "--truth", "b.jsonl", "--limit", "3"), "--limit: only with"),
        (("--pred", "a.jsonl", "--truth", "b.jsonl"), "b.jsonl"),
    ],
)
def test_mistakes_end_in_one_clear_line(
    freihand: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert evaluate(*(freihand if a == "ROOT" else a for a in arguments)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_published_rows_name_known_metrics_and_a_source() -> None:
    sets = [("freihand", False), ("interhand", False), ("interhand", True), ("hic", True)]
    rows = [row for name, followed in sets for row in published_rows(name, followed=followed)]
    assert all(set(numbers) <= set(METRICS) and source for _, numbers, source in rows)
    acr = {source: numbers for method, numbers, source in rows if method == "ACR"}
    assert sorted(numbers["mpjpe_mm"] for numbers in acr.values()) == [8.09, 8.75]
    assert published_rows("synthetic") == ()
