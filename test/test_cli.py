"""The ``hand_recon`` command, on the core's own chain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from hand_recon_ros import cli
from hand_recon_ros.io.cameras import CameraBook
from hand_recon_ros.io.frames import open_video
from hand_recon_ros.io.records import read_records
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.rendering.clip import render_clip
from hand_recon_ros.types import HandFrame

ROOT = Path(__file__).parents[1]
PHOTO = ROOT.parent / "shared" / "data" / "images" / "two_hands.jpg"
needs_photo = pytest.mark.skipif(not PHOTO.exists(), reason=f"{PHOTO} is not here")
FPS = Fraction(24000, 1001)
FRAMES = 12


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short rendered video of two hands."""
    path = tmp_path_factory.mktemp("clip") / "two hands.mp4"
    with VideoWriter(path, FPS) as writer:
        for image, _, _ in render_clip(FRAMES, 640, 480, float(FPS)):
            writer.write(image)
    return path


def _records(folder: Path) -> list[HandFrame]:
    return list(read_records(folder / "hands.jsonl"))


def test_video_gives_records_overlay_and_summary(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "folder"
    assert cli.main(["video", str(clip), "-o", str(out), "--save-video", "--save-images"]) == 0
    frames = _records(out)
    assert [frame.index for frame in frames] == list(range(FRAMES))
    assert {frame.source for frame in frames} == {str(clip)}
    stamps = [frame.stamp for frame in frames]
    assert stamps == pytest.approx([k / float(FPS) for k in range(FRAMES)], abs=1e-3)
    both = [frame for frame in frames if {h.side for h in frame.hands} == {"left", "right"}]
    assert len(both) >= FRAMES - 3
    for hand in both[-1].hands:
        seen = both[-1].camera.project(hand.joints_m)
        assert np.linalg.norm(seen - hand.joints_px, axis=1).mean() < 10
    with open_video(str(out / "overlay.mp4"), CameraBook()) as overlay:
        assert (overlay.fps, overlay.length) == (FPS, FRAMES)
        assert next(iter(overlay)).image.shape == (480, 640, 3)
    assert len(list((out / "overlay").glob("*.jpg"))) == FRAMES
    said = capsys.readouterr()
    assert f"{FRAMES} frames" in said.out
    assert str(out / "hands.jsonl") in said.out
    assert str(out / "overlay.mp4") in said.out
    assert "frame/s" in said.err, "tqdm shows progress"


@needs_photo
def test_images_stand_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = cv2.imread(str(PHOTO))
    cv2.imwrite(str(tmp_path / "a.png"), photo)
    cv2.imwrite(str(tmp_path / "b.png"), np.full_like(photo, 255))
    cv2.imwrite(str(tmp_path / "c.png"), np.ascontiguousarray(photo[20:, 30:]))
    names = [str(tmp_path / f"{name}.png") for name in "abc"]
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    forwards, backwards = tmp_path / "1", tmp_path / "2"
    paths = [names[0], str(tmp_path / "broken.jpg"), *names[1:]]
    assert cli.main(["images", *paths, "-o", str(forwards)]) == 1, "one image was skipped"
    assert cli.main(["images", *names[::-1], "-o", str(backwards)]) == 0
    first, second = _records(forwards), _records(backwards)[::-1]
    assert [len(frame.hands) for frame in first] == [2, 0, 2]
    assert [Path(frame.source).name for frame in first] == ["a.png", "b.png", "c.png"]
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one.hands, other.hands, strict=True):
            np.testing.assert_allclose(a.joints_m, b.joints_m, atol=1e-5)
            assert a.state == "tracked"
    assert {hand.side for hand in first[0].hands} == {"left"}
    said = capsys.readouterr()
    assert "skipped: 1" in said.out


@needs_photo
def test_mirrored_image_of_left_hands_is_told_so(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "selfie.png"), cv2.imread(str(PHOTO))[:, ::-1])
    common = ["images", str(tmp_path / "selfie.png"), "-o"]
    assert cli.main([*common, str(tmp_path / "plain")]) == 0
    mirrored = ["--set", "detector.mirrored=true"]
    assert cli.main([*common, str(tmp_path / "mirrored"), *mirrored, "--save-video"]) == 0
    sides = {
        name: {hand.side for frame in _records(tmp_path / name) for hand in frame.hands}
        for name in ("plain", "mirrored")
    }
    assert sides == {"plain": {"right"}, "mirrored": {"left"}}
    assert (tmp_path / "mirrored" / "overlay.mp4").stat().st_size > 1000


def test_camera_configuration_and_overrides_arrive(clip: Path, tmp_path: Path) -> None:
    K = [[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]
    (tmp_path / "camera.json").write_text(
        json.dumps({"K": K, "D": [], "width": 640, "height": 480})
    )
    (tmp_path / "config.yaml").write_text("detector: {max_hands: 2}\nfilter: {smoothing: none}\n")
    options = ["--camera", str(tmp_path / "camera.json"), "--config", str(tmp_path / "config.yaml")]
    options += ["--set", "detector.max_hands=1"]
    assert cli.main(["video", str(clip), "-o", str(tmp_path / "out"), *options]) == 0
    frames = _records(tmp_path / "out")
    np.testing.assert_allclose(frames[0].camera.K, K)
    assert max(len(frame.hands) for frame in frames) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_missing_gpu_is_told_and_the_cpu_does_it(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert cli.main(["video", str(clip), "-o", str(tmp_path), "--device", "cuda"]) == 0
    assert "CUDA" in caplog.text
    assert len(_records(tmp_path)) == FRAMES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["video", "absent.mp4", "-o", "out"], "absent.mp4"),
        (["video", "96", "-o", "out"], "webcam 96"),
        (["images", "absent.png", "-o", "out"], "absent.png"),
        (["video", "CLIP", "-o", "out", "--camera", "absent.yaml"], "absent.yaml"),
        (["video", "CLIP", "-o", "out", "--config", "absent.yaml"], "absent.yaml"),
        (["video", "CLIP", "-o", "out", "--set", "fit.hand_lenth_m=0.2"], "fit.hand_length_m"),
        (["video", "CLIP", "-o", "out", "--set", "nonsense"], "key=value"),
        (["video", "CLIP", "-o", "CLIP"], "two hands.mp4"),
        (["video", "CLIP", "-o", "out", "--set", "model.right_path=no.pkl"], "no.pkl"),
    ],
)
def test_mistakes_end_in_one_clear_line(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [str(clip) if argument == "CLIP" else argument for argument in arguments]
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "out" / "hands.jsonl").exists()


def test_failing_start_keeps_the_results_of_before(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "hands.jsonl").write_text("precious\n")
    assert cli.main(["video", "absent.mp4", "-o", str(tmp_path)]) == 2
    assert (tmp_path / "hands.jsonl").read_text() == "precious\n"


def _run(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hand_recon_ros.cli", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_is_done(clip: Path, tmp_path: Path, number: int) -> None:
    with open_video(str(clip), CameraBook()) as source:
        images = [frame.image for frame in source]
    long = tmp_path / "long.mp4"
    with VideoWriter(long, FPS) as writer:
        for k in range(40 * FRAMES):
            writer.write(images[k % FRAMES])
    records = tmp_path / "out" / "hands.jsonl"
    process = _run("video", str(long), "-o", str(tmp_path / "out"), "--save-video")
    deadline = time.monotonic() + 90
    while not (records.exists() and records.read_bytes().count(b"\n") >= 3):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "interrupted, kept" in out
    frames = _records(tmp_path / "out")
    assert records.read_bytes().endswith(b"}\n")
    assert 3 <= len(frames) < 40 * FRAMES
    with open_video(str(tmp_path / "out" / "overlay.mp4"), CameraBook()) as overlay:
        assert len(list(overlay)) == len(frames)


def test_help_and_version_come_without_heavy_imports() -> None:
    code = (
        "import sys\n"
        "from hand_recon_ros import cli\n"
        "try:\n"
        "    cli.main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "heavy = {'torch', 'cv2', 'mediapipe', 'scipy', 'av', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for option, answer in (("--help", "images"), ("--version", "hand_recon ")):
        done = subprocess.run(
            [sys.executable, "-c", code, option],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert answer in done.stdout
