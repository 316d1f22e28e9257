"""Sound bags: every storage, topics, calibrations, times, and what is left out."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_makers import (
    BEGIN_NS,
    CAMERA,
    FRAMES,
    HEIGHT,
    MAKERS,
    MESSAGES,
    STEP_NS,
    WIDTH,
    Put,
    camera,
    frame,
    image,
    numbers,
    read,
    stamp_ns,
    write2,
)

from hand_recon_ros.camera import Camera
from hand_recon_ros.io.bags.make import IMAGE_TOPIC, INFO_TOPIC, make_bag
from hand_recon_ros.io.bags.source import BagOptions, BagSource
from hand_recon_ros.io.bags.stored import BagError
from hand_recon_ros.io.bags.topics import CAMERA_INFO, COMPRESSED, IMAGE
from hand_recon_ros.io.cameras import Calibration, CameraBook
from hand_recon_ros.io.frames import SourceError


@pytest.mark.parametrize("kind", MAKERS)
def test_every_storage_gives_every_frame(tmp_path: Path, kind: str) -> None:
    bag = MAKERS[kind](tmp_path / "bag")
    with BagSource(bag) as source:
        assert (source.length, float(source.fps)) == (FRAMES, pytest.approx(1e9 / STEP_NS, 1e-3))
        for k, found in enumerate(source):
            np.testing.assert_array_equal(found.image, image(k))
            np.testing.assert_allclose(found.camera.K, CAMERA.K)
            assert not found.camera.assumed
            assert (found.index, found.source) == (k, IMAGE_TOPIC)
            assert source.take_header(found)[0] == stamp_ns(k)
        assert k == FRAMES - 1
        assert source.skipped == []
        np.testing.assert_array_equal(source.image_of(7), image(7))


@pytest.mark.parametrize("kind", ["mcap", "sqlite", "ros 1"])
def test_a_single_file_is_a_bag(tmp_path: Path, kind: str) -> None:
    folder = MAKERS[kind](tmp_path / "bag")
    (file,) = (f for f in folder.iterdir() if f.suffix != ".yaml")
    frames, skipped = read(file)
    assert (numbers(frames), skipped) == (list(range(FRAMES)), [])


@pytest.mark.parametrize("kind", ["mcap", "sqlite", "ros 1"])
def test_start_and_end(tmp_path: Path, kind: str) -> None:
    bag = MAKERS[kind](tmp_path / "bag")
    step = STEP_NS * 1e-9
    frames, _ = read(bag, start_s=9.5 * step, end_s=19.5 * step)
    assert numbers(frames) == list(range(10, 20))
    assert [f.index for f in frames] == list(range(10))
    assert not frames[0].camera.assumed, "the calibration from before the start holds"
    with pytest.raises(SourceError, match="none lies between --start and --end"):
        read(bag, start_s=1e3)


@pytest.mark.parametrize(("start", "end"), [(-1.0, None), (2.0, 1.0), (float("nan"), None)])
def test_bad_times_are_refused(tmp_path: Path, start: float, end: float | None) -> None:
    with pytest.raises(ValueError, match="--start"):
        BagSource(tmp_path, BagOptions(start_s=start, end_s=end))


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_make_bag_compressed(tmp_path: Path, storage: Any) -> None:
    frames = [frame(k) for k in range(5)]
    assert make_bag(frames, tmp_path / "bag", compressed=True, storage=storage, fps=10) == 5
    found, _ = read(tmp_path / "bag")
    assert [f.stamp for f in found] == pytest.approx([1 + k / 10 for k in range(5)])
    assert found[0].source == f"{IMAGE_TOPIC}/compressed"
    difference = found[3].image.astype(int) - frames[3].image
    assert np.abs(difference[:20]).mean() < 2, "JPEG, and not another picture or colour order"
    with pytest.raises(FileExistsError, match="exists already"):
        make_bag(frames, tmp_path / "bag")


def test_without_calibration_a_view_is_assumed_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assumed = [replace(frame(k), camera=Camera.from_fov(WIDTH, HEIGHT)) for k in range(3)]
    make_bag(assumed, tmp_path / "bag")
    with caplog.at_level(logging.WARNING):
        frames, skipped = read(tmp_path / "bag", hfov_deg=80.0)
    assert frames[0].camera.assumed
    assert frames[0].camera.fx == pytest.approx(WIDTH / 2 / np.tan(np.deg2rad(40)))
    assert skipped == []
    assert caplog.text.count("a horizontal field of view of 80 deg is assumed") == 1


def test_given_calibration_replaces_the_bag_s(tmp_path: Path) -> None:
    K = np.array([[200.0, 0, 80], [0, 200, 60], [0, 0, 1]])
    bag = write2(tmp_path / "bag", camera)
    frames, _ = read(bag, cameras=CameraBook(one=Calibration(K, np.zeros(0), "plumb_bob")))
    assert frames[0].camera.fx == 200.0


def zoomed(k: int) -> Camera:
    return Camera(WIDTH, HEIGHT, CAMERA.K * [[1 + (k >= 5)], [1 + (k >= 5)], [1]])


@pytest.mark.parametrize("late", [0, 1, 3], ids=lambda n: f"{n} images late")
def test_calibration_by_stamp(tmp_path: Path, late: int) -> None:
    """A lens that zooms: each image gets the camera_info of its stamp, also recorded late."""

    def fill(put: Put) -> None:
        events = [(stamp_ns(k), 0, k) for k in range(10)]
        events += [(stamp_ns(k + late) + 1, 1, k) for k in range(10)]
        for time_ns, is_info, k in sorted(events):
            message = MESSAGES.info(zoomed(k), stamp_ns(k)) if is_info else None
            if message is None:
                put(IMAGE_TOPIC, time_ns, IMAGE, MESSAGES.raw(frame(k), stamp_ns(k)))
            else:
                put(INFO_TOPIC, time_ns, CAMERA_INFO, message)

    with BagSource(write2(tmp_path / "bag", fill)) as source:
        focal = [f.camera.fx / CAMERA.fx for f in source]
        assert focal == pytest.approx([1] * 5 + [2] * 5)
        assert source.restarts == {0, 5}, "another camera: tracks start anew"


def test_a_calibration_recorded_once_holds_for_all(tmp_path: Path) -> None:
    def fill(put: Put) -> None:
        for k in range(20):
            put(IMAGE_TOPIC, stamp_ns(k), IMAGE, MESSAGES.raw(frame(k), stamp_ns(k)))
        put(INFO_TOPIC, stamp_ns(20), CAMERA_INFO, MESSAGES.info(CAMERA, stamp_ns(20)))

    frames, _ = read(write2(tmp_path / "bag", fill))
    assert numbers(frames) == list(range(20))
    assert not any(f.camera.assumed for f in frames)


def several(put: Put) -> None:
    """Two colour cameras, the second also compressed; a depth image; the first's calibration."""
    for k in range(3):
        t = stamp_ns(k)
        put("/left/image", t, IMAGE, MESSAGES.raw(frame(k), t))
        put("/right/image", t, IMAGE, MESSAGES.raw(frame(k + 100), t))
        put("/right/image/compressed", t, COMPRESSED, MESSAGES.jpeg(frame(k + 100), t))
        depth = MESSAGES.raw(frame(k), t)
        depth.encoding = "16UC1"
        put("/depth/image", t, IMAGE, depth)
        put("/left/camera_info", t, CAMERA_INFO, MESSAGES.info(CAMERA, t))
        put("/depth/camera_info", t, CAMERA_INFO, MESSAGES.info(CAMERA, t))


def test_topics_are_chosen_or_listed(tmp_path: Path) -> None:
    bag = write2(tmp_path / "bag", several)
    with pytest.raises(BagError, match="choose one by --image-topic") as ambiguous:
        BagSource(bag)
    listed = str(ambiguous.value)
    assert "/left/image  sensor_msgs/msg/Image  3 messages" in listed
    assert "/depth" not in listed, "what cannot be used is no choice"
    assert "compressed" not in listed, "the same images twice are no choice"
    frames, _ = read(bag, image_topic="left/image")
    assert numbers(frames) == [0, 1, 2]
    with pytest.raises(BagError, match="choose one by --camera-info-topic"):
        BagSource(bag, BagOptions("/right/image"))
    frames, _ = read(bag, image_topic="/right/image", camera_info_topic="/left/camera_info")
    assert numbers(frames) == [100, 101, 102]
    for wrong, reason in (("/nowhere", "not in the bag"), ("/left/camera_info", "is of type")):
        with pytest.raises(BagError, match=reason) as error:
            BagSource(bag, BagOptions(wrong))
        assert "/right/image/compressed" in str(error.value)


def test_a_depth_bag_says_what_it_is(tmp_path: Path) -> None:
    def depth(put: Put) -> None:
        message = MESSAGES.raw(frame(0), stamp_ns(0))
        message.encoding = "16UC1"
        put("/depth", stamp_ns(0), IMAGE, message)

    with pytest.raises(BagError, match="that of a depth image"):
        BagSource(write2(tmp_path / "bag", depth))


def test_bad_images_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fill(put: Put) -> None:
        for k in range(20):
            message = MESSAGES.raw(frame(k), stamp_ns(k))
            if k in (3, 4):
                message.encoding = "rgb9"
            if k == 6:
                message.data = message.data[: 1000 + k]
            if k == 8:
                message.header.stamp.sec, message.header.stamp.nanosec = 0, 0
            if k == 9:
                message.header.stamp.sec, message.header.stamp.nanosec = -5, 2**32 - 1
            if k == 11:
                message = MESSAGES.raw(frame(k), stamp_ns(10))
            time_ns = stamp_ns(k)
            if k == 13:
                put(IMAGE_TOPIC, time_ns, IMAGE, b"\0\1\0\0no image")
            else:
                put(IMAGE_TOPIC, time_ns, IMAGE, message)

    with caplog.at_level(logging.WARNING):
        frames, skipped = read(write2(tmp_path / "bag", fill))
    assert [f.index for f in frames] == [k for k in range(20) if k not in (3, 4, 6, 11, 13)]
    assert numbers(frames) == [f.index for f in frames]
    assert [f.stamp for f in frames] == pytest.approx([stamp_ns(f.index) * 1e-9 for f in frames])
    assert len(skipped) == 4
    for text in ("2 images: /camera/image_raw: encoding 'rgb9'", "is cut off", "repeat a stamp"):
        assert sum(text in line for line in skipped) == 1
    assert caplog.text.count("the time of receipt is used") == 2


def test_time_that_jumps_back_restarts(tmp_path: Path) -> None:
    def fill(put: Put) -> None:
        for k in range(40):
            put(IMAGE_TOPIC, stamp_ns(k), IMAGE, MESSAGES.raw(frame(k), stamp_ns(k % 20)))

    with BagSource(write2(tmp_path / "bag", fill)) as source:
        assert len(list(source)) == 40
        assert source.restarts == {0, 20}


def test_what_is_no_bag(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "video.mp4").write_bytes(b"x")
    for name, reason in (("gone", "does not exist"), ("empty", "no bag"), ("video.mp4", "no bag")):
        with pytest.raises(BagError, match=reason):
            BagSource(tmp_path / name)
    put_nothing = write2(tmp_path / "nothing", lambda put: None)
    with pytest.raises(BagError, match="holds no messages"):
        BagSource(put_nothing)


def test_split_bags_are_one(tmp_path: Path) -> None:
    bag = write2(tmp_path / "bag", camera)

    def rest(put: Put) -> None:
        for k in range(FRAMES, FRAMES + 5):
            put(IMAGE_TOPIC, stamp_ns(k), IMAGE, MESSAGES.raw(frame(k), stamp_ns(k)))

    more = write2(tmp_path / "a_bag", rest)
    (more / "a_bag.mcap").rename(bag / "a_bag.mcap")  # by name it comes first, by time last
    frames, _ = read(bag)
    assert numbers(frames) == list(range(FRAMES + 5))


def test_png_and_grey_compressed_images(tmp_path: Path) -> None:
    _, png = cv2.imencode(".png", cv2.cvtColor(image(9), cv2.COLOR_RGB2BGR))

    def fill(put: Put) -> None:
        message = MESSAGES.jpeg(frame(9), BEGIN_NS)
        message.format, message.data = "bgr8; png compressed bgr8", png.ravel()
        put("/c/compressed", BEGIN_NS, COMPRESSED, message)

    frames, _ = read(write2(tmp_path / "bag", fill))
    np.testing.assert_array_equal(frames[0].image, image(9))
