"""Files that are there whole or not at all."""

from pathlib import Path

import pytest

from hand_recon_ros.io.replacing import replacing


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    for text in ("old", "new"):
        with replacing(file) as partial:
            partial.write_text(text)
            assert not file.exists() or file.read_text() == "old"
        assert file.read_text() == text
    assert list(tmp_path.iterdir()) == [file]


def test_an_interruption_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text("old")

    def interrupted() -> None:
        with replacing(file) as partial:
            partial.write_text("ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
