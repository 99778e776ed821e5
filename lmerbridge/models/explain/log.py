"""A log of tables, to which lines are appended."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.files import append_text, write_files
from lmerbridge.setup.extras import import_extra


def append(path: Path, lines: pd.DataFrame) -> Path:
    """Append lines to a file of the same columns, which is begun where there is none.

    Raises
    ------
    InvalidArgument
        Its suffix is unknown, its columns are others, or it cannot be written.
    SetupError
        It is a Parquet file, and pyarrow is not installed.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InvalidArgument(f"path is {str(path)!r}; a name that ends in {', '.join(WRITERS)} is expected.")
    writer(path, lines)
    return path


def _csv(path: Path, lines: pd.DataFrame) -> None:
    first = _first_line(path)
    if first:
        _check(path, next(csv.reader(io.StringIO(first))), lines)
    append_text(path, lines.to_csv(index=False, header=not first, lineterminator="\n"))


def _json_lines(path: Path, lines: pd.DataFrame) -> None:
    if first := _first_line(path):
        _check(path, _keys(first), lines)
    text = lines.astype(object).where(lines.notna(), None)
    append_text(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in text.to_dict("records")))


def _parquet(path: Path, lines: pd.DataFrame) -> None:
    parquet = import_extra("pyarrow.parquet", "arrow", "a log in Parquet")
    if path.exists() and path.stat().st_size:
        try:
            before = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise InvalidArgument(f"{path} cannot be read as Parquet: {error}; a log of ours is expected.") from error
        _check(path, list(before.columns), lines)
        lines = pd.concat([before, lines], ignore_index=True)
    content = io.BytesIO()
    parquet.write_table(import_extra("pyarrow", "arrow", "a log in Parquet").Table.from_pandas(lines), content)
    write_files({path: content.getvalue()})


def _first_line(path: Path) -> str:
    """Return the first line of a file, empty where there is none.

    Raises
    ------
    InvalidArgument
        It cannot be read, or its last line has no end, so that what follows would be part of it.
    """
    try:
        with path.open("rb") as file:
            first = file.readline()
            file.seek(-1, io.SEEK_END)
            ended = file.read() == b"\n"
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError; an empty file has no last byte
        if isinstance(error, OSError) and path.is_file() and not path.stat().st_size:
            return ""
        raise InvalidArgument(f"{str(path)!r} cannot be read: {error}; a file is expected.") from error
    if not ended:
        raise InvalidArgument(f"{path} ends within a line; a log whose last line is whole is expected.")
    return first.decode("utf-8", "replace")


def _keys(line: str) -> list[str]:
    try:
        found: Any = json.loads(line)
    except ValueError:
        found = None
    return list(found) if isinstance(found, dict) else [line[:40]]


def _check(path: Path, columns: Sequence[str], lines: pd.DataFrame) -> None:
    if list(columns) != list(lines.columns):
        own, other = (", ".join(map(str, names)) for names in (lines.columns, columns))
        raise InvalidArgument(f"{path} has the columns {other}; {own} are expected. Name another file.")


WRITERS: dict[str, Callable[[Path, pd.DataFrame], None]] = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}
