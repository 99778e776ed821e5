"""Tables in files, read as they are said to be written: what looks otherwise is an error that says what to give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.setup.extras import import_extra

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
COMPRESSED = (".gz", ".bz2", ".xz", ".zip", ".zst")
MARKS = frozenset((".", "-", "--", "?", "*", "missing", "none", "na", "n.a.", "unknown"))  # for a missing value
THOUSANDS = r"\s*[-+]?\d{1,3}(,\d{3})+(\.\d+)?\s*"  # or three decimals: a factor of 1000 is no guess
DECIMAL_COMMA = r"\s*[-+]?(\d{1,3}(\.\d{3})+|\d+),\d+\s*"
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # by a file's first bytes


def read_table(
    path: Path,
    *,
    sep: str | None = None,
    decimal: str | None = None,
    na: Sequence[str] = (),
    encoding: str | None = None,
) -> pd.DataFrame:
    r"""Read a table from a file of text, which may be compressed, or of Parquet.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.tsv``, ``.tab`` or ``.parquet``; of another name with `sep`.
    sep : str, optional
        Between two values: by default a comma, and a tab in ``.tsv`` and ``.tab``. ``\t`` is a tab too.
    decimal : str, optional
        Between a number's whole and its decimals: by default a point.
    na : sequence of str
        Marks of a missing value, beside pandas' own.
    encoding : str, optional
        By default UTF-8.

    Raises
    ------
    InvalidArgument
        It cannot be read so, or looks as if it were written otherwise. The message says what to give; an option that
        is given is not doubted.
    SetupError
        It is of Parquet, and pyarrow is not installed.
    """
    ending = next((e for e in reversed(path.suffixes) if e.lower() not in COMPRESSED), "").lower()
    given = {"--sep": sep, "--decimal": decimal, "--na": na, "--encoding": encoding}
    if ending == ".parquet" and sep is None:
        if told := [name for name, value in given.items() if value]:
            raise InvalidArgument(f"{path.name} is Parquet, which has no {', '.join(told)}; leave them out.")
        return _read_parquet(path)
    if ending not in SEPARATORS and sep is None:
        expected = f"{', '.join(SEPARATORS)} or .parquet is expected, or --sep"
        raise InvalidArgument(f"{path.name} ends in {ending!r}; {expected}.")
    separator, point = _character("--sep", sep or SEPARATORS[ending]), _character("--decimal", decimal or ".")
    if separator == point and sep is not None:  # at the default one the numbers may be quoted
        raise InvalidArgument(f"--sep and --decimal are both {separator!r}; two different characters are expected.")
    options = {"sep": separator, "decimal": point, "na_values": list(na), "encoding": encoding or "utf-8"}
    frame = _read_separated(path, options, sure=sep is not None)
    for column, why, option, advice in _doubts(frame):
        if not given[option]:
            raise InvalidArgument(f"{path.name}: column {column!r} holds {why}; {advice}.")
    return frame


def _character(option: str, value: str) -> str:
    character = "\t" if value == r"\t" else value
    if len(character) != 1:
        raise InvalidArgument(f"{option} is {value!r}; one character is expected.")
    return character


def _quote(separator: str) -> str:
    return {"\t": r"'\t'"}.get(separator, f"'{separator}'")


def _read_parquet(path: Path) -> pd.DataFrame:
    import_extra("pyarrow", "arrow", f"{path.name}, a file of Parquet,")
    try:
        return pd.read_parquet(path)
    except (ValueError, OSError) as error:  # pyarrow's own are among them
        raise InvalidArgument(f"{path.name} cannot be read: {error}") from error


def _read_text(path: Path, options: dict[str, Any]) -> pd.DataFrame:
    try:
        frame: pd.DataFrame = pd.read_csv(path, **options)
    except UnicodeError as error:
        start = path.read_bytes()[:2]
        like = ENCODINGS.get(start, "latin-1")
        raise InvalidArgument(
            f"{path.name} is not written in {options['encoding']} ({error}); it looks like --encoding {like}."
        ) from error
    except LookupError as error:
        raise InvalidArgument(f"--encoding is {options['encoding']!r}; a name such as utf-8 is expected.") from error
    except (ValueError, OSError, EOFError, ImportError, RuntimeError) as error:  # pandas' and the archives' own
        raise InvalidArgument(
            f"{path.name} cannot be read with --sep {_quote(options['sep'])}: {str(error).strip()}"
        ) from error
    return frame


def _read_separated(path: Path, options: dict[str, Any], *, sure: bool) -> pd.DataFrame:
    """Read a text at its separator, and say at which other one it would be a table if it is none."""
    fault = f"{path.name} has one column at --sep {_quote(options['sep'])}"
    try:
        frame = _read_text(path, options)
        if not frame.index.equals(pd.RangeIndex(len(frame))) and frame.shape[1] > 1:  # pandas takes the first as labels
            raise InvalidArgument(f"{path.name} has lines of more values than its header; one name each is expected.")
    except InvalidArgument as error:
        frame, fault = pd.DataFrame(), str(error).removesuffix(".")
    better = "" if sure or frame.shape[1] > 1 else _better_separator(path, options)
    if better:
        raise InvalidArgument(f"{fault}; it looks like --sep {_quote(better)}.")
    if not frame.shape[1]:
        raise InvalidArgument(f"{fault}.")
    return frame


def _better_separator(path: Path, options: dict[str, Any]) -> str:
    """Return the separator at which a text has the most columns, or "" if it has one at each."""
    widths = {sep: _width(path, options | {"sep": sep}) for sep in ";\t|, " if sep != options["sep"]}
    best = max(widths, key=lambda sep: widths[sep])
    return best if widths[best] > 1 else ""


def _width(path: Path, options: dict[str, Any]) -> int:
    try:
        return int(_read_text(path, options).shape[1])
    except InvalidArgument:  # lines of several lengths
        return 0


def _doubts(frame: pd.DataFrame) -> Iterator[tuple[object, str, str, str]]:
    """Yield columns of text that are numbers written otherwise: the column, what it holds, the option, and advice."""
    for column, values in frame.items():
        if pd.api.types.is_numeric_dtype(values):
            continue
        texts = values.dropna().astype(str).str.strip()
        if texts.empty:
            continue
        numbers = pd.to_numeric(texts, errors="coerce").notna()
        commas = texts.str.fullmatch(DECIMAL_COMMA)
        thousands = texts.str.fullmatch(THOUSANDS)
        if thousands.any() and (thousands | numbers).all():
            advice = "take the commas out where they part thousands, or give --decimal , where they part decimals"
            yield column, f"numbers such as {texts[thousands].iloc[0]!r}", "--decimal", advice
        elif commas.any() and (commas | numbers).all():
            yield column, f"numbers such as {texts[commas].iloc[0]!r}", "--decimal", "it looks like --decimal ,"
        others = texts[~numbers].unique()
        if len(others) == 1 and numbers.mean() > 0.5 and others[0].lower() in MARKS:
            why = f"numbers, and {others[0]!r} in {int((~numbers).sum())} rows"
            yield column, why, "--na", f"it looks like --na '{others[0]}'"
