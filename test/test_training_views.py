"""Producers of views: they fill, they end, and they tell why they died."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from view_sources import SIZE, Numbered, Suicidal

from hand_recon_ros.camera import Camera
from hand_recon_ros.skeleton import TIPS
from hand_recon_ros.synthesis.settings import SynthesisConfig
from hand_recon_ros.training.picture_file import PictureFileError
from hand_recon_ros.training.pyramid import level_of, pyramid, starts, texels
from hand_recon_ros.training.replay import Refill, Replay, fill
from hand_recon_ros.training.view_set import LABEL, ViewSet, label_of
from hand_recon_ros.training.views import ProducerError, RenderedViews, ViewRing

NO_TIPS = np.setdiff1d(np.arange(21), TIPS)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pids: list[int], within_s: float = 20.0) -> bool:
    until = time.monotonic() + within_s
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(alive(pid) for pid in pids)


def test_two_producers_fill_a_store_with_whole_views() -> None:
    store = Replay(20, SIZE, "cpu")
    with ViewRing(Numbered(), slots=6, workers=2, size=SIZE) as ring:
        seen: set[float] = set()
        until = time.monotonic() + 60
        while seen != {0.0, 1.0} and time.monotonic() < until:
            fill(store, ring, 1, timeout_s=60)
            time.sleep(0.05)
            seen |= set(store.labels["K"][: len(store), 0, 0])
        assert seen == {0.0, 1.0}
        fill(store, ring, 20, timeout_s=60)
        assert ring.produced >= 20
        assert ring.views_per_second > 0
        pids = [process.pid for process in ring._processes]
    pixels = store.pixels.numpy().view(np.uint8).reshape(20, -1)
    assert (pixels == store.labels["hands"][:, None]).all()
    assert gone([pid for pid in pids if pid is not None])
    with pytest.raises(ProducerError, match="closed"):
        ring.news()


def test_the_newest_views_replace_the_oldest() -> None:
    def numbered(first: int, number: int) -> ViewSet:
        labels = np.zeros(number, LABEL)
        labels["hands"] = np.arange(first, first + number)
        return ViewSet(np.zeros((number, texels(SIZE), 4), np.uint8), labels, SIZE)

    store = Replay(4, SIZE, "cpu")
    with pytest.raises(ProducerError, match="no view"):
        store.draw(1, np.random.default_rng(0))
    for first, number, kept in ((0, 3, {0, 1, 2}), (3, 3, {2, 3, 4, 5}), (6, 9, {11, 12, 13, 14})):
        store.add(numbered(first, number))
        assert set(store.labels["hands"][: len(store)]) == kept
    assert store.added == 15
    with pytest.raises(ValueError, match="16 px"):
        store.add(ViewSet(np.zeros((1, texels(32), 4), np.uint8), np.zeros(1, LABEL), 32))


def test_producers_wait_until_views_are_taken() -> None:
    with ViewRing(Numbered(), slots=6, workers=1, size=SIZE) as ring:
        until = time.monotonic() + 60
        while ring.produced < 6 and time.monotonic() < until:
            ring.check(wait_s=0.01)
        ring.check(wait_s=0.5)
        assert ring.produced == 6  # full: nothing is lost, and no core is spent
        first = ring.news(most=2)
        assert len(first) == 2
        while ring.produced < 8 and time.monotonic() < until:
            ring.check(wait_s=0.01)
        numbers = [*first.labels["hands"], *ring.news().labels["hands"]]
        assert len(set(numbers)) == len(numbers) >= 6


def test_a_store_is_refilled_as_fast_as_it_is_used() -> None:
    store = Replay(8, SIZE, "cpu")
    with ViewRing(Numbered(), slots=16, workers=1, size=SIZE) as ring:
        refill = Refill(store, ring, uses=2.0)
        until = time.monotonic() + 60
        while len(store) < 8 and time.monotonic() < until:
            refill.used(0)
        before = store.added
        for _ in range(12):
            refill.used(1)
            ring.check(wait_s=0.02)
        assert store.added - before <= 6
        while store.added == before and time.monotonic() < until:
            refill.used(0)
        assert store.added > before
        while store.added - before < 6 and time.monotonic() < until:
            refill.used(0)
        assert store.added - before == 6


class Trickle:
    """A ring that gives a view now and then, ``number`` in all."""

    def __init__(self, number: int, every_s: float) -> None:
        self._left, self._every_s, self._last = number, every_s, 0.0

    def news(self) -> ViewSet:
        now = time.monotonic()
        due = int(self._left > 0 and now - self._last > self._every_s)
        if due:
            self._left, self._last = self._left - 1, now
        return ViewSet(np.zeros((due, texels(SIZE), 4), np.uint8), np.zeros(due, LABEL), SIZE)


def test_slow_views_are_waited_for_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()
    fill(Replay(9, SIZE, "cpu"), Trickle(9, 0.15), 9, timeout_s=1.0, told="for an exam")  # type: ignore[arg-type]
    assert time.monotonic() - begun > 1.0, "longer in all than the longest pause"
    shown = capsys.readouterr().err
    assert "for an exam" in shown
    assert "9/9" in shown


def test_views_that_stay_away_are_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ProducerError, match="no view came for 0 s; only 2 of 3"):
        fill(Replay(9, SIZE, "cpu"), Trickle(2, 0.0), 3, timeout_s=0.4)  # type: ignore[arg-type]
    assert not capsys.readouterr().err, "no bar where none was asked for"


def test_the_error_of_a_producer_is_told() -> None:
    store = Replay(9, SIZE, "cpu")
    ring = ViewRing(Numbered(last=3), slots=4, size=SIZE)
    with ring, pytest.raises(ProducerError, match="out of numbers"):
        fill(store, ring, 9, timeout_s=60)


def test_a_killed_producer_is_told() -> None:
    with (
        ViewRing(Suicidal(), slots=4, size=SIZE) as ring,
        pytest.raises(ProducerError, match="exit code -9"),
    ):
        fill(Replay(4, SIZE, "cpu"), ring, 4, timeout_s=60)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_producer_outlives_its_parent(how: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "trains.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from view_sources import Numbered, SIZE
        from hand_recon_ros.training.views import ViewRing
        if __name__ == "__main__":
            with ViewRing(Numbered(), slots=4, workers=2, size=SIZE) as ring:
                while ring.produced < 4:
                    ring.check(wait_s=0.05)
                print(*(process.pid for process in ring._processes), flush=True)
                while True:
                    ring.check(wait_s=0.1)
        """)
    )
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    parent.send_signal(how)
    _, errors = parent.communicate(timeout=30)
    assert gone(pids)
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
        assert errors.count("Traceback") == 1  # producers die in silence


def test_impossible_rings_are_refused() -> None:
    with pytest.raises(ValueError, match="3 producers for 2 slots"):
        ViewRing(Numbered(), slots=2, workers=3, size=SIZE)


def test_levels_of_a_pyramid() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 4)).astype(np.uint8)
    levels = pyramid(picture)
    np.testing.assert_array_equal(levels[: SIZE**2].reshape(SIZE, SIZE, 4), picture)
    half = levels[starts(SIZE)[1] : starts(SIZE)[2]].reshape(SIZE // 2, SIZE // 2, 4)
    mean = picture.reshape(SIZE // 2, 2, SIZE // 2, 2, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(half, mean, atol=0.51)
    assert level_of(np.array([0.1, 1.3, 1.6, 2.7, 3.0, 50])).tolist() == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="multiple of 4"):
        texels(30)


@pytest.fixture(scope="module")
def rendered() -> ViewSet:
    pytest.importorskip("moderngl")
    from hand_recon_ros.rendering.gl.context import RendererUnavailableError

    config = SynthesisConfig(views_per_scene=2, scenes={"single": 0.5, "apart": 0.5})
    made = RenderedViews(config, seed=3, size=128)(0, 1)
    try:
        pixels, labels = zip(*(next(made) for _ in range(6)), strict=True)
    except RendererUnavailableError as error:
        pytest.skip(str(error))
    return ViewSet(np.stack(pixels), np.stack(labels), 128)


def test_rendered_views_show_their_hands(rendered: ViewSet) -> None:
    shown = 0
    for k, label in enumerate(rendered.labels):
        alpha = rendered.picture(k)[..., 3]
        assert (rendered.picture(k)[..., :3] <= alpha[..., None]).all()
        for hand in np.flatnonzero(label["shown"]):
            seen = label["joints_m"][hand].astype(float) @ label["K"].T
            x, y = np.round(seen[:, :2] / seen[:, 2:]).astype(int).T
            assert (alpha[y, x] > 128)[NO_TIPS].mean() > 0.9  # tips lie on the outline
            shown += 1
    assert shown >= 6


def test_rendered_views_survive_a_file(rendered: ViewSet, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "views.npz"
    rendered.save(path)
    assert path.stat().st_size < 6 * 8000
    loaded = ViewSet.load(path)
    np.testing.assert_array_equal(loaded.labels, rendered.labels)
    error = np.abs(loaded.pixels.astype(int) - rendered.pixels)
    assert error.mean() < 1.0
    np.testing.assert_array_equal(loaded.pixels[..., 3], rendered.pixels[..., 3])


def test_broken_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(PictureFileError, match="no such file"):
        ViewSet.load(tmp_path / "none.npz")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK not a zip")
    with pytest.raises(PictureFileError, match=r"broken\.npz: damaged"):
        ViewSet.load(broken)


def test_lenses_that_distort_are_refused() -> None:
    camera = Camera(64, 64, np.diag([60.0, 60.0, 1.0]), np.array([0.1, 0, 0, 0]))
    view: Any = SimpleNamespace(camera=camera)
    with pytest.raises(ValueError, match="distortion"):
        label_of(view)
