"""Tables of features as files: CSV by the standard library, Parquet by pyarrow (extra)."""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from hand_recon_ros.io.closing import Closing
from hand_recon_ros.retarget.feature_rows import COLUMNS, Cell

_GROUP_ROWS: Final = 20_000
"""Rows that Parquet keeps together, and in memory until then."""


class TableWriter(Closing):
    """Writes rows of ``COLUMNS``; what was written before an interruption is kept."""

    @abstractmethod
    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        """Append rows."""


def open_table(path: Path) -> TableWriter:
    """A new file of the kind that its name ends in; an old one is replaced.

    Raises:
        ValueError: neither .csv nor .parquet.
        ImportError: pyarrow is missing or does not fit.
        OSError: the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind == ".csv":
        return _CsvWriter(path)
    if kind == ".parquet":
        return _ParquetWriter(path, _pyarrow())
    raise ValueError(f"'{path}' names no table: let it end in .csv or .parquet")


class _CsvWriter(TableWriter):
    """Empty cells are what is not told."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        self._writer.writerows(rows)

    def close(self) -> None:
        self._file.close()


class _ParquetWriter(TableWriter):
    """Nulls are what is not told."""

    def __init__(self, path: Path, pyarrow: ModuleType) -> None:
        from pyarrow import parquet

        types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
        self._pyarrow = pyarrow
        self._schema: Any = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
        self._writer = parquet.ParquetWriter(path, self._schema)
        self._rows: list[Sequence[Cell]] = []

    def write(self, rows: Sequence[Sequence[Cell]]) -> None:
        self._rows.extend(rows)
        if len(self._rows) >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = [list(column) for column in zip(*self._rows, strict=True)]
            self._writer.write_table(self._pyarrow.table(columns, schema=self._schema))
            self._rows = []


def _pyarrow() -> ModuleType:
    try:
        import pyarrow
    except ImportError as error:  # missing, or made for another NumPy
        raise ImportError(
            f"Parquet needs pyarrow ({error}): pip install 'hand_recon_ros[tables]', "
            "or let the output end in .csv"
        ) from None
    return pyarrow
