"""Reading frames and calibrations, writing results and video."""

from __future__ import annotations

import json
import logging
import math
import threading
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from hand_recon_ros.camera import Camera, CameraError
from hand_recon_ros.io.background import InBackground
from hand_recon_ros.io.cameras import CameraBook, load_cameras
from hand_recon_ros.io.frames import Images, SourceError, natural_key, open_video
from hand_recon_ros.io.records import RecordError, RecordWriter, frame_to_record, read_records
from hand_recon_ros.io.video import VideoWriter
from hand_recon_ros.types import Hand, HandFrame, ManoParameters

K = [[600.0, 0.0, 320.0], [0.0, 610.0, 240.0], [0.0, 0.0, 1.0]]
NTSC = Fraction(30000, 1001)


def _colour_frames(count: int, width: int, height: int) -> list[np.ndarray]:
    """Frames told apart by their grey level, with a bright upper left corner."""
    frames = []
    for k in range(count):
        frame = np.full((height, width, 3), 40 + 10 * k, np.uint8)
        frame[: height // 3, : width // 3] = (250, 20, 20)
        frames.append(frame)
    return frames


def _write_video(path: Path, frames: list[np.ndarray], fps: Fraction = NTSC) -> Path:
    with VideoWriter(path, fps) as writer:
        for frame in frames:
            writer.write(frame)
    return path


# --- video ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
def test_video_keeps_rate_length_and_content(tmp_path: Path, size: tuple[int, int]) -> None:
    path = _write_video(tmp_path / "clip.mp4", _colour_frames(7, *size))
    with open_video(str(path), CameraBook()) as source:
        assert source.fps == NTSC
        assert source.length == 7
        frames = list(source)
    assert len(frames) == 7
    even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
    for k, frame in enumerate(frames):
        assert frame.index == k
        assert frame.stamp == pytest.approx(k / NTSC, abs=1e-4)
        assert frame.image.shape == (even[1], even[0], 3)
        assert (frame.camera.width, frame.camera.height) == even
        assert abs(float(frame.image[-5, -5].mean()) - (40 + 10 * k)) < 4
        red = frame.image[4, 4].astype(int)
        assert red[0] > 200
        assert red[2] < 90  # RGB, not BGR


def test_video_plays_in_browsers(tmp_path: Path) -> None:
    path = _write_video(tmp_path / "clip.mp4", _colour_frames(3, 64, 48))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
    head = path.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat"), "the index must come first for streaming"


def test_video_writer_keeps_gaps_of_dropped_frames(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "gap.mp4", Fraction(30)) as writer:
        for stamp in (100.0, 100.0 + 1 / 30, 100.0 + 10 / 30):
            writer.write(_colour_frames(1, 64, 48)[0], stamp)
    with open_video(str(tmp_path / "gap.mp4"), CameraBook()) as source:
        stamps = [frame.stamp for frame in source]
    assert stamps == pytest.approx([0.0, 1 / 30, 10 / 30], abs=1e-3)


def test_phone_video_is_turned_upright(tmp_path: Path) -> None:
    path = _write_video(tmp_path / "phone.mp4", _colour_frames(2, 64, 48))
    data = bytearray(path.read_bytes())
    identity = np.array([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30], ">i4").tobytes()
    turned = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30], ">i4").tobytes()
    at = data.index(identity, data.index(b"tkhd"))
    data[at : at + len(turned)] = turned  # "show turned clockwise by 90 degrees"
    path.write_bytes(data)
    with open_video(str(path), CameraBook()) as source:
        frame = next(iter(source))
    assert frame.image.shape == (64, 48, 3)
    assert frame.image[5, -5, 0] > 200, "the red corner moves from upper left to upper right"
    assert frame.image[5, 5, 0] < 90


def test_truncated_video_gives_what_can_be_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(40)]
    path = _write_video(tmp_path / "whole.mp4", noise)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with open_video(str(path), CameraBook()) as source:
        frames = list(source)
    assert 5 < len(frames) < 40


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "does not exist"),
        ("text.mp4", b"this is no video at all, only words", "cannot be read as a video"),
        ("empty.mp4", b"", "cannot be read as a video"),
    ],
)
def test_bad_video_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        open_video(str(tmp_path / name), CameraBook())
    assert name in str(caught.value)


def test_video_without_frames_is_an_error(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="no video stream"):
        open_video(str(tmp_path / "sound.mp4"), CameraBook())


def test_absent_webcam_is_named() -> None:
    with pytest.raises(SourceError, match="webcam 97"):
        open_video("97", CameraBook())


# --- images --------------------------------------------------------------------------------


def test_images_of_a_folder_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("frame10.png", "frame9.jpg", "frame1.bmp", "Frame2.webp"):
        cv2.imwrite(str(tmp_path / name), _colour_frames(1, 32, 24)[0])
    (tmp_path / "notes.txt").write_text("not an image")
    names = [Path(frame.source).name for frame in Images([tmp_path], CameraBook())]
    assert names == ["frame1.bmp", "Frame2.webp", "frame9.jpg", "frame10.png"]
    assert natural_key("a2b10") < natural_key("a2b11") < natural_key("a10b1")


def test_photograph_is_turned_by_its_exif_tag(tmp_path: Path) -> None:
    picture = cv2.cvtColor(_colour_frames(1, 64, 48)[0], cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    # One TIFF entry: tag 0x0112 (orientation), SHORT, 6 = shown turned clockwise by 90 degrees.
    exif = b"Exif\0\0" + b"MM\0*\0\0\0\x08" + b"\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" + bytes(4)
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "phone.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    (frame,) = Images([tmp_path / "phone.jpg"], CameraBook())
    assert frame.image.shape == (64, 48, 3)
    assert frame.image[5, -5, 0] > 200
    assert frame.image[5, -5, 2] < 90


def test_damaged_image_is_skipped_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(tmp_path / "good.png"), _colour_frames(1, 32, 24)[0])
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    with Images([tmp_path], CameraBook()) as source:
        frames = list(source)
    assert [Path(frame.source).name for frame in frames] == ["good.png"]
    assert len(source.skipped) == 2
    assert "bad.jpg" in caplog.text
    assert "empty.png" in caplog.text


def test_no_usable_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"x")
    with pytest.raises(SourceError, match="none of the images"):
        list(Images([tmp_path / "bad.jpg"], CameraBook()))
    (tmp_path / "void").mkdir()
    with pytest.raises(SourceError, match="holds no image"):
        Images([tmp_path / "void"], CameraBook())
    with pytest.raises(SourceError, match="does not exist"):
        Images([tmp_path / "nowhere.png"], CameraBook())


# --- cameras -------------------------------------------------------------------------------

ROS_YAML = """
image_width: 640
image_height: 480
camera_name: test
camera_matrix: {rows: 3, cols: 3, data: [600, 0, 320, 0, 610, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0.002, 0.05]}
"""
TOPIC_ECHO = """
header: {frame_id: cam}
height: 480
width: 640
distortion_model: rational_polynomial
d: [0.1, -0.2, 0.001, 0.002, 0.05, 0.01, 0.0, 0.0]
k: [600, 0, 320, 0, 610, 240, 0, 0, 1]
---
"""


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("cal.yaml", ROS_YAML, 5),
        ("echo.yaml", TOPIC_ECHO, 8),
        ("cal.json", json.dumps({"K": K, "D": [0.1, -0.2, 0.001, 0.002]}), 4),
        ("flat.json", json.dumps({"K": [*K[0], *K[1], *K[2]], "width": 640, "height": 480}), 0),
    ],
)
def test_calibration_files(tmp_path: Path, name: str, text: str, count: int) -> None:
    (tmp_path / name).write_text(text)
    camera = load_cameras(tmp_path / name).camera("x.png", 640, 480)
    np.testing.assert_allclose(camera.K, K)
    assert camera.D.size == count
    assert not camera.assumed


def test_calibration_follows_the_image_size(tmp_path: Path) -> None:
    (tmp_path / "cal.yaml").write_text(ROS_YAML)
    book = load_cameras(tmp_path / "cal.yaml")
    doubled = book.camera("x.png", 1280, 960)
    np.testing.assert_allclose(doubled.K[:2], 2 * np.array(K)[:2])
    np.testing.assert_allclose(doubled.D, book.camera("x.png", 640, 480).D)
    with pytest.raises(CameraError, match=r"640x480.*1280x720"):
        book.camera("x.png", 1280, 720)


def test_cameras_by_file_name(tmp_path: Path) -> None:
    other = [[500.0, 0, 160], [0, 500, 120], [0, 0, 1]]
    (tmp_path / "many.json").write_text(json.dumps({"a.png": {"K": K, "D": []}, "b": other}))
    book = load_cameras(tmp_path / "many.json")
    assert book.camera(str(tmp_path / "a.png"), 640, 480).fx == 600
    assert book.camera("/elsewhere/b.jpg", 320, 240).fx == 500
    cv2.imwrite(str(tmp_path / "c.png"), _colour_frames(1, 32, 24)[0])
    with pytest.raises(CameraError, match=r"c\.png"):
        Images([tmp_path / "c.png"], book)


def test_without_calibration_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    book = load_cameras(None, 70.0)
    with caplog.at_level(logging.WARNING):
        cameras = [book.camera("x.png", 640, 480) for _ in range(3)]
    assert all(camera.assumed for camera in cameras)
    assert cameras[0].fx == pytest.approx(320 / math.tan(math.radians(35)))
    assert len(caplog.records) == 1
    assert "70" in caplog.text


def test_calibration_of_another_size_is_doubted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cal.json").write_text(json.dumps({"K": K}))
    load_cameras(tmp_path / "cal.json").camera("x.png", 1920, 1440)
    assert "principal point" in caplog.text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("absent.json", None, "cannot be read"),
        ("broken.json", "{", "cannot be parsed"),
        ("broken.yaml", "a: [", "cannot be parsed"),
        ("empty.yaml", "", "holds no camera"),
        ("list.json", "[1, 2]", "holds no camera"),
        ("other.yaml", "fit: {hand_length_m: 0.19}", "no K"),
        ("short.json", '{"K": [[1, 2], [3, 4]]}', "3x3"),
        ("words.json", '{"K": ["a"]}', "numbers"),
        ("zero.json", json.dumps({"K": [[0] * 3] * 3}), "not calibrated"),
        ("nan.json", '{"K": [[NaN, 0, 1], [0, 1, 1], [0, 0, 1]]}', "NaN"),
        ("model.json", json.dumps({"K": K, "model": "magic"}), "magic"),
        ("size.json", json.dumps({"K": K, "width": "wide", "height": 480}), "whole numbers"),
    ],
)
def test_bad_calibration_is_named(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(CameraError, match=message) as caught:
        load_cameras(tmp_path / name)
    assert name in str(caught.value)


# --- background ----------------------------------------------------------------------------


def test_background_work_keeps_its_order_and_is_bounded() -> None:
    done: list[int] = []
    gate = threading.Event()
    with InBackground(depth=2) as beside:
        beside.submit(gate.wait)
        beside.submit(done.append, 1)
        blocked = threading.Thread(target=beside.submit, args=(done.append, 2))
        blocked.start()
        assert done == []
        gate.set()
        blocked.join(timeout=10)
        assert not blocked.is_alive()
        for k in range(3, 50):
            beside.submit(done.append, k)
    assert done == list(range(1, 50))


def test_background_failure_comes_to_light() -> None:
    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), InBackground() as beside:
        beside.submit(fail)


# --- records -------------------------------------------------------------------------------


def _hand_frame(index: int = 3) -> HandFrame:
    rng = np.random.default_rng(index)
    orient = rng.normal(0, 1, 3)
    hand = Hand(
        side="left",
        track_id=7,
        state="predicted",
        score=0.987654321,
        box_px=rng.uniform(0, 100, 4),
        joints_px=rng.uniform(0, 640, (21, 2)),
        joint_confidence=rng.uniform(0, 1, 21),
        joints_m=rng.normal(0, 0.3, (21, 3)),
        mano=ManoParameters(
            "left",
            orient,
            rng.normal(0, 1, 45),
            rng.normal(0, 1, 10),
            rng.normal(0, 1, 3),
            model="mine",
        ),
        wrist_rotation=cv2.Rodrigues(orient)[0],
        joint_velocities=np.zeros((21, 3)),
        wrist_velocity=np.zeros(6),
        wrist_covariance=np.eye(6),
    )
    camera = Camera(640, 480, np.array(K))
    return HandFrame(index, "clip.mp4", 1.25, camera, (hand,), {"total": 12.3456789})


def test_records_round_trip(tmp_path: Path) -> None:
    frame = _hand_frame()
    empty = HandFrame(4, "clip.mp4", 1.3, frame.camera)
    with RecordWriter(tmp_path / "hands.jsonl") as writer:
        writer.write(frame)
        writer.write(empty)
    back, nothing = read_records(tmp_path / "hands.jsonl")
    assert (back.index, back.source, back.stamp) == (3, "clip.mp4", 1.25)
    np.testing.assert_allclose(back.camera.K, frame.camera.K)
    (was,), (now,) = frame.hands, back.hands
    assert (now.side, now.track_id, now.state) == ("left", 7, "predicted")
    np.testing.assert_allclose(now.joints_m, was.joints_m, atol=1e-6)
    np.testing.assert_allclose(now.joints_px, was.joints_px, atol=0.01)
    np.testing.assert_allclose(now.box_px, was.box_px, atol=0.01)
    np.testing.assert_allclose(now.joint_confidence, was.joint_confidence, atol=1e-3)
    for name in ("global_orient", "hand_pose", "betas", "transl"):
        np.testing.assert_allclose(getattr(now.mano, name), getattr(was.mano, name), atol=1e-6)
    assert now.mano.model == "mine"
    np.testing.assert_allclose(now.wrist_rotation, was.wrist_rotation, atol=1e-6)
    assert nothing.hands == ()


def test_record_has_exactly_the_promised_keys() -> None:
    record = frame_to_record(_hand_frame())
    assert set(record) == {
        *("frame", "source", "stamp", "width", "height", "K", "timings_ms", "hands")
    }
    (hand,) = record["hands"]
    assert set(hand) == {
        *("side", "track_id", "state", "score", "box_px", "joints_px", "joint_confidence"),
        *("joints_m", "mano"),
    }
    assert set(hand["mano"]) == {"model", "global_orient", "hand_pose", "betas", "transl"}
    assert np.shape(record["K"]) == (3, 3)
    shapes = {"box_px": (4,), "joints_px": (21, 2), "joints_m": (21, 3), "joint_confidence": (21,)}
    assert {name: np.shape(hand[name]) for name in shapes} == shapes


def test_every_line_is_on_disk_at_once_and_never_nan(tmp_path: Path) -> None:
    path = tmp_path / "hands.jsonl"
    frame = _hand_frame()
    frame.hands[0].joints_px[4] = np.nan
    writer = RecordWriter(path)
    writer.write(frame)
    line = path.read_text()  # the writer is still open
    writer.close()
    assert line.endswith("}\n")
    assert "NaN" not in line
    assert json.loads(line)["hands"][0]["joints_px"][4] == [None, None]
    (back,) = read_records(path)
    assert np.isnan(back.hands[0].joints_px[4]).all()


def test_cut_off_last_line_is_no_error_but_a_bad_one_is(tmp_path: Path) -> None:
    path = tmp_path / "hands.jsonl"
    line = json.dumps(frame_to_record(_hand_frame()))
    path.write_text(f"{line}\n{line[:100]}")
    assert len(list(read_records(path))) == 1
    path.write_text(f"{line}\n{line[:100]}\n{line}\n")
    with pytest.raises(RecordError, match=r"hands\.jsonl:2"):
        list(read_records(path))
    with pytest.raises(RecordError, match="cannot be read"):
        list(read_records(tmp_path / "absent.jsonl"))
