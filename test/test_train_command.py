"""``hand_recon train`` from rendered views to weights that the chain loads."""

import json
import shutil
from collections.abc import Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from frame_helpers import label_mittens

from hand_recon_ros import cli
from hand_recon_ros.acr.network import Acr
from hand_recon_ros.detection.network import SsdRpn
from hand_recon_ros.keypoints.network import Cpm
from hand_recon_ros.networks.weights import load_weights, save_weights, weights_path
from hand_recon_ros.rendering.gl.context import RendererUnavailableError
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training import command, loss_table
from hand_recon_ros.training.background_terms import TERMS_FILE
from hand_recon_ros.training.baseline import BaselineOutput, HourglassBaseline
from hand_recon_ros.training.data import DataConfig, TrainingData, view_batches
from hand_recon_ros.training.detector_batch import DetectorBatch
from hand_recon_ros.training.exams import EXAM_VIEWS, crop_exams, frame_exams
from hand_recon_ros.training.loss_hands import HANDS_FILE, lone_hands, views_to_come
from hand_recon_ros.training.material import WHOLE_PHOTOGRAPHS
from hand_recon_ros.training.photo_frames import PhotoComposer
from hand_recon_ros.training.trainer import CHECKPOINT, TrainingError
from hand_recon_ros.training.view_set import ViewSet
from hand_recon_ros.training.views import VIEW_SIZE, RenderedViews
from hand_recon_ros.training.whole_frames import WholeComposer

VIEWS = 6
SMALL = ["batch=4", "producers=-1", "real_share=0", "ema_samples=8", "grounds=6", "views_kept=20"]


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("views") / EXAM_VIEWS
    source = RenderedViews(SynthesisConfig(data_dir=Path("missing")), seed=3)
    try:
        made = list(islice(source(0, 1), VIEWS))
    except RendererUnavailableError as error:
        pytest.skip(str(error))
    pixels, labels = zip(*made, strict=True)
    ViewSet(np.stack(pixels), np.stack(labels), VIEW_SIZE).save(path)
    return path


@pytest.fixture
def folder(views: Path, tmp_path: Path) -> Path:
    shutil.copy(views, tmp_path)
    return tmp_path


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder with one background."""
    folder = tmp_path / "room"
    folder.mkdir()
    picture = np.random.default_rng(0).integers(256, size=(120, 160, 3), dtype=np.uint8)
    assert cv2.imwrite(str(folder / "my_room_1.jpg"), picture)
    (folder / TERMS_FILE).write_text('{"my_room": "me, CC0"}')
    return folder


def train(
    kind: str,
    folder: Path,
    *options: str,
    minutes: float | None = None,
    more: Sequence[str] = (),
) -> int:
    changes = [word for change in (*SMALL, *options) for word in ("--set", change)]
    changes += [] if minutes is None else ["--minutes", str(minutes)]
    return cli.main(
        [
            "train", kind, "-o", str(folder), "--data", str(folder / "missing"),
            "--views", str(folder / EXAM_VIEWS), "--device", "cpu", *changes, *more,
        ]
    )  # fmt: skip


def log(folder: Path, kind: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / kind / "log.jsonl").read_text().splitlines()]


def test_key_points_and_regressor_are_trained_and_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("acr", folder, "samples=8", "half_size_samples=4") == 0
    assert "8 samples seen" in capsys.readouterr().out
    weights = folder / "acr" / "weights"
    assert load_weights(Cpm(), weights / "cpm.safetensors")["samples"] == 8
    load_weights(Acr(), weights / "acr.safetensors")
    card = (weights / "acr.md").read_text()
    assert "| samples | 8 |" in card
    assert "CC0" in card
    assert "rendered hands only" in card
    assert train("acr", folder, "samples=16") == 0
    seen = [line["seen"] for line in log(folder, "acr") if line["kind"] == "exam"]
    assert seen == [8, 16]
    assert (folder / "acr" / "predictions.jpg").stat().st_size > 10_000


def test_regressor_starts_from_key_point_weights(folder: Path) -> None:
    assert train("cpm", folder, "samples=4") == 0
    start = f"start_from={folder / 'cpm' / 'weights'}"
    card = folder / "cpm" / "weights" / "cpm.safetensors"
    save_weights(Cpm(), card, {"samples": 7, "data": {"photographs: mine": "me, CC0"}})
    assert train("acr", folder, "samples=4", start, "losses.asm=0.1") == 0
    assert "photographs: mine" in (folder / "acr" / "weights" / "cpm.md").read_text()
    assert any("asm" in line for line in log(folder, "acr"))


@pytest.mark.parametrize("kind", ["acr", "cpm"])
def test_training_goes_on_with_shipped_weights(folder: Path, kind: str) -> None:
    told = load_weights(*network_and_file(kind))
    total = told["samples"] + 4
    options = (f"samples={total}", "start_from=shipped", "learning_rate=1e-9")
    assert train(kind, folder, *options) == 0
    file = folder / kind / "weights" / f"{kind}.safetensors"
    network, shipped = network_and_file(kind)
    now = load_weights(type(network)(), file)
    assert now["samples"] == total
    assert now["hours"] >= told["hours"] > 0
    load_weights(network, shipped)
    trained = type(network)()
    load_weights(trained, file)
    name = next(iter(dict(network.named_parameters())))
    kept, gone_on = (dict(n.named_parameters())[name] for n in (network, trained))
    assert torch.allclose(kept, gone_on, atol=1e-3)
    assert train(kind, folder, *options) == 0  # the checkpoint goes before the weights


def test_a_detector_goes_on_with_a_folder_of_weights(folder: Path) -> None:
    assert train("detector", folder, "samples=4") == 0
    shutil.move(folder / "detector" / "weights", folder / "mine")
    shutil.rmtree(folder / "detector")
    start = f"start_from={folder / 'mine'}"
    assert train("detector", folder, "samples=8", start) == 0
    assert [line["seen"] for line in log(folder, "detector")] == [8, 8]  # a step and an exam
    gone = "start_from=nowhere"
    assert train("detector", folder, "samples=12", gone) == 0  # the checkpoint takes its place
    assert log(folder, "detector")[-1]["seen"] == 12
    shutil.rmtree(folder / "detector")
    assert train("detector", folder, "samples=8", gone) == cli.BAD_USE


def network_and_file(name: str) -> tuple[torch.nn.Module, Path]:
    return {"acr": Acr, "cpm": Cpm}[name](), weights_path(name)


def test_detector_is_trained_before_further_backgrounds(folder: Path, room: Path) -> None:
    options = ("--backgrounds", str(room))
    assert train("detector", folder, "samples=8", more=options) == 0
    weights = folder / "detector" / "weights"
    load_weights(SsdRpn(), weights / "detector.safetensors")
    assert "| backgrounds: my_room | me, CC0 |" in (weights / "detector.md").read_text()
    assert train("detector", folder, "samples=16") == 0  # it has learned from them all the same
    assert "| backgrounds: my_room | me, CC0 |" in (weights / "detector.md").read_text()
    checkpoint = folder / "detector" / CHECKPOINT
    state = torch.load(checkpoint, weights_only=True)
    del state["told"], state["best"]
    torch.save({**state, "best": 9.0}, checkpoint)  # as earlier versions wrote it
    assert train("detector", folder, "samples=24") == 0
    assert "my_room" not in (weights / "detector.md").read_text()


@pytest.mark.parametrize(("share", "shown"), [(0.5, 12), (1.0, 24), (0.0, 0)])
def test_the_detector_sees_photographs_as_they_are(
    folder: Path, share: float, shown: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = dict.fromkeys((WholeComposer, PhotoComposer), 0)
    for made_by in counts:
        frames = made_by.frames

        def counted(composer: Any, count: int, *rest: Any, frames: Any = frames) -> DetectorBatch:
            counts[type(composer)] += count
            return frames(composer, count, *rest)

        monkeypatch.setattr(made_by, "frames", counted)
    photos = folder / "labelled"
    label_mittens(photos, "alone", [(150, 300, True)])
    options = ("samples=48", "real_share=0.5", f"whole_share={share}")
    assert train("detector", folder, *options, more=["--photos", str(photos)]) == 0
    assert counts[WholeComposer] == pytest.approx(shown, abs=3)
    assert counts[PhotoComposer] == pytest.approx(24 - shown, abs=3)
    assert (folder / WHOLE_PHOTOGRAPHS).exists() == (share > 0)
    card = (folder / "detector" / "weights" / "detector.md").read_text()
    assert "| photographs: painted | drawn here, CC0 |" in card


def test_what_weights_learned_from_is_told_by_what_goes_on_with_them(
    folder: Path, room: Path
) -> None:
    photos = folder / "labelled"
    label_mittens(photos, "alone", [(150, 300, True)])
    more = ["--photos", str(photos), "--backgrounds", str(room)]
    assert train("detector", folder, "samples=8", "real_share=0.5", more=more) == 0
    shutil.move(folder / "detector" / "weights", folder / "mine")
    other, new = folder / "other", folder / "new"
    for runs in (other, new):
        runs.mkdir()
        shutil.copy(folder / EXAM_VIEWS, runs)
    for samples in (16, 24):  # from the weights, and from the checkpoint
        options = (f"samples={samples}", f"start_from={folder / 'mine'}")
        assert train("detector", other, *options) == 0
        card = (other / "detector" / "weights" / "detector.md").read_text()
        assert "| photographs: painted | drawn here, CC0 |" in card
        assert "| backgrounds: my_room | me, CC0 |" in card
        assert "rendered hands only" not in card
    assert train("detector", new, "samples=8") == 0
    card = (new / "detector" / "weights" / "detector.md").read_text()
    assert "rendered hands only" in card
    assert "my_room" not in card


def test_backgrounds_of_nobody_are_not_trained_with(
    folder: Path, room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (room / TERMS_FILE).unlink()
    options = ("--backgrounds", str(room))
    assert train("detector", folder, "samples=8", more=options) == cli.BAD_USE
    assert str(room / TERMS_FILE) in capsys.readouterr().err
    assert train("losses", folder, "samples=8", more=options) == cli.BAD_USE
    assert "table of losses" in capsys.readouterr().err


def test_exams_are_the_same_whatever_the_seed_and_backgrounds_of_the_run(
    views: Path, room: Path
) -> None:
    def config(seed: int, *more: Path) -> DataConfig:
        synthesis = SynthesisConfig(data_dir=Path("missing"), more_backgrounds=more)
        return DataConfig(batch=4, seed=seed, grounds=6, real_share=0, synthesis=synthesis)

    runs = (config(1), config(2, room))
    crops = [crop_exams(run, views, "cpu")["rendered"] for run in runs]
    frames = [frame_exams(run, views, "cpu")["rendered"] for run in runs]
    for one, other in (crops, frames):
        assert len(one) == len(other) > 0
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a.image, b.image)


@pytest.fixture
def few_hands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_table, "TRAINED", 6)
    monkeypatch.setattr(loss_table, "TESTED", 3)


def paired(views: ViewSet, rows: slice) -> ViewSet:
    """The views as if another hand, which sticks out of the picture, were in the scenes of some."""
    labels = views.labels.copy()
    labels["hands"][rows] = 2
    return ViewSet(views.pixels, labels, views.size)


def test_the_table_of_losses_shows_hands_alone(views: Path) -> None:
    found = ViewSet.load(views)
    single = np.flatnonzero(found.labels["hands"] == 1)
    assert len(single) >= 2, "choose another seed"
    lone = ViewSet(found.pixels[single], found.labels[single], found.size)
    config = DataConfig(batch=4, grounds=6, synthesis=SynthesisConfig(data_dir=Path("missing")))
    some = paired(lone, slice(1, None))
    hands = lone_hands(repeat(some), config, 3, half=False)  # the first one, three times
    shown = view_batches(ViewSet(lone.pixels[:1], lone.labels[:1], lone.size), config, "cpu")
    truth = next(shown).joints_m
    assert torch.equal(hands.joints_m, truth.expand(3, -1, -1))
    assert not torch.equal(hands.image[0], hands.image[1])  # the background is another
    with pytest.raises(TrainingError, match="none of"):
        lone_hands(repeat(paired(lone, slice(None))), config, 1, half=False)
    with pytest.raises(TrainingError, match="2 of 3 hands are missing"):
        lone_hands(iter([some]), config, 3, half=False)


def test_without_producers_and_file_no_views_come() -> None:
    with pytest.raises(ValueError, match="nothing would be rendered"):
        next(views_to_come(DataConfig(producers=-1), None).__enter__())


def test_views_are_used_as_often_as_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(TrainingData):
        def __init__(self, config: DataConfig, device: str) -> None:
            seen.append(config.uses)
            super().__init__(config, device)

    monkeypatch.setattr(command, "TrainingData", Watched)
    assert train("cpm", folder, "samples=4", "view_uses=3.5") == 0
    assert seen == [3.5]


@pytest.mark.parametrize("half", ["true", "false"])
@pytest.mark.usefixtures("few_hands")
def test_the_table_of_losses_tells_its_precision(
    folder: Path,
    half: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    kinds = set()
    forward = HourglassBaseline.forward

    def watched(model: HourglassBaseline, crops: torch.Tensor) -> BaselineOutput:
        output = forward(model, crops)
        if model.training:
            kinds.add(output.beliefs.dtype)
        return output

    monkeypatch.setattr(HourglassBaseline, "forward", watched)
    options = ["samples=6", "half_size_samples=1"]
    assert train("losses", folder, *options, f"half={half}") == 0
    assert kinds == {torch.bfloat16 if half == "true" else torch.float32}
    other = "false" if half == "true" else "true"
    assert train("losses", folder, *options, f"half={other}") == cli.BAD_USE
    assert "another table (precision" in capsys.readouterr().err


@pytest.mark.usefixtures("few_hands")
def test_losses_are_compared(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "photographs_file", None)  # the table is made of rendered hands
    assert train("losses", folder, "samples=1") == 0
    out = capsys.readouterr().out
    assert "| cos-2 |" in out
    table = json.loads((folder / "losses" / "losses.json").read_text())
    assert all(0 < mm < 500 for mm in table["error_mm"].values())
    assert table["curves_mm"] == {name: [mm] for name, mm in table["error_mm"].items()}
    assert (folder / "losses" / "losses.png").stat().st_size > 5_000
    assert table["window_px"] == 128
    assert train("losses", folder, "samples=1", "half_size_samples=1") == cli.BAD_USE
    assert "use another folder" in capsys.readouterr().err


@pytest.mark.usefixtures("few_hands")
def test_losses_can_be_compared_in_half_size_windows(folder: Path) -> None:
    assert train("losses", folder, "samples=1", "half_size_samples=1") == 0
    assert json.loads((folder / "losses" / "losses.json").read_text())["window_px"] == 64


@pytest.mark.usefixtures("few_hands")
def test_a_table_of_losses_goes_on_where_it_stopped(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("samples=12", "half_size_samples=1")  # two epochs of six hands
    assert train("losses", folder, *options) == 0
    whole = json.loads((folder / "losses" / "losses.json").read_text())["curves_mm"]
    (folder / "losses" / "checkpoint.pt").unlink()  # the same hands, from the start
    hands = folder / "losses" / HANDS_FILE
    kept = hands.read_bytes()
    begun: list[str] = []

    def interrupted(
        table: loss_table.LossTable, *args: object, weights: dict[str, float], epoch: int
    ) -> None:
        """Stops in the middle of every variant once."""
        if epoch == 1 and str(weights) not in begun:
            begun.append(str(weights))
            raise KeyboardInterrupt
        an_epoch(table, *args, weights=weights, epoch=epoch)

    an_epoch = loss_table.LossTable._epoch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss_table.LossTable, "_epoch", interrupted)
        codes = [train("losses", folder, *options) for _ in range(5)]
    assert codes == [cli.INTERRUPTED] * 4 + [0]
    assert hands.read_bytes() == kept
    assert json.loads((folder / "losses" / "losses.json").read_text())["curves_mm"] == whole
    assert capsys.readouterr().out.count("| 2 |") == 2 * len(whole)


@pytest.mark.usefixtures("few_hands")
def test_a_table_of_losses_ends_when_its_time_is_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("losses", folder, "samples=12", minutes=0.0) == 0
    assert "| baseline |" not in capsys.readouterr().out
    assert not (folder / "losses" / "losses.json").exists()
    assert train("losses", folder, "samples=6") == 0
    assert "| baseline |" in capsys.readouterr().out
    assert train("losses", folder, "samples=12") == cli.BAD_USE
    assert "epochs 1, not 2" in capsys.readouterr().err


@pytest.mark.usefixtures("few_hands")
def test_a_table_of_losses_does_not_go_on_with_other_hands(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("losses", folder, "samples=6") == 0
    (folder / "losses" / HANDS_FILE).unlink()
    assert train("losses", folder, "samples=6", "grounds=5") == cli.BAD_USE
    assert "another table (hands" in capsys.readouterr().err


@pytest.mark.usefixtures("few_hands")
@pytest.mark.parametrize("name", [HANDS_FILE, "checkpoint.pt"])
def test_a_damaged_file_of_a_table_is_told(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "losses").mkdir()
    (folder / "losses" / name).write_bytes(b"no such thing")
    assert train("losses", folder, "samples=6") == cli.BAD_USE
    told = capsys.readouterr().err
    assert "damaged" in told
    assert name in told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["batch=0"], "batch is 0"),
        (["speed=1"], "'speed' is unknown"),
        (["losses.beauty=1"], "beauty"),
        (["view_uses=0"], "view_uses"),
    ],
)
def test_bad_options_are_told(
    folder: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("cpm", folder, *options) == cli.BAD_USE
    assert told in capsys.readouterr().err


def test_every_photo_source_has_a_licence() -> None:
    from hand_recon_ros.training.photographs import HELD_OUT, SOURCES
    from hand_recon_ros.training.provenance import PHOTOGRAPHS, provenance

    assert set(PHOTOGRAPHS) == set(SOURCES[1:])
    told = " ".join(provenance(SOURCES)["data"])
    assert not any(f"photographs: {name}" in told for name in HELD_OUT)
