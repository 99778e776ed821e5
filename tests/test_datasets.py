"""A data set is asked for by its name, and by nothing else."""

import pytest

from lmerbridge import list_datasets, load_dataset
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


IN_R = {"mtcars": (32, 11), "sleep": (20, 3), "ChickWeight": (578, 4), "Orange": (35, 3), "warpbreaks": (54, 3)}


@pytest.mark.parametrize("name", IN_R)
def test_r_s_own_data_sets_are_there(name):
    assert load_dataset(name).shape == load_dataset(name, "datasets").shape == IN_R[name]


def test_mtcars_has_its_cars_and_chicks_are_ordered():
    assert load_dataset("mtcars").loc["Fiat 128", "mpg"] == 32.4
    assert load_dataset("ChickWeight")["Chick"].cat.ordered
    assert load_dataset("ToothGrowth")["supp"].cat.categories.to_list() == ["OJ", "VC"]


def test_a_list_has_each_data_set_with_its_title_and_its_size():
    found = list_datasets()
    assert list(found) == ["name", "package", "title", "rows", "columns"]
    assert {*R_PACKAGES, "statsmodels", "lmerbridge"} >= {*found["package"]} >= {"lme4", "datasets", "lmerbridge"}
    assert not found.duplicated(["name", "package"]).any()
    for row in found.groupby("package").head(2).to_dict("records"):
        assert load_dataset(row["name"], row["package"]).shape == (row["rows"], row["columns"])
    assert found.query("name == 'mtcars'")["title"].to_list() == ["Motor Trend Car Road Tests"]
    assert list_datasets("lme4").equals(found[found["package"] == "lme4"].reset_index(drop=True))
    assert [*list_datasets("statsmodels")["package"].unique()] == ["statsmodels"]
    with pytest.raises(InvalidArgument, match=r"one of lme4, .* is expected"):
        list_datasets("nothing")


@pytest.mark.parametrize(
    ("given", "meant"), [("Sleepstudy", "sleepstudy"), ("mt_cars", "mtcars"), ("chickweight", "ChickWeight")]
)
def test_a_wrong_name_tells_the_name_that_is_meant(given, meant):
    with pytest.raises(InvalidArgument, match=f"did you mean '{meant}'.*list_datasets"):
        load_dataset(given)
    with pytest.raises(InvalidArgument, match=f"no data set '{given}' in nlme; list_datasets"):
        load_dataset(given, "nlme")
    with pytest.raises(InvalidArgument, match="list_datasets"):
        load_dataset()
