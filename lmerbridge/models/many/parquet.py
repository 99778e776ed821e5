"""Tables of fits in a Parquet file, appended one after another."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.setup.extras import import_extra


class ParquetFile:
    """A file that has its name once all tables are in it: until then it is ``NAME.part``.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._arrow = import_extra("pyarrow", "arrow", "a Parquet file")
        self._parquet = import_extra("pyarrow.parquet", "arrow", "a Parquet file")
        self._writer: Any = None

    def __enter__(self) -> ParquetFile:
        return self

    def append(self, frame: pd.DataFrame) -> None:
        """Append a table as a group of rows, its index as text in a column ``response``."""
        if not frame.columns.is_unique or "response" in frame.columns:
            doubled = "response" if frame.columns.is_unique else frame.columns[frame.columns.duplicated()][0]
            raise InvalidArgument(
                f"two columns of the table would have the name {doubled!r}; rename a column of the data."
            )
        table = frame.assign(response=frame.index.map(str))[["response", *frame.columns]]
        rows = self._arrow.Table.from_pandas(table, preserve_index=False)
        if self._writer is None:
            self._writer = self._parquet.ParquetWriter(f"{self._path}.part", rows.schema)
        self._writer.write_table(rows.cast(self._writer.schema))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
            if error is None:
                os.replace(f"{self._path}.part", self._path)
