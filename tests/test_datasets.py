"""A data set is asked for by its name, and by nothing else."""

import pytest

from lmerbridge import load_dataset
from lmerbridge.datasets import R_PACKAGES
from lmerbridge.errors import InvalidArgument

NO_NAMES = (
    "/tmp/x",
    "../../x",
    "..",
    ".",
    "",
    "sleepstudy\0evil",
    "sleepstudy\n",
    "sleepstudy ",
    "a/b",
    "a\\b",
    "C:x",
    "~",
    "file:x",
    "*",
    "x\ud800",
    "größe",
    "x;y",
    "1",
    None,
    3,
    b"sleepstudy",
    ["sleepstudy"],
    ("sleepstudy",),
    {"a": 1},
    float("nan"),
)


@pytest.mark.parametrize("package", [None, "statsmodels", *R_PACKAGES])
@pytest.mark.parametrize("name", NO_NAMES, ids=ascii)
def test_what_is_no_name_is_an_error_of_ours(name, package):
    with pytest.raises(InvalidArgument, match=r"^name is .*; the name of a data set is expected, such as 'sleepstudy'"):
        load_dataset(name, package)


@pytest.mark.parametrize("package", ["/tmp", "../lme4", "", "lme4\0", ["lme4"], {"lme4"}, 3, True, b"lme4"], ids=ascii)
def test_what_is_no_package_is_an_error_of_ours(package):
    with pytest.raises(InvalidArgument, match=r"^package is "):
        load_dataset("sleepstudy", package)


def test_a_file_beside_those_of_statsmodels_is_not_read(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(InvalidArgument, match="name of a data set"):
        load_dataset(str(tmp_path / "secret"), "statsmodels")
    assert len(load_dataset("dietox", "statsmodels")) == 861
