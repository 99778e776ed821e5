"""Tables as files of many kinds: read as they are said to be written, and doubted aloud where they look otherwise."""

import gzip

import numpy as np
import pandas as pd
import pytest

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import read_table

FRAME = pd.DataFrame({"y": [1.5, -2.25, 1234.0, 3.75], "x": [1, 2, 3, 4], "g": ["a", "b", "ä", "a"]})
WRITTEN = {  # how a file is written: its name, pandas' options, what is given, what an error suggests without it
    "plain": ("a.csv", {}, {}, ""),
    "tabs": ("a.tsv", {"sep": "\t"}, {}, ""),
    "tabs in capitals": ("A.TSV", {"sep": "\t"}, {}, ""),
    "gzip": ("a.csv.gz", {}, {}, ""),
    "tabs in gzip": ("a.tsv.gz", {"sep": "\t"}, {}, ""),
    "xz": ("a.csv.xz", {}, {}, ""),
    "byte order mark": ("a.csv", {"encoding": "utf-8-sig"}, {}, ""),
    "semicolons": ("a.csv", {"sep": ";"}, {"sep": ";"}, "it looks like --sep ';'."),
    "semicolons in gzip": ("a.csv.gz", {"sep": ";"}, {"sep": ";"}, "it looks like --sep ';'."),
    "tabs in a csv": ("a.csv", {"sep": "\t"}, {"sep": r"\t"}, r"it looks like --sep '\t'."),
    "bars": ("a.csv", {"sep": "|"}, {"sep": "|"}, "it looks like --sep '|'."),
    "commas in a tsv": ("a.tsv", {}, {"sep": ","}, "it looks like --sep ','."),
    "decimal commas": ("a.csv", {"decimal": ","}, {"decimal": ","}, "it looks like --decimal ,."),
    "Latin-1": ("a.csv", {"encoding": "latin-1"}, {"encoding": "latin-1"}, "it looks like --encoding latin-1."),
    "UTF-16": ("a.csv", {"encoding": "utf-16"}, {"encoding": "utf-16"}, "it looks like --encoding utf-16."),
    "another name": (
        "a.dat",
        {},
        {"sep": ","},
        ".csv, .tsv, .tab or .parquet is expected, or --sep",
    ),
    "continental": ("a.csv", {"sep": ";", "decimal": ","}, {"sep": ";", "decimal": ","}, "it looks like --sep ';'."),
}


@pytest.fixture
def written(tmp_path):
    def write(how):
        name, options, given, told = WRITTEN[how]
        FRAME.to_csv(tmp_path / name, index=False, **options)
        return tmp_path / name, given, told

    return write


@pytest.mark.parametrize("how", WRITTEN)
def test_a_table_is_read_as_it_is_said_to_be_written(how, written):
    path, given, _ = written(how)
    pd.testing.assert_frame_equal(read_table(path, **given), FRAME)


@pytest.mark.parametrize("how", [how for how, (*_, told) in WRITTEN.items() if told])
def test_what_looks_otherwise_is_an_error_that_says_what_to_give(how, written):
    path, _, told = written(how)
    with pytest.raises(InvalidArgument) as raised:
        read_table(path)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    "values", [["1,043", "2,500"], ["-1,043", "999"], ["1,043,000", "2,000"], ["1,043.5", "2,000"]]
)
def test_commas_that_may_part_thousands_are_not_called_decimal_commas(values, tmp_path):
    """Who did as told had numbers smaller by a factor of 1000."""
    pd.DataFrame({"y": values, "g": "a"}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InvalidArgument, match=r"such as '-?1,043.*'; take the commas out where they part thousands"):
        read_table(tmp_path / "a.csv")


@pytest.mark.parametrize("mark", [".", "-", "?", "missing"])
def test_a_mark_for_missing_values_is_told_and_not_doubted_once_it_is_given(mark, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"y,g\n1.5,a\n{mark},b\n2.5,a\n")
    with pytest.raises(InvalidArgument, match=f"column 'y' holds numbers, and '[{mark}]+' in 1 rows; it looks"):
        read_table(path)
    np.testing.assert_array_equal(read_table(path, na=[mark])["y"], [1.5, np.nan, 2.5])
    assert read_table(path, na=["other"])["y"].tolist() == ["1.5", mark, "2.5"]


@pytest.mark.parametrize(
    ("text", "given", "told"),
    [
        ("", {}, "a.csv cannot be read with --sep ',': No columns to parse from file"),
        ("a,b\n1,2\n1,2,3\n", {}, "Expected 2 fields in line 3, saw 3"),
        ("a,b\n1,2,3\n4,5,6\n", {}, "a.csv has lines of more values than its header"),
        ("a;b\nx, y;2\nx, y, z;3\n", {}, "it looks like --sep ';'."),
        ("a,b\n1,2\n", {"sep": ";;"}, "--sep is ';;'; one character is expected."),
        ("a,b\n1,2\n", {"sep": ",", "decimal": ","}, "--sep and --decimal are both ','"),
        ("a,b\n1,2\n", {"encoding": "klingon"}, "--encoding is 'klingon'; a name such as utf-8 is expected."),
    ],
)
def test_what_is_no_table_is_an_error(text, given, told, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InvalidArgument) as raised:
        read_table(path, **given)
    assert told in str(raised.value)


def test_bytes_that_are_not_what_their_name_says_are_an_error(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(b"y,g\n1,a\n")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"y,g\n1,a\n" * 99)[:30])
    (tmp_path / "a.parquet").write_bytes(b"no")
    for name in ("a.csv.gz", "cut.csv.gz", "a.parquet"):
        with pytest.raises(InvalidArgument, match=f"{name} cannot be read"):
            read_table(tmp_path / name)
    with pytest.raises(InvalidArgument, match=r"a\.parquet is Parquet, which has no --na; leave them out"):
        read_table(tmp_path / "a.parquet", na=["x"])
