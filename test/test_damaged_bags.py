"""Damaged bags: what can be read is read, what was lost is told, and no other error comes out."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from bag_makers import FRAMES, MAKERS, numbers, read, storage_file

from hand_recon_ros.io.bags.inflate import inflate
from hand_recon_ros.io.bags.stored import BagError
from hand_recon_ros.io.frames import SourceError

LOST_AT_END = {
    "mcap": 1,
    "mcap, zstd messages": 1,
    "ros 1": 1,
    "mcap, zstd chunks": 3,
    "mcap, zstd file": 3,
    "ros 1, lz4": 3,
    "sqlite": 5,
    "sqlite, zstd messages": 6,
    "sqlite, zstd file": 6,
    "ros 1, bz2": 24,  # its blocks hold 900 kB, here the half
}
"""Frames that may be lost at the end of a cut bag: those not wholly there (SQLite keeps what tells
where rows lie behind them; compression needs whole blocks)."""


@pytest.fixture(scope="module")
def bags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bags")
    return {kind: make(folder / str(k)) for k, (kind, make) in enumerate(MAKERS.items())}


@pytest.fixture
def bag(request: pytest.FixtureRequest, bags: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the bag of the kind that the test asks for."""
    return Path(shutil.copytree(bags[request.param], tmp_path / "bag"))


def of_kinds(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bag", kinds or MAKERS, indirect=True)


def read_or_refuse(path: Path) -> tuple[list[int], list[str]]:
    """Numbers of the frames read and what was said; refused bags give none and the reason."""
    try:
        frames, skipped = read(path)
    except (BagError, SourceError) as error:
        return [], [str(error)]
    return numbers(frames), skipped


@pytest.mark.parametrize("kind", MAKERS)
def test_cut_anywhere(bags: dict[str, Path], tmp_path: Path, kind: str) -> None:
    bag = Path(shutil.copytree(bags[kind], tmp_path / "bag"))
    file = storage_file(bag)
    whole = file.read_bytes()
    rng = random.Random(kind)
    for at in sorted(
        {1, 9, 30, 100, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(8))}
    ):
        file.write_bytes(whole[:at])
        found, told = read_or_refuse(bag)
        assert found == list(range(len(found))), f"cut at {at}"
        assert len(found) >= int(FRAMES * at / len(whole)) - LOST_AT_END[kind], f"cut at {at}"
        assert told, f"cut at {at} and nothing was said"


@pytest.mark.parametrize("kind", MAKERS)
def test_flipped_bits(bags: dict[str, Path], tmp_path: Path, kind: str) -> None:
    """Whatever is flipped, reading ends in order, and lost frames are told."""
    bag = Path(shutil.copytree(bags[kind], tmp_path / "bag"))
    file = storage_file(bag)
    whole = file.read_bytes()
    rng = random.Random(kind)
    for _ in range(10):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 20))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(data)
        found, told = read_or_refuse(bag)
        assert len(found) == FRAMES or told


@of_kinds("mcap", "mcap, zstd chunks")
def test_mcap_without_its_index(bag: Path) -> None:
    file = storage_file(bag)
    file.write_bytes(file.read_bytes()[:-60])
    found, told = read_or_refuse(bag)
    assert found == list(range(FRAMES))
    assert any("its end is missing" in line for line in told)


@of_kinds("mcap", "mcap, zstd chunks", "ros 1", "ros 1, lz4")
def test_a_hole_costs_what_lies_in_it(bag: Path) -> None:
    """Zeros over a few percent of the file's middle: frames from before and behind come."""
    file = storage_file(bag)
    data = bytearray(file.read_bytes())
    middle, half = len(data) // 2, len(data) // 50
    data[middle - half : middle + half] = bytes(2 * half)
    file.write_bytes(data)
    found, told = read_or_refuse(bag)
    assert found == sorted(found)
    assert found[0] == 0
    lost = FRAMES - len(found)
    assert 0 < lost < FRAMES // 2 + 4, "at most a chunk (here the half of the bag)"
    assert told
    if "zstd" not in str(bag) and lost < 5:
        assert found[-1] == FRAMES - 1


@of_kinds("sqlite")
def test_overwritten_pages_of_a_database(bag: Path) -> None:
    file = storage_file(bag)
    with sqlite3.connect(file) as connection:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(file.read_bytes())
    for number in range(200, 230):
        data[number * page : (number + 1) * page] = b"\xff" * page
    file.write_bytes(data)
    found, told = read_or_refuse(bag)
    assert set(range(FRAMES)) - set(found) <= set(range(8, 24))
    assert len(found) >= FRAMES - 12
    assert any("rows" in line for line in told) or len(found) == FRAMES


@of_kinds()
def test_without_metadata(bag: Path) -> None:
    (bag / "metadata.yaml").unlink(missing_ok=True)
    frames, skipped = read(bag)
    assert numbers(frames) == list(range(FRAMES))
    is_ros1 = storage_file(bag).suffix == ".bag"
    assert [("metadata.yaml is missing" in line) for line in skipped] == ([] if is_ros1 else [True])


@of_kinds("mcap")
@pytest.mark.parametrize("text", ["", "\0\0", "rosbag2_bagfile_information: 3", "- a\n- [b"])
def test_damaged_metadata(bag: Path, text: str) -> None:
    (bag / "metadata.yaml").write_text(text)
    frames, skipped = read(bag)
    assert numbers(frames) == list(range(FRAMES))
    assert ["metadata.yaml is damaged" in line for line in skipped] == [True]


@of_kinds("mcap")
def test_a_missing_part_is_told(bag: Path) -> None:
    path = bag / "metadata.yaml"
    name = storage_file(bag).name
    path.write_text(path.read_text().replace(f"- {name}", f"- {name}\n  - gone_1.mcap", 1))
    frames, skipped = read(bag)
    assert len(frames) == FRAMES
    assert skipped == ["damaged parts: gone_1.mcap is missing"]


@of_kinds("ros 1")
def test_a_ros1_bag_that_was_never_closed(bag: Path) -> None:
    """As ``rosbag record`` leaves it when it is killed: no index."""
    file = storage_file(bag)
    data = file.read_bytes()
    at = data.index(b"index_pos=") + len(b"index_pos=")
    (index,) = (int.from_bytes(data[at : at + 8], "little"),)
    file.write_bytes(data[:at] + bytes(8) + data[at + 8 : index])
    frames, skipped = read(bag)
    assert numbers(frames) == list(range(FRAMES))
    assert any("not indexed" in line for line in skipped)


@pytest.mark.parametrize("name", ["zstd", "lz4", "bz2"])
def test_inflate_gives_what_there_is(name: str) -> None:
    import bz2

    import lz4.frame

    from hand_recon_ros.io.bags.inflate import _zstd

    pack = {"zstd": _zstd().compress, "lz4": lz4.frame.compress, "bz2": bz2.compress}[name]
    content = random.Random(0).randbytes(3_000_000)
    packed = pack(content)
    assert inflate(packed, name) == (content, True)
    part, complete = inflate(packed[: len(packed) // 2], name)
    assert not complete
    assert content.startswith(part)
    assert len(part) > len(content) / 5
